"""The command line: parses, calls, prints. Whatever only lists or parses imports no TensorFlow."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sslzoo import catalog
from sslzoo.catalog import knobs
from sslzoo.catalog.knobs import Knob, Parser

COMMANDS = {
    "list": "what the zoo holds: methods, encoders, views, recipes, with their knobs",
    "views": "draw the views of a recipe or method, and count how often and how strongly each operation acts",
    "train": "train an encoder by a recipe or a method, export it, judge it",
    "tune": "search a recipe's knobs with KerasTuner, judged on held-out training data; export the best",
    "evaluate": "linear probe, k-NN and clustering of an exported encoder beside raw pixels and the untrained encoder",
    "doctor": "what is installed; with --distributed, whether methods train alike on 1 device, 2 devices, 2 workers",
    "pack": "write data as TFRecord files and an index, which --data reads like the data itself",
    "serve-data": "read data and make views for trainings elsewhere, which ask with --data-service",
    "compare": "exported encoders side by side, with intervals of their differences and what their neighbours share",
    "embed": "write the features of all images of a dataset to an .npz, .parquet, .tfrecord or .csv",
    "export": "write an exported encoder as .keras, ONNX, LiteRT or safetensors too, each opened again and compared",
    "import": "make an exported encoder of weights that were trained in PyTorch",
}


def main(words: list[str] | None = None) -> None:
    """`sslzoo COMMAND ...`"""
    words = sys.argv[1:] if words is None else words
    parser = Parser(prog="sslzoo", description="Self-supervised learning for TensorFlow and Keras 3.")
    parser.epilog = "commands:\n" + "\n".join(f"  {name:11} {text}" for name, text in COMMANDS.items())
    parser.epilog += "\n\nsslzoo COMMAND --help tells the rest."
    parser.add_argument("command", metavar="COMMAND", nargs="?")
    if not words or words[0] in ("-h", "--help"):
        parser.print_help()
        return
    if words[0] not in COMMANDS:
        parser.error(knobs.nearest("command", words[0], COMMANDS))
    knobs.run(lambda: globals()[f"_{words[0].replace('-', '_')}"](words[1:]))


def _import_tensorflow() -> None:
    """Imports TensorFlow without what its C++ half says to stderr before its log level counts."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        importlib.import_module("tensorflow").get_logger().setLevel("ERROR")  # it warns of every model after the fifth
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def recipe(function: Callable) -> None:
    """Runs a recipe as a script: its keyword arguments, and the knobs that it hands on, are the command line."""
    path = Path(sys.modules[function.__module__].__file__)
    parser = Parser(prog=f"python {os.path.relpath(path)}", description=function.__doc__)
    for knob in catalog.recipe_knobs(path).values():
        parser.add(knob)
    given = vars(parser.parse_args())
    knobs.run(lambda: (_import_tensorflow(), function(**given)))


def _list(words: list[str]) -> None:
    Parser(prog="sslzoo list", description=COMMANDS["list"]).parse_args(words)
    for title, entries in (("methods", catalog.methods()), ("recipes", catalog.recipes())):
        print(f"{title}:")
        for name, path in entries.items():
            print(f"  {name:34} {knobs.summary(path)}")
    for title, entries in (("encoders", catalog.encoders()), ("views", catalog.presets())):
        print(f"{title}:")
        for name, path in entries.items():
            own = (f"{k.name}={k.default}" for k in knobs.read(path, name).values() if k.name not in catalog.GIVEN)
            print(f"  {name:34} {', '.join(own)}")
    print(f"  {'keras.applications:NAME':34} any architecture of Keras, such as keras.applications:MobileNetV2")


def _train(words: list[str], preview: bool = False) -> None:
    command = "views" if preview else "train"
    known = catalog.recipes() | catalog.methods()
    name = words[0] if words and not words[0].startswith("-") else None
    parser = Parser(prog=f"sslzoo {command} {name or 'NAME'}", description=COMMANDS[command])
    if name is None:
        parser.description += "\nNAME is a recipe or a method; sslzoo " + command + " NAME --help shows its knobs."
        parser.parse_args(words)
        parser.error(f"which? NAME is one of {', '.join(known)}")
    if name not in known:
        parser.error(knobs.nearest("recipe or method", name, known))
    for knob in _knobs_of(name).values():
        parser.add(knob)
    given = vars(parser.parse_args(words[1:])) | ({"preview": True} if preview else {})
    _import_tensorflow()
    _action(name)(**given)


def _views(words: list[str]) -> None:
    _train(words, preview=True)


def _tune(words: list[str]) -> None:
    name = words[0] if words and not words[0].startswith("-") else None
    parser = Parser(prog=f"sslzoo tune {name or 'RECIPE'}", description=COMMANDS["tune"])
    path = catalog.recipes().get(name)
    own = knobs.read(catalog.ROOT / "tuning" / "search.py", "tune")
    for knob in ((catalog.recipe_knobs(path) if path else {}) | own).values():
        if knob.name not in ("recipe", "preview"):
            parser.add(knob)
    given = vars(parser.parse_args(words[1:] if name else words))
    if path is None:
        known = catalog.recipes()
        parser.error(knobs.nearest("recipe", name, known) if name else f"which? RECIPE is one of {', '.join(known)}")
    _import_tensorflow()
    from sslzoo.tuning import tune

    tune(name, **given)


MODEL = {"encoder": dict(metavar="MODEL", help="folder of an exported encoder")}
DATA = dict(metavar="DATA", help="a folder of images, or the name of a dataset")


def _evaluate(words: list[str]) -> None:
    if "--all" in words:
        rest = [word for word in words if word != "--all"]
        folder = _call("evaluate", rest, MODEL, "reports/__init__", "report")
        return print(f"wrote {folder.html}, report.md and report.json")
    told = "\n--all writes a report from every side, a page with pictures: sslzoo evaluate --all --help"
    print(_call("evaluate", words, MODEL, "evaluation/judging", told=told))


def _doctor(words: list[str]) -> None:
    sys.exit(1 if _call("doctor", words, file="commands/doctor") else 0)


def _pack(words: list[str]) -> None:
    out = dict(metavar="OUT", help="the folder to write")
    print(f"wrote {_call('pack', words, {'data': DATA, 'out': out}, 'data/packing')}")


def _serve_data(words: list[str]) -> None:
    _call("serve-data", words, {"data": DATA}, "data/service", "serve_data")


def _compare(words: list[str]) -> None:
    models = dict(metavar="MODEL", nargs="+", help="folders of exported encoders")
    print(_call("compare", words, {"encoders": models}, "evaluation/comparison"))


def _embed(words: list[str]) -> None:
    print(f"wrote {_call('embed', words, MODEL, 'evaluation/embedding')}")


def _export(words: list[str]) -> None:
    differences = _call("export", words, MODEL, "exports/formats")
    from sslzoo.exports.savedmodel import lines

    print(lines(differences))


def _import(words: list[str]) -> None:
    file = dict(metavar="WEIGHTS", help="a .safetensors, .pt or .pth file")
    _call("import", words, {"weights": file}, "exports/weights", "import_weights")


def _call(
    command: str,
    words: list[str],
    places: dict[str, dict] | None = None,
    file: str = "",
    name: str = "",
    told: str = "",
) -> Any:
    """Calls a function with the words of a command.

    Args:
        command, words: after `sslzoo`.
        places: those of its arguments that stand without an option's name; the others are options.
        file, name: of the function; like the command where they are not given.
        told: more for the help.
    """
    places, file, name = places or {}, file or command, name or command
    parser = Parser(prog=f"sslzoo {command}", description=COMMANDS[command] + told)
    for place, options in places.items():
        parser.add_argument(place, **options)
    for knob in knobs.read(catalog.ROOT / f"{file}.py", name).values():
        if knob.name not in (*places, "untrained"):
            parser.add(knob)
    given = vars(parser.parse_args(words))
    _import_tensorflow()
    module = importlib.import_module(f"sslzoo.{file.replace('/', '.').removesuffix('.__init__')}")
    return getattr(module, name)(**given)


def _knobs_of(name: str) -> dict[str, Knob]:
    if name in catalog.recipes():
        return catalog.recipe_knobs(catalog.recipes()[name])
    everything = catalog.pretrain_knobs() | catalog.own_knobs(name)
    return {key: knob for key, knob in everything.items() if key != "method"}


def _action(name: str) -> Callable:
    if name in catalog.recipes():
        return catalog.recipe_function(catalog.recipes()[name])
    from sslzoo.training.pretraining import pretrain

    return lambda **given: pretrain(name, **given)


if __name__ == "__main__":
    main()
