"""Scenes: synthetic images of one shape on a textured background, with its mask and box."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

CLASSES = ("background", "disc", "square", "triangle")


class Scenes(NamedTuple):
    """Images with their masks and boxes."""

    images: np.ndarray  # (n, size, size, channels) float32 in [0, 1]
    masks: np.ndarray  # (n, size, size) int32, a number of CLASSES for each pixel
    boxes: np.ndarray  # (n, 4) float32: top, left, bottom, right of the shape as shares of the side

    @property
    def shapes(self) -> np.ndarray:
        """Class of the one shape of each image, (n,)."""
        return self.masks.reshape(len(self.masks), -1).max(1)


def scenes(count: int, size: int, channels: int = 3, seed: int = 0) -> Scenes:
    """Draws scenes: a disc, square or triangle of a third to three fifths of the side, at a random place.

    Background and shape are two textures, smoothed noise of different grain, each with its own mean brightness:
    neither brightness nor grain alone identifies the shape.

    Args:
        count: of images.
        size: side in pixels, 8 or more.
        channels: of the images.
        seed: of all draws.

    Raises:
        ValueError: a size below 8.
    """
    if size < 8:
        raise ValueError(f"scenes of {size} px hold no shape: take 8 or more")
    random = np.random.default_rng(seed)
    shapes = random.integers(1, len(CLASSES), count)
    side = random.uniform(0.33, 0.6, count) * size
    corner = random.uniform(size=(count, 2)) * (size - side)[:, None]
    inside = np.stack([_inside(*one, size) for one in zip(shapes, corner, side, strict=True)])
    masks = (inside * shapes[:, None, None]).astype("int32")
    grains = random.permuted(np.tile([[0.6, 2.0]], (count, 1)), axis=1)
    levels = random.uniform(0.25, 0.75, (count, 2))
    ground, shape = (_texture(random, grains[:, k], levels[:, k], size, channels) for k in range(2))
    images = np.where(inside[..., None], shape, ground).clip(0, 1).astype("float32")
    return Scenes(images, masks, np.stack([_box(one) for one in inside]))


def _inside(shape, corner, side, size):
    """The pixels whose centre a shape covers; its bounding square is given."""
    rows, columns = np.meshgrid(*2 * [np.arange(size) + 0.5], indexing="ij")
    down, across = (rows - corner[0]) / side, (columns - corner[1]) / side
    square = (np.abs(down - 0.5) <= 0.5) & (np.abs(across - 0.5) <= 0.5)
    disc = (down - 0.5) ** 2 + (across - 0.5) ** 2 <= 0.25
    triangle = square & (np.abs(across - 0.5) <= down / 2)
    return (disc, square, triangle)[shape - 1]


def _texture(random, grains, levels, size, channels):
    noise = random.normal(size=(len(grains), size, size, channels))
    smooth = np.stack([gaussian_filter(one, (grain, grain, 0)) for one, grain in zip(noise, grains, strict=True)])
    return levels[:, None, None, None] + 0.12 * smooth / smooth.std((1, 2, 3), keepdims=True)


def _box(inside):
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1], "float32") / len(inside)
