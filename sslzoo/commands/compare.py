"""Compare exported encoders, with intervals of the differences and the overlap of nearest neighbours."""

from sslzoo.commands import call


def run(words: list[str]) -> None:
    models = dict(metavar="MODEL", nargs="+", help="folders of exported encoders")
    print(call("evaluation.comparison:compare", words, "compare", {"encoders": models}))
