"""Jigsaw: the parts of a view in random order."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from sslzoo.views.operation import Operation, check_number, uniform


@dataclass(frozen=True)
class Jigsaw(Operation):
    """Cuts the view into cells, takes a random square of each and puts these in random order (PIRL, arXiv:1912.01991).

    The squares keep the papers' gaps between parts, so that edges do not tell neighbours. Each is resized to its cell,
    since a view keeps its size; in the paper it stays as small as it is.

    Args:
        grid: cells on a side; it divides the view's size.
        part: side of the square as a share of the cell's; 1 takes whole cells.
    """

    stage: ClassVar[int] = 2
    grid: int = 3
    part: float = 64 / 85

    def __post_init__(self) -> None:
        check_number("Jigsaw", "grid", self.grid, 1)
        check_number("Jigsaw", "part", self.part, 1e-6, 1)

    def draw(self, seed, count):
        cells = self.grid**2
        draws = tf.reshape(tf.stack(uniform(seed, count, 3 * cells), 1), (-1, 3, cells))
        # The order of independent numbers is a fair shuffle.
        return dict(order=tf.argsort(draws[:, 0], axis=1), down=draws[:, 1], right=draws[:, 2])

    def finish(self, pixels, draws):
        """Cell k of the result, row by row, is a square of cell order[k]."""
        size, grid = pixels.shape[1], self.grid
        if size % grid:
            raise ValueError(
                f"Jigsaw: {grid} x {grid} cells do not divide a view of {size} px: make it {size + -size % grid}"
            )
        side, channels = size // grid, pixels.shape[-1]
        cells = tf.transpose(tf.reshape(pixels, (-1, grid, side, grid, side, channels)), (0, 1, 3, 2, 4, 5))
        cells = tf.gather(tf.reshape(cells, (-1, grid**2, side, side, channels)), draws["order"], batch_dims=1)
        parts = self._squares(tf.reshape(cells, (-1, side, side, channels)), draws)
        parts = tf.reshape(parts, (-1, grid, grid, side, side, channels))
        return tf.reshape(tf.transpose(parts, (0, 1, 3, 2, 4, 5)), (-1, size, size, channels))

    def _squares(self, cells: tf.Tensor, draws) -> tf.Tensor:
        """A square of each cell (n, side, side, c), at one of its whole positions, enlarged to the cell: bilinear."""
        side = cells.shape[1]
        extent = max(1, round(self.part * side))
        for axis, name in ((1, "down"), (2, "right")):
            first = tf.cast(tf.floor(tf.reshape(draws[name], (-1,)) * (side - extent + 1)), tf.int32)
            cells = tf.gather(cells, first[:, None] + tf.range(extent), axis=axis, batch_dims=1)
        weights = _enlargement(extent, side)
        return tf.einsum("ye,nefc,xf->nyxc", weights, cells, weights)


def _enlargement(small: int, large: int) -> np.ndarray:
    """Bilinear weights (large, small), the same for all images; rows sum to one, at the borders too."""
    centre = (np.arange(large) + 0.5) * small / large - 0.5
    weights = np.maximum(0.0, 1 - np.abs(np.arange(small) - centre[:, None]))
    return (weights / weights.sum(axis=1, keepdims=True)).astype("float32")
