"""PNG files by their chunks: only those that pixels depend on go to the decoder, which therefore has no warnings."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from sslzoo.data import exif
from sslzoo.data.peek import Peek

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, RGB, PALETTE = 0, 2, 3  # colour types
COLOURS = {GRAY: 1, RGB: 3, PALETTE: 3, 4: 1, 6: 3}  # colour types and their channels without transparency
MOST_PIXELS = 2**28  # of one image; more is a damaged header or an attack on memory
CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


def decode(data: bytes) -> tuple[np.ndarray, int]:
    """Pixels of a PNG file, and its EXIF orientation.

    Args:
        data: the content of the file.

    Returns:
        (height, width, 1 to 4), uint16 if the file has 16 bits, else uint8, with a last channel of alpha where the
        file has transparency of any kind; the orientation, 1 to 8.

    Raises:
        ValueError: the file is damaged.
        tf.errors.OpError: the same, found by the decoder.
    """
    chunks = list(_chunks(data))
    depth, colour = _header(*chunks[0])
    optional = {name: data[8:-4] for name, data in chunks if name in (b"tRNS", b"eXIf")}
    kept = CRITICAL + ((b"tRNS",) if colour == PALETTE else ())
    clean = SIGNATURE + b"".join(piece for name, piece in chunks if name in kept)
    with tf.device("CPU"):
        image = tf.io.decode_png(clean, dtype=tf.uint16 if depth == 16 else tf.uint8).numpy()
    if colour in (GRAY, RGB) and b"tRNS" in optional:
        image = _keyed(image, optional[b"tRNS"], depth)
    return image, exif.orientation(optional.get(b"eXIf", b""))


class PngHeader(NamedTuple):
    """What the chunks of a PNG file say.

    Attributes:
        size: height and width in pixels, as stored.
        depth: bits per sample.
        channels: of colour, 1 or 3.
        clear: whether there is transparency of any kind.
        orientation: EXIF orientation, 1 to 8.
        names: of the chunks.
    """

    size: tuple[int, int]
    depth: int
    channels: int
    clear: bool
    orientation: int
    names: tuple[bytes, ...]


def header(data: bytes | Peek) -> PngHeader:
    """The header of a PNG file, without reading its pixels.

    Raises:
        ValueError: the file is damaged.
    """
    places = list(_places(data))
    first, exif_data = (data[places[0][1] : places[0][2]], b"")
    depth, colour = _header(places[0][0], first)
    if colour not in COLOURS:
        raise ValueError(f"Invalid PNG data: its colour type is {colour}")
    names = tuple(name for name, _, _ in places)
    if b"eXIf" in names:
        _, start, stop = places[names.index(b"eXIf")]
        exif_data = data[start + 8 : stop - 4]
    clear = colour >= 4 or b"tRNS" in names
    return PngHeader(_size(first), depth, COLOURS[colour], clear, exif.orientation(exif_data), names)


def is_plain(data: bytes | Peek, ignored: tuple[bytes, ...]) -> bool:
    """Whether a decoder alone gives what `decode` gives: at most 8 bits, and only critical and `ignored` chunks."""
    names = [name for name, _, _ in _places(data)]
    depth, colour = _header(names[0], data[len(SIGNATURE) : len(SIGNATURE) + 25])
    return depth <= 8 and colour in (GRAY, RGB, PALETTE) and all(name in (*CRITICAL, *ignored) for name in names)


def _header(name: bytes, chunk: bytes) -> tuple[int, int]:
    """Bit depth and colour type."""
    if name != b"IHDR" or len(chunk) != 25:
        raise ValueError("Invalid PNG data: it does not begin with its header")
    height, width = _size(chunk)
    check_size(width, height)
    return chunk[16], chunk[17]


def _size(chunk: bytes) -> tuple[int, int]:
    return int.from_bytes(chunk[12:16], "big"), int.from_bytes(chunk[8:12], "big")


def check_size(width: int, height: int) -> None:
    """Raises ValueError if an image is too large to be one."""
    if width * height > MOST_PIXELS:
        raise ValueError(f"its header says {width} x {height} pixels, more than {MOST_PIXELS}")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and bytes (length, name, content, checksum) of each chunk."""
    return ((name, data[start:stop]) for name, start, stop in _places(data))


def _places(data: bytes | Peek) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and stop of each chunk."""
    at, name = len(SIGNATURE), b""
    while name != b"IEND":
        begin = data[at : at + 8]
        name, stop = begin[4:], at + 12 + int.from_bytes(begin[:4], "big")
        if stop > len(data) or len(name) < 4:
            raise ValueError("Invalid PNG data: it ends too early")
        yield name, at, stop
        at = stop


def _keyed(image: np.ndarray, key: bytes, depth: int) -> np.ndarray:
    """Adds alpha 0 where pixels have the colour of the key, which is in units of the file's depth."""
    colour = np.frombuffer(key[: 2 * image.shape[-1]], ">u2").astype(np.int64)
    if len(colour) != image.shape[-1]:
        raise ValueError("Invalid PNG data: its transparent colour is cut short")
    most = np.iinfo(image.dtype).max
    clear = (image == colour % 2**depth * (most // (2**depth - 1))).all(-1, keepdims=True)
    return np.concatenate([image, np.where(clear, 0, most).astype(image.dtype)], -1)
