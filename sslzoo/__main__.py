"""`sslzoo COMMAND`: finds the command by its file, and runs it."""

import importlib
import sys

import sslzoo
from sslzoo import commands
from sslzoo.catalog import knobs
from sslzoo.catalog.parser import Parser


def main(words: list[str] | None = None) -> None:
    """Runs `sslzoo` with these words, by default those of the command line."""
    words = sys.argv[1:] if words is None else words
    known = commands.names()
    parser = Parser(prog="sslzoo", description="Self-supervised learning for TensorFlow and Keras 3.")
    lines = (f"  {name:11} {knobs.summary(path)}" for name, path in known.items())
    parser.epilog = "\n".join(["commands:", *lines, "", "sslzoo COMMAND --help shows the options of a command."])
    parser.add_argument("command", metavar="COMMAND", nargs="?")
    parser.add_argument("--version", action="store_true", help="print the version")
    if not words or words[0] in ("-h", "--help"):
        parser.print_help()
        return
    if words == ["--version"]:
        print(f"sslzoo {sslzoo.__version__}")
        return
    if words[0] not in known:
        parser.error(knobs.nearest("command", words[0], known))
    command = importlib.import_module(f"sslzoo.commands.{known[words[0]].stem}")
    commands.run(lambda: command.run(words[1:]))


if __name__ == "__main__":
    main()
