"""Image files to pixels: decoded as TensorFlow decodes, without transparency, no larger than the canvas."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

PNG = b"\x89PNG\r\n\x1a\n"


def decode(data: bytes) -> tuple[np.ndarray, bool]:
    """Decodes a JPEG, PNG, BMP, GIF (its first frame) or WebP image.

    Palettes are looked up, CMYK becomes RGB, transparent pixels are laid over white. EXIF rotation is not applied.

    Args:
        data: the content of the file.

    Returns:
        The image, (height, width, 1 or 3), uint16 if it is a PNG of 16 bits, else uint8; and whether any pixel was
        transparent.

    Raises:
        ValueError: a few words on why it is unreadable.
    """
    if not data:
        raise ValueError("empty file")
    deep = data.startswith(PNG) and data[24:25] == b"\x10"  # the header's bit depth
    try:
        with tf.device("CPU"):
            image = tf.io.decode_image(data, dtype=tf.uint16 if deep else tf.uint8, expand_animations=False).numpy()
    except tf.errors.OpError as error:
        raise ValueError(_few_words(error.message)) from None
    if image.shape[-1] in (1, 3):
        return image, False
    return _over_white(image), bool(image[..., -1].min() < np.iinfo(image.dtype).max)


def shrink(images: np.ndarray, side: int | None) -> np.ndarray:
    """Shrinks images (..., height, width, channels) whose longest side exceeds `side` pixels, by means over areas."""
    longest = max(images.shape[-3:-1])
    if side is None or longest <= side:
        return images
    height, width = (max(1, round(length * side / longest)) for length in images.shape[-3:-1])
    with tf.device("CPU"):
        small = tf.image.resize(images, (height, width), method="area").numpy()
    return (np.rint(small) if images.dtype.kind == "u" else small).astype(images.dtype)


def convert(image: np.ndarray, channels: int, dtype: np.dtype) -> np.ndarray:
    """Repeats gray to `channels`, and takes the upper 8 of 16 bits where `dtype` is uint8."""
    if image.dtype == np.uint16 and dtype == np.uint8:
        image = (image >> 8).astype(np.uint8)
    return np.broadcast_to(image, (*image.shape[:2], channels))


def on_canvas(
    images: Iterable[np.ndarray], count: int, shape: tuple[int, int, int], dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """Puts `count` images of any size into the top-left corners of canvases.

    Returns:
        (count, *shape) of `dtype`, zero beyond the images; their heights and widths (count, 2) int32.
    """
    canvas, sizes = np.zeros((count, *shape), dtype), np.zeros((count, 2), np.int32)
    for row, image in enumerate(images):
        height, width = sizes[row] = image.shape[:2]
        canvas[row, :height, :width] = convert(image, shape[-1], canvas.dtype)
    return canvas, sizes


def _over_white(image: np.ndarray) -> np.ndarray:
    white = np.iinfo(image.dtype).max
    # A mean of two 16-bit numbers weighted by 16 bits still fits into 32.
    colour, alpha = image[..., :-1].astype(np.uint32), image[..., -1:].astype(np.uint32)
    return ((colour * alpha + white * (white - alpha) + white // 2) // white).astype(image.dtype)


def _few_words(message: str) -> str:
    """TensorFlow's reason without the machinery around it."""
    if "Unknown image file format" in message:
        return "its content is not JPEG, PNG, BMP, GIF or WebP"
    return message.split("}}")[-1].split(" [Op:")[0].strip().splitlines()[0].rstrip(".")
