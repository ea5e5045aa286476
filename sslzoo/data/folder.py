"""Folders of images of any size: every file is tried once, so that training meets no unreadable one."""

import collections
import concurrent.futures
import dataclasses
import difflib
import hashlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from sslzoo.data.dataset import DataError, Dataset, Splits, in_memory, machine_memory, progress
from sslzoo.data.decode import Decoded, decode
from sslzoo.data.images import convert, on_canvas, shrink
from sslzoo.data.layout import arrange

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
SIDE = 256  # of the canvas by default: more than methods crop to, and small enough to keep thousands in memory
MEMORY_SHARE = 1 / 4  # of the machine's memory for a folder's pixels; while loading they are there twice
BLOCK = 4096  # files handed to the threads at once; a million waiting jobs would take gigabytes


def from_folder(folder: str | Path, *, max_size: int | None = None) -> Splits:
    """Reads a folder of JPEG, PNG, BMP, GIF and WebP files, flat or nested, in the order of their names.

    Hidden files and folders are left out. If there are first-level folders called train and test (or val), these are
    the splits; else, if every image is in a folder and there are at least two first-level folders, they are the
    labels. Unreadable files are left out, and named in the notes.

    Args:
        folder: the folder.
        max_size: side of the canvas in pixels, into which larger images are shrunk; 256 by default. If all images
            are smaller, the canvas is as large as the longest side among them.

    Raises:
        DataError: there is no such folder, or no readable image in it.
    """
    root = os.path.abspath(os.path.expanduser(folder))
    if not os.path.isdir(root):
        raise DataError(_no_folder(root))
    try:
        files = [os.path.relpath(path, root) for path in _files(root)]
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be listed ({error.strerror}): change its rights or move it"
        ) from error
    candidates = [file for file in files if file.lower().endswith(SUFFIXES)]
    scan = _scan(root, candidates, max_size or SIDE)
    if not scan.files:
        raise DataError(_nothing_found(root, files, scan.bad))
    splits, lines = arrange(_dataset(root, scan))
    lines = [f"found {len(scan.files)} images, skipped {len(scan.bad)} of {len(candidates)}", *scan.notes(), *lines]
    if len(files) > len(candidates):
        lines.append(f"ignored {len(files) - len(candidates)} other files ({_other_suffixes(files)})")
    return Splits(*(dataclasses.replace(split, notes=tuple(lines)) for split in splits if split))


@dataclasses.dataclass
class _Scan:
    """What was learned by decoding every file once; the pixels too, as long as they fit into memory."""

    side: int
    files: list[str] = dataclasses.field(default_factory=list)
    stamps: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    bad: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    images: list[np.ndarray] | None = dataclasses.field(default_factory=list)
    longest: int = 0
    channels: int = 1
    deep: int = 0
    clear: int = 0
    turned: int = 0
    shrunk: int = 0

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint16 if self.deep == len(self.files) else np.uint8)

    def add(self, file: str, stamp: tuple[int, int], found: Decoded, shrunk: bool) -> None:
        image = found.image
        self.files.append(file)
        self.stamps.append(stamp)
        self.longest = max(self.longest, *image.shape[:2])
        self.channels = max(self.channels, image.shape[-1])
        self.deep += image.dtype == np.uint16
        self.clear += found.clear
        self.turned += found.turned
        self.shrunk += shrunk
        if self.images is not None:
            self.images.append(image)
        # One canvas is at least as large as any image on it, so this bounds the list of images as well.
        if len(self.files) * self.longest**2 * self.channels * self.dtype.itemsize > MEMORY_SHARE * machine_memory():
            self.images = None

    def notes(self) -> list[str]:
        mixed = self.deep if self.dtype == np.uint8 else 0
        counted = {
            f"{self.clear} images with transparency are laid over white": self.clear,
            f"{self.turned} images are turned upright by their EXIF orientation": self.turned,
            f"{mixed} images of 16 bits are cut to the upper 8, as the others have 8": mixed,
            f"{self.shrunk} images larger than {self.side} pixels are shrunk to that (max_size)": self.shrunk,
            "the images do not fit into memory and are decoded anew in each epoch": self.images is None,
        }
        return [note for note, count in counted.items() if count] + [f"skipped {f!r}: {why}" for f, why in self.bad]


def _files(folder: str, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Files under a folder in the order of their names; a link back to a folder above is not followed."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for name in sorted(name for name in os.listdir(folder) if not name.startswith(".")):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            yield from _files(path, (*above, real))
        elif os.path.isfile(path) or not os.path.exists(path):  # a broken link is to be named, a pipe left alone
            yield path


def _scan(root: str, files: list[str], side: int) -> _Scan:
    scan = _Scan(side)
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    blocks = (pool.map(partial(_try, root, side), files[i : i + BLOCK]) for i in range(0, len(files), BLOCK))
    outcomes = (outcome for block in blocks for outcome in block)
    bar = progress(outcomes, f"reading {os.path.basename(root)}", len(files))
    try:
        for file, outcome in zip(files, bar, strict=True):
            if isinstance(outcome, str):
                scan.bad.append((file, outcome))
            else:
                scan.add(file, *outcome)
    finally:
        pool.shutdown(cancel_futures=True)
    return scan


def _try(root: str, side: int, file: str) -> tuple[tuple[int, int], Decoded, bool] | str:
    """The file's stamp, its pixels within `side` and whether they were shrunk; or why it is unreadable."""
    try:
        data, stamp = _content(root, file)
        found = decode(data)
    except (OSError, ValueError) as error:
        return _why(error)
    small = shrink(found.image, side)
    return stamp, found._replace(image=small), small is not found.image


def _content(root: str, file: str) -> tuple[bytes, tuple[int, int]]:
    """The bytes of a file, and what a change of it changes: its length and the time of its last change."""
    with open(os.path.join(root, file), "rb") as stream:
        status = os.fstat(stream.fileno())
        return stream.read(), (status.st_size, status.st_mtime_ns)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _dataset(root: str, scan: _Scan) -> Dataset:
    name, files, dtype = os.path.basename(root), tuple(scan.files), scan.dtype
    shape = (scan.longest, scan.longest, scan.channels)
    version = hashlib.sha256(repr(scan.stamps).encode()).hexdigest()[:16]
    fields = dict(files=files, version=version, content=lambda i: _again(root, files[i], scan.stamps[i]))
    if scan.images is not None:
        return in_memory(name, *on_canvas(scan.images, len(files), shape, dtype), **fields)

    def pixels(i: int) -> np.ndarray:
        return _decoded_again(root, files[i], scan.stamps[i], shape, dtype)

    def read(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return on_canvas(map(pixels, index), len(index), shape, dtype)

    return Dataset(name, read, len(files), shape, dtype, in_memory=False, **fields)


def _decoded_again(root: str, file: str, stamp: tuple[int, int], shape: tuple[int, int, int], dtype) -> np.ndarray:
    data = _again(root, file, stamp)
    try:
        return convert(shrink(decode(data).image, shape[0]), shape[-1], dtype)
    except ValueError as error:
        raise _changed(root, file, _why(error)) from error


def _again(root: str, file: str, stamp: tuple[int, int]) -> bytes:
    try:
        data, now = _content(root, file)
    except OSError as error:
        raise _changed(root, file, _why(error)) from error
    if now != stamp:
        raise _changed(root, file, f"it was replaced, {stamp[0]} bytes by {now[0]}")
    return data


def _changed(root: str, file: str, why: str) -> DataError:
    return DataError(f"{file!r} in {root} could be read at the start and cannot be now: {why}")


def _no_folder(path: str) -> str:
    if os.path.exists(path):
        return f"{path} is a file: give the folder that the images are in"
    above, name = os.path.split(path)
    while not os.path.isdir(above):
        above, name = os.path.split(above)
    nearest = difflib.get_close_matches(name, os.listdir(above))
    return f"no folder {path}: {above} has no {name!r}" + (f", but {nearest[0]!r}" if nearest else "")


def _nothing_found(root: str, files: list[str], bad: list[tuple[str, str]]) -> str:
    text = f"no readable image in {root}: looked for {', '.join(SUFFIXES)} in it and below"
    if bad:
        return f"{text}; all {len(bad)} such files are unreadable, as {bad[0][0]!r}: {bad[0][1]}"
    if not files:
        return f"{text}, and there are no files at all: is it the right folder?"
    if any(".tfrecord" in file or ".array_record" in file for file in files):
        return f"{text}; a TFDS folder is loaded by the dataset's name, with TFDS_DATA_DIR set to the folder around it"
    return f"{text}, and found only {len(files)} other files ({_other_suffixes(files)}): convert them to PNG or JPEG"


def _other_suffixes(files: list[str]) -> str:
    """The commonest suffixes that are not an image's, with their counts."""
    suffixes = (os.path.splitext(file)[1].lower() or "no suffix" for file in files)
    counts = collections.Counter(suffix for suffix in suffixes if suffix not in SUFFIXES)
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(5))
