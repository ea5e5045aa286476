"""Write data as TFRecord files with an index, which --data reads like the data itself."""

from sslzoo.commands import DATA, call


def run(words: list[str]) -> None:
    out = dict(metavar="OUT", help="the folder to write")
    print(f"wrote {call('data.packing:pack', words, 'pack', DATA | {'out': out})}")
