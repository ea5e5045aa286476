"""What the zoo holds, found by looking into its folders; source is read, nothing is imported."""

import ast
import importlib.util
from collections.abc import Callable
from pathlib import Path

from sslzoo.catalog import knobs
from sslzoo.catalog.knobs import Knob

ROOT = Path(__file__).parents[1]
RECIPES = ROOT.parent / "recipes"
# Arguments that pretraining fills in.
GIVEN = {"encoder", "input_shape", "size", "channels", "dataset_size", "num_classes"}


def methods() -> dict[str, Path]:
    """Every file of methods/, by its name."""
    return {path.stem: path for path in _files(ROOT / "methods")}


def encoders() -> dict[str, Path]:
    """Every public function of encoders/ that needs nothing but `input_shape`, with its file."""
    return _functions(ROOT / "encoders", "input_shape")


def presets() -> dict[str, Path]:
    """Every public function of views/*presets.py that makes views of a size for a number of channels, with its file."""
    found = _functions(ROOT / "views", "size", "*presets.py")
    return {name: path for name, path in found.items() if "channels" in knobs.read(path, name)}


def recipes() -> dict[str, Path]:
    """Every file of recipes/ that defines a function of its own name; none where only the package is installed."""
    return {path.stem: path for path in _files(RECIPES) if path.stem in _named(path, ast.FunctionDef)}


def class_name(path: Path) -> str:
    """The one public class of a method's file."""
    return next(name for name in _named(path, ast.ClassDef) if not name.startswith("_"))


def own_knobs(method: str | None = None) -> dict[str, Knob]:
    """Knobs of one method (of all, for None), of every encoder and of every preset, by name."""
    chosen = {method: methods()[method]} if method else methods()
    found = {}
    for path in chosen.values():
        found |= knobs.read(path, class_name(path))
    for name, path in (encoders() | presets()).items():
        found |= knobs.read(path, name)
    return {name: knob for name, knob in found.items() if name not in GIVEN}


def pretrain_knobs() -> dict[str, Knob]:
    """Knobs of `sslzoo.pretrain`."""
    return knobs.read(ROOT / "training" / "pretraining.py", "pretrain")


def recipe_knobs(path: Path) -> dict[str, Knob]:
    """Knobs of a recipe: its own, and where it hands `**knobs` on to `pretrain`, all of those that it does not pin."""
    function = next(n for n in ast.parse(path.read_text("utf-8")).body if getattr(n, "name", "") == path.stem)
    own = knobs.read(path, path.stem)
    call = next((n for n in ast.walk(function) if isinstance(n, ast.Call) and _called(n) == "pretrain"), None)
    if function.args.kwarg is None or call is None:
        return own
    everything = pretrain_knobs() | own_knobs()
    pinned = {keyword.arg for keyword in call.keywords} | set(list(pretrain_knobs())[: len(call.args)])
    return own | {name: knob for name, knob in everything.items() if name not in pinned | set(own)}


def recipe_function(path: Path) -> Callable:
    """The recipe of a file, ready to be called: the one thing here that does import."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, path.stem)


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def _named(path: Path, kind: type) -> list[str]:
    return [node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, kind)]


def _functions(folder: Path, only: str, pattern: str = "*.py") -> dict[str, Path]:
    found = {}
    for path in sorted(folder.glob(pattern)):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and _needs(node) == [only]:
                found[node.name] = path
    return found


def _needs(node: ast.FunctionDef) -> list[str]:
    """Arguments without a default."""
    return [arg.arg for arg in node.args.args[: len(node.args.args) - len(node.args.defaults)]]
