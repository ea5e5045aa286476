"""Write a dataset as TFRecord files with an index; --data accepts the resulting folder."""

from sslzoo.commands import DATA, call


def run(words: list[str]) -> None:
    out = dict(metavar="OUT", help="the folder to write")
    print(f"wrote {call('data.packing:pack', words, 'pack', DATA | {'out': out})}")
