"""What sslzoo has: methods, encoders, presets and recipes, found by their folders; source is read, not imported."""

import ast
import functools
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from sslzoo.catalog import knobs
from sslzoo.catalog.knobs import Knob

ROOT = Path(__file__).parents[1]
# In a checkout the recipes lie next to the package; a wheel has them as sslzoo.recipes.
RECIPES = next((path for path in (ROOT / "recipes", ROOT.parent / "recipes") if path.is_dir()), ROOT / "recipes")
# Arguments that pretraining fills in.
GIVEN = {"encoder", "input_shape", "size", "channels", "dataset_size", "num_classes"}
# Fields of an experiment or of run options that only Python can give.
PYTHON_ONLY = {"knobs", "callbacks"}


def methods() -> dict[str, Path]:
    """Name -> file of every method."""
    return {path.stem: path for path in _files(ROOT / "methods")}


def encoders() -> dict[str, Path]:
    """Name -> file of every encoder: a public function of encoders/ whose only required argument is `input_shape`."""
    return _functions(ROOT / "encoders", "input_shape")


def presets() -> dict[str, Path]:
    """Name -> file of every preset: a public function of views/*presets.py with the arguments `size` and `channels`."""
    found = _functions(ROOT / "views", "size", "*presets.py")
    return {name: path for name, path in found.items() if "channels" in knobs.read(path, name)}


def recipes() -> dict[str, Path]:
    """Name -> file of every recipe: a file of recipes/ that assigns `recipe`, or defines a function of its name."""
    return {path.stem: path for path in _files(RECIPES) if {path.stem, "recipe"} & _defined(path)}


def class_name(path: Path) -> str:
    """Name of the one public class of a method's file."""
    return _class(path).name


def method_attribute(method: str, name: str, default: str = "") -> str:
    """A class attribute of a method, such as `views`, its preset, or `paper`."""
    for node in _class(methods()[method]).body:
        target = getattr(node, "target", None) or next(iter(getattr(node, "targets", ())), None)
        if isinstance(node, ast.Assign | ast.AnnAssign) and ast.unparse(target) == name:
            return ast.literal_eval(node.value)
    return default


def method_knobs(method: str) -> dict[str, Knob]:
    """Knobs of a method."""
    path = methods()[method]
    return _own(knobs.read(path, class_name(path)))


def encoder_knobs(encoder: str) -> dict[str, Knob]:
    """Knobs of an encoder; none for an encoder of Keras."""
    known = encoders()
    return _own(knobs.read(known[encoder], encoder)) if encoder in known else {}


def preset_knobs(preset: str) -> dict[str, Knob]:
    """Knobs of a preset."""
    return _own(knobs.read(presets()[preset], preset))


def experiment_knobs() -> dict[str, Knob]:
    """Fields of an experiment that the command line can give."""
    found = knobs.read(ROOT / "training" / "experiment.py", "Experiment")
    return {name: knob for name, knob in found.items() if name not in PYTHON_ONLY}


def run_knobs() -> dict[str, Knob]:
    """Fields of run options that the command line can give."""
    found = knobs.read(ROOT / "training" / "experiment.py", "RunOptions")
    return {name: knob for name, knob in found.items() if name not in PYTHON_ONLY}


@functools.cache
def plugins(kind: str) -> dict[str, EntryPoint]:
    """Name -> entry point of the methods, encoders, presets or datasets of other installed packages.

    Args:
        kind: "methods", "encoders", "presets" or "datasets"; the group of the entry points is "sslzoo.KIND".
    """
    return {point.name: point for point in entry_points(group=f"sslzoo.{kind}")}


def found(kind: str, thing: Any) -> Any:
    """The object of another package's entry point if `thing` is its name, else `thing` itself."""
    points = plugins(kind)
    return points[thing].load() if isinstance(thing, str) and thing in points else thing


def _own(found: dict[str, Knob]) -> dict[str, Knob]:
    return {name: knob for name, knob in found.items() if name not in GIVEN}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def _class(path: Path) -> ast.ClassDef:
    classes = (node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ClassDef))
    return next(node for node in classes if not node.name.startswith("_"))


def _defined(path: Path) -> set[str]:
    """Names of the functions and variables at the top of a file."""
    body = ast.parse(path.read_text("utf-8")).body
    names = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    return names | {ast.unparse(target) for node in body if isinstance(node, ast.Assign) for target in node.targets}


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
