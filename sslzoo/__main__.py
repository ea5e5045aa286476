"""The command line: parses, calls, prints. Whatever only lists or parses imports no TensorFlow."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from sslzoo import catalog, knobs
from sslzoo.knobs import Knob, Parser

COMMANDS = {
    "list": "what the zoo holds: methods, encoders, views, recipes, with their knobs",
    "views": "draw the views of a recipe or method, and count how often and how strongly each operation acts",
    "train": "train an encoder by a recipe or a method, export it, judge it",
    "tune": "search a recipe's knobs with KerasTuner, judged on held-out training data; export the best",
    "evaluate": "linear probe, k-NN and clustering of an exported encoder beside raw pixels and the untrained encoder",
    "embed": "write the features of all images of a dataset to an .npz",
}


def main(words: list[str] | None = None) -> None:
    """`sslzoo COMMAND ...`"""
    words = sys.argv[1:] if words is None else words
    parser = Parser(prog="sslzoo", description="Self-supervised learning for TensorFlow and Keras 3.")
    parser.epilog = "commands:\n" + "\n".join(f"  {name:9} {text}" for name, text in COMMANDS.items())
    parser.epilog += "\n\nsslzoo COMMAND --help tells the rest."
    parser.add_argument("command", metavar="COMMAND", nargs="?")
    if not words or words[0] in ("-h", "--help"):
        parser.print_help()
        return
    if words[0] not in COMMANDS:
        parser.error(knobs.nearest("command", words[0], COMMANDS))
    knobs.run(lambda: globals()[f"_{words[0]}"](words[1:]))


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
    own = knobs.read(catalog.ROOT / "tune" / "search.py", "tune")
    for knob in ((catalog.recipe_knobs(path) if path else {}) | own).values():
        if knob.name not in ("recipe", "preview"):
            parser.add(knob)
    given = vars(parser.parse_args(words[1:] if name else words))
    if path is None:
        known = catalog.recipes()
        parser.error(knobs.nearest("recipe", name, known) if name else f"which? RECIPE is one of {', '.join(known)}")
    _import_tensorflow()
    from sslzoo.tune import tune

    tune(name, **given)


def _evaluate(words: list[str]) -> None:
    given = _parse("evaluate", "evaluation.py", ("image_size", "seeds"), words)
    _import_tensorflow()
    from sslzoo import evaluate

    evaluate(given.pop("encoder"), given.pop("data"), **given)


def _embed(words: list[str]) -> None:
    given = _parse("embed", "evaluation.py", ("out", "batch_size"), words)
    _import_tensorflow()
    from sslzoo import embed

    print(f"wrote {embed(**given)}")


def _parse(command: str, file: str, names: tuple[str, ...], words: list[str]) -> dict:
    """Words of a command whose first argument is the path of an exported encoder, and whose knobs are a function's."""
    parser = Parser(prog=f"sslzoo {command}", description=COMMANDS[command])
    parser.add_argument("encoder", metavar="MODEL", help="folder of an exported encoder")
    known = knobs.read(catalog.ROOT / file, command)
    for name in ("data", *names):
        parser.add(known[name])
    return vars(parser.parse_args(words))


def _knobs_of(name: str) -> dict[str, Knob]:
    if name in catalog.recipes():
        return catalog.recipe_knobs(catalog.recipes()[name])
    everything = catalog.pretrain_knobs() | catalog.own_knobs(name)
    return {key: knob for key, knob in everything.items() if key != "method"}


def _action(name: str) -> Callable:
    if name in catalog.recipes():
        return catalog.recipe_function(catalog.recipes()[name])
    from sslzoo import pretrain

    return lambda **given: pretrain(name, **given)


if __name__ == "__main__":
    main()
