"""Packed data: a folder of a few large TFRecord files instead of a million small ones, read in any order."""

import dataclasses
import os
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from sslzoo.data.cache import held
from sslzoo.data.dataset import DataError, Dataset, Splits
from sslzoo.data.decode import decode
from sslzoo.data.graph import PYTHON, kind_of, record_reader
from sslzoo.data.headers import header_of
from sslzoo.data.images import on_canvas, shrink, shrunk_shape
from sslzoo.data.index import INDEX, IndexFault, digests_of, read_index
from sslzoo.data.made import of_images
from sslzoo.utils.files import reason
from sslzoo.utils.machine import machine_memory

# A TFRecord is its length (8 bytes), a checksum of that (4), the data, and a checksum of the data (4).
BEFORE, AROUND = 12, 16
MEMORY_SHARE = 1 / 4  # of the machine's memory for the pixels of a split; a larger one is decoded in each epoch


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
        splits = read_index(folder)
    except (OSError, IndexFault) as error:
        raise DataError(f"{folder / INDEX} is damaged ({reason(error)}): pack again") from error
    return Splits(**{name: _opened(folder, split, max_size) for name, split in splits.items()})


def _opened(folder: Path, split: dict, max_size: int | None) -> Dataset:
    records, dtype = _Records(folder, split["shards"]), np.dtype(split["dtype"])
    shape = shrunk_shape(tuple(split["shape"]), max_size)
    side = max(shape[:2])

    def pixels(i: int) -> np.ndarray:
        return _fitting(_pixels(records.feature(i), dtype, side), shape, dtype)

    def read(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return on_canvas((records.named(pixels, i) for i in index), len(index), shape, dtype)

    records.named(pixels, 0)  # an index of other images is found out before the training
    dataset = of_images(split["name"], read, split["count"], shape, dtype, in_memory=False, **_columns(split))
    dataset = dataclasses.replace(
        dataset,
        content=records.content if split.get("files") else None,
        version=f"{zlib.crc32(np.array(records.sums, np.uint32)):08x}",
        notes=(f"packed data: {split['count']} images in {len(split['shards'])} files of {folder}",),
    )
    pixels_of_all = split["count"] * int(np.prod(shape)) * dtype.itemsize
    if pixels_of_all < MEMORY_SHARE * machine_memory():
        return held(dataset)
    if dtype != np.uint8:
        return dataset

    def record(i: np.ndarray) -> tuple[bytes, np.ndarray, np.ndarray]:
        return records.named(lambda i: _encoded(records.feature(i), shape, side), i)

    return dataclasses.replace(dataset, graph=record_reader(record, dataset))


def _encoded(feature: dict, shape: tuple[int, int, int], side: int) -> tuple[bytes, np.ndarray, np.ndarray]:
    """The bytes of an image, the kind of its file, and its height and width after shrinking."""
    data = feature["image/encoded"].bytes_list.value[0]
    raw = feature["image/format"].bytes_list.value[0] == b"raw"
    header = None if raw else header_of(data)
    if header is None:
        return data, np.int32(PYTHON), np.zeros(2, np.int32)
    height, width, channels = shrunk_shape((header.height, header.width, header.channels), side)
    fits = height <= shape[0] and width <= shape[1] and channels in (1, shape[2])
    return data, np.int32(kind_of("", data, side) if fits else PYTHON), np.array([height, width], np.int32)


def _columns(split: dict) -> dict:
    labels, files, class_names = (split.get(name) for name in ("labels", "files", "class_names"))
    return dict(
        labels=None if labels is None else np.array(labels, np.int32),
        files=files and tuple(files),
        class_names=class_names and tuple(class_names),
        digests=digests_of(split),
    )


def _fitting(image: np.ndarray, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
    """The image, if it is one of those that the index describes; raises ValueError if not."""
    height, width, channels = image.shape
    deeper = image.dtype.itemsize < dtype.itemsize or (image.dtype.kind == "f") != (dtype.kind == "f")
    if height > shape[0] or width > shape[1] or channels not in (1, shape[2]) or deeper:
        raise ValueError(f"it is {height}x{width}x{channels} {image.dtype}, the index says {shape} {dtype}")
    return image


def _pixels(feature: dict, dtype: np.dtype, side: int) -> np.ndarray:
    data = feature["image/encoded"].bytes_list.value[0]
    if feature["image/format"].bytes_list.value[0] != b"raw":
        return decode(data, side).image
    shape = [feature[f"image/{side}"].int64_list.value[0] for side in ("height", "width", "channels")]
    return shrink(np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape), side)


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
        except (OSError, ValueError, LookupError, DecodeError) as error:
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
        raise DataError(f"{path} is {way}: {found} bytes instead of {expected}; copy it again, or pack again")
