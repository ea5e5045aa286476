"""Features of whole datasets, written to disk as they are made."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.data import Dataset, load_parts
from sslzoo.evaluation import tables
from sslzoo.evaluation.sources import announce, canvas, sample_rate, scanned
from sslzoo.exports.inputs import accepted_by, exported_extent, exported_kind
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.utils.files import replacing
from sslzoo.utils.log import log
from sslzoo.views.inputs import feature_batches

FORMATS = tables.FORMATS


@checked()
def embed(
    encoder: str | Path,
    data: Any,
    out: str | Path,
    batch_size: int = 256,
    labels: str = "auto",
    splits: str = "auto",
    value_range: str | None = None,
    scan: str | None = None,
) -> Path:
    """Writes features of all images of a dataset to a file, batch by batch: never are all of them in memory.

    The format is that of the suffix: .npz (`numpy.load`), .parquet (needs pyarrow), .tfrecord (a tf.train.Example an
    image) or .csv. Each has `features`, float32 (in CSV the columns feature_0, feature_1, ...), `split` ("train",
    "test", "validation", "unlabelled", or "other" for images outside of these), and where they are known `label`, an
    integer, `class`, its name, and `path`, the file within the data's folder. Images without them have -1 and "". An
    .npz has `class_names` too, by label.

    Args:
        encoder: path of an exported encoder.
        data: as for `pretrain`; gray images are repeated for an encoder of colour images.
        out: the .npz, .parquet, .tfrecord or .csv to write; a file of features that is there is replaced.
        batch_size: images encoded at a time.
        labels: "auto", "folders", "none" or a CSV file of rows FILE,CLASS; as for `data.load`.
        splits: "auto", "none" or the folders of each split, "train=a+b,test=c"; as for `data.load`.
        value_range: pixel values of black and white, such as "0,4095"; as for `data.load`.
        scan: "headers" or "full", as for `data.load`; by default as in the training.

    Raises:
        ValueError: another suffix, no pyarrow where it is needed, images that the encoder does not take, or something
            else is at `out`.
    """
    path = Path(out)
    if path.suffix not in FORMATS:
        raise ValueError(f"features cannot be written as {path.name!r}: end --out with one of {', '.join(FORMATS)}")
    if path.suffix == ".parquet":
        tables.pyarrow()
    tables.refuse_foreign(path)
    parts = read_parts(encoder, data, labels=labels, splits=splits, value_range=value_range, scan=scan)
    announce(parts["train"])
    table = table_of(encoder, parts, batch_size)
    with replacing(path) as beside:
        FORMATS[path.suffix](beside, table)
    log.info(f"{table.count} x {table.dim} features, float32, of {table.origin()}; columns {', '.join(table.columns)}")
    return path


def read_parts(
    encoder: str | Path, data: Any, max_images: int | None = None, scan: str | None = None, **reading
) -> dict[str, Dataset]:
    """The parts of data, read as in the training of an exported encoder.

    Args:
        encoder, data, scan: as of `embed`.
        max_images: maximum number of images of each part, drawn with a fixed seed; None for all.
        **reading: `labels`, `splits` and `value_range` of `data.load`.
    """
    facts = read_facts(encoder)
    reading |= dict(kind=exported_kind(facts), scan=scanned(facts, scan), sample_rate=sample_rate(facts, data))
    parts = load_parts(data, max_size=canvas(facts), **reading)
    return {name: part.sample(max_images or len(part)) for name, part in parts.items()}


def table_of(encoder: str | Path, parts: dict[str, Dataset], batch_size: int = 256) -> "FeatureTable":
    """The rows of `embed`; features are computed when they are read.

    Raises:
        ValueError: the encoder does not accept the data.
    """
    model, size = load_encoder(encoder), exported_extent(read_facts(encoder))
    return FeatureTable(model, {name: accepted_by(part, model) for name, part in parts.items()}, size, batch_size)


@dataclasses.dataclass
class FeatureTable:
    """The rows to write; their features are made while they are read, a batch at a time."""

    model: keras.Model
    parts: dict[str, Dataset]
    size: int
    batch_size: int

    def __post_init__(self) -> None:
        parts = self.parts.values()
        self.count, self.dim = sum(map(len, parts)), self.model.output_shape[-1]
        self.class_names = next((part.class_names for part in parts if part.class_names), ())
        self.columns: dict[str, Sequence] = {
            "split": [name for name, part in self.parts.items() for _ in range(len(part))]
        }
        if any(part.labels is not None for part in parts):
            labels = (np.full(len(part), -1) if part.labels is None else part.labels for part in parts)
            self.columns["label"] = np.concatenate([*labels]).astype(np.int32)
        if "label" in self.columns and self.class_names:
            self.columns["class"] = [name for part in parts for name in _classes(part)]
        if any(part.files for part in parts):
            self.columns["path"] = [file for part in parts for file in part.files or [""] * len(part)]

    def origin(self) -> str:
        """The number of images of each part."""
        return ", ".join(f"{name} {len(part)}" for name, part in self.parts.items())

    def features(self) -> Iterator[np.ndarray]:
        for part in self.parts.values():
            yield from feature_batches(self.model, part, self.size, self.batch_size)

    def pieces(self) -> Iterator[tuple[np.ndarray, dict[str, Sequence]]]:
        """Features of a batch, and its part of the columns."""
        row = 0
        for features in self.features():
            rows = slice(row, row + len(features))
            yield features, {name: column[rows] for name, column in self.columns.items()}
            row += len(features)


def _classes(part: Dataset) -> list[str]:
    """The name of each image's class, "" where it has none."""
    if part.labels is None or not part.class_names:
        return [""] * len(part)
    return [part.class_names[label] if label >= 0 else "" for label in part.labels]
