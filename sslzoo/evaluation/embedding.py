"""Features of whole datasets, written to disk as they are made."""

import csv
import dataclasses
import importlib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from sslzoo.data import Dataset, load
from sslzoo.data.packing import serialized
from sslzoo.evaluation.judging import announce, same_channels
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.utils.files import replacing
from sslzoo.views.inputs import feature_batches


def embed(encoder: str | Path, data: str, out: str, batch_size: int = 256) -> Path:
    """Writes features of all images of a dataset to a file, batch by batch: never are all of them in memory.

    The format is that of the suffix: .npz (`numpy.load`), .parquet (needs pyarrow), .tfrecord (a tf.train.Example an
    image) or .csv. Each has `features`, float32 (in CSV the columns feature_0, feature_1, ...), `split` ("train" or
    "test"), and where they are known `label`, an integer, and `path`, the file within the data's folder; where one
    split alone has them, the other has -1 and "".

    Args:
        encoder: path of an exported encoder.
        data: as for `pretrain`.
        out: the .npz, .parquet, .tfrecord or .csv to write.
        batch_size: images encoded at a time.

    Raises:
        ValueError: another suffix, no pyarrow where it is needed, or images that the encoder does not take.
    """
    path = Path(out)
    if path.suffix not in FORMATS:
        raise ValueError(f"features cannot be written as {path.name!r}: end --out with one of {', '.join(FORMATS)}")
    if path.suffix == ".parquet":
        _pyarrow()
    size = read_facts(encoder)["encoder"]["image_shape"][0]
    model = load_encoder(encoder)
    parts = {name: part for name, part in load(data)._asdict().items() if part is not None}
    announce(parts["train"])
    for part in parts.values():
        same_channels(model, part)
    with replacing(path) as beside:
        FORMATS[path.suffix](beside, _Table(model, parts, size, batch_size))
    return path


@dataclasses.dataclass
class _Table:
    """The rows to write; their features are made while they are read, a batch at a time."""

    model: keras.Model
    parts: dict[str, Dataset]
    size: int
    batch_size: int

    def __post_init__(self) -> None:
        parts = self.parts.values()
        self.count, self.dim = sum(map(len, parts)), self.model.output_shape[-1]
        self.columns: dict[str, Sequence] = {
            "split": [name for name, part in self.parts.items() for _ in range(len(part))]
        }
        if any(part.labels is not None for part in parts):
            labels = (np.full(len(part), -1) if part.labels is None else part.labels for part in parts)
            self.columns["label"] = np.concatenate([*labels]).astype(np.int32)
        if any(part.files for part in parts):
            self.columns["path"] = [file for part in parts for file in part.files or [""] * len(part)]

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


def _npz(path: Path, table: _Table) -> None:
    header = dict(descr="<f4", fortran_order=False, shape=(table.count, table.dim))
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("features.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for features in table.features():
                file.write(features.astype("<f4", copy=False).tobytes())
        for name, column in table.columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(column), allow_pickle=False)


def _csv(path: Path, table: _Table) -> None:
    # A file's name need not be text: written as it was read, byte for byte.
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*table.columns, *(f"feature_{i}" for i in range(table.dim))])
        for features, columns in table.pieces():
            rows = zip(*columns.values(), features, strict=True)
            writer.writerows([*told, *numbers] for *told, numbers in rows)


def _tfrecord(path: Path, table: _Table) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for features, columns in table.pieces():
            for i, row in enumerate(features):
                told = {name: column[i] for name, column in columns.items()}
                writer.write(serialized(told | {"features": row}))


def _parquet(path: Path, table: _Table) -> None:
    arrow = _pyarrow()
    kinds = {"split": arrow.string(), "label": arrow.int32(), "path": arrow.string()}
    fields = [(name, kinds[name]) for name in table.columns] + [("features", arrow.list_(arrow.float32(), table.dim))]
    with importlib.import_module("pyarrow.parquet").ParquetWriter(path, arrow.schema(fields)) as writer:
        for features, columns in table.pieces():
            # Parquet's texts are UTF-8, which a file's name need not be.
            plain = {n: column if n == "label" else [*map(_utf8, column)] for n, column in columns.items()}
            plain["features"] = arrow.FixedSizeListArray.from_arrays(features.ravel(), table.dim)
            writer.write_table(arrow.table(plain, schema=writer.schema))


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _pyarrow():
    try:
        return importlib.import_module("pyarrow")
    except ImportError:
        raise ValueError("Parquet needs pyarrow: pip install 'sslzoo[parquet]', or end --out with .npz") from None


FORMATS = {".npz": _npz, ".parquet": _parquet, ".tfrecord": _tfrecord, ".csv": _csv}
