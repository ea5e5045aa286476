"""Patches: images divided into squares that an encoder receives one by one."""

from collections.abc import Callable

from keras import ops

from sslzoo import losses

GRAY = 0.5  # of hidden patches in pictures


def cut(images, side: int, stride: int):
    """All squares whose corner lies on a grid; a rest at the border is dropped.

    Args:
        images: (n, height, width, channels), height and width known and at least `side`.
        side: int, side of a square in pixels.
        stride: int, spacing of the grid in pixels; squares overlap if it is less than `side`.

    Returns:
        (n, rows, columns, side, side, channels).
    """
    down, right = (_pixels(images.shape[axis], side, stride) for axis in (1, 2))
    strips = ops.take(images, down, axis=1)  # (n, rows, side, width, channels)
    return ops.transpose(ops.take(strips, right, axis=3), (0, 1, 3, 2, 4, 5))


def _pixels(length: int, side: int, stride: int):
    """The pixels of each square along an axis, int (squares, side)."""
    return ops.arange(0, length - side + 1, stride)[:, None] + ops.arange(side)[None]


def encode(encode: Callable, patches, size: tuple):
    """Features of patches, in one pass.

    Args:
        encode: images (batch, height, width, channels) -> features (batch, dim).
        patches: (n, rows, columns, side, side, channels), as `cut` returns them.
        size: (height, width) that `encode` requires, to which patches are resized (bilinear); None for any.

    Returns:
        (n, rows, columns, dim).
    """
    images = ops.reshape(patches, (-1, *patches.shape[3:]))
    if None not in size and tuple(size) != tuple(images.shape[1:3]):
        images = ops.image.resize(images, size)
    features = encode(images)
    return ops.reshape(features, (-1, *patches.shape[1:3], features.shape[-1]))


def pictures(images, patch: int, predictions, hidden, normalized: bool) -> dict:
    """Pictures of a reconstruction: the input, its visible patches, and these with predictions in between.

    Args:
        images: (n, height, width, channels) in [0, 1].
        patch: int, side of a patch in pixels.
        predictions: (n, patches, patch * patch * channels), pixels of patches.
        hidden: bool (n, patches), which patches were predicted.
        normalized: bool, whether predictions are of normalized patches; the mean and deviation of the true patch are
            restored, without which they look like noise.

    Returns:
        Dict from "input", "visible" and "reconstruction" to images in [0, 1].
    """
    pixels, predictions = losses.patch_targets(images, patch, normalize=False), ops.cast(predictions, "float32")
    if normalized:
        mean = ops.mean(pixels, axis=-1, keepdims=True)
        count = pixels.shape[-1]
        variance = ops.sum((pixels - mean) ** 2, axis=-1, keepdims=True) / max(count - 1, 1)
        predictions = predictions * ops.sqrt(variance + 1e-6) + mean
    grid = (images.shape[1] // patch, images.shape[2] // patch)
    drawn = {"visible": ops.full_like(pixels, GRAY), "reconstruction": ops.clip(predictions, 0, 1)}
    parts = {name: ops.where(hidden[..., None], filling, pixels) for name, filling in drawn.items()}
    return {"input": images} | {name: losses.patch_images(part, grid, patch) for name, part in parts.items()}
