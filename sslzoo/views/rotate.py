"""Rotation by any angle, a separate pass over the finished view, since a rotated part is no axis-aligned box."""

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from sslzoo.views.operation import Operation, between, check_number, check_range, uniform


@dataclass(frozen=True)
class Rotate(Operation):
    """Rotates the view about its centre by a random angle; pixels from outside the view are black.

    Args:
        degrees: smallest and largest angle in degrees, counterclockwise.
        p: probability of the rotation.
    """

    stage: ClassVar[int] = 2
    degrees: tuple[float, float] = (-30.0, 30.0)
    p: float = 1.0

    def __post_init__(self) -> None:
        check_range("Rotate", "degrees", self.degrees, -360, 360)
        check_number("Rotate", "p", self.p, 0, 1)

    def draw(self, seed, count):
        chance, angle = uniform(seed, count, 2)
        return dict(on=chance < self.p, degrees=between(angle, *self.degrees))

    def finish(self, pixels, draws):
        return tf.where(draws["on"][:, None, None, None], rotated(pixels, draws["degrees"]), pixels)

    def strengths(self, draws):
        return {"angle, degrees": draws["degrees"]}


def rotated(pixels: tf.Tensor, degrees: tf.Tensor) -> tf.Tensor:
    """Rotates images (n, size, size, c) counterclockwise by angles (n,), with bilinear interpolation, black outside."""
    side = pixels.shape[1]
    from_centre = tf.range(side, dtype=tf.float32) - (side - 1) / 2
    angle = (degrees * math.pi / 180)[:, None, None]
    down, right = from_centre[None, :, None], from_centre[None, None, :]
    rows = tf.sin(angle) * right + tf.cos(angle) * down + (side - 1) / 2
    columns = tf.cos(angle) * right - tf.sin(angle) * down + (side - 1) / 2
    corners = itertools.product((0, 1), repeat=2)
    return sum(_corner(pixels, rows, columns, below, aside) for below, aside in corners)


def _corner(pixels: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, below: int, aside: int) -> tf.Tensor:
    """Returns one of the four neighbours of each position times its weight; zero outside the image."""
    side, channels = pixels.shape[1], pixels.shape[-1]
    row, column = tf.floor(rows) + below, tf.floor(columns) + aside
    share = (1 - tf.abs(rows - row)) * (1 - tf.abs(columns - column))
    inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
    where = tf.cast(tf.clip_by_value(row, 0, side - 1) * side + tf.clip_by_value(column, 0, side - 1), tf.int32)
    flat = tf.reshape(pixels, (-1, side * side, channels))
    found = tf.gather(flat, tf.reshape(where, (-1, side * side)), batch_dims=1)
    return tf.where(inside, share, 0)[..., None] * tf.reshape(found, (-1, side, side, channels))
