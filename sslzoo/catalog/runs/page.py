"""One HTML page about runs, without external files: a table, a legend and the curves."""

import html
from collections.abc import Sequence
from pathlib import Path

from sslzoo.catalog.runs import curves
from sslzoo.catalog.runs.listing import OF_METHOD, SHARES, cells
from sslzoo.catalog.runs.record import COUNTERS, Record, online
from sslzoo.utils.files import replacing

MARK = '<meta name="generator" content="sslzoo runs page">'
TITLES = {
    "loss": "loss",
    "online_knn": "k-NN on training examples, online (%)",
    "probe_knn": "k-NN on the probe data (%)",
    "probe_linear": "linear probe on the probe data (%)",
    "features_found": "mild view found by features (%)",
    "contrast_accuracy": "other view found (%)",
    "rank": "effective rank of the embeddings",
    "spread": "spread of the embeddings (1: even)",
    "loss_excess": "loss above that of random embeddings",
    "alignment": "alignment",
    "uniformity": "uniformity",
    "images_per_second": "examples per second",
}  # the first panels, in this order
STYLE = """
:root { --ink: #1d2733; --soft: #5b6876; --line: #d9dfe6; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 24px 20px 60px; color: var(--ink); background: #fff;
  font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 21px; margin: 0 0 10px; } h2 { font-size: 17px; margin: 28px 0 8px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th { white-space: nowrap; }
th, td { padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td { white-space: nowrap; } td.text { white-space: normal; min-width: 260px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13.5px; position: sticky; top: 0; padding: 6px 0;
  background: #fff; border-bottom: 1px solid var(--line); max-height: 30vh; overflow-y: auto; }
.legend label { overflow-wrap: anywhere; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 360px), 1fr)); gap: 14px 22px; }
figure { margin: 0; } figcaption { font-size: 14px; font-weight: 600; margin-bottom: 2px; }
figure svg { width: 100%; height: auto; display: block; }
svg text { font-size: 11.5px; fill: var(--soft); } .rule { stroke: var(--line); }
.hidden { display: none; }
@media (max-width: 600px) { body { padding: 14px 12px 40px; } .legend { position: static; max-height: none; } }
"""
SCRIPT = """
for (const box of document.querySelectorAll(".legend input"))
  box.addEventListener("change", () => {
    for (const line of document.querySelectorAll(`g[data-run="${box.value}"]`))
      line.classList.toggle("hidden", !box.checked);
  });
"""


def as_html(records: Sequence[Record], title: str) -> str:
    """Returns the page.

    Args:
        records: runs, in the order of the table.
        title: of the page.
    """
    drawn = [curves.panel(name, runs) for name, runs in panels(records).items()] or ["<p>No figures are recorded.</p>"]
    boxes = "".join(map(_legend, range(len(records)), records))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
{MARK}<title>{html.escape(title)}</title><link rel="icon" href="data:,"><style>{STYLE}</style></head><body>
<h1>{html.escape(title)}</h1>
<div class="wide">{_table(records)}</div>
<h2>Curves</h2><div class="legend">{boxes}</div>
<div class="curves">
{chr(10).join(drawn)}
</div><script>{SCRIPT}</script></body></html>
"""


def write(records: Sequence[Record], out: Path, title: str) -> Path:
    """Writes the page and returns its path.

    Raises:
        ValueError: `out` is a folder, or a file that is no such page.
    """
    if out.is_dir() or out.exists() and MARK not in out.read_text("utf-8", "replace")[:2000]:
        raise ValueError(f"{out} is no page of runs and is not replaced: give another out=...")
    with replacing(out) as temporary:
        temporary.write_text(as_html(records, title), "utf-8", "xmlcharrefreplace")
    return out


def panels(records: Sequence[Record]) -> dict[str, dict[int, tuple[str, curves.Points]]]:
    """Returns title of a panel -> number of a run -> its name and points.

    Losses of several methods have a panel for each method, after the figures that all runs share.
    """
    found: dict[tuple[str, str], dict[int, tuple[str, curves.Points]]] = {}
    for number, record in enumerate(records):
        for name, points in _courses(record).items():
            of = record.method if name in OF_METHOD else ""
            found.setdefault((name, of), {})[number] = (record.name, points)
    order, methods = list(TITLES), {of for _, of in found if of}

    def place(key: tuple[str, str]) -> tuple:
        name, of = key
        return bool(of) and len(methods) > 1, order.index(name) if name in order else len(order), key

    return {_title(name, of if len(methods) > 1 else ""): found[name, of] for name, of in sorted(found, key=place)}


def _courses(record: Record) -> dict[str, curves.Points]:
    """Figure -> its points (epoch, value) of a run, shares in percent."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in record.history:
        for name, value in line.items():
            if name not in COUNTERS:
                scale = 100 if online(name) in SHARES else 1
                found.setdefault(online(name), []).append((line["epoch"], scale * value))
    return found


def _title(name: str, method: str) -> str:
    title = TITLES.get(name, name.replace("_", " "))
    return f"{title}, {method}" if method else title


def _legend(number: int, record: Record) -> str:
    name = html.escape(f"{record.name} ({record.method})")
    return f'<label><input type="checkbox" value="{number}" checked> {curves.swatch(number)} {name}</label>'


def _table(records: Sequence[Record]) -> str:
    head, lines = cells(records, lambda record: record.verdict)
    names = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    rows = "".join(f"<tr>{''.join(map(_cell, head, line))}</tr>\n" for line in lines)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(column: str, text: str) -> str:
    return f"<td{' class=text' if column == 'verdict' else ''}>{html.escape(text)}</td>"
