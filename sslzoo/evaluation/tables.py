"""Files of features, by suffix: written a batch at a time, and recognized."""

import csv
import importlib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import tensorflow as tf

from sslzoo.data.packing import serialized


class Table(Protocol):
    """What is written.

    Attributes:
        count, dim: rows, and features of each.
        columns: name -> a value for each row.
        class_names: of the labels; () if not known.
    """

    count: int
    dim: int
    columns: dict[str, Sequence]
    class_names: Sequence[str]

    def features(self) -> Iterator[np.ndarray]: ...

    def pieces(self) -> Iterator[tuple[np.ndarray, dict[str, Sequence]]]: ...


def refuse_foreign(path: Path) -> None:
    """Raises ValueError where something else than a file of features is at `path`."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give a file, such as {path / f'features{path.suffix}'}")
    if path.exists() and not _is_features(path):
        raise ValueError(f"{path} exists and is no file of features: give another name, or remove it")


def _is_features(path: Path) -> bool:
    try:
        return RECOGNIZED[path.suffix](path)
    except Exception:  # the readers of four formats raise many kinds of errors on other files
        return False


def _is_npz(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return "features.npy" in archive.namelist()


def _is_csv(path: Path) -> bool:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return "feature_0" in next(csv.reader(file))


def _is_tfrecord(path: Path) -> bool:
    record = next(iter(tf.data.TFRecordDataset(str(path)).take(1))).numpy()
    return "features" in tf.train.Example.FromString(record).features.feature


def _is_parquet(path: Path) -> bool:
    return "features" in importlib.import_module("pyarrow.parquet").read_schema(path).names


def _npz(path: Path, table: Table) -> None:
    header = dict(descr="<f4", fortran_order=False, shape=(table.count, table.dim))
    columns = table.columns | ({"class_names": table.class_names} if "class" in table.columns else {})
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("features.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for features in table.features():
                file.write(features.astype("<f4", copy=False).tobytes())
        for name, column in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(column), allow_pickle=False)


def _csv(path: Path, table: Table) -> None:
    # A file's name need not be text: written as it was read, byte for byte.
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*table.columns, *(f"feature_{i}" for i in range(table.dim))])
        for features, columns in table.pieces():
            rows = zip(*columns.values(), features, strict=True)
            writer.writerows([*told, *numbers] for *told, numbers in rows)


def _tfrecord(path: Path, table: Table) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for features, columns in table.pieces():
            for i, row in enumerate(features):
                told = {name: column[i] for name, column in columns.items()}
                writer.write(serialized(told | {"features": row}))


def _parquet(path: Path, table: Table) -> None:
    arrow = pyarrow()
    kinds = {name: arrow.int32() if name == "label" else arrow.string() for name in table.columns}
    fields = [*kinds.items(), ("features", arrow.list_(arrow.float32(), table.dim))]
    with importlib.import_module("pyarrow.parquet").ParquetWriter(path, arrow.schema(fields)) as writer:
        for features, columns in table.pieces():
            # Parquet's texts are UTF-8, which a file's name need not be.
            plain = {n: column if n == "label" else [*map(_utf8, column)] for n, column in columns.items()}
            plain["features"] = arrow.FixedSizeListArray.from_arrays(features.ravel(), table.dim)
            writer.write_table(arrow.table(plain, schema=writer.schema))


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def pyarrow():
    """The module; raises ValueError with the way to get it."""
    try:
        return importlib.import_module("pyarrow")
    except ImportError:
        raise ValueError("Parquet needs pyarrow: pip install 'sslzoo[parquet]', or end --out with .npz") from None


FORMATS = {".npz": _npz, ".parquet": _parquet, ".tfrecord": _tfrecord, ".csv": _csv}
RECOGNIZED = {".npz": _is_npz, ".parquet": _is_parquet, ".tfrecord": _is_tfrecord, ".csv": _is_csv}
