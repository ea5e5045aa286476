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


def at(images, rows, columns, side: int):
    """The squares at given corners.

    Args:
        images: (n, height, width, channels).
        rows, columns: int (n, count), the corners, at least `side` from the end.
        side: int, side of a square in pixels.

    Returns:
        (n, 1, count, side, side, channels), as `encode` takes them.
    """
    width, channels = images.shape[2:]
    span = ops.arange(side, dtype="int32")
    down, right = (ops.cast(x, "int32")[:, :, None] + span for x in (rows, columns))  # (n, count, side)
    where = ops.reshape(down[..., None] * width + right[:, :, None], (-1, rows.shape[1] * side * side, 1))
    pixels = ops.take_along_axis(ops.reshape(images, (-1, images.shape[1] * width, channels)), where, axis=1)
    return ops.reshape(pixels, (-1, 1, rows.shape[1], side, side, channels))


def corners(size: int, cells: int, side: int, uniform):
    """Corners of squares of random position, one in each cell of a grid, row by row.

    Args:
        size: int, side of the images in pixels.
        cells: int, cells on a side; a rest at the border is left out.
        side: int, side of a square in pixels, at most that of a cell.
        uniform: (n, 2, cells * cells), in [0, 1).

    Returns:
        Two int32 tensors (n, cells * cells), rows and columns.
    """
    cell = size // cells
    first = ops.arange(cells, dtype="int32") * cell
    slack = ops.cast(ops.floor(uniform * (cell - side + 1)), "int32")
    return ops.repeat(first, cells) + slack[:, 0], ops.tile(first, (cells,)) + slack[:, 1]


def standardized(patches):
    """Patches (..., side, side, channels) of mean 0.5 and deviation 0.25 each, float32; constant ones are 0.5.

    Neither brightness nor contrast then connects the patches of an image. The range is that of the encoder's inputs.
    """
    patches = ops.cast(patches, "float32")
    axes = (-3, -2, -1)
    centred = patches - ops.mean(patches, axis=axes, keepdims=True)
    deviation = ops.sqrt(ops.mean(centred**2, axis=axes, keepdims=True))
    return 0.5 + 0.25 * centred / ops.where(deviation > 1e-6, deviation, 1.0)


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
