"""The knobs of functions and classes, read from their source, and the command lines made of them."""

import argparse
import ast
import difflib
import gc
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

REQUIRED = object()


@dataclass(frozen=True)
class Knob:
    """One keyword argument: its name, default (REQUIRED where there is none), type as written, and docstring line."""

    name: str
    default: Any
    type: str
    help: str


def read(path: Path, qualname: str) -> dict[str, Knob]:
    """Knobs of the function or class `qualname` in a source file, in order; nothing is imported.

    A class has those of its constructor. `self`, `*args` and `**kwargs` are not knobs. A function that passes its
    `**kwargs` on to another function, of the same file or imported from a file next to it, also has the knobs of that
    function, except those that the call sets; its own come first and take precedence. A knob without a line in the
    docstring of the function has the line of another one in the file.
    """
    tree = ast.parse(path.read_text("utf-8"))
    nodes = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    node = nodes.pop(qualname)
    doc, own_doc = {}, documented(ast.get_docstring(node) or "")
    for other in nodes.values():
        doc |= documented(ast.get_docstring(other) or "")
    if isinstance(node, ast.ClassDef):
        node = next(n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    own = {arg.arg: _knob(arg, default, doc | own_doc) for arg, default in _arguments(node)}
    passed = {name: replace(knob, help=own_doc.get(name, knob.help)) for name, knob in _passed_on(path, tree, node)}
    return own | {name: knob for name, knob in passed.items() if name not in own}


def _arguments(node: ast.FunctionDef) -> list[tuple[ast.arg, ast.expr | None]]:
    """The arguments of a function with their defaults, None for those without."""
    positional = node.args.args
    defaults = [None] * (len(positional) - len(node.args.defaults)) + node.args.defaults
    pairs = [*zip(positional, defaults, strict=True), *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    return [(arg, default) for arg, default in pairs if arg.arg != "self"]


def _passed_on(path: Path, tree: ast.Module, node: ast.FunctionDef) -> list[tuple[str, Knob]]:
    """Knobs of the function that a function passes its `**kwargs` on to, without those that the call sets."""
    rest = node.args.kwarg and node.args.kwarg.arg
    for call in ast.walk(node):
        passes = isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if passes and any(k.arg is None and getattr(k.value, "id", None) == rest for k in call.keywords):
            place = _place(path, tree, call.func.id)
            found = read(place, call.func.id) if place else {}
            taken = {*list(found)[: len(call.args)], *(keyword.arg for keyword in call.keywords)}
            return [(name, knob) for name, knob in found.items() if name not in taken]
    return []


def _place(path: Path, tree: ast.Module, name: str) -> Path | None:
    """The file that defines a function: this one, or the one next to it that it is imported from."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return path
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            other = path.with_name(f"{(node.module or '').split('.')[-1]}.py")
            return other if other.exists() else None
    return None


def _knob(arg: ast.arg, default: ast.expr | None, doc: dict[str, str]) -> Knob:
    value = REQUIRED if default is None else ast.literal_eval(default)
    annotation = ast.unparse(arg.annotation) if arg.annotation else type(value).__name__
    return Knob(arg.arg, value, annotation, doc.get(arg.arg, ""))


def documented(docstring: str) -> dict[str, str]:
    """Names and explanations of the docstring's Args section."""
    section = re.search(r"^Args:\n(.*?)(?:\n\n|\Z)", docstring, re.S | re.M)
    entries = re.findall(r"^    (\w[\w, ]*): (.*(?:\n     +.*)*)", section[1] if section else "", re.M)
    return {name.strip(): re.sub(r"\s+", " ", text) for names, text in entries for name in names.split(",")}


def summary(path: Path) -> str:
    """The first line of a module's docstring, read without importing it."""
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]


def nearest(what: str, name: str, known: Iterable[str]) -> str:
    """The line for a name that does not exist: the closest ones, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(str(name), known, 3, 0.5)
    return f"no {what} {name!r}: " + (
        f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
    )


def convert(knob: Knob, text: str) -> Any:
    """A command-line word as the type that the knob is annotated with."""
    optional = "None" in knob.type
    if optional and text.lower() == "none":
        return None
    name = knob.type.replace("| None", "").strip()
    if listed := re.fullmatch(r"tuple\[(\w+), \.\.\.\]", name):
        one = Knob(knob.name, knob.default, listed[1], knob.help)
        return tuple(convert(one, word.strip()) for word in text.split(",") if word.strip())
    if name == "bool":
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if text.lower() not in words:
            raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
        return words[text.lower()]
    try:
        return {"int": int, "float": float}.get(name, str)(text)
    except ValueError:
        article = "a whole number" if name == "int" else "a number"
        raise argparse.ArgumentTypeError(f"{text!r} is not {article}") from None


class Parser(argparse.ArgumentParser):
    """argparse whose word for a misspelt option is one line with the nearest right name, and exit status 2."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def add(self, knob: Knob) -> None:
        """An option for one knob; a bool may stand alone or with a value."""
        text = knob.help.replace("%", "%%")
        default = ",".join(map(str, knob.default)) if isinstance(knob.default, tuple) else knob.default
        text += "" if default in (REQUIRED, None, "") else f" (default: {default})"
        alone = dict(nargs="?", const=True) if knob.type == "bool" else {}
        options = dict.fromkeys((f"--{knob.name.replace('_', '-')}", f"--{knob.name}"))
        self.add_argument(
            *options,
            dest=knob.name,
            type=lambda word: convert(knob, word),
            default=argparse.SUPPRESS,
            required=knob.default is REQUIRED,
            metavar=_metavar(knob.type),
            help=text.strip(),
            **alone,
        )

    def parse_args(self, args=None, namespace=None):
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = {o for a in self._actions for o in a.option_strings if o.startswith("--") and "_" not in o}
            option = unknown[0].split("=")[0]
            self.error(nearest("option", option, known) if option.startswith("-") else f"unexpected word {option!r}")
        return parsed

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}\n")


def _metavar(written: str) -> str:
    """FLOAT of "float | None", PATH of "str | Path", and FLOAT,FLOAT,... of "tuple[float, ...]"."""
    name = written.replace(" | None", "").split(" | ")[-1].upper()
    return re.sub(r"TUPLE\[(\w+), \.\.\.\]", r"\1,\1,...", name)


def run(action: Callable[[], Any]) -> None:
    """Calls `action` as a command: bad input, faults and Ctrl-C end in one line on stderr and a status other than 0."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be text
    status = _status(action)
    if status:
        # Only now that the error and its frames are gone: data threads that they hold could block the exit.
        gc.collect()
        sys.exit(status)


def _status(action: Callable[[], Any]) -> int:
    try:
        action()
        return 0
    except KeyboardInterrupt as interrupt:
        return _last_words(str(interrupt) or "interrupted", getattr(interrupt, "status", 130))
    except BrokenPipeError:
        return 141
    except Exception as error:
        # TensorFlow's errors, a full disk among them, are no OSError; they are told apart without importing it.
        foreseen = isinstance(error, ValueError | OSError) or ".framework.errors" in type(error).__module__
        if os.environ.get("SSLZOO_TRACEBACK") or not foreseen:
            raise
        line = str(error) if isinstance(error, ValueError | OSError) else _of_tensorflow(str(error))
        return _last_words(line or repr(error), 2 if isinstance(error, ValueError) else 1)


def _of_tensorflow(text: str) -> str:
    """The line of an error that says why: that of our own function where TensorFlow met it there, else the first."""
    told = re.search(r"^.*\bDataError: (.*)$", text, re.M)
    return told[1] if told else text.split("\n")[0]


def _last_words(message: str, status: int) -> int:
    line = re.sub(r"\s*\n\s*", " ", message.strip())
    print(f"sslzoo: {line}", file=sys.stderr)
    return status
