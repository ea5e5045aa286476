"""Decoded pixels, kept: in memory, or in a file that is mapped into it."""

import concurrent.futures
import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sslzoo.data.dataset import DataError, Dataset
from sslzoo.utils.bars import progress
from sslzoo.utils.files import replacing

BLOCK_BYTES = 2**26
IMAGES, SIZES = "images.npy", "sizes.npy"


def cached(dataset: Dataset, folder: str | Path) -> Dataset:
    """The same dataset, decoded once into a file of pixels on the canvas, and read from there.

    The file is kept under the dataset's fingerprint, version and canvas, so that other data never take its place, and
    later runs find it. A dataset in memory is returned as it is.

    Args:
        dataset: any.
        folder: folder of all caches; it is created if it does not exist.

    Raises:
        DataError: the disk has no room for it.
    """
    if dataset.in_memory:
        return dataset
    canvas = "x".join(map(str, dataset.shape))
    path = Path(folder) / f"{dataset.fingerprint()}{dataset.version}-{canvas}-{dataset.dtype}"
    arrays = _mapped(path, dataset) or _written(path, dataset)
    images, sizes = arrays
    notes = tuple(note for note in dataset.notes if "decoded in each epoch" not in note)
    read = _Rows(images, np.array(sizes))
    notes = (*notes, f"decoded pixels are in {path}")
    return dataset.with_images(read, in_memory=True, notes=notes, digests=dataset.marks)


def held(dataset: Dataset) -> Dataset:
    """The same dataset with all of its pixels in memory."""
    images = np.empty((len(dataset), *dataset.shape), dataset.dtype)
    sizes, row = np.empty((len(dataset), 2), np.int32), 0
    for some, their_sizes in in_blocks(dataset, f"reading {dataset.name}"):
        images[row : row + len(some)], sizes[row : row + len(some)] = some, their_sizes
        row += len(some)
    return dataset.with_images(_Rows(images, sizes), in_memory=True)


def filled(dataset: Dataset) -> Dataset:
    """The same dataset with its pixels in memory, each of which is read when it is first asked for."""
    pixels = _Filled(dataset)
    return dataset.with_images(pixels, in_memory=True, confine=dataset.confine and pixels.confine)


class _Filled:
    """Pixels in memory; those that are asked for and not there are read by as many threads as cores."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset
        self.images = np.zeros((len(dataset), *dataset.shape), dataset.dtype)  # pages take memory once they are written
        self.sizes, self.there = np.zeros((len(dataset), 2), np.int32), np.zeros(len(dataset), bool)
        self.pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())

    def __call__(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        missing = np.unique(index[~self.there[index]])
        if len(missing):
            list(self.pool.map(self._fill, np.array_split(missing, min(len(missing), 4 * os.cpu_count()))))
        return self.images[index], self.sizes[index]

    def confine(self, rows: np.ndarray) -> None:
        """As of `Dataset`; what was read before is read again."""
        self.dataset.confine(rows)
        self.there[rows] = False

    def _fill(self, rows: np.ndarray) -> None:
        self.images[rows], self.sizes[rows] = self.dataset.examples(rows)
        self.there[rows] = True


def in_blocks(dataset: Dataset, what: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All images and sizes in order, at most BLOCK_BYTES of pixels at a time, read by as many threads as cores."""
    rows = max(1, BLOCK_BYTES // _bytes(dataset, 1))
    starts = range(0, len(dataset), rows)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in progress(starts, what, len(starts)):
            index = np.arange(start, min(start + rows, len(dataset)))
            parts = pool.map(dataset.examples, np.array_split(index, min(os.cpu_count(), len(index))))
            images, sizes = zip(*parts, strict=True)
            yield np.concatenate(images), np.concatenate(sizes)


@dataclasses.dataclass(frozen=True)
class _Rows:
    images: np.ndarray
    sizes: np.ndarray

    def __call__(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.images[index]), self.sizes[index]


def _bytes(dataset: Dataset, count: int) -> int:
    return count * int(np.prod(dataset.shape)) * np.dtype(dataset.dtype).itemsize


def _mapped(path: Path, dataset: Dataset) -> tuple[np.ndarray, np.ndarray] | None:
    """The arrays of a cache, or None if there is no complete one."""
    try:
        images, sizes = (np.load(path / name, mmap_mode="r") for name in (IMAGES, SIZES))
    except (OSError, ValueError):
        return None
    whole = (len(dataset), *dataset.shape) == images.shape and images.dtype == dataset.dtype
    return (images, sizes) if whole and sizes.shape == (len(dataset), 2) else None


def _written(path: Path, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    path.parent.mkdir(parents=True, exist_ok=True)
    needed, free = _bytes(dataset, len(dataset)), shutil.disk_usage(path.parent).free
    if needed > free:
        raise DataError(
            f"a cache of {dataset.name} takes {needed / 1e9:.1f} GB, {path.parent} has {free / 1e9:.1f} GB free: "
            "give another folder, or leave the cache out"
        )
    with replacing(path) as beside:
        beside.mkdir()
        _write(beside, dataset)
    return _mapped(path, dataset)


def _write(folder: Path, dataset: Dataset) -> None:
    header = dict(descr=np.lib.format.dtype_to_descr(np.dtype(dataset.dtype)), fortran_order=False)
    sizes = []
    # Not through a memory map: where the disk fills up, writing to one kills the process without a word.
    with open(folder / IMAGES, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header | dict(shape=(len(dataset), *dataset.shape)))
        for images, their_sizes in in_blocks(dataset, f"decoding {dataset.name} once"):
            file.write(np.ascontiguousarray(images).data)
            sizes.append(their_sizes)
    np.save(folder / SIZES, np.concatenate(sizes))
