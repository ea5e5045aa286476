"""Catalogue of methods, encoders, presets and recipes; their source files are parsed, not imported."""

import ast
import functools
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from sslzoo.catalog import knobs
from sslzoo.catalog.kinds import DEFAULT, KINDS, of_input
from sslzoo.catalog.knobs import Knob

ROOT = Path(__file__).parents[1]
# In a checkout the recipes are next to the package; in a wheel they are sslzoo.recipes.
RECIPES = next((path for path in (ROOT / "recipes", ROOT.parent / "recipes") if path.is_dir()), ROOT / "recipes")
GUIDE = ROOT / "catalog" / "guide.json"  # what a step costs, by benchmarks/guide.py
# Arguments that pretraining sets.
GIVEN = {"encoder", "input_shape", "size", "channels", "dataset_size", "num_classes", "length", "schema"}
GIVEN |= {"columns", "bank", "tokens", "vocabulary", "tokenizer", "action_dim"}
# Fields of an experiment or of run options that the command line does not have.
PYTHON_ONLY = {"knobs", "callbacks"}
APPLICATIONS = "keras.applications:"  # prefix of the names of Keras architectures


def methods() -> dict[str, Path]:
    """Returns name -> file of every method."""
    return {path.stem: path for path in _files(ROOT / "methods")}


def encoders(kind: str = DEFAULT) -> dict[str, Path]:
    """Returns name -> file of every encoder of a kind of data.

    An encoder is a public function of encoders/ whose only required argument is `input_shape`. The annotation of this
    argument says how many axes an input has, and so the kind: tuple[int, int] is a series, tuple[int] a row.
    In the files of a kind that names them, such as audio.py, it is that kind.
    """
    return {name: path for name, path in every_encoder().items() if _kind(path, name) == kind}


def presets(kind: str = DEFAULT) -> dict[str, Path]:
    """Returns name -> file of every preset of a kind of data.

    A preset is a public function of views/*presets.py with the argument `channels`, of rows `bank`, of texts neither,
    and with the extent of a view, such as `size` of images or `length` of series, as its only required argument.
    """
    found = _functions(ROOT / "views", KINDS[kind].extent, KINDS[kind].folder)
    second = KINDS[kind].second
    return {name: path for name, path in found.items() if not second or second in knobs.read(path, name)}


def _kind(path: Path, encoder: str) -> str:
    """The kind of data whose examples have as many axes as the input of an encoder; images where it is not said."""
    if named := [kind.name for kind in KINDS.values() if kind.encoders and path.match(kind.encoders)]:
        return named[0]
    written = knobs.read(path, encoder)["input_shape"].type
    kind = of_input(0 if "..." in written else written.count("int"))
    return kind.name if kind else DEFAULT


def recipes() -> dict[str, Path]:
    """Returns name -> file of every recipe.

    A recipe is a file of recipes/ that assigns `recipe` or defines a function with the name of the file.
    """
    return {path.stem: path for path in _files(RECIPES) if {path.stem, "recipe"} & _defined(path)}


def class_name(path: Path) -> str:
    """Returns the name of the public class in the file of a method."""
    return _class(path).name


def method_attribute(method: str, name: str, default: Any = "") -> Any:
    """Returns a class attribute of a method, such as `views` (its preset) or `paper`."""
    for node in _class(methods()[method]).body:
        target = getattr(node, "target", None) or next(iter(getattr(node, "targets", ())), None)
        if isinstance(node, ast.Assign | ast.AnnAssign) and ast.unparse(target) == name:
            return ast.literal_eval(node.value)
    return default


def method_knobs(method: str) -> dict[str, Knob]:
    """Returns the knobs of a method."""
    path = methods()[method]
    return _own(knobs.read(path, class_name(path)))


def gives_each_image_a_row(method: str) -> bool:
    """Whether a method keeps something for every image of the data."""
    path = methods()[method]
    return "dataset_size" in knobs.read(path, class_name(path))


def encoder_knobs(encoder: str) -> dict[str, Knob]:
    """Returns the knobs of an encoder of any kind; none for an encoder of Keras."""
    known = every_encoder()
    return _own(knobs.read(known[encoder], encoder)) if encoder in known else {}


def every_encoder() -> dict[str, Path]:
    """Returns name -> file of the encoders of all kinds."""
    return _functions(ROOT / "encoders", "input_shape")


def preset_knobs(preset: str, kind: str = DEFAULT) -> dict[str, Knob]:
    """Returns the knobs of a preset."""
    return _own(knobs.read(presets(kind)[preset], preset))


def experiment_knobs() -> dict[str, Knob]:
    """Returns the fields of an experiment that the command line has."""
    return _fields("Experiment")


def run_knobs() -> dict[str, Knob]:
    """Returns the fields of run options that the command line has."""
    return _fields("RunOptions")


@functools.cache
def plugins(kind: str) -> dict[str, EntryPoint]:
    """Returns name -> entry point of the methods, encoders, presets or datasets of other installed packages.

    Args:
        kind: "methods", "encoders", "presets" or "datasets"; the group of the entry points is "sslzoo.KIND".
    """
    return {point.name: point for point in entry_points(group=f"sslzoo.{kind}")}


def found(kind: str, thing: Any) -> Any:
    """Returns the object of an entry point of another package if `thing` is its name, else `thing`."""
    points = plugins(kind)
    return points[thing].load() if isinstance(thing, str) and thing in points else thing


def _fields(cls: str) -> dict[str, Knob]:
    found = knobs.read(ROOT / "training" / "experiment.py", cls)
    return {name: knob for name, knob in found.items() if name not in PYTHON_ONLY}


def _own(found: dict[str, Knob]) -> dict[str, Knob]:
    return {name: knob for name, knob in found.items() if name not in GIVEN}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def _class(path: Path) -> ast.ClassDef:
    classes = (node for node in knobs.parsed(path).body if isinstance(node, ast.ClassDef))
    return next(node for node in classes if not node.name.startswith("_"))


def _defined(path: Path) -> set[str]:
    """Returns the names of the top-level functions and variables of a file."""
    body = knobs.parsed(path).body
    names = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    return names | {ast.unparse(target) for node in body if isinstance(node, ast.Assign) for target in node.targets}


def _functions(folder: Path, only: str, pattern: str = "*.py") -> dict[str, Path]:
    found = {}
    for path in sorted(folder.glob(pattern)):
        for node in knobs.parsed(path).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and _needs(node) == [only]:
                found[node.name] = path
    return found


def _needs(node: ast.FunctionDef) -> list[str]:
    """Returns the names of the arguments without a default."""
    return [arg.arg for arg in node.args.args[: len(node.args.args) - len(node.args.defaults)]]
