"""Images onto canvases: shrunk, and of one number of channels and one depth."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf


def shrunk_shape(shape: tuple[int, int, int], side: int | None) -> tuple[int, int, int]:
    """The shape (height, width, channels) of an image after `shrink`."""
    longest = max(shape[:2])
    if side is None or longest <= side:
        return tuple(shape)
    return *(max(1, round(length * side / longest)) for length in shape[:2]), shape[2]


def shrink(images: np.ndarray, side: int | None) -> np.ndarray:
    """Shrinks images (..., height, width, channels) whose longest side exceeds `side` pixels, by means over areas."""
    return resized(images, *shrunk_shape(images.shape[-3:], side)[:2])


def resized(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes images (..., height, width, channels) by means over areas."""
    if (height, width) == images.shape[-3:-1]:
        return images
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
