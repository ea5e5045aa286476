"""Score the examples of an index by their distance to reference examples."""

from sslzoo.commands import INDEX, call


def run(words: list[str]) -> None:
    print(call("reports.choosing:anomaly", words, "anomaly", INDEX))
