"""Find the examples of an index that are nearest to a row of it, a file or a text."""

from sslzoo.commands import INDEX, call

QUERY = dict(metavar="QUERY", help="a row of the index, the path of a file, or a text")


def run(words: list[str]) -> None:
    print(call("reports.searching:search", words, "search", INDEX | {"query": QUERY}))
