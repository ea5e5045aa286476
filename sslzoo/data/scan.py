"""One pass over the files of a folder: every image is decoded once, so that training meets no unreadable one."""

import concurrent.futures
import contextlib
import dataclasses
import os
from collections.abc import Iterator
from functools import partial

import numpy as np

from sslzoo.data.decode import decode
from sslzoo.data.graph import PYTHON, kind_of, mark_of
from sslzoo.data.known import Facts, Outcome, Unreadable, keep, unchanged
from sslzoo.data.order import mark
from sslzoo.utils.bars import progress

INDEXED = 500  # files, from which on the result of a scan is kept; fewer are read in about a second
BLOCK = 4096  # files handed to the threads at once; a million waiting jobs would take gigabytes


@dataclasses.dataclass
class Scan:
    """What was found by decoding every file once; the pixels too, as long as they take at most `most_bytes`.

    Attributes:
        side: longest side in pixels, to which images are shrunk.
        most_bytes: of the pixels in memory.
        files: the readable files, relative to the folder.
        facts: what is known of each.
        bad: unreadable files, and the reasons.
        images: the pixels; None if they do not fit into memory, or were not decoded because all was known.
    """

    side: int
    most_bytes: float
    files: list[str] = dataclasses.field(default_factory=list)
    facts: list[Facts] = dataclasses.field(default_factory=list)
    bad: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    images: list[np.ndarray] | None = dataclasses.field(default_factory=list)
    longest: int = 0
    channels: int = 1
    deep: int = 0

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint16 if self.deep == len(self.files) else np.uint8)

    @property
    def fits(self) -> bool:
        """Whether the pixels on their canvases fit into memory."""
        return len(self.files) * self.longest**2 * self.channels * self.dtype.itemsize <= self.most_bytes

    def column(self, *names: str) -> np.ndarray:
        """The facts of these names, (n, names) uint64."""
        return np.array([[getattr(one, name) for name in names] for one in self.facts], np.uint64)

    def add(self, file: str, outcome: Outcome, image: np.ndarray | None) -> None:
        """Adds a file; without an image, the images are left out altogether."""
        if isinstance(outcome, Unreadable):
            self.bad.append((file, outcome.reason))
            return
        self.files.append(file)
        self.facts.append(outcome)
        self.longest = max(self.longest, outcome.height, outcome.width)
        self.channels = max(self.channels, outcome.channels)
        self.deep += outcome.deep
        if self.images is not None and image is not None:
            self.images.append(image)
        # One canvas is at least as large as any image on it, so this bounds the list of images as well.
        if image is None or not self.fits:
            self.images = None

    def notes(self) -> list[str]:
        clear, turned, shrunk = (
            sum(getattr(one, name) for one in self.facts) for name in ("clear", "turned", "shrunk")
        )
        slow = 0 if self.fits else sum(one.kind == PYTHON for one in self.facts)
        mixed = self.deep if self.dtype == np.uint8 else 0
        deepest = max((one.brightest for one in self.facts), default=0)
        counted = {
            f"{clear} images with transparency are laid over white": clear,
            f"{turned} images are turned upright by their EXIF orientation": turned,
            f"{mixed} images of 16 bits are cut to the upper 8, as the others have 8": mixed,
            f"these use values up to {deepest} only, so they are dark: load them alone, with "
            f"value_range=(0, {deepest})": mixed and deepest < 2**14,
            f"{shrunk} images larger than {self.side} pixels are shrunk to that (max_size)": shrunk,
            "the images do not fit into memory and are decoded in each epoch": not self.fits,
            f"{slow} of them by Python, which is slower (EXIF orientation, transparency, 16 bits, animation, "
            "names with *?[])": slow,
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
    """Decodes the files, relative to a folder, and shrinks their images to `side` pixels.

    Of a folder of INDEXED files or more, what is found is kept in the cache folder, and files that have not changed are
    not decoded again.
    """
    indexed = len(files) >= INDEXED
    found: dict[str, Outcome] = unchanged(root, side, files) if indexed else {}
    new = [file for file in files if file not in found]
    scan, images = Scan(side, most_bytes), _decoded(root, side, new)
    with contextlib.closing(images):
        for file in files:
            outcome, image = (found[file], None) if file in found else next(images)
            found[file] = outcome
            scan.add(file, outcome, image)
    if indexed and new:
        keep(root, side, found)
    return scan


def _decoded(root: str, side: int, files: list[str]) -> Iterator[tuple[Outcome, np.ndarray | None]]:
    """What is known of each file after decoding it, and its image."""
    if not files:
        return
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    blocks = (pool.map(partial(_try, root, side), files[i : i + BLOCK]) for i in range(0, len(files), BLOCK))
    outcomes = (outcome for block in blocks for outcome in block)
    try:
        yield from progress(outcomes, f"reading {os.path.basename(root)}", len(files))
    finally:
        pool.shutdown(cancel_futures=True)


def _try(root: str, side: int, file: str) -> tuple[Outcome, np.ndarray | None]:
    """What is known of a file, and its pixels within `side`."""
    stamp = None
    try:
        data, stamp = content(root, file)
        found = decode(data, side)
    except (OSError, ValueError) as error:
        return Unreadable(stamp, why(error)), None
    image, deep = found.image, found.image.dtype == np.uint16
    brightest = int(image.max()) if deep else 0
    flags = (int(flag) for flag in (found.clear, found.turned, found.shrunk))
    read_by = kind_of(os.path.join(root, file), data, side), mark_of(data)
    return Facts(*stamp, mark(data), *image.shape, int(deep), brightest, *flags, *read_by), image


def content(root: str, file: str) -> tuple[bytes, tuple[int, int]]:
    """The bytes of a file, and what a change of it changes: its length and the time of its last change."""
    with open(os.path.join(root, file), "rb") as stream:
        status = os.fstat(stream.fileno())
        return stream.read(), (status.st_size, status.st_mtime_ns)


def why(error: Exception) -> str:
    """A few words on why a file cannot be read."""
    return getattr(error, "strerror", None) or str(error)
