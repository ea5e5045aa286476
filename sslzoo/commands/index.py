"""Write the features of all examples of a dataset to a folder, which other commands search."""

from sslzoo.commands import MODEL, call


def run(words: list[str]) -> None:
    made = call("evaluation.indexing:build_index", words, "index", MODEL)
    print(f"wrote {made.folder}")
