"""One pass over the files of a folder: headers are read, or every image is decoded once."""

import concurrent.futures
import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from sslzoo.data.decode import decode
from sslzoo.data.graph import PYTHON, kind_of, marks_of
from sslzoo.data.headers import header_of
from sslzoo.data.images import shrunk_shape
from sslzoo.data.known import Facts, Index, Outcome, Unreadable
from sslzoo.data.peek import Stamp, ends, peek
from sslzoo.utils.bars import progress

INDEXED = 500  # files, from which on the result of a scan is kept; fewer are read in about a second
PART = 32  # files that a thread reads in one job
BLOCK = 128  # jobs handed to the threads at once; a million waiting images would take gigabytes
SAMPLED = 16  # images of 16 bits that are decoded to see how bright they are


@dataclasses.dataclass
class Scan:
    """What was found in the files; the pixels too if they were decoded and take at most `most_bytes`.

    Attributes:
        side: longest side in pixels, to which images are shrunk.
        most_bytes: of the pixels in memory.
        files: the readable files, relative to the folder.
        facts: what is known of each.
        bad: unreadable files, and the reasons.
        undecodable: files among `files` that could not be decoded when they were used, and the reasons.
        images: the pixels; None if they do not fit into memory, or were not decoded.
        brightest: largest value of the images of 16 bits that were decoded.
    """

    side: int
    most_bytes: float
    files: list[str] = dataclasses.field(default_factory=list)
    facts: list[Facts] = dataclasses.field(default_factory=list)
    bad: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    undecodable: dict[str, str] = dataclasses.field(default_factory=dict)
    images: list[np.ndarray] | None = dataclasses.field(default_factory=list)
    longest: int = 0
    channels: int = 1
    deep: int = 0
    brightest: int = 0

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
        self.brightest = max(self.brightest, outcome.brightest)
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
        counted = {
            f"{clear} images with transparency are laid over white": clear,
            f"{turned} images are turned upright by their EXIF orientation": turned,
            f"{mixed} images of 16 bits are cut to the upper 8, as the others have 8": mixed,
            f"these use values up to {self.brightest} only, so they are dark: load them alone, with "
            f"value_range=(0, {self.brightest})": mixed and 0 < self.brightest < 2**14,
            f"{shrunk} images larger than {self.side} pixels are shrunk to that (max_size)": shrunk,
            "the images do not fit into memory and are decoded in each epoch": not self.fits,
            f"{slow} of them by Python, which is slower (EXIF orientation, transparency, 16 bits, animation, "
            "names with *?[])": slow,
        }
        lines = [note for note, count in counted.items() if count]
        lines += [f"replaced by its neighbour: {file!r}, {reason}" for file, reason in self.undecodable.items()]
        return lines + [f"skipped {file!r}: {reason}" for file, reason in self.bad]


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


def scan_files(root: str, files: list[str], side: int, most_bytes: float, how: str = "headers") -> Scan:
    """Reads the headers of the files, relative to a folder, or decodes them and shrinks their images to `side` pixels.

    Of a folder of INDEXED files or more, what is found is kept in the cache folder, and files that have not changed are
    not read again.

    Args:
        root: the folder.
        files: relative to it.
        side: longest side in pixels.
        most_bytes: of the pixels in memory.
        how: "headers" or "full".
    """
    indexed, index = len(files) >= INDEXED, Index(root, side, how)
    found: dict[str, Outcome] = index.unchanged(files) if indexed else {}
    new = [file for file in files if file not in found]
    scan, outcomes = Scan(side, most_bytes), _outcomes(root, side, how, new)
    with contextlib.closing(outcomes):
        for file in files:
            outcome, image = (found[file], None) if file in found else next(outcomes)
            found[file] = outcome
            scan.add(file, outcome, image)
    if indexed and new:
        index.keep(found)
    if how == "headers":
        _add_what_use_has_found(root, scan, index)
    return scan


def _add_what_use_has_found(root: str, scan: Scan, index: Index) -> None:
    """Adds to the scan of headers which files cannot be decoded, and how bright images of 16 bits are."""
    known = index.undecodable()
    for file, one in zip(scan.files, scan.facts, strict=True) if known else ():
        if file in known and known[file].stamp == one.stamp:
            scan.undecodable[file] = known[file].reason
    if 0 < scan.deep < len(scan.files):
        deep = [file for file, one in zip(scan.files, scan.facts, strict=True) if one.deep]
        some = (by_decoding(root, scan.side, file)[0] for file in deep[:SAMPLED])
        scan.brightest = max((one.brightest for one in some if isinstance(one, Facts)), default=0)


def _outcomes(root: str, side: int, how: str, files: list[str]) -> Iterator[tuple[Outcome, np.ndarray | None]]:
    """What is known of each file after reading its header or decoding it, and its image if it was decoded."""
    if not files:
        return
    read = partial({"headers": by_header, "full": by_decoding}[how], root, side)
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    parts = [files[i : i + PART] for i in range(0, len(files), PART)]
    blocks = (pool.map(partial(_marked, read), parts[i : i + BLOCK]) for i in range(0, len(parts), BLOCK))
    outcomes = (outcome for block in blocks for part in block for outcome in part)
    try:
        yield from progress(outcomes, f"reading {os.path.basename(root)}", len(files))
    finally:
        pool.shutdown(cancel_futures=True)


def _marked(read: Callable, files: list[str]) -> list[tuple[Outcome, np.ndarray | None]]:
    """The outcomes of some files, and their images; the marks are computed together, since each call takes time."""
    outcomes, images, ends_of_all = zip(*map(read, files), strict=True)
    marks = marks_of([some for some in ends_of_all if some is not None])
    numbers = iter(marks)
    outcomes = (one._replace(mark=next(numbers)) if isinstance(one, Facts) else one for one in outcomes)
    return list(zip(outcomes, images, strict=True))


def by_header(root: str, side: int, file: str) -> tuple[Outcome, np.ndarray | None, bytes | None]:
    """What is known of a file from its header, None, and the ends of the file."""
    stamp, path = None, os.path.join(root, file)
    try:
        with peek(path) as (data, stamp):
            found = header_of(data)
            if found is not None:
                height, width, _ = shrunk_shape((found.height, found.width, 1), side)
                shrunk = (height, width) != (found.height, found.width)
                flags = (int(flag) for flag in (found.clear, found.turned, shrunk))
                kind = kind_of(path, data, side)
                sizes = height, width, found.channels, int(found.deep)
                return Facts(*stamp, 0, *sizes, 0, *flags, kind), None, ends(data)
    except (OSError, ValueError) as error:
        return Unreadable(stamp, why(error)), None, None
    outcome, _, some = by_decoding(root, side, file)
    return outcome, None, some


def by_decoding(root: str, side: int, file: str) -> tuple[Outcome, np.ndarray | None, bytes | None]:
    """What is known of a file after decoding it, its pixels within `side`, and the ends of the file."""
    stamp = None
    try:
        data, stamp = content(root, file)
        found = decode(data, side)
    except (OSError, ValueError) as error:
        return Unreadable(stamp, why(error)), None, None
    image, deep = found.image, found.image.dtype == np.uint16
    brightest = int(image.max()) if deep else 0
    flags = (int(flag) for flag in (found.clear, found.turned, found.shrunk))
    kind = kind_of(os.path.join(root, file), data, side)
    return Facts(*stamp, 0, *image.shape, int(deep), brightest, *flags, kind), image, ends(data)


def content(root: str, file: str) -> tuple[bytes, Stamp]:
    """The bytes of a file, and its stamp."""
    with open(os.path.join(root, file), "rb") as stream:
        status = os.fstat(stream.fileno())
        return stream.read(), (status.st_size, status.st_mtime_ns)


def why(error: Exception) -> str:
    """A few words on why a file cannot be read."""
    return getattr(error, "strerror", None) or str(error)
