"""The index of a folder of exported encoders: a table made of their cards."""

from pathlib import Path

from sslzoo.evaluators.report import grid
from sslzoo.export import FACTS, read_facts
from sslzoo.files import replacing

SHOWN = {"linear 1 %": "linear probe, 1 % of the labels", "k-NN": "k-NN, 20 neighbours"}
TITLE = "# Exported encoders"
BASELINES = ("trained", "untrained", "raw pixels")


def write_index(folder: str | Path) -> Path:
    """Writes README.md of a folder whose sub-folders are exported encoders; each number is that of a card.

    Returns:
        Its path; another README.md that stands there stays as it is.
    """
    path = Path(folder) / "README.md"
    if path.exists() and not path.read_text("utf-8", "replace").startswith(TITLE):
        return path
    with replacing(path) as beside:
        beside.write_text(index(folder), "utf-8")
    return path


def index(folder: str | Path) -> str:
    """Markdown: a line for each exported encoder, with its accuracies beside those of the untrained one and pixels."""
    head = ["encoder", "method", "architecture", "data", "features", "MB", *SHOWN, "made by"]
    table = grid(head, [_row(file.parent) for file in sorted(Path(folder).glob(f"*/{FACTS}"))])
    return f"""{TITLE}

Made of the cards, which have every score; `sslzoo.load_encoder(path)` opens each. Accuracies on test images are
{", ".join(BASELINES)}.

{table}
"""


def _row(folder: Path) -> list[str]:
    facts = read_facts(folder)
    encoder, data = facts["encoder"], str(facts.get("data", "")).split(";")[0]
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    cells = [f"[{folder.name}]({folder.name}/README.md)", facts.get("method", ""), encoder["name"], data]
    cells += [str(encoder["features"]), f"{size:.1f}"]
    cells += [_scores(facts.get("scores", []), metric) for metric in SHOWN.values()]
    return [*cells, f"`{facts['command']}`" if "command" in facts else ""]


def _scores(scores: list[dict], metric: str) -> str:
    means = {row["features"]: row["mean"] for row in scores if row["metric"] == metric}
    return " / ".join(f"{100 * means[name]:.1f}" for name in BASELINES if name in means)
