"""The reference: a page for each package of sslzoo, written from its public names, and docstrings as reST.

A package that says what is public, by `__all__` or `__dir__`, has a page of those objects. Of the others all modules
are listed, such as those of `sslzoo.layers`.
"""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

from sphinx.application import Sphinx

import sslzoo

PLACE = Path(__file__).parents[1] / "api"
HOUSE = Path(sslzoo.__file__).parent
PACKAGES = tuple(name for name in sslzoo.__all__ if (HOUSE / name).is_dir())
TOP = tuple(name for name in sslzoo.__all__ if name not in PACKAGES)  # described on the first page alone
GROUPS = {  # of the first page; a name of no group is listed last
    "Train": ("pretrain", "draw_views", "tune", "Recipe", "SSLModel"),
    "Judge": ("evaluate", "compare", "report", "benefit"),
    "Use": ("load_encoder", "load_text", "embed", "export", "EncoderTransformer", "import_weights"),
    "Data and installation": ("pack", "serve_data", "doctor"),
}
CODE = re.compile(r"(`[^`\n]+`)")
MARKUP = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")  # what reST would take for markup in plain text
OWN = ("catalog", "evaluators", "optimizers", "reports")  # packages whose public names are in their __init__ file


def write(app: Sphinx) -> None:
    """Writes the pages that have changed."""
    texts = {"index": _index()} | {name: _page(name) for name in PACKAGES}
    PLACE.mkdir(exist_ok=True)
    for old in set(PLACE.glob("*.rst")) - {PLACE / f"{name}.rst" for name in texts}:
        old.unlink()
    for name, text in texts.items():
        path = PLACE / f"{name}.rst"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def _index() -> str:
    packages = "\n".join(f"   {name}" for name in PACKAGES)
    parts = [_title("Reference"), f"{_document(sslzoo)}\n"]
    further = [name for name in TOP if name not in sum(GROUPS.values(), ())]
    for title, names in (GROUPS | {"Further": tuple(further)}).items():
        entries = [_entry(f"sslzoo.{name}", sslzoo.public(name)) for name in names]
        parts += [_title(title, "-"), *entries] if entries else []
    return "\n".join([*parts, _title("Packages", "-"), f".. toctree::\n   :maxdepth: 1\n\n{packages}\n"])


def _page(name: str) -> str:
    package = importlib.import_module(f"sslzoo.{name}")
    head = f"{_title(f'sslzoo.{name}')}\n{_document(package)}\n\n"
    if "__all__" in vars(package) or "__dir__" in vars(package):
        found = {name: getattr(package, name) for name in dir(package)}
    elif name in OWN:
        found = {n: v for n, v in vars(package).items() if getattr(v, "__module__", "") == package.__name__}
    else:
        found = {}
    found = {n: v for n, v in found.items() if not n.startswith("_") and n not in TOP}
    modules = sorted(f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__))
    entries = [_entry(f"{package.__name__}.{one}", thing) for one, thing in found.items()]
    if not found or name == "evaluators":
        without = f"   :exclude-members: {', '.join(TOP)}\n"
        entries += [f"{_title(one, '-')}\n.. automodule:: {one}\n{without}" for one in modules]
    return head + "\n".join(filter(None, entries))


def _entry(place: str, thing: object) -> str:
    """The directive of an object; "" for constants, which have no docstring."""
    if inspect.ismodule(thing):
        return f".. automodule:: {thing.__name__}\n   :no-index:\n"
    if not (inspect.isclass(thing) or callable(thing)):
        return ""
    kind = "class" if inspect.isclass(thing) else "function"
    return f".. auto{kind}:: {place}\n"


def _title(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}\n"


def _document(module) -> str:
    return "\n".join(plain(inspect.getdoc(module).split("\n")))


def plain(lines: list[str]) -> list[str]:
    """Lines of a docstring as reST: names in backticks are code, and no other mark has a meaning.

    Indented lines after a paragraph are a block of code, except in sections such as "Args:".
    """
    found, block = [], False
    for number, line in enumerate(lines):
        indented = line.startswith("    ")
        if indented and not block and number > 1 and not lines[number - 1].strip() and lines[number - 2][:1].strip():
            block = True
            found += ["::", ""]
        block = block and (indented or not line.strip())
        if block:
            found.append(line)
            continue
        parts = CODE.split(line)
        found.append("".join(f"`{p}`" if k % 2 else MARKUP.sub(r"\\\1", p) for k, p in enumerate(parts)))
    return found


def process(app: Sphinx, what: str, name: str, thing: object, options: dict, lines: list[str]) -> None:
    """Called by autodoc for each docstring, before napoleon."""
    lines[:] = plain(lines)


def setup(app: Sphinx) -> dict:
    app.connect("builder-inited", write)
    app.connect("autodoc-process-docstring", process, priority=400)
    return {"parallel_read_safe": True}
