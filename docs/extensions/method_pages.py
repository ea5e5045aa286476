"""A page for each method, written from its file, docs/objectives.toml, the measured rows and the guide of costs.

The pages are written to docs/methods/ before Sphinx reads its sources, and only where their text has changed.
"""

import ast
import functools
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import view_sheets
from sphinx.application import Sphinx

from sslzoo import catalog
from sslzoo.catalog import knobs, options, ranges
from sslzoo.catalog import recipe as recipes
from sslzoo.catalog.kinds import DEFAULT, KINDS

DOCS = Path(__file__).parents[1]
PLACE, MEASURED = DOCS / "methods", DOCS.parent / "benchmarks"
TABLE = "```{measured-methods}\n```"  # in a page, replaced by the table of all measured methods
DATA = {  # of a command, by kind
    "image": "--data PATH/TO/FOLDER",
    "series": "--data FILE.npz",
    "audio": "--data audio:FOLDER",
    "rows": "--data FILE.csv",
    "text": "--data FILE.txt",
}
PAGES = {"image": "data", "series": "series", "audio": "audio", "rows": "tables", "text": "text"}


def write(app: Sphinx) -> None:
    """Writes the pages of all methods, and the contact sheets of their views."""
    PLACE.mkdir(exist_ok=True)
    view_sheets.draw({_views(name) for name in catalog.methods() if not _relation(name)}, PLACE / "sheets")
    for old in [path for path in PLACE.glob("*.md") if path.stem not in catalog.methods()]:
        old.unlink()
    for name in catalog.methods():
        path, text = PLACE / f"{name}.md", page(name)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


@functools.cache
def objectives() -> dict[str, dict[str, str]]:
    """Method -> its formula, the symbols of it, its idea, and how it fails."""
    return tomllib.loads((DOCS / "objectives.toml").read_text("utf-8"))


def page(name: str) -> str:
    """The page of a method, in Markdown."""
    first, about = objectives()[name], knobs.summary(catalog.methods()[name])
    title, _, sentence = about.partition(": ")
    parts = [
        f"# {title}\n\n**{_capital(sentence)}**",
        _facts(name),
        f"## Idea\n\n{first['idea']}",
        f"## Objective\n\n{_formula(first['formula'])}\n\nwhere {first['where']} "
        "Further symbols are on the page [Notation](../notation.md).",
        f"## As implemented\n\n{_document(name)}",
        f"## When it fails\n\n{first['fails']} The [questions by symptom](../faq.md) have more.",
        f"## Views\n\n{_sheet(name)}",
        f"## Knobs\n\n{_knobs(name)}",
        f"## Measured\n\n{_measured(name)}",
        f"## Run it\n\n{_commands(name)}",
        _relatives(name),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _formula(latex: str) -> str:
    """The equations of a formula, each on a line of its own."""
    return "\n\n".join(f"$$\n{part}\n$$" for part in re.split(r",? \\qquad ", latex))


def _facts(name: str) -> str:
    cost = _costs().get(name, {})
    row = _rows().get(name, {})
    kinds = ", ".join(KINDS[kind].noun for kind in options.kinds_of(name))
    use = _capital(catalog.method_attribute(name, "use"))
    facts = {
        "When to use it": f"{use}." if use else "",
        "Paper": row.get("paper") or f"<{catalog.method_attribute(name, 'paper')}>",
        "Family": row.get("family", ""),
        "Data": kinds + ", with labels" * bool(catalog.method_attribute(name, "supervised", False)),
        "Needs": row.get("needs", ""),
        "Smallest batch": str(catalog.method_attribute(name, "batch", 256)),
        "Cost": _cost(cost),
        "Class": f"{{py:class}}`sslzoo.methods.{catalog.class_name(catalog.methods()[name])}`",
    }
    return "| | |\n|---|---|\n" + "\n".join(f"| {key} | {value} |" for key, value in facts.items() if value)


def _cost(cost: dict[str, Any]) -> str:
    if not cost:
        return ""
    return (
        f"{cost['cost']} times the operations of a step of SimCLR with `{cost['encoder']}`; {cost['memory']} MB of "
        "weights besides the encoder, at the defaults and 10 000 images"
    )


def _document(name: str) -> str:
    """The docstring of the class before its arguments."""
    path = catalog.methods()[name]
    tree = next(n for n in knobs.parsed(path).body if isinstance(n, ast.ClassDef) and not n.name.startswith("_"))
    text = ast.get_docstring(tree).split("\n\nArgs:")[0]
    return re.sub(r"(?<=\w)\n(?=\w)", " ", text).replace("|", r"\|").replace("<", r"\<")


def _views(name: str) -> tuple[str, str]:
    """Kind of data and preset that a method has by default."""
    kind = options.kind_for(name)
    return kind, options.views_of(name, kind)


def _relation(name: str) -> str:
    """How a method relates examples, such as a frame and a later one; "" for examples on their own."""
    return catalog.method_attribute(name, "relation")


def _sheet(name: str) -> str:
    kind, preset = _views(name)
    if _relation(name):
        return f"The preset `{preset}`, of several frames of an episode; `sslzoo views {name} --data DATA` draws them."
    of = "" if kind == DEFAULT else f" of {KINDS[kind].noun}"
    table = view_sheets.statistics(PLACE / "sheets", kind, preset)
    if table is None:
        return f"The preset `{preset}`{of} passes the examples as they are."
    text = f"The preset `{preset}`{of}; `--preset` takes another one, and `sslzoo views {name} {DATA[kind]}` draws it "
    text += f"for your data.\n\n![Contact sheet of the views](sheets/{kind}-{preset}.png)\n"
    return text + (f"\nHow often, and how strongly, each operation acts:\n\n```text\n{table}\n```" if table else "")


def _knobs(name: str) -> str:
    found = catalog.method_knobs(name)
    if not found:
        return "None besides those of encoder, views and run."
    lines = ["| knob | default | type and range | meaning |", "|---|---|---|---|"]
    for knob in found.values():
        default = "required" if knob.default is knobs.REQUIRED else f"`{knob.default}`"
        kind = ", ".join(filter(None, [f"`{knob.type}`", ranges.words(knob)]))
        cells = (f"`{knob.name}`", default, kind, re.sub(r"^(int|float|bool|str), ", "", knob.help))
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + f"\n\n`sslzoo train {name} --help` lists those of encoder, views and run too."


def _measured(name: str) -> str:
    row, run = _rows()[name], _zoo().get(name)
    if run is None:  # measured on another page, which the cell names
        return row["knn"].replace("](", "](../", 1).replace("see ", "See ", 1) + "."
    verdict = _verdicts().get(name)
    lines = [
        f"{run['data']} images, encoder `{run['encoder']}`, {run['epochs']} epochs. Percent on at most 4000 test "
        "images: trained / untrained, and in brackets the gain with its 95 % interval, bold if it excludes zero.",
        f"| k-NN | linear probe |\n|---|---|\n| {row['knn']} | {row['linear']} |",
        f"The verdict of a run: {verdict}." if verdict else "",
        f"    python benchmarks/zoo.py --methods {name}",
        "Runs of minutes are too short to rank methods; [all methods](../repository/benchmarks/zoo.md) have a row.",
    ]
    return "\n\n".join(filter(None, lines))


def _commands(name: str) -> str:
    kind = options.kind_for(name)
    words = [f"sslzoo train {name}", DATA[kind]]
    words += ["--captions FILE.csv"] * options.needs_captions(name)
    words += ["--teacher exported_models/NAME"] * ("teacher" in catalog.method_knobs(name))
    lines = [" ".join(words)] + [f"sslzoo train {recipe}" for recipe in _recipes().get(name, [])]
    about = "\n".join(f"- `{one}`: {knobs.summary(catalog.recipes()[one])}" for one in _recipes().get(name, []))
    text = "\n".join(f"    {line}" for line in lines)
    more = f"\n\nRecipes, whose settings are to start from:\n\n{about}" if about else ""
    other = [KINDS[k].noun for k in options.kinds_of(name) if k != kind]
    pages = [f"[{KINDS[k].noun}](../{PAGES[k]}.md)" for k in options.kinds_of(name)]
    return text + more + (f"\n\nThe method takes {', '.join(pages)}." if other else f"\n\nData: {pages[0]}.")


def _relatives(name: str) -> str:
    family = _rows().get(name, {}).get("family")
    others = [other for other, row in _rows().items() if row["family"] == family and other != name]
    return f"Of the same family: {', '.join(f'[{other}]({other}.md)' for other in sorted(others))}." if others else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@functools.cache
def _recipes() -> dict[str, list[str]]:
    """Method -> its recipes."""
    found: dict[str, list[str]] = {}
    for name, path in catalog.recipes().items():
        recipe = recipes.read(path)
        if recipe is not None:
            found.setdefault(recipe.settings["method"], []).append(name)
    return found


@functools.cache
def _rows() -> dict[str, dict[str, str]]:
    """Method -> its row of the table in docs/methods.md."""
    heads = ("family", "paper", "needs", "knn", "linear")
    found = re.findall(r"^\| `(\w+)` \|(.*)\|$", (DOCS / "methods.md").read_text("utf-8"), re.M)
    lines = {name: [cell.strip() for cell in cells.split(" | ")] for name, cells in found}
    rows = {name: dict(zip(heads, cells, strict=True)) for name, cells in lines.items()}
    return {name: row | {"needs": re.sub(r"\]\((?!http)", "](../", row["needs"])} for name, row in rows.items()}


@functools.cache
def _zoo() -> dict[str, dict[str, str]]:
    """Method -> data, encoder and epochs of its row in benchmarks/zoo.md."""
    text = (MEASURED / "zoo.md").read_text("utf-8")
    lines = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|", text, re.M)
    return {name: dict(data=data, encoder=encoder, epochs=epochs) for name, data, encoder, epochs in lines}


@functools.cache
def _verdicts() -> dict[str, str]:
    """Method -> verdict of its latest run in benchmarks/zoo.jsonl."""
    rows = map(json.loads, (MEASURED / "zoo.jsonl").read_text("utf-8").splitlines())
    return {row["method"]: row["verdict"] for row in rows}


@functools.cache
def _costs() -> dict[str, dict[str, Any]]:
    return json.loads(catalog.GUIDE.read_text("utf-8"))


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Called by Sphinx for each page that it reads."""
    if TABLE in source[0]:
        source[0] = source[0].replace(TABLE, measured())


def measured() -> str:
    """The table of all measured methods, with links to their pages."""
    lines = [
        "| method | family | needs | batch | cost | MB | k-NN | linear probe |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in _rows().items():
        cost, batch = _costs().get(name, {}), catalog.method_attribute(name, "batch", 256)
        cells = [f"[{name}](methods/{name}.md)", row["family"], row["needs"].replace("](../", "](")]
        cells += [batch, cost.get("cost", ""), cost.get("memory", ""), row["knn"], row["linear"]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def setup(app: Sphinx) -> dict:
    app.connect("builder-inited", write)
    app.connect("source-read", read)
    return {"parallel_read_safe": True}
