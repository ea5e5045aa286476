"""PNG files by their chunks: only those that pixels depend on go to the decoder, which therefore has no warnings."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from sslzoo.data import exif

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, RGB, PALETTE = 0, 2, 3  # colour types
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


def is_plain(data: bytes, ignored: tuple[bytes, ...]) -> bool:
    """Whether a decoder alone gives what `decode` gives: at most 8 bits, and only critical and `ignored` chunks."""
    chunks = list(_chunks(data))
    depth, colour = _header(*chunks[0])
    return depth <= 8 and colour in (GRAY, RGB, PALETTE) and all(name in (*CRITICAL, *ignored) for name, _ in chunks)


def _header(name: bytes, chunk: bytes) -> tuple[int, int]:
    """Bit depth and colour type."""
    if name != b"IHDR" or len(chunk) != 25:
        raise ValueError("Invalid PNG data: it does not begin with its header")
    width, height = (int.from_bytes(chunk[at : at + 4], "big") for at in (8, 12))
    check_size(width, height)
    return chunk[16], chunk[17]


def check_size(width: int, height: int) -> None:
    """Raises ValueError if an image is too large to be one."""
    if width * height > MOST_PIXELS:
        raise ValueError(f"its header says {width} x {height} pixels, more than {MOST_PIXELS}")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and bytes (length, name, content, checksum) of each chunk."""
    at, name = len(SIGNATURE), b""
    while name != b"IEND":
        name, stop = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if stop > len(data) or len(name) < 4:
            raise ValueError("Invalid PNG data: it ends too early")
        yield name, data[at:stop]
        at = stop


def _keyed(image: np.ndarray, key: bytes, depth: int) -> np.ndarray:
    """Adds alpha 0 where pixels have the colour of the key, which is in units of the file's depth."""
    colour = np.frombuffer(key[: 2 * image.shape[-1]], ">u2").astype(np.int64)
    if len(colour) != image.shape[-1]:
        raise ValueError("Invalid PNG data: its transparent colour is cut short")
    most = np.iinfo(image.dtype).max
    clear = (image == colour % 2**depth * (most // (2**depth - 1))).all(-1, keepdims=True)
    return np.concatenate([image, np.where(clear, 0, most).astype(image.dtype)], -1)
