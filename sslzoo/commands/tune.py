"""Search the options of a recipe or method with KerasTuner, evaluated on held-out training data; export the best."""

from sslzoo import catalog
from sslzoo.catalog import knobs
from sslzoo.commands import import_tensorflow, train, training_parser


def run(words: list[str]) -> None:
    own = knobs.read(catalog.ROOT / "tuning" / "search.py", "tune")
    own.pop("recipe")
    name, parser = train.chosen(words, "tune", __doc__, own)
    recipe, about = train.found(name)
    if recipe is None:
        parser.error(f"{name} is a script without a recipe and cannot be tuned")
    parser = training_parser(parser.prog, f"{__doc__}\n\n{about}", recipe, words[1:], {"search": own})
    given = vars(parser.parse_args(words[1:]))
    import_tensorflow()
    from sslzoo.tuning import tune

    tune(name, **given)
