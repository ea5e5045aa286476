"""Knobs: the keyword arguments of functions and classes, with defaults, types and help, read from their source."""

import argparse
import ast
import difflib
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REQUIRED = object()


@dataclass(frozen=True)
class Knob:
    """One keyword argument: its name, default (REQUIRED if it has none), annotation as text, and documentation."""

    name: str
    default: Any
    type: str
    help: str


def read(path: Path, qualname: str) -> dict[str, Knob]:
    """Knobs of a function, class or dataclass of a source file, in order; nothing is imported.

    A class has the knobs of its constructor, a dataclass those of its fields. `self`, `*args` and `**kwargs` are left
    out. A knob that its own docstring does not document takes the documentation of another object of the file.

    Args:
        path: the source file.
        qualname: name of the function or class.
    """
    nodes = {
        n.name: n for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, ast.FunctionDef | ast.ClassDef)
    }
    node = nodes.pop(qualname)
    doc = {}
    for other in (*nodes.values(), node):
        doc |= described(ast.get_docstring(other) or "")
    if isinstance(node, ast.ClassDef):
        init = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if init is None:
            return {f.target.id: _knob(f.target.id, f, f.value, doc) for f in node.body if isinstance(f, ast.AnnAssign)}
        node = init
    positional = node.args.args
    defaults = [None] * (len(positional) - len(node.args.defaults)) + node.args.defaults
    pairs = [*zip(positional, defaults, strict=True), *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    return {arg.arg: _knob(arg.arg, arg, default, doc) for arg, default in pairs if arg.arg != "self"}


def _knob(name: str, node: ast.arg | ast.AnnAssign, default: ast.expr | None, doc: dict[str, str]) -> Knob:
    value = REQUIRED if default is None else {} if isinstance(default, ast.Call) else ast.literal_eval(default)
    annotation = ast.unparse(node.annotation) if node.annotation else type(value).__name__
    return Knob(name, value, annotation, doc.get(name, ""))


def inspected(function: Callable) -> dict[str, Knob]:
    """Knobs of a function or class in memory, in order, as `read` gives them for source."""
    doc = described(inspect.getdoc(function) or "")
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = {}
    for p in inspect.signature(function).parameters.values():
        if p.kind in kinds:
            default = REQUIRED if p.default is p.empty else p.default
            annotation = type(default).__name__ if p.annotation is p.empty else inspect.formatannotation(p.annotation)
            found[p.name] = Knob(p.name, default, annotation, doc.get(p.name, ""))
    return found


def described(docstring: str) -> dict[str, str]:
    """Name -> explanation, of the sections Args and Attributes of a docstring."""
    text = inspect.cleandoc(docstring)
    sections = re.findall(r"^(?:Args|Attributes):\n(.*?)(?:\n\n|\Z)", text, re.S | re.M)
    entries = [e for part in sections for e in re.findall(r"^    (\w[\w, ]*): (.*(?:\n     +.*)*)", part, re.M)]
    return {name.strip(): re.sub(r"\s+", " ", text) for names, text in entries for name in names.split(",")}


def summary(path: Path) -> str:
    """The first line of a module's docstring, read without importing it."""
    return document(path).split("\n")[0]


def document(path: Path) -> str:
    """A module's docstring, read without importing it."""
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""


def nearest(what: str, name: str, known: Iterable[str]) -> str:
    """The line for a name that does not exist: the closest names, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(str(name), known, 3, 0.5)
    return f"no {what} {name!r}: " + (
        f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
    )


def convert(knob: Knob, text: str) -> Any:
    """A word of the command line as the type of the knob's annotation."""
    optional = "None" in knob.type
    if optional and text.lower() == "none":
        return None
    name = _plain_type(knob.type)
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


def metavar(written: str) -> str:
    """FLOAT for "float | None", PATH for "str | Path", FLOAT,FLOAT,... for "tuple[float, ...]"."""
    return re.sub(r"TUPLE\[(\w+), \.\.\.\]", r"\1,\1,...", _plain_type(written).upper())


def _plain_type(written: str) -> str:
    """The part of an annotation that a command line can give; objects are for Python."""
    parts = [part for part in written.split(" | ") if part not in ("None", "Any", "Callable", "dict")]
    return parts[-1] if parts else "str"
