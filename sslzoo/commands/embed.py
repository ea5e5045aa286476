"""Write the features of all images of a dataset to an .npz, .parquet, .tfrecord or .csv file."""

from sslzoo.commands import MODEL, call


def run(words: list[str]) -> None:
    print(f"wrote {call('evaluation.embedding:embed', words, 'embed', MODEL)}")
