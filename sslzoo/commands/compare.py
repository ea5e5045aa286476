"""Compare exported encoders, with intervals of their differences and the overlap of their neighbours."""

from sslzoo.commands import call


def run(words: list[str]) -> None:
    models = dict(metavar="MODEL", nargs="+", help="folders of exported encoders")
    print(call("evaluation.comparison:compare", words, "compare", {"encoders": models}))
