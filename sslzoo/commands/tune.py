"""Search the options of a recipe or method with KerasTuner, evaluated on held-out training data; export the best."""

from sslzoo import catalog
from sslzoo.catalog import knobs
from sslzoo.catalog.parser import Parser
from sslzoo.commands import import_tensorflow, train, training_parser


def run(words: list[str]) -> None:
    name = words[0] if words and not words[0].startswith("-") else None
    own = knobs.read(catalog.ROOT / "tuning" / "search.py", "tune")
    own.pop("recipe")
    parser, known = (
        Parser(prog=f"sslzoo tune {name or 'NAME'}", description=__doc__),
        catalog.recipes() | catalog.methods(),
    )
    if name is None:
        parser.add_group("search", own)
        parser.parse_args(words)
        parser.error(f"which? NAME is one of {', '.join(known)}")
    try:
        recipe, about = train.found(name)
    except FileNotFoundError:
        parser.error(knobs.nearest("recipe or method", name, known))
    if recipe is None:
        parser.error(f"{name} is a script without a recipe and cannot be tuned")
    parser = training_parser(parser.prog, f"{__doc__}\n\n{about}", recipe, words[1:], {"search": own})
    given = vars(parser.parse_args(words[1:]))
    import_tensorflow()
    from sslzoo.tuning import tune

    tune(name, **given)
