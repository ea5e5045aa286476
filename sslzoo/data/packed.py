"""Packed data: a folder of a few large TFRecord files instead of a million small ones, read in any order."""

import dataclasses
import json
import os
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from sslzoo.data.cache import held
from sslzoo.data.dataset import DataError, Dataset, Splits, machine_memory
from sslzoo.data.decode import decode
from sslzoo.data.images import on_canvas, shrink

INDEX = "packed.json"
FORMAT = 1
# A TFRecord is its length (8 bytes), a checksum of that (4), the data, and a checksum of the data (4).
BEFORE, AROUND = 12, 16
MEMORY_SHARE = 1 / 4  # of the machine's memory for the pixels of a split; a larger one is decoded anew in each epoch


def is_packed(folder: str | Path) -> bool:
    """Whether a folder holds packed data."""
    return (Path(folder) / INDEX).is_file()


def from_packed(folder: str | Path, *, max_size: int | None = None) -> Splits:
    """Opens what `sslzoo pack` has written: the very images, sizes, labels and order of what was packed.

    Args:
        folder: with packed.json and its TFRecord files.
        max_size: longest side in pixels; larger images are shrunk. By default that of the packing.

    Raises:
        DataError: the index or a file is missing, damaged or cut short; the line names it.
    """
    folder = Path(os.path.abspath(os.path.expanduser(folder)))
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
        if index["format"] != FORMAT:
            raise DataError(f"{folder / INDEX} has format {index['format']}, this version reads {FORMAT}: pack again")
        return Splits(**{name: _opened(folder, split, max_size) for name, split in index["splits"].items()})
    except (OSError, KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{folder / INDEX} is damaged ({error!r}): pack again") from error


def _opened(folder: Path, split: dict, max_size: int | None) -> Dataset:
    records, dtype = _Records(folder, split["shards"]), np.dtype(split["dtype"])
    shape = shrink(np.zeros(split["shape"], dtype), max_size).shape
    side = max(shape[:2])

    def pixels(i: int) -> np.ndarray:
        return shrink(_pixels(records.feature(i), dtype), side)

    def read(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return on_canvas((records.named(pixels, i) for i in index), len(index), shape, dtype)

    dataset = Dataset(split["name"], read, split["count"], shape, dtype, in_memory=False, **_columns(split))
    dataset = dataclasses.replace(
        dataset,
        content=records.content if split["files"] else None,
        version=f"{zlib.crc32(np.array(records.sums, np.uint32)):08x}",
        notes=(f"packed data: {split['count']} images in {len(split['shards'])} files of {folder}",),
    )
    pixels_of_all = split["count"] * int(np.prod(shape)) * dtype.itemsize
    return held(dataset) if pixels_of_all < MEMORY_SHARE * machine_memory() else dataset


def _columns(split: dict) -> dict:
    labels, files, class_names = split["labels"], split["files"], split["class_names"]
    return dict(
        labels=None if labels is None else np.array(labels, np.int32),
        files=files and tuple(files),
        class_names=class_names and tuple(class_names),
    )


def _pixels(feature: dict, dtype: np.dtype) -> np.ndarray:
    data = feature["image/encoded"].bytes_list.value[0]
    if feature["image/format"].bytes_list.value[0] != b"raw":
        return decode(data).image
    shape = [feature[f"image/{side}"].int64_list.value[0] for side in ("height", "width", "channels")]
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)


class _Records:
    """The records of some shards by number, each checked when it is read.

    The checksum is the index's own, zlib's CRC-32: TensorFlow does not offer TFRecord's CRC-32C to Python.
    """

    def __init__(self, folder: Path, shards: list[dict]):
        self.folder, self.files = folder, [shard["file"] for shard in shards]
        self.shard = np.repeat(np.arange(len(shards)), [len(shard["lengths"]) for shard in shards])
        self.lengths = np.array([length for shard in shards for length in shard["lengths"]], np.int64)
        self.sums = [checksum for shard in shards for checksum in shard["sums"]]
        ends = [np.cumsum([0, *(length + AROUND for length in shard["lengths"])]) for shard in shards]
        self.offsets = np.concatenate([end[:-1] for end in ends])
        for file, end in zip(self.files, ends, strict=True):
            _check_length(folder / file, int(end[-1]))

    def feature(self, i: int) -> dict:
        return tf.train.Example.FromString(self._record(i)).features.feature

    def content(self, i: int) -> bytes:
        return self.feature(i)["image/encoded"].bytes_list.value[0]

    def named(self, read, i: int) -> np.ndarray:
        """`read(i)`, whose errors name the shard."""
        try:
            return read(int(i))
        except (OSError, ValueError) as error:
            path = self.folder / self.files[self.shard[i]]
            raise DataError(f"{path}: image {i} cannot be read ({error}): pack again") from error

    def _record(self, i: int) -> bytes:
        with open(self.folder / self.files[self.shard[i]], "rb", buffering=0) as stream:
            data = os.pread(stream.fileno(), int(self.lengths[i]), int(self.offsets[i]) + BEFORE)
        if len(data) != self.lengths[i] or zlib.crc32(data) != self.sums[i]:
            raise ValueError("its bytes have changed")
        return data


def _check_length(path: Path, expected: int) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): pack again") from error
    if found != expected:
        way = "cut short" if found < expected else "longer than it was"
        raise DataError(f"{path} is {way}: {found} bytes instead of {expected}; copy it anew, or pack again")
