"""One pass over the files of a folder: every image is decoded once, so that training meets no unreadable one."""

import concurrent.futures
import dataclasses
import os
from collections.abc import Iterator
from functools import partial

import numpy as np

from sslzoo.data.decode import Decoded, decode
from sslzoo.data.graph import kind_of, mark_of
from sslzoo.data.order import mark
from sslzoo.utils.bars import progress

BLOCK = 4096  # files handed to the threads at once; a million waiting jobs would take gigabytes


@dataclasses.dataclass
class Scan:
    """What was found by decoding every file once; the pixels too, as long as they take at most `most_bytes`."""

    side: int
    most_bytes: float
    files: list[str] = dataclasses.field(default_factory=list)
    stamps: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    digests: list[int] = dataclasses.field(default_factory=list)
    sizes: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    kinds: list[int] = dataclasses.field(default_factory=list)
    marks: list[int] = dataclasses.field(default_factory=list)
    bad: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    images: list[np.ndarray] | None = dataclasses.field(default_factory=list)
    longest: int = 0
    channels: int = 1
    deep: int = 0
    deepest: int = 0
    clear: int = 0
    turned: int = 0
    shrunk: int = 0

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint16 if self.deep == len(self.files) else np.uint8)

    def add(self, file: str, stamp: tuple[int, int], digest: int, found: Decoded, kind: int, mark: int) -> None:
        image = found.image
        self.files.append(file)
        self.stamps.append(stamp)
        self.digests.append(digest)
        self.sizes.append(image.shape[:2])
        self.kinds.append(kind)
        self.marks.append(mark)
        self.longest = max(self.longest, *image.shape[:2])
        self.channels = max(self.channels, image.shape[-1])
        if image.dtype == np.uint16:
            self.deep, self.deepest = self.deep + 1, max(self.deepest, int(image.max()))
        self.clear += found.clear
        self.turned += found.turned
        self.shrunk += found.shrunk
        if self.images is not None:
            self.images.append(image)
        # One canvas is at least as large as any image on it, so this bounds the list of images as well.
        if len(self.files) * self.longest**2 * self.channels * self.dtype.itemsize > self.most_bytes:
            self.images = None

    def notes(self) -> list[str]:
        mixed = self.deep if self.dtype == np.uint8 else 0
        counted = {
            f"{self.clear} images with transparency are laid over white": self.clear,
            f"{self.turned} images are turned upright by their EXIF orientation": self.turned,
            f"{mixed} images of 16 bits are cut to the upper 8, as the others have 8": mixed,
            f"these use values up to {self.deepest} only, so they are dark: load them alone, with "
            f"value_range=(0, {self.deepest})": mixed and self.deepest < 2**14,
            f"{self.shrunk} images larger than {self.side} pixels are shrunk to that (max_size)": self.shrunk,
            "the images do not fit into memory and are decoded in each epoch": self.images is None,
        }
        return [note for note, count in counted.items() if count] + [f"skipped {f!r}: {why}" for f, why in self.bad]


def files_under(folder: str, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Files under a folder in the order of their names; a link back to a folder above is not followed."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for name in sorted(name for name in os.listdir(folder) if not name.startswith(".")):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            yield from files_under(path, (*above, real))
        elif os.path.isfile(path) or not os.path.exists(path):  # a broken link is to be named, a pipe left alone
            yield path


def scan_files(root: str, files: list[str], side: int, most_bytes: float) -> Scan:
    """Decodes the files, relative to a folder, and shrinks their images to `side` pixels."""
    scan = Scan(side, most_bytes)
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


def _try(root: str, side: int, file: str) -> tuple[tuple[int, int], int, Decoded, int, int] | str:
    """The file's stamp and digest, its pixels within `side`, how a graph reads it; or why it is unreadable."""
    try:
        data, stamp = content(root, file)
        found = decode(data, side)
    except (OSError, ValueError) as error:
        return why(error)
    return stamp, mark(data), found, kind_of(os.path.join(root, file), data, side), mark_of(data)


def content(root: str, file: str) -> tuple[bytes, tuple[int, int]]:
    """The bytes of a file, and what a change of it changes: its length and the time of its last change."""
    with open(os.path.join(root, file), "rb") as stream:
        status = os.fstat(stream.fileno())
        return stream.read(), (status.st_size, status.st_mtime_ns)


def why(error: Exception) -> str:
    """A few words on why a file cannot be read."""
    return getattr(error, "strerror", None) or str(error)
