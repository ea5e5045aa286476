"""Measure how many labels an exported encoder saves, compared with supervised training from scratch and its start."""

from sslzoo.commands import MODEL, call


def run(words: list[str]) -> None:
    print(call("reports.benefit:benefit", words, "benefit", MODEL))
