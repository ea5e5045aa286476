"""What the header of an image file says, without decoding the image."""

import io
from typing import NamedTuple

from sslzoo.data import exif, png
from sslzoo.data.decode import CUT_JPEG, checked, pillow_header, plugin_of
from sslzoo.data.peek import FIRST, Peek


class Header(NamedTuple):
    """What `decode` will give, as far as a header says it.

    Attributes:
        height, width: upright, before shrinking.
        channels: 1 or 3.
        deep: whether it has 16 bits.
        clear: whether it may have transparent pixels.
        turned: whether its EXIF orientation is to be applied.
    """

    height: int
    width: int
    channels: int
    deep: bool = False
    clear: bool = False
    turned: bool = False


def header_of(data: bytes | Peek) -> Header | None:
    """Returns the header of an image, or None where only its decoder knows.

    Raises:
        ValueError: a few words on why it is unreadable.
    """
    if data[:2] == b"\xff\xd8":
        return _jpeg(data)
    if data[: len(png.SIGNATURE)] == png.SIGNATURE:
        found = checked(png.header, data)
        deep = found.depth == 16
        return _upright(found.size, found.orientation, found.channels, deep, found.clear)
    return checked(_pillow, data, plugin_of(data))


def _jpeg(data: bytes | Peek) -> Header | None:
    orientation, scan, size, components = exif.jpeg_header(data)
    if not exif.is_whole_jpeg(data, scan):
        raise ValueError(CUT_JPEG)
    if not all(size) or components not in (1, 3, 4):
        return None
    return _upright(size, orientation, 1 if components == 1 else 3)


def _pillow(data: bytes | Peek, plugin: type) -> Header:
    few = FIRST if data[:2] == b"BM" else None  # GIF and WebP may have what matters at their end
    with plugin(io.BytesIO(data[:few])) as file:
        clear, gray, orientation = pillow_header(file)
        return _upright(file.size[::-1], orientation, 1 if gray and not clear else 3, clear=clear)


def _upright(size: tuple[int, int], orientation: int, channels: int, deep: bool = False, clear: bool = False) -> Header:
    size = size[::-1] if orientation in exif.SIDEWAYS else size
    return Header(*size, channels, deep, clear, orientation != 1)
