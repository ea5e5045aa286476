"""Image files to pixels: upright, without transparency, the first frame, in the range of their depth."""

import io
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import BmpImagePlugin, GifImagePlugin, Image, WebPImagePlugin

from sslzoo.data import exif, png
from sslzoo.data.images import resized, shrunk_shape
from sslzoo.data.peek import Peek

CUT_JPEG = "Invalid JPEG data: it ends too early"
RATIOS = (8, 4, 2, 1)  # by which a JPEG decoder can shrink an image


class Decoded(NamedTuple):
    """An image as it is decoded.

    Attributes:
        image: (height, width, 1 or 3), uint16 if it is a PNG of 16 bits, else uint8.
        clear: whether any pixel was transparent.
        turned: whether its EXIF orientation was applied.
        shrunk: whether it was larger than asked for.
    """

    image: np.ndarray
    clear: bool = False
    turned: bool = False
    shrunk: bool = False


def decode(data: bytes, side: int | None = None) -> Decoded:
    """Decodes a JPEG, PNG, BMP, GIF or WebP image.

    The image is turned upright by its EXIF orientation. Transparent pixels, of any format and kind, are laid over
    white. An animation gives its first frame. Palettes are looked up, CMYK becomes RGB, and gray of fewer than 8 bits
    fills the range to 255. Gray JPEG, PNG and BMP images have one channel, all others three.

    Args:
        data: the content of the file.
        side: longest side in pixels; larger images are shrunk by means over areas. A JPEG of at least twice that side
            is first shrunk by its decoder, by the largest of RATIOS that leaves `side` pixels or more.

    Raises:
        ValueError: a few words on why it is unreadable.
    """
    image, orientation, full = _pixels(data, side)
    clear = image.shape[-1] in (2, 4) and bool(image[..., -1].min() < np.iinfo(image.dtype).max)
    image = image if image.shape[-1] in (1, 3) else _over_white(image)
    full = full[::-1] if orientation in exif.SIDEWAYS else full
    size = shrunk_shape((*full, 1), side)[:2]
    return Decoded(resized(exif.upright(image, orientation), *size), clear, orientation != 1, size != full)


def jpeg_ratio(size: tuple[int, int], side: int | None) -> int:
    """By how much the decoder shrinks a JPEG of some height and width that is to have `side` pixels at most."""
    return next(ratio for ratio in RATIOS if ratio == 1 or side and max(size) // ratio >= side)


def _pixels(data: bytes, side: int | None) -> tuple[np.ndarray, int, tuple[int, int]]:
    """Pixels with any alpha, the EXIF orientation, and height and width of the image in the file."""
    if data.startswith(b"\xff\xd8"):
        return checked(_jpeg, data, side)
    image, orientation = _others(data)
    return image, orientation, image.shape[:2]


def _others(data: bytes) -> tuple[np.ndarray, int]:
    if data.startswith(png.SIGNATURE):
        return checked(png.decode, data)
    return checked(_pillow, data, plugin_of(data))


def plugin_of(data: bytes | Peek) -> type[Image.Image]:
    """The plugin of Pillow that reads a file which is neither JPEG nor PNG.

    Raises:
        ValueError: there is none, or the file is empty.
    """
    if not len(data):
        raise ValueError("empty file")
    if data[:2] == b"BM":
        return BmpImagePlugin.BmpImageFile
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return GifImagePlugin.GifImageFile
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile
    raise ValueError("its content is not JPEG, PNG, BMP, GIF or WebP")


def checked(decoder, *arguments) -> tuple:
    """What a decoder returns; whatever it raises becomes a ValueError of a few words."""
    try:
        return decoder(*arguments)
    except Exception as error:  # Pillow's plug-ins raise a dozen kinds of errors on damaged files
        raise ValueError(_few_words(error)) from None


def _jpeg(data: bytes, side: int | None) -> tuple[np.ndarray, int, tuple[int, int]]:
    orientation, scan, size, _ = exif.jpeg_header(data)
    # The decoder would report a cut file on standard error, where no name is.
    if not exif.is_whole_jpeg(data, scan):
        raise ValueError(CUT_JPEG)
    with tf.device("CPU"):
        image = tf.io.decode_jpeg(data, ratio=jpeg_ratio(size, side)).numpy()
    return image, orientation, size if max(size) else image.shape[:2]


def _pillow(data: bytes, plugin: type[Image.Image]) -> tuple[np.ndarray, int]:
    # The class itself and not Image.open, which warns of large images and looks through formats that are not read here.
    with plugin(io.BytesIO(data)) as file:
        clear, gray, orientation = pillow_header(file)
        pixels = np.asarray(file.convert("RGBA" if clear else "L" if gray else "RGB"))
        return pixels.reshape(*pixels.shape[:2], -1), orientation


def pillow_header(file: Image.Image) -> tuple[bool, bool, int]:
    """Whether an open file has transparency and whether it is gray, and its EXIF orientation.

    Raises:
        ValueError: it is too large to be an image.
    """
    png.check_size(file.width, file.height)
    clear = file.mode in ("RGBA", "LA", "PA") or "transparency" in file.info
    gray = file.mode in ("1", "L") and isinstance(file, BmpImagePlugin.BmpImageFile)
    return clear, gray, exif.orientation(file.info.get("exif") or b"")


def _over_white(image: np.ndarray) -> np.ndarray:
    white = np.iinfo(image.dtype).max
    # A mean of two 16-bit numbers weighted by 16 bits still fits into 32.
    colour, alpha = image[..., :-1].astype(np.uint32), image[..., -1:].astype(np.uint32)
    return ((colour * alpha + white * (white - alpha) + white // 2) // white).astype(image.dtype)


def _few_words(error: Exception) -> str:
    """A decoder's reason on one line, without the machinery around it."""
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    return message.split("}}")[-1].split(" [Op:")[0].strip().splitlines()[0].rstrip(".")
