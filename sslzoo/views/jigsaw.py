"""Jigsaw: permutes the parts of a view."""

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
import tensorflow as tf

from sslzoo.views.operation import Operation, check_count, check_number, numbers


@dataclass(frozen=True)
class Jigsaw(Operation):
    """Cuts the view into cells and permutes random squares of them (PIRL, arXiv:1912.01991).

    The gaps between the squares are those of the paper; without them, matching edges would identify neighbours. Each
    square is resized to its cell, so that the size of the view does not change. The paper does not resize the squares.

    Args:
        grid: number of cells along a side; it must divide the size of the view.
        part: side of the square as a share of the side of the cell; 1 takes whole cells.
    """

    stage: ClassVar[int] = 2
    grid: int = 3
    part: float = 64 / 85

    def __post_init__(self) -> None:
        check_count("Jigsaw", "grid", self.grid)
        check_number("Jigsaw", "part", self.part, 1e-6, 1)

    def draw(self, seed, count):
        draws = tf.reshape(numbers(seed, count, 3 * self.grid**2), (-1, 3, self.grid**2))
        # Sorting independent numbers gives a uniform permutation.
        return dict(order=tf.argsort(draws[:, 0], axis=1), down=draws[:, 1], right=draws[:, 2])

    def finish(self, pixels, draws):
        """Fills cell k of the result, in row-major order, with a square of cell order[k]."""
        size, grid = pixels.shape[1], self.grid
        if size % grid:
            raise ValueError(
                f"Jigsaw: {grid} x {grid} cells do not divide a view of {size} px: make it {size + -size % grid}"
            )
        side, channels = size // grid, pixels.shape[-1]
        rows, columns, between = *self._squares(side, draws), self._between(side)
        flat = tf.reshape(pixels, (-1, size**2, channels))

        def at(down, right):
            index = (rows[..., None] + down)[..., None] * size + (columns[..., None] + right)[..., None, :]
            return tf.gather(flat, index, batch_dims=1)

        pairs = product(between, between)
        parts = sum(y[:, None, None] * x[:, None] * at(down, right) for (down, y), (right, x) in pairs)
        parts = tf.reshape(parts, (-1, grid, grid, side, side, channels))
        return tf.reshape(tf.transpose(parts, (0, 1, 3, 2, 4, 5)), (-1, size, size, channels))

    def _squares(self, side: int, draws) -> list[tf.Tensor]:
        """Draws the row and the column (n, cells) of the first pixel of each square, uniformly."""
        positions = side - self._extent(side) + 1
        cells = draws["order"] // self.grid, draws["order"] % self.grid
        drawn = draws["down"], draws["right"]
        return [cell * side + tf.cast(tf.floor(x * positions), tf.int32) for cell, x in zip(cells, drawn, strict=True)]

    def _extent(self, side: int) -> int:
        return max(1, round(self.part * side))

    def _between(self, side: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns the two pixels of a square next to each pixel of a cell, with their bilinear weights."""
        last = self._extent(side) - 1
        place = np.clip((np.arange(side) + 0.5) * (last + 1) / side - 0.5, 0, last)
        near = np.floor(place).astype("int32")
        far, share = np.minimum(near + 1, last), (place - near).astype("float32")
        return [(near, 1 - share), (far, share)]
