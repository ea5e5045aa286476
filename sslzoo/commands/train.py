"""Train an encoder with a recipe or a method, export it and evaluate it."""

import inspect
from pathlib import Path

from sslzoo import catalog
from sslzoo.catalog import knobs
from sslzoo.catalog import recipe as recipes
from sslzoo.catalog.knobs import Knob
from sslzoo.catalog.parser import Parser
from sslzoo.catalog.recipe import Recipe
from sslzoo.commands import import_tensorflow, method_about, training_parser


def run(words: list[str], command: str = "train", doc: str = __doc__, **fixed) -> None:
    """Trains with the recipe or method that the first word names.

    Args:
        words: words of the command line.
        command, doc: name and help of the command.
        fixed: arguments of the training that options cannot set.
    """
    name, parser = chosen(words, command, doc)
    recipe, about = found(name)
    if isinstance(recipe, Recipe):
        parser = training_parser(parser.prog, about, recipe, words[1:])
    else:
        for knob in knobs.read(_path(name), _path(name).stem).values():
            parser.add(knob)
    given = vars(parser.parse_args(words[1:]))
    import_tensorflow()
    action = recipe or recipes.load(_path(name))
    action(**{knob: value for knob, value in given.items() if knob not in fixed}, **fixed)


def chosen(words: list[str], command: str, doc: str, first: dict[str, Knob] | None = None) -> tuple[str, Parser]:
    """Returns the recipe or method that the first word names, and a parser; exits if there is none.

    Args:
        words: words of the command line.
        command, doc: name and help of the command.
        first: options to show in the help of the command without a name.
    """
    name = words[0] if words and not words[0].startswith("-") else None
    known = catalog.recipes() | catalog.methods() | catalog.plugins("methods")
    parser = Parser(prog=f"sslzoo {command} {name or 'NAME'}", description=doc)
    if name is None:
        parser.description += f"\n\nNAME is a recipe or a method; sslzoo {command} NAME --help shows its options."
        parser.add_group(command, first or {})
        parser.parse_args(words)
        parser.error(f"which? NAME is one of {', '.join(known)}")
    if name not in known and not Path(name).is_file():
        parser.error(knobs.nearest("recipe or method", name, known))
    return name, parser


def found(name: str) -> tuple[Recipe | None, str]:
    """Returns the recipe of a name, None for a file whose recipe is a function, and its description."""
    if name in catalog.plugins("methods"):
        return recipes.of_method(name), (inspect.getdoc(catalog.found("methods", name)) or "").split("\n")[0]
    if name in catalog.methods() and name not in catalog.recipes():
        return recipes.of_method(name), method_about(name)
    recipe, about = recipes.read(_path(name)), knobs.document(_path(name))
    method = recipe.settings["method"] if recipe else None
    return recipe, f"{about}\n\n{method_about(method)}" if method in catalog.methods() else about


def _path(name: str) -> Path:
    return catalog.recipes().get(name, Path(name))
