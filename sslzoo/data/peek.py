"""Files of which only some bytes are read."""

import contextlib
import os
from collections.abc import Iterator

FIRST = 2**14  # bytes that are read at once: headers without thumbnails and colour profiles fit into them
END = 2**12  # bytes at either end of a file, by which its content is recognized
Stamp = tuple[int, int]


class Peek:
    """The bytes of an open file. Slices and single bytes of it are read when they are asked for.

    Args:
        descriptor: of the file.
        length: of the file.
    """

    def __init__(self, descriptor: int, length: int):
        self.descriptor, self.length = descriptor, length
        self.first = os.pread(descriptor, FIRST, 0)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: int | slice) -> int | bytes:
        if not isinstance(place, slice):
            return self[place : place + 1][0]
        start, stop, _ = place.indices(self.length)
        if stop <= len(self.first):
            return self.first[start:stop]
        return os.pread(self.descriptor, max(0, stop - start), start)


@contextlib.contextmanager
def peek(path: str) -> Iterator[tuple[Peek, Stamp]]:
    """Opens a file; gives its bytes, and what a change of it changes: its length and the time of its last change."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        yield Peek(descriptor, status.st_size), (status.st_size, status.st_mtime_ns)
    finally:
        os.close(descriptor)


def ends(data: bytes | Peek) -> bytes:
    """The bytes at both ends of a file, and its length, which change with nearly any change of an image."""
    return data[:END] + data[max(0, len(data) - END) :] + str(len(data)).encode()
