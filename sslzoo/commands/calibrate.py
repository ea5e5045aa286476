"""Find the similarity from which two examples of an index are of the same class, from labels."""

from sslzoo.commands import INDEX, call


def run(words: list[str]) -> None:
    print(call("reports.choosing:calibrate", words, "calibrate", INDEX))
