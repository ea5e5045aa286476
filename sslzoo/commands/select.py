"""Select examples of an index to label first."""

from sslzoo.commands import INDEX, call


def run(words: list[str]) -> None:
    print(call("reports.choosing:select", words, "select", INDEX))
