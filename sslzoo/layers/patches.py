"""Patches: an image cut into squares, which an encoder sees one by one."""

import keras
from keras import ops


def cut(images, side: int, stride: int):
    """All squares of `side` pixels whose corner is on a grid of `stride` pixels; what is left at the border is dropped.

    Args:
        images: (n, height, width, channels), height and width known and at least `side`.
        side, stride: in pixels; they overlap where stride is below side.

    Returns:
        (n, rows, columns, side, side, channels).
    """
    down, right = (_pixels(images.shape[axis], side, stride) for axis in (1, 2))
    strips = ops.take(images, down, axis=1)  # (n, rows, side, width, channels)
    return ops.transpose(ops.take(strips, right, axis=3), (0, 1, 3, 2, 4, 5))


def _pixels(length: int, side: int, stride: int):
    """Which pixels of an axis each patch has, (patches, side)."""
    return ops.arange(0, length - side + 1, stride)[:, None] + ops.arange(side)[None]


def encode(encoder: keras.Model, patches):
    """Features of patches, in one pass; resized (bilinear) where the encoder takes one size only.

    Args:
        encoder: images -> features (batch, dim).
        patches: (n, rows, columns, side, side, channels), as `cut` gives them.

    Returns:
        (n, rows, columns, dim).
    """
    images = ops.reshape(patches, (-1, *patches.shape[3:]))
    size = encoder.input_shape[1:3]
    if None not in size and size != tuple(images.shape[1:3]):
        images = ops.image.resize(images, size)
    features = encoder(images)
    return ops.reshape(features, (-1, *patches.shape[1:3], features.shape[-1]))
