"""The report as one HTML page that needs nothing but itself."""

import base64
import html
import re
from collections.abc import Sequence

from sslzoo.evaluators.report import Row
from sslzoo.report.study import TRAINED, Chapter, Picture

STYLE = """
:root { --ink: #1d2733; --soft: #5b6876; --line: #d9dfe6; --blue: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 28px 24px 80px; color: var(--ink); background: #fff;
  font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 27px; margin: 0 0 4px; }
h2 { font-size: 21px; margin: 46px 0 8px; padding-top: 14px; border-top: 2px solid var(--ink); }
h3 { font-size: 16px; margin: 26px 0 6px; }
nav { position: sticky; top: 0; background: #fff; padding: 9px 0; border-bottom: 1px solid var(--line); z-index: 1; }
nav a { margin-right: 18px; color: var(--blue); text-decoration: none; }
p { max-width: 86ch; margin: 6px 0 12px; }
.note, figcaption { color: var(--soft); font-size: 13.5px; }
table { border-collapse: collapse; margin: 12px 0; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 16px 4px 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { font-weight: 600; } th:first-child, td:first-child { text-align: left; white-space: normal; }
td.own { font-weight: 600; color: var(--blue); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 14px 0; font-size: 14px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 8px 0 24px; } figure img { max-width: 100%; height: auto; display: block; }
.wide { overflow-x: auto; }
@media print { nav { position: static; } h2, figure { break-inside: avoid; } }
"""


def as_html(facts: dict[str, str], chapters: Sequence[Chapter]) -> str:
    """The whole page: style and pictures are in it, nothing is fetched."""
    title = html.escape(facts["encoder"])
    links = "".join(f'<a href="#{_anchor(chapter)}">{html.escape(chapter.title)}</a>' for chapter in chapters)
    told = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd>" for name, value in facts.items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: report</title><link rel="icon" href="data:,"><style>{STYLE}</style></head><body>
<h1>{title}</h1><dl>{told}</dl><nav>{links}</nav>
{"".join(map(_chapter, chapters))}
</body></html>
"""


def _anchor(chapter: Chapter) -> str:
    return re.sub(r"\W+", "-", chapter.title.lower())


def _chapter(chapter: Chapter) -> str:
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in chapter.notes)
    figures = "".join(map(_figure, chapter.pictures))
    head = f'<section id="{_anchor(chapter)}"><h2>{html.escape(chapter.title)}</h2><p>{html.escape(chapter.text)}</p>'
    return f"{head}{notes}{_table(chapter.rows)}{figures}</section>\n"


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    columns = list(dict.fromkeys(row.features for row in rows))
    cells = {(row.metric, row.features): str(row) for row in rows}
    head = "".join(f"<th>{html.escape(column)}</th>" for column in ["", *columns])
    body = "".join(
        f"<tr><td>{html.escape(metric)}</td>{''.join(_cell(cells.get((metric, c), ''), c) for c in columns)}</tr>"
        for metric in dict.fromkeys(row.metric for row in rows)
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(text: str, column: str) -> str:
    return f"<td{' class=own' if column == TRAINED else ''}>{html.escape(text)}</td>"


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode()
    title, caption = html.escape(picture.title), html.escape(picture.caption)
    image = f'<img alt="{title}" src="data:image/png;base64,{data}">'
    return f'<h3>{title}</h3><figure class="wide">{image}<figcaption>{caption}</figcaption></figure>'
