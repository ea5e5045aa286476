"""Find exact and near-duplicates in an index: pairs and groups."""

from sslzoo.commands import INDEX, call


def run(words: list[str]) -> None:
    print(call("reports.searching:duplicates", words, "duplicates", INDEX))
