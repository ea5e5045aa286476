"""The commands of `sslzoo`, one file each, and their shared parsing, messages and errors."""

import gc
import importlib
import itertools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sslzoo import catalog
from sslzoo.catalog import knobs, options
from sslzoo.catalog.parser import Parser
from sslzoo.catalog.recipe import Recipe
from sslzoo.utils.files import terminable

MODEL = {"encoder": dict(metavar="MODEL", help="folder of an exported encoder")}
DATA = {"data": dict(metavar="DATA", help="folder of images, or name of a dataset")}
INDEX = {"index": dict(metavar="INDEX", help="folder of an index, made by `sslzoo index`")}
QUOTE = "'"
IDLE = {"untrained"}  # arguments for objects, which a command line cannot give


def names() -> dict[str, Path]:
    """Returns name -> file of every command."""
    files = sorted(path for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("_"))
    return {path.stem.strip("_").replace("_", "-"): path for path in files}


def run(action: Callable[[], Any]) -> None:
    """Calls `action` as a command: errors and Ctrl-C give one line on stderr and a nonzero exit status."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    with terminable():
        status = _status(action)
    if status:
        # Frames of the error may hold data threads that block the exit, so they are collected first.
        gc.collect()
        sys.exit(status)


def import_tensorflow() -> None:
    """Imports TensorFlow without the messages of its C++ code, and shows the messages of sslzoo."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        importlib.import_module("tensorflow").get_logger().setLevel("ERROR")  # it warns of retracing
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
    importlib.import_module("sslzoo.utils.log").show()


def call(
    function: str,
    words: list[str],
    command: str,
    places: dict[str, dict] | None = None,
    more: str = "",
    about: str | None = None,
    light: bool = False,
) -> Any:
    """Calls a function with the arguments of a command line.

    Args:
        function: module and name, such as "evaluation.embedding:embed".
        words: words of the command line after the command.
        command: name of the command.
        places: positional arguments with their argparse options; all other arguments are options.
        more: text to append to the help.
        about: the help; by default the documentation of the command.
        light: whether the function needs no TensorFlow.

    Returns:
        The return value of the function.
    """
    places, (module, name) = places or {}, function.split(":")
    file = catalog.ROOT / module.replace(".", "/")
    path = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
    about = knobs.document(names()[command]) if about is None else about
    parser = Parser(prog=f"sslzoo {command}", description=about + more)
    for place, options_of_place in places.items():
        parser.add_argument(place, **options_of_place)
    for knob in knobs.read(path, name).values():
        if knob.name not in {*places, *IDLE}:
            parser.add(knob)
    given = vars(parser.parse_args(words))
    if not light:
        import_tensorflow()
    return getattr(importlib.import_module(f"sslzoo.{module}"), name)(**given)


def training_parser(
    prog: str, about: str, recipe: Recipe, words: list[str], first: dict[str, dict] | None = None
) -> Parser:
    """Returns a parser for the options of a training, with the defaults that the run uses.

    Args:
        prog: the command, for messages.
        about: description of the command.
        recipe: the recipe whose settings are the defaults.
        words: words of the command line; --encoder, --preset, --data and --kind are read first, since they determine
            other options.
        first: groups of options before those of the training; they hide training options of the same name.
    """
    parts = [part for part in options.PARTS if part != "method"]
    chosen = {part: word for part in parts if (word := _word(words, part)) is not None}
    parser = Parser(prog=prog, description=about)
    first = first or {}
    hidden = {name for group in first.values() for name in group}
    for title, group in first.items():
        parser.add_group(title, group)
    for title, group in options.groups(recipe.changed(**chosen)).items():
        parser.add_group(title, {name: knob for name, knob in group.items() if name not in hidden})
    return parser


def method_about(method: str) -> str:
    """Returns the summary, the use and the paper of a method, for the help."""
    path = catalog.methods()[method]
    lines = [knobs.summary(path), f"Use it for: {catalog.method_attribute(method, 'use')}."]
    lines.append(f"Paper: {catalog.method_attribute(method, 'paper')}")
    return "\n".join(line for line in lines if line)


def script(recipe: Any) -> None:
    """Runs a recipe, or the function of a recipe's file, as a script with a command line."""
    path = Path(sys.modules["__main__"].__file__)
    prog = f"python {os.path.relpath(path)}"
    if isinstance(recipe, Recipe):
        method = recipe.settings["method"]
        about = knobs.document(path) + (f"\n\n{method_about(method)}" if isinstance(method, str) else "")
        parser = training_parser(prog, about, recipe, sys.argv[1:])
    else:
        parser = Parser(prog=prog, description=recipe.__doc__)
        for knob in knobs.read(path, recipe.__name__).values():
            parser.add(knob)
    given = vars(parser.parse_args())
    run(lambda: (import_tensorflow(), recipe(**given)))


def _word(words: list[str], option: str) -> str | None:
    """Returns the value of an option in the words of a command line, or None."""
    for word, following in itertools.zip_longest(words, words[1:]):
        if word == f"--{option}":
            return following
        if word.startswith(f"--{option}="):
            return word.partition("=")[2]
    return None


def _status(action: Callable[[], Any]) -> int:
    try:
        action()
        return 0
    except KeyboardInterrupt as interrupt:
        return _last_line(str(interrupt) or "interrupted", getattr(interrupt, "status", 130))
    except BrokenPipeError:
        return 141
    except Exception as error:
        # Errors of TensorFlow, such as a full disk, are not OSError; they are recognized without importing TensorFlow.
        foreseen = isinstance(error, ValueError | OSError) or ".framework.errors" in type(error).__module__
        if os.environ.get("SSLZOO_TRACEBACK") or not foreseen:
            raise
        line = str(error) if isinstance(error, ValueError | OSError) else _of_tensorflow(str(error))
        return _last_line(line or repr(error), 2 if isinstance(error, ValueError) else 1)


def _of_tensorflow(text: str) -> str:
    """Returns the message of a DataError that TensorFlow wraps, else the first line of the text."""
    wrapped = re.search(r"^.*\bDataError: (.*)$", text, re.M)
    return wrapped[1] if wrapped else text.split("\n")[0]


def _last_line(message: str, status: int) -> int:
    line = re.sub(r"\s*\n\s*", " ", as_options(message.strip()))
    print(f"sslzoo: {line}", file=sys.stderr)
    return status


def as_options(message: str) -> str:
    """Replaces Python arguments in a message of the library by options of the command line."""

    def option(match: re.Match) -> str:
        name, value = match[1], match[2]
        if name not in Parser.names or value is None and "_" not in name:
            return match[0]
        word = f"--{name.replace('_', '-')}"
        if value in (None, "True", "..."):
            return word
        return f"{word} {'false' if value == 'False' else value.strip(QUOTE)}"

    return re.sub(r"(?<![\w./'\"-])([a-z][a-z_]*)(?:=(\.\.\.|'[^']*'|[\w.+-]*\w))?(?![\w/'\"=])", option, message)
