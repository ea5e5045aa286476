"""The images of a folder by number: decoded when they are asked for, and replaced where they cannot be decoded."""

import itertools
import os
import threading
from collections.abc import Iterable

import numpy as np

from sslzoo.data.dataset import DataError
from sslzoo.data.decode import decode
from sslzoo.data.images import convert, on_canvas
from sslzoo.data.known import Index, Unreadable
from sslzoo.data.scan import Scan, content, why
from sslzoo.utils.log import log

NAMING = threading.Lock()


class Undecodable(Exception):
    """A file that has not changed cannot be decoded; the text says why."""


class Pictures:
    """Reads images (k, *shape) and their sizes (k, 2) at indices (k,) of the files of a scan.

    After a scan of headers, a file that cannot be decoded is replaced by the nearest one that can: one of the same
    folder if there is any, and one that follows rather than one before. It is of the same part, so that no image of the
    test part is trained on. This depends on the content of the files and the parts alone, so that all workers and
    resumed runs read the same. The file is named, and added to the index.

    Args:
        root: the folder.
        scan: of its files.
        shape, dtype: of the canvas.
        index: of the scan.

    Raises:
        DataError: a file has changed since the scan or is gone, or none can be decoded.
    """

    def __init__(self, root: str, scan: Scan, shape: tuple[int, int, int], dtype: np.dtype, index: Index):
        self.root, self.files, self.facts, self.side = root, scan.files, scan.facts, scan.side
        self.shape, self.dtype, self.index = shape, dtype, index
        numbers = {file: i for i, file in enumerate(self.files)} if scan.undecodable else {}
        self.undecodable = {numbers[file]: reason for file, reason in scan.undecodable.items()}
        self.told, self.instead = frozenset(self.undecodable), {}
        self.parts = np.zeros(len(self.files), int)

    def __call__(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return on_canvas(map(self._pixels, np.asarray(index).tolist()), len(index), self.shape, self.dtype)

    def confine(self, index: np.ndarray) -> None:
        """Makes files (k,) a part, out of which none of them is replaced."""
        self.parts[index] = self.parts.max() + 1
        self.instead = {i: j for i, j in self.instead.items() if self.parts[i] == self.parts[j]}

    def content(self, i: int) -> bytes:
        """The bytes of a file."""
        try:
            data, now = content(self.root, self.files[i])
        except OSError as error:
            raise self._changed(i, why(error)) from error
        if now != self.facts[i].stamp:
            raise self._changed(i, f"it was replaced, {self.facts[i].length} bytes by {now[0]}")
        return data

    def _pixels(self, i: int) -> np.ndarray:
        if i in self.instead:
            return self._decoded(self.instead[i])
        for j in itertools.chain([i], self._neighbours(i)):
            image = self._tried(j)
            if image is not None:
                self._named(i, j)
                return image
        count = np.sum(self.parts == self.parts[i])
        which = "" if count == len(self.files) else "of the same part "
        raise DataError(f"none of the {count} images {which}in {self.root} can be decoded")

    def _neighbours(self, i: int) -> Iterable[int]:
        """The other files of the same part, nearest first: those of the same folder, then the rest."""
        same, folder = np.flatnonzero(self.parts == self.parts[i]), os.path.dirname(self.files[i])
        others = [*same[same > i].tolist(), *same[same < i][::-1].tolist()]
        return sorted(others, key=lambda j: os.path.dirname(self.files[j]) != folder)

    def _tried(self, i: int) -> np.ndarray | None:
        """The image of a file, or None if it cannot be decoded, which is remembered."""
        try:
            return None if i in self.undecodable else self._decoded(i)
        except Undecodable as error:
            self.undecodable[i] = str(error)
            self.index.add_undecodable(self.files[i], Unreadable(self.facts[i].stamp, str(error)))
            return None

    def _decoded(self, i: int) -> np.ndarray:
        data, facts = self.content(i), self.facts[i]
        try:
            image = decode(data, self.side).image
            if image.shape != (facts.height, facts.width, facts.channels):
                raise ValueError(f"it is {image.shape}, its header says {facts.height, facts.width, facts.channels}")
        except ValueError as error:
            raise self._changed(i, why(error)) if self.index.how == "full" else Undecodable(why(error)) from error
        return convert(image, self.shape[-1], self.dtype)

    def _named(self, i: int, other: int) -> None:
        """Writes a line on a file that is replaced by another, once."""
        with NAMING:
            if i == other or i in self.instead:
                return
            self.instead[i] = other
        if i not in self.told:
            line = f"{self.files[i]!r} in {self.root} cannot be decoded: {self.undecodable[i]}"
            log.warning(f"{line}; {self.files[other]!r} takes its place")

    def _changed(self, i: int, reason: str) -> DataError:
        line = f"{self.files[i]!r} in {self.root} could be read at the start and cannot be now"
        return DataError(f"{line}: {reason}")
