"""A recipe: a pretraining as data. It can be called, changed, tuned and run as a script."""

import ast
import importlib.util
from importlib import import_module
from pathlib import Path
from typing import Any

from sslzoo.catalog import options
from sslzoo.catalog.kinds import KINDS
from sslzoo.catalog.knobs import parsed


class Recipe:
    """A pretraining as data: `recipe()` runs it, `recipe(epochs=3)` runs it with a changed setting.

    Args:
        method, data, encoder: as for `sslzoo.pretrain`.
        space: search space of `sslzoo tune`: knob -> [choices], (low, high) or (low, high, "log").
        settings: further arguments of `sslzoo.pretrain`; each replaces a default.
    """

    def __init__(
        self,
        method: Any = "simclr",
        data: Any = "digits",
        encoder: Any = "resnet18",
        *,
        space: dict[str, list | tuple] | None = None,
        **settings,
    ):
        self.space = space or {}
        self.settings = {"method": method, "data": data, "encoder": encoder, **settings}

    def __repr__(self) -> str:
        return f"Recipe({', '.join(f'{name}={value!r}' for name, value in self.settings.items())})"

    def __call__(self, **changes):
        """Trains, exports and evaluates, and returns the result of `sslzoo.pretrain`."""
        return import_module("sslzoo").pretrain(**self.changed(**changes))

    def changed(self, **changes) -> dict[str, Any]:
        """Returns the arguments of `sslzoo.pretrain` with some of them changed.

        Settings of this recipe that a changed method, encoder or preset does not have are omitted.
        """
        settings = self.settings | changes
        if all(settings.get(part) is self.settings.get(part) for part in options.PARTS):
            return settings
        known = options.names(*(settings.get(part) for part in options.PARTS))
        return {name: value for name, value in settings.items() if name in known or name in changes}

    def main(self) -> None:
        """Runs the recipe as a script, with a command line."""
        import_module("sslzoo.commands").script(self)


def of_method(method: Any) -> Recipe:
    """Returns a method as a recipe: on digits, on data with captions or episodes, or of the kind it is for."""
    kind = KINDS[options.kind_for(method)]
    if options.needs_captions(method):
        return Recipe(method, "stamps")
    if options.relation_of(method):
        return Recipe(method, "episodes:dot")
    return Recipe(method, kind.sample) if kind.sample else Recipe(method)


def read(path: Path) -> Recipe | None:
    """Reads the recipe that a file assigns to `recipe`; None if the file defines a function instead.

    The file is imported only if an argument of its recipe is not a literal.

    Raises:
        ValueError: if the file has no recipe.
    """
    for node in parsed(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "recipe":
            try:
                call = node.value
                settings = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
                return Recipe(*map(ast.literal_eval, call.args), **settings)
            except (ValueError, AttributeError):
                return load(path)
    return None


def load(path: Path) -> Any:
    """Imports a file and returns its `recipe`, or its function with the name of the file.

    Raises:
        ValueError: if the file has neither.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, "recipe", None) or getattr(module, path.stem, None)
    if found is None:
        raise ValueError(f"{path} has no recipe: assign one, recipe = sslzoo.Recipe(method, data, encoder, ...)")
    return found
