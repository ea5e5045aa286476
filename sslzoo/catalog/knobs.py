"""Knobs: the keyword arguments of functions and classes, with defaults, types and help, read from their source."""

import argparse
import ast
import difflib
import functools
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

REQUIRED = object()
AUTO = "auto"
FITTED = ("epochs", "batch_size", "queue_size", "prototypes")  # arguments of a training that may be AUTO


@dataclass(frozen=True)
class Knob:
    """One keyword argument: its name, default (REQUIRED if it has none), annotation as text, and documentation."""

    name: str
    default: Any
    type: str
    help: str


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a source file, parsed once for each version of the file."""
    return _parsed(path, *_version(path))


def _version(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@functools.cache
def _parsed(path: Path, modified: int, size: int) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def read(path: Path, qualname: str) -> dict[str, Knob]:
    """Reads the knobs of a function, class or dataclass from a source file, in order, without importing it.

    A class has the knobs of its constructor, a dataclass those of its fields. `self`, `*args` and `**kwargs` are not
    knobs. If a function passes its `**kwargs` on to another function of the same file, or of an imported file next to
    it, it also has the knobs of that function, except those that the call sets. Its own knobs come first and take
    precedence. A knob without documentation in its own docstring uses that of another object of the file.

    Args:
        path: the source file.
        qualname: name of the function or class.
    """
    own, call, doc = _own(path, qualname, *_version(path))
    place = call and _place(path, parsed(path), call.func.id)
    further = read(place, call.func.id) if place else {}
    taken = {*list(further)[: len(call.args)], *(keyword.arg for keyword in call.keywords)} if further else {}
    passed = {name: replace(knob, help=doc.get(name, knob.help)) for name, knob in further.items() if name not in taken}
    return own | {name: knob for name, knob in passed.items() if name not in own}


@functools.cache
def _own(path: Path, qualname: str, *version: int) -> tuple[dict[str, Knob], ast.Call | None, dict[str, str]]:
    """The knobs of an object without those of others, the call that passes `**kwargs` on, and what is documented."""
    nodes = {n.name: n for n in parsed(path).body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    node = nodes.pop(qualname)
    doc, own_doc = {}, described(ast.get_docstring(node) or "")
    for other in nodes.values():
        doc |= described(ast.get_docstring(other) or "")
    doc |= own_doc
    if isinstance(node, ast.ClassDef):
        init = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if init is None:
            fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
            return {f.target.id: _knob(f.target.id, f, f.value, doc) for f in fields}, None, own_doc
        node = init
    own = {arg.arg: _knob(arg.arg, arg, default, doc) for arg, default in _arguments(node)}
    return own, _passing(node), own_doc


def _arguments(node: ast.FunctionDef) -> list[tuple[ast.arg, ast.expr | None]]:
    """Returns the arguments of a function with their defaults, None for those without."""
    positional = node.args.args
    defaults = [None] * (len(positional) - len(node.args.defaults)) + node.args.defaults
    pairs = [*zip(positional, defaults, strict=True), *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    return [(arg, default) for arg, default in pairs if arg.arg != "self"]


def _passing(node: ast.FunctionDef) -> ast.Call | None:
    """Returns the first call that a function passes its `**kwargs` on to."""
    rest = node.args.kwarg and node.args.kwarg.arg
    for call in ast.walk(node):
        passes = isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if passes and any(k.arg is None and getattr(k.value, "id", None) == rest for k in call.keywords):
            return call
    return None


def _place(path: Path, tree: ast.Module, name: str) -> Path | None:
    """Returns the file that defines a function: this file, or the file next to it that it is imported from."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return path
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            sibling = path.with_name(f"{(node.module or '').split('.')[-1]}.py")
            return sibling if sibling.exists() else None
    return None


def _knob(name: str, node: ast.arg | ast.AnnAssign, default: ast.expr | None, doc: dict[str, str]) -> Knob:
    value = REQUIRED if default is None else {} if isinstance(default, ast.Call) else ast.literal_eval(default)
    annotation = ast.unparse(node.annotation) if node.annotation else type(value).__name__
    return Knob(name, value, annotation, doc.get(name, ""))


def inspected(function: Callable) -> dict[str, Knob]:
    """Returns the knobs of a function or class in memory, in order, as `read` does for a source file."""
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
    """Returns name -> explanation from the sections Args and Attributes of a docstring."""
    text = inspect.cleandoc(docstring)
    sections = re.findall(r"^(?:Args|Attributes):\n(.*?)(?:\n\n|\Z)", text, re.S | re.M)
    entries = [e for part in sections for e in re.findall(r"^    (\w[\w, ]*): (.*(?:\n     +.*)*)", part, re.M)]
    return {name.strip(): re.sub(r"\s+", " ", text) for names, text in entries for name in names.split(",")}


def summary(path: Path) -> str:
    """Returns the first line of a module's docstring without importing the module."""
    return document(path).split("\n")[0]


def document(path: Path) -> str:
    """Returns the docstring of a module without importing it."""
    return ast.get_docstring(parsed(path)) or ""


def nearest(what: str, name: str, known: Iterable[str]) -> str:
    """Returns the error message for an unknown name, with the closest names, or with all names."""
    known = sorted(known)
    close = difflib.get_close_matches(str(name), known, 3, 0.5)
    return f"no {what} {name!r}: " + (
        f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
    )


def convert(knob: Knob, text: str) -> Any:
    """Converts a word of the command line to the type of the knob's annotation."""
    optional = "None" in knob.type
    if optional and text.lower() == "none":
        return None
    if knob.name in FITTED and text == AUTO:
        return text
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
    """Returns FLOAT for "float | None", PATH for "str | Path", FLOAT,FLOAT,... for "tuple[float, ...]"."""
    return re.sub(r"TUPLE\[(\w+), \.\.\.\]", r"\1,\1,...", _plain_type(written).upper())


def _plain_type(written: str) -> str:
    """Returns the part of an annotation that the command line accepts; objects are for Python only."""
    parts = [part for part in written.split(" | ") if part not in ("None", "Any", "Callable", "dict")]
    return parts[-1] if parts else "str"
