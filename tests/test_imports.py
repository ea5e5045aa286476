"""The house: which room may import which, what stays light, how large files and functions get."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sslzoo"
FILES = sorted(PACKAGE.rglob("*.py"))

# Lowest first. A package imports from lower layers only; those of one layer may not import each other.
LAYERS = (
    ("utils",),
    ("catalog",),
    ("losses", "optimizers"),
    ("layers",),
    ("encoders", "data", "evaluators"),
    ("views",),
    ("exports", "model"),
    ("methods",),
    ("evaluation",),
    ("reports",),
    ("training",),
    ("tuning", "testing"),
    ("commands",),
    ("__init__", "__main__"),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
# A method looks at no encoder, data or view; a distillation's teacher is an exported encoder.
NEVER = {"methods": {"encoders", "data", "views", "evaluators"}, "evaluators": {"losses", "encoders"}}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Packages that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "sslzoo":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sslzoo."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("sslzoo.")}
    return names - {room(path)}


def test_every_package_has_its_layer():
    assert {room(path) for path in FILES} == set(LEVEL)


def test_the_top_of_the_package_is_short():
    assert len(LEVEL) <= 20


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    level, found = LEVEL[room(path)], imported_rooms(path)
    assert {name for name in found if LEVEL[name] >= level} == set()
    assert not found & NEVER.get(room(path), set())


def test_no_method_imports_another_method():
    for path in (PACKAGE / "methods").glob("[a-z]*.py"):
        modules = [n.module or "" for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
        assert not any(module.startswith("sslzoo.methods") for module in modules), path.name


MATHEMATICS = ["losses", "encoders", "optimizers"]
MATHEMATICS += [
    f"layers/{name}.py" for name in ("heads", "maps", "patches", "targets", "memory", "tokens", "drop_path")
]
MATHEMATICS += ["layers/attention_masks.py", "layers/decoders.py", "layers/masking.py", "layers/transformer.py"]


@pytest.mark.parametrize("folder", MATHEMATICS)
def test_what_is_mathematics_alone_is_keras_only(folder):
    place = PACKAGE / folder
    for path in [place] if place.suffix else place.glob("*.py"):
        tree = ast.parse(path.read_text())
        names = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
        names += [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        assert not any(name.split(".")[0] == "tensorflow" for name in names), path.name


def at_import(path: Path) -> set[str]:
    """The modules that importing a file imports, without what functions import when they are called."""
    found, left = set(), list(ast.parse(path.read_text("utf-8")).body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif not isinstance(node, ast.FunctionDef) and ast.unparse(getattr(node, "test", node)) != "TYPE_CHECKING":
            left += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize("path", sorted((PACKAGE / "encoders").glob("*.py")), ids=lambda path: path.stem)
def test_a_keras_file_of_an_encoder_is_loaded_without_tensorflow(path):
    """With Keras on PyTorch, where the modules of its layers are imported."""
    known, left = set(), {".".join(path.relative_to(ROOT).with_suffix("").parts)}
    while left:
        name = left.pop()
        known.add(name)
        place = ROOT / name.replace(".", "/")
        files = [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists()]
        imported = set().union(*map(at_import, files))
        assert not any(one.split(".")[0] == "tensorflow" for one in imported), f"{name} imports tensorflow"
        parents = {one.rpartition(".")[0] for one in imported}
        left |= {one for one in imported | parents if one.startswith("sslzoo")} - known


def test_importing_sslzoo_and_listing_load_neither_tensorflow_nor_keras():
    code = "import sys, sslzoo, sslzoo.__main__ as m; m.main(['list'])"
    code += "; print('loaded', {'tensorflow', 'keras'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.endswith("loaded set()\n")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_small_enough_to_read(path):
    limit = 120 if room(path) == "methods" else 300
    assert len(path.read_text("utf-8").splitlines()) <= limit


@pytest.mark.parametrize(
    "before, expected",
    [
        ("", "1"),
        ("os.environ['TF_ENABLE_ONEDNN_OPTS'] = '0'", "0"),
        ("sys.modules['tensorflow'] = None", "None"),  # it is too late, and child processes shall not differ
    ],
)
def test_kernels_of_onednn_are_the_default_unless_the_user_or_tensorflow_was_first(before, expected, monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    lines = f"import os, sys\n{before}\nimport sslzoo\nprint(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == expected
