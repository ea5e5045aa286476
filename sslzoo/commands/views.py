"""Draw the views of a recipe or method; print how often and how strongly each operation acts."""

from sslzoo.commands import train


def run(words: list[str]) -> None:
    train.run(words, "views", __doc__, preview=True)
