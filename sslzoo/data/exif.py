"""EXIF orientation: found in the bytes of a file, applied to its pixels."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sslzoo.data.peek import END, Peek

PREFIX = b"Exif\x00\x00"
ORIENTATION = 0x0112  # tag of TIFF and EXIF
SHORT = 3  # TIFF's type of 16-bit numbers
SIDEWAYS = (5, 6, 7, 8)  # orientations that exchange height and width
JPEG_END = b"\xff\xd9"
FRAMES = {0xC0, 0xC1, 0xC2}  # markers of the frames of JPEG that decoders read: baseline, extended, progressive

TURNS = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: image[::-1].swapaxes(0, 1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: image.swapaxes(0, 1)[::-1],
}


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """The image (height, width, channels) as viewers show it; orientation 1 and unknown ones change nothing."""
    turn = TURNS.get(orientation)
    return np.ascontiguousarray(turn(image)) if turn else image


def orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, in a block of EXIF data; 1 if it has none or is damaged."""
    tiff = exif.removeprefix(PREFIX)
    order = {b"II*\x00": "little", b"MM\x00*": "big"}.get(tiff[:4])
    if order is None:
        return 1
    start = int.from_bytes(tiff[4:8], order)
    count = int.from_bytes(tiff[start : start + 2], order)
    for at in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind = (int.from_bytes(tiff[i : i + 2], order) for i in (at, at + 2))
        if (tag, kind) == (ORIENTATION, SHORT):
            found = int.from_bytes(tiff[at + 8 : at + 10], order)
            return found if 1 <= found <= 8 else 1
    return 1


class JpegHeader(NamedTuple):
    """What the header of a JPEG file says.

    Attributes:
        orientation: EXIF orientation, 1 to 8.
        scan: position of the first scan, -1 if there is none.
        size: height and width in pixels, as stored; zeros if there is no frame.
        components: number of components, 1 for gray; 0 if there is no frame.
    """

    orientation: int
    scan: int
    size: tuple[int, int]
    components: int


def jpeg_header(data: bytes | Peek) -> JpegHeader:
    """The header of a JPEG file."""
    found, scan, size, components = 1, -1, (0, 0), 0
    for marker, start, stop in _segments(data):
        if marker == 0xE1 and data[start : start + len(PREFIX)] == PREFIX:
            found = orientation(data[start:stop])
        if marker in FRAMES:
            height, width, last = (data[at : at + 2] for at in (start + 1, start + 3, start + 5))
            size, components = (int.from_bytes(height, "big"), int.from_bytes(width, "big")), int.from_bytes(last[:1])
        scan = start if marker == 0xDA else scan
    return JpegHeader(found, scan, size, components)


def is_whole_jpeg(data: bytes | Peek, scan: int) -> bool:
    """Whether there is an end after the scan at this position, -1 for none: cut files have none."""
    near = max(scan, len(data) - END)
    return scan >= 0 and any(JPEG_END in data[start:] for start in (near, scan))


def _segments(data: bytes | Peek) -> Iterator[tuple[int, int, int]]:
    """Marker, start and stop of each segment of a JPEG file's header, the first scan included."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:  # filling, and markers without a length
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at + 4, at + 2 + length
        if marker == 0xDA:
            return
        at += 2 + max(length, 2)
