"""Show the installed versions; with --distributed, compare training on 1 device, 2 devices and 2 workers."""

import sys

from sslzoo.commands import call


def run(words: list[str]) -> None:
    sys.exit(1 if call("testing.doctor:doctor", words, "doctor") else 0)
