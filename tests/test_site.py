"""The site: pages of all methods, a way to every page, commands that exist, examples that run.

pytest -m slow -n 0 tests/test_site.py builds it, without running the gallery.
"""

import ast
import functools
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sslzoo import catalog, commands
from sslzoo.catalog import knobs
from sslzoo.catalog.kinds import KINDS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
EXAMPLES = sorted((DOCS / "examples").glob("plot_*.py"))
OBJECTIVES = tomllib.loads((DOCS / "objectives.toml").read_text("utf-8"))
QUICK = ("plot_own_method",)  # the others are for -m long
sys.path += [str(DOCS), str(DOCS / "extensions")]


@functools.cache
def parts() -> frozenset[str]:
    """The knobs of all encoders and presets."""
    known = {knob for encoder in catalog.every_encoder() for knob in catalog.encoder_knobs(encoder)}
    for kind in KINDS:
        known |= {knob for preset in catalog.presets(kind) for knob in catalog.preset_knobs(preset, kind)}
    return frozenset(known)


def words(name: str) -> set[str]:
    """Names that the entry of a method may use: its knobs, those of encoders, views and runs, and methods."""
    return {
        *catalog.method_knobs(name),
        *catalog.methods(),
        *catalog.experiment_knobs(),
        *parts(),
        "regions",
        "examples_per_class",
    }


def test_every_method_has_formula_symbols_idea_and_failure():
    missing = set(catalog.methods()) - set(OBJECTIVES)
    assert not missing, f"add them to docs/objectives.toml: {', '.join(sorted(missing))}"
    assert list(OBJECTIVES) == sorted(OBJECTIVES)


@pytest.mark.parametrize("name", catalog.methods())
def test_an_objective_is_complete_and_names_knobs_that_exist(name):
    entry = OBJECTIVES[name]
    assert set(entry) == {"formula", "where", "idea", "fails"} and all(text.strip() for text in entry.values())
    assert len(re.findall(r"\.(?:\s|$)", entry["idea"])) == 3, "three sentences"
    for text in (entry["where"], entry["fails"]):
        for code in re.findall(r"`([^`]+)`", text):
            assert re.split(r"[= (]", code)[0] in words(name), code
        assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0


@pytest.mark.parametrize("name", catalog.methods())
def test_formulas_are_mathml(name):
    pytest.importorskip("sphinx")
    import mathml

    entry = OBJECTIVES[name]
    for formula in (entry["formula"], *re.findall(r"\$([^$]+)\$", entry["where"] + entry["fails"])):
        assert "<math" in mathml.mathml(formula, display=False)


def test_the_verdict_of_a_page_is_that_of_the_latest_run(tmp_path, monkeypatch):
    pytest.importorskip("sphinx")
    import method_pages

    rows = [{"method": "mae", "verdict": verdict} for verdict in ("earlier", "latest")]
    (tmp_path / "zoo.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    monkeypatch.setattr(method_pages, "MEASURED", tmp_path)
    assert method_pages._verdicts.__wrapped__() == {"mae": "latest"}


@pytest.mark.parametrize("name", catalog.methods())
def test_the_page_of_a_method_has_all_its_parts(name):
    pytest.importorskip("sphinx")
    import method_pages

    text = method_pages.page(name)
    for part in ("Idea", "Objective", "As implemented", "When it fails", "Views", "Knobs", "Measured", "Run it"):
        assert f"\n## {part}\n" in text
    assert all(f"| `{knob}` |" in text for knob in catalog.method_knobs(name))
    assert f"sslzoo train {name} " in text
    assert re.search(r"## Measured\n\n(See \[[\w.]+\]\(\.\./|\d*[\w, ]+ images, encoder)", text)
    assert all(part in text for part in re.split(r",? \\qquad ", OBJECTIVES[name]["formula"]))
    for target in re.findall(r"\]\(\.\./([\w/]+)\.md", text):
        assert (DOCS / f"{target}.md").exists() or target.startswith("repository/"), target


@pytest.mark.parametrize("kind", ["image", "series", "rows", "audio"])
def test_contact_sheets_of_each_kind_are_drawn(kind, tmp_path):
    import view_sheets

    view_sheets.draw({(kind, KINDS[kind].preset)}, tmp_path)
    assert (tmp_path / f"{kind}-{KINDS[kind].preset}.png").stat().st_size > 5000
    assert view_sheets.statistics(tmp_path, kind, KINDS[kind].preset)


def entries(page: Path) -> set[str]:
    """The pages that the toctrees of a page list, by name."""
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", page.read_text("utf-8"), re.S)
    return {line for block in blocks for line in block.splitlines() if re.fullmatch(r"[\w/]+", line)}


def links(page: Path) -> set[str]:
    """The pages that a page has links, cards or entries of a toctree to, by name."""
    found = re.findall(r":link: (\w+)|\]\((\w+)(?:\.md)?[)#]", page.read_text("utf-8"))
    return entries(page) | {card or link for card, link in found}


def test_every_page_is_in_a_table_of_contents():
    listed = set().union(*map(entries, PAGES)) | {"index"}
    missing = {page.stem for page in PAGES} - listed
    assert not missing, f"add them to a toctree, such as that of guide.md: {', '.join(sorted(missing))}"


@pytest.mark.parametrize("goal", ["first_hour", "first_hour_series", "first_hour_table", "verdict", "deploy"])
def test_the_journeys_are_within_two_clicks_of_the_start(goal):
    first = links(DOCS / "index.md")
    second = set().union(*(links(DOCS / f"{name}.md") for name in first if (DOCS / f"{name}.md").exists()))
    assert goal in first | second
    assert {"first_hour", "verdict", "deploy"} <= first, "the start page has cards"


# Files of the functions that commands call with the words of a command line.
CALLED = ("evaluation/judging", "evaluation/embedding", "evaluation/indexing", "exports/formats", "exports/weights")
CALLED += ("tuning/search", "reports/__init__", "reports/benefit", "data/service", "data/packing", "testing/doctor")


@functools.cache
def known_options() -> set[str]:
    """All options of the command line."""
    known = {*catalog.experiment_knobs(), *catalog.run_knobs()}
    for name in catalog.methods():
        known |= set(catalog.method_knobs(name))
    known |= parts()
    for path in commands.names().values():
        known |= set(re.findall(r"--([a-z][a-z-]+)", path.read_text("utf-8")))
    for place in CALLED:
        functions = [n for n in knobs.parsed(catalog.ROOT / f"{place}.py").body if isinstance(n, ast.FunctionDef)]
        known |= {arg.arg for one in functions for arg in one.args.args}
    return {name.replace("_", "-") for name in known} | {"help", "all"}


NEW = "choose deploy faq first_hour first_hour_series first_hour_table install large_runs verdict".split()


@pytest.mark.parametrize("name", NEW)
def test_commands_of_the_pages_exist_with_their_options(name):
    text, known = (DOCS / f"{name}.md").read_text("utf-8").replace("\\\n", " "), known_options()
    for line in re.findall(r"sslzoo ([a-z-]+ [^`\n]*)", text):
        command, options = line.split()[0], re.findall(r"--([a-z][a-z-]+)", line)
        if options or command in ("train", "evaluate"):
            assert command in commands.names(), line
            assert not set(options) - known, line


def test_names_of_sslzoo_on_the_page_of_other_libraries_exist():
    import sslzoo

    text = (DOCS / "coming_from.md").read_text("utf-8")
    cells = [line.split("|")[2] for line in text.splitlines() if line.startswith("| ") and line.count("|") == 3]
    for cell in cells:
        for path in re.findall(r"`sslzoo\.([\w.]+)", cell):
            thing = sslzoo
            for part in path.split("."):
                thing = getattr(thing, part, None) or __import__(f"sslzoo.{path.rpartition('.')[0]}", fromlist=["x"])
            assert thing is not None, path
        for option in re.findall(r"--([a-z][a-z-]+)", cell):
            assert option in known_options(), option


def small(example: Path) -> str:
    """The source of an example with one epoch, and without its assertions, which are about longer trainings."""
    tree = ast.parse(example.read_text("utf-8"))
    body = [node for node in tree.body if not isinstance(node, ast.Assert)]
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EPOCHS":
            node.value = ast.Constant(1)
    return ast.unparse(ast.Module(body, []))


def test_there_are_examples_and_each_checks_its_figures():
    assert len(EXAMPLES) >= 6
    for example in EXAMPLES:
        text = example.read_text("utf-8")
        assert "\nassert " in text and re.search(r"^EPOCHS = \d+$", text, re.M), example.name


@pytest.mark.parametrize(
    "example",
    [pytest.param(e, marks=[] if e.stem in QUICK else pytest.mark.long, id=e.stem) for e in EXAMPLES],
)
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_examples_run(example):
    import matplotlib

    matplotlib.use("Agg")
    exec(compile(small(example), str(example), "exec"), {"__name__": "example"})  # noqa: S102, our own file


@pytest.mark.long
@pytest.mark.parametrize("journey", ["own_folder", "own_series", "own_table", "search_and_export"])
def test_a_journey_runs_as_a_notebook(journey):
    pytest.importorskip("sphinx_gallery"), pytest.importorskip("nbclient")
    import notebooks

    assert journey in notebooks.JOURNEYS
    notebook = notebooks.made(journey)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = re.sub(r"^assert .*$", "", cell.source, flags=re.M)
            cell.source = re.sub(r"^EPOCHS = \d+$", "EPOCHS = 1", cell.source, flags=re.M)
    outputs = [output for cell in notebooks.executed(notebook).cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_needs_no_network(tmp_path):
    pytest.importorskip("sphinx_gallery")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-D", "plot_gallery=0", DOCS, tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for page in tmp_path.rglob("*.html"):
        sources = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', page.read_text("utf-8"))
        assert not sources, (page.name, sources)
    assert len(list((tmp_path / "methods").glob("*.html"))) == len(catalog.methods())


def test_extensions_stay_small_enough_to_read():
    for path in (DOCS / "extensions").glob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) <= 300
        assert inspect.cleandoc(ast.get_docstring(ast.parse(path.read_text("utf-8"))))
