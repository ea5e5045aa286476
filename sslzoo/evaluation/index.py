"""The index of a folder of exported encoders: a table from their cards."""

from pathlib import Path
from urllib.parse import quote

from sslzoo.catalog.kinds import DEFAULT, KINDS
from sslzoo.evaluators.report import Row, code, escaped, grid
from sslzoo.exports.contract import FACTS
from sslzoo.exports.inputs import exported_kind
from sslzoo.exports.savedmodel import read_facts
from sslzoo.utils.files import replacing

SHOWN = {"linear 1 %": "linear_0.01", "k-NN": "knn"}
OF_BEFORE = {"linear probe, 1 % of the labels": "linear_0.01", "k-NN, 20 neighbours": "knn"}  # version 0.1 had no keys
TITLE = "# Exported encoders"
COLUMNS = ("trained", "untrained")  # followed by the baselines of the kind of data


def write_index(folder: str | Path) -> Path:
    """Writes README.md of a folder whose sub-folders are exported encoders; each number is that of a card.

    Returns:
        Its path; a README.md of another origin is not changed.
    """
    path = Path(folder) / "README.md"
    if path.exists() and not path.read_text("utf-8", "replace").startswith(TITLE):
        return path
    with replacing(path) as beside:
        beside.write_text(index(folder), "utf-8")
    return path


def index(folder: str | Path) -> str:
    """Markdown: a line for each exported encoder, with its accuracies and those of its baselines."""
    head = ["encoder", "method", "architecture", "data", "features", "MB", *SHOWN, "made by"]
    table = grid(head, [_row(file.parent) for file in sorted(Path(folder).glob(f"*/{FACTS}"))])
    return f"""{TITLE}

Collected from the cards, which have all scores; `sslzoo.load_encoder(path)` opens each. Accuracies on test images:
{" / ".join(_columns(DEFAULT))}, and in brackets the gain over the untrained encoder with its 95 % interval.\
{_more(folder)}

{table}
"""


def _more(folder: str | Path) -> str:
    """Sentences on the columns of other kinds of data than images, if there are encoders of such data."""
    kinds = {exported_kind(read_facts(file.parent)) for file in Path(folder).glob(f"*/{FACTS}")}
    others = sorted((kinds & KINDS.keys()) - {DEFAULT})
    return "".join(f" Of {KINDS[kind].noun}: {' / '.join(_columns(kind))}." for kind in others)


def _columns(kind: str) -> tuple[str, ...]:
    return (*COLUMNS, *(KINDS[kind].functions.baselines(1) if kind in KINDS else ()))


def _row(folder: Path) -> list[str]:
    facts = read_facts(folder)
    encoder, data = facts["encoder"], str(facts.get("data", "")).split(";")[0]
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    cells = [f"[{escaped(folder.name)}]({quote(folder.name)}/README.md)", escaped(facts.get("method", ""))]
    cells += [escaped(encoder["name"]), escaped(data), str(encoder["features"]), f"{size:.1f}"]
    columns = _columns(exported_kind(facts))
    cells += [_scores(facts.get("scores", []), key, columns) for key in SHOWN.values()]
    return [*cells, code(facts["command"]) if "command" in facts else ""]


def _scores(scores: list[dict], key: str, columns: tuple[str, ...]) -> str:
    rows = {row["features"]: Row(**row) for row in scores if key in (row.get("key"), OF_BEFORE.get(row["metric"]))}
    rows |= {"untrained": rows["start"]} if "start" in rows else {}
    means = " / ".join(f"{100 * rows[name].mean:.1f}" for name in columns if name in rows)
    gain = (rows["trained"].gain("untrained") or rows["trained"].gain("start")) if "trained" in rows else ""
    return f"{means} ({gain})" if gain else means
