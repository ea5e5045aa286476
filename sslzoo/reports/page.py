"""The report as one HTML page without external files."""

import base64
import html
import re
from collections.abc import Sequence

from sslzoo.evaluation.judging import TRAINED
from sslzoo.evaluators.report import Row
from sslzoo.evaluators.scores import html_table
from sslzoo.reports.front import Front
from sslzoo.reports.study import Chapter, Picture

STYLE = """
:root { --ink: #1d2733; --soft: #5b6876; --line: #d9dfe6; --blue: #0072b2; --orange: #d55e00; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 28px 24px 80px; color: var(--ink); background: #fff;
  font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 21px; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 21px; margin: 46px 0 8px; padding-top: 14px; border-top: 2px solid var(--ink); }
h3 { font-size: 16px; margin: 26px 0 6px; }
nav { position: sticky; top: 0; background: #fff; padding: 9px 0; border-bottom: 1px solid var(--line); z-index: 1; }
nav a { margin-right: 18px; color: var(--blue); text-decoration: none; display: inline-block; }
section { scroll-margin-top: 48px; }
p { max-width: 86ch; margin: 6px 0 12px; }
.verdict { font-size: 17px; line-height: 1.4; max-width: none; margin: 4px 0 14px; }
.verdict b { font-size: 30px; line-height: 1.2; display: block; }
.verdict b::first-letter { text-transform: uppercase; }
.better { color: var(--blue); font-weight: 700; } .worse { color: var(--orange); font-weight: 700; }
.verdict.better, .verdict.worse { color: var(--ink); font-weight: 400; }
.verdict.better b { color: var(--blue); } .verdict.worse b { color: var(--orange); }
.note, figcaption { color: var(--soft); font-size: 13.5px; }
table { border-collapse: collapse; margin: 12px 0; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 150px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 14px 0; font-size: 14px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 8px 0 24px; } figure img { max-width: 100%; height: auto; display: block; }
.wide { overflow-x: auto; }
.front { columns: 2; column-gap: 32px; }
.front > * { break-inside: avoid; } .front h3 { margin-top: 4px; font-size: 14px; }
.front figure { margin-bottom: 12px; }
.front .views img { max-height: 560px; width: auto; }
@media (max-width: 800px) {
  body { padding: 16px 14px 60px; }
  .front { columns: 1; }
  .verdict b { font-size: 25px; }
  dl { grid-template-columns: 1fr; } dd { margin-bottom: 6px; }
  section figure img { max-width: max(100%, 700px); }
  nav { position: static; } section { scroll-margin-top: 0; }
}
@media print { nav { position: static; } h2, figure { break-inside: avoid; } }
"""


def as_html(front: Front, chapters: Sequence[Chapter]) -> str:
    """The whole page, style and pictures included."""
    title = html.escape(front.title)
    links = "".join(f'<a href="#{_anchor(chapter)}">{html.escape(chapter.title)}</a>' for chapter in chapters)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: report</title><link rel="icon" href="data:,"><style>{STYLE}</style></head><body>
<h1>{title}</h1>{_verdict(front.verdict)}{_front(front)}<nav>{links}</nav>
{"".join(map(_chapter, chapters))}
</body></html>
"""


def _verdict(text: str) -> str:
    if not text:
        return ""
    head, _, rest = text.partition(": ")
    bad = head.startswith(("worse", "collapsing", "diverged"))
    kind = "worse" if bad else "better" if head.startswith(("learning", "better")) else ""
    return f'<p class="verdict {kind}"><b>{html.escape(head)}</b> {html.escape(rest)}</p>'


def _front(front: Front) -> str:
    """Pictures in two columns, the facts below the last one."""
    cells = [f'<div class="{picture.name}">{_figure(picture)}</div>' for picture in front.pictures]
    told = "".join(f"<dt>{html.escape(n)}</dt><dd>{html.escape(str(v))}</dd>" for n, v in front.facts.items())
    return f'<div class="front">{"".join(cells)}<div><h3>Facts</h3><dl>{told}</dl></div></div>'


def _anchor(chapter: Chapter) -> str:
    return re.sub(r"\W+", "-", chapter.title.lower())


def _chapter(chapter: Chapter) -> str:
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in chapter.notes)
    figures = "".join(map(_figure, chapter.pictures))
    head = f'<section id="{_anchor(chapter)}"><h2>{html.escape(chapter.title)}</h2><p>{html.escape(chapter.text)}</p>'
    under = f'<p class="note">{html.escape(chapter.under_table)}</p>' if chapter.under_table else ""
    grid = html_table(chapter.grid[0], chapter.grid[1:]) if chapter.grid else ""
    return f"{head}{notes}{_table(chapter.rows)}{grid}{under}{figures}</section>\n"


def _table(rows: Sequence[Row]) -> str:
    """One line per metric, one column per set of features and per gain."""
    if not rows:
        return ""
    columns = list(dict.fromkeys(row.features for row in rows))
    over = list(dict.fromkeys(name for row in rows for name in row.gains))
    lines: dict[str, dict[str, Row]] = {}
    for row in rows:
        lines.setdefault(row.metric, {})[row.features] = row
    head = "".join(f"<th>{html.escape(c)}</th>" for c in ["", *columns, *(f"gain over {name}" for name in over)])
    body = "".join(f"<tr><td>{html.escape(m)}</td>{_cells(by, columns, over)}</tr>" for m, by in lines.items())
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cells(by_column: dict[str, Row], columns: Sequence[str], over: Sequence[str]) -> str:
    own = by_column.get(TRAINED)
    others = [name for name, row in by_column.items() if name != TRAINED and row.mean is not None]
    best = own is not None and bool(others) and all(own.better(name) for name in others)
    scores = [_cell(str(by_column.get(c, "")), "better" if best and c == TRAINED else "") for c in columns]
    marks = {True: "better", False: "worse", None: ""}
    owners = {name: row for row in by_column.values() for name in row.gains}
    gains = [_cell(owners[n].gain(n), marks[owners[n].better(n)]) if n in owners else _cell("", "") for n in over]
    return "".join(scores + gains)


def _cell(text: str, kind: str) -> str:
    return f"<td{f' class={kind}' if kind else ''}>{html.escape(text)}</td>"


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode()
    title, caption = html.escape(picture.title), html.escape(picture.caption)
    image = f'<img alt="{title}" src="data:image/png;base64,{data}">'
    return f'<h3>{title}</h3><figure class="wide">{image}<figcaption>{caption}</figcaption></figure>'
