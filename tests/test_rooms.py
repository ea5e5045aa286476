"""The house: which room may import which, what stays light, how large files and functions get."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sslzoo"
FILES = sorted(PACKAGE.rglob("*.py"))

NOTHING = set()
MAY_IMPORT = {
    "replicas": NOTHING,
    "losses": NOTHING,
    "heads": NOTHING,
    "maps": NOTHING,
    "patches": NOTHING,
    "targets": NOTHING,
    "queues": NOTHING,
    "banks": {"losses", "queues"},
    "decoders": NOTHING,
    "optimizers": NOTHING,
    "schedules": NOTHING,
    "files": NOTHING,
    "plots": {"files"},
    "knobs": NOTHING,
    "provenance": NOTHING,
    "catalog": {"knobs"},
    "encoders": {"catalog", "knobs"},
    "views": {"files"},
    "data": {"files", "knobs"},
    "model": {"optimizers", "replicas"},
    "methods": {
        *{"model", "heads", "maps", "patches", "targets", "queues", "banks", "decoders", "losses", "replicas"},
        *{"export", "catalog", "knobs"},  # export: a teacher is loaded as what it is, an exported encoder
    },
    "miniatures": {"catalog", "knobs", "methods", "encoders", "views"},
    "microbatch": NOTHING,
    "layerwise": {"decoders"},
    "norms": NOTHING,
    "verdict": {"evaluators"},
    "monitors": {"evaluators", "losses", "norms", "tracking", "verdict"},
    "resolved": {"catalog", "knobs"},
    "hparams": NOTHING,
    "runs": {"files", "resolved"},
    "tracking": {"files"},
    "export": {"files", "resolved", "taps"},
    "index": {"evaluators", "export", "files"},
    "evaluators": NOTHING,
    "scenes": NOTHING,
    "taps": NOTHING,
    "finetuning": {"optimizers", "schedules", "taps"},
    "corruptions": NOTHING,
    "checkpoints": {"files"},
    "diagnosis": {"checkpoints", "files", "replicas"},
    "train": {"checkpoints", "diagnosis", "replicas", "tracking"},
    "baseline": {"encoders", "export", "files", "norms"},
    "evaluation": {"baseline", "data", "evaluators", "export", "files", "views"},
    "formats": {"data", "evaluation", "export", "files", "knobs"},
    "weights": {"encoders", "export", "formats", "provenance"},
    "sklearn": {"export"},
    "embedding": {"data", "evaluation", "export", "files"},
    "comparison": {"baseline", "data", "evaluation", "evaluators", "export"},
    "report": {
        *{"baseline", "data", "evaluation", "evaluators", "export", "files", "plots", "provenance", "views"},
        *{"corruptions", "finetuning", "losses", "maps", "scenes", "taps"},
    },
    "tune": {"catalog", "evaluation", "evaluators", "export", "files", "knobs", "plots", "runs", "tracking"},
}
ANYTHING = {"plan", "pretraining", "runner", "sweep", "__main__", "__init__", "doctor"}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "sslzoo":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sslzoo."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("sslzoo.")}
    return names - {room(path)}


def test_every_room_is_in_the_table():
    assert {room(path) for path in FILES} == set(MAY_IMPORT) | ANYTHING


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_the_table_allows(path):
    if room(path) not in ANYTHING:
        assert imported_rooms(path) <= MAY_IMPORT[room(path)]


def test_no_method_imports_another_method():
    for path in (PACKAGE / "methods").glob("[a-z]*.py"):
        modules = [n.module or "" for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
        assert not any(module.startswith("sslzoo.methods") for module in modules), path.name


MATHEMATICS = ["losses", "encoders", "heads.py", "maps.py", "patches.py", "targets.py", "queues.py", "decoders.py"]
MATHEMATICS += ["optimizers.py"]


@pytest.mark.parametrize("folder", MATHEMATICS)
def test_what_is_mathematics_alone_is_keras_only(folder):
    place = PACKAGE / folder
    for path in [place] if place.suffix else place.glob("*.py"):
        tree = ast.parse(path.read_text())
        names = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
        names += [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        assert not any(name.split(".")[0] == "tensorflow" for name in names), path.name


def test_importing_sslzoo_and_listing_load_neither_tensorflow_nor_keras():
    code = "import sys, sslzoo, sslzoo.__main__ as m; m.main(['list'])"
    code += "; print('loaded', {'tensorflow', 'keras'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.endswith("loaded set()\n")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_small_enough_to_read(path):
    limit = 120 if room(path) == "methods" else 300
    assert len(path.read_text("utf-8").splitlines()) <= limit


def test_the_readme_names_every_method_encoder_and_command():
    from sslzoo import catalog
    from sslzoo.__main__ import COMMANDS

    text = (ROOT / "README.md").read_text("utf-8")
    for name in (*catalog.methods(), *catalog.encoders()):
        assert f"`{name}`" in text, name
    for name in COMMANDS:
        assert f"sslzoo {name}" in text, name
