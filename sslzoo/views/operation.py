"""Base class of the operations of a view, and helpers to draw their parameters."""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import ClassVar, NamedTuple

import tensorflow as tf

Draws = Mapping[str, tf.Tensor]


class Box(NamedTuple):
    """The box that a view takes from each image: (n,) float32 tensors of integer pixels, and (n,) bool."""

    top: tf.Tensor
    left: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor
    mirrored: tf.Tensor


def whole(sizes: tf.Tensor) -> Box:
    """Returns the box of the valid part of each image; sizes (n, 2): height, width."""
    height, width = tf.unstack(tf.cast(sizes, tf.float32), axis=1)
    return Box(tf.zeros_like(height), tf.zeros_like(width), height, width, tf.zeros_like(height, tf.bool))


class Colour(NamedTuple):
    """The colour map `pixel @ x + mean @ m` of a pixel x and the mean pixel m of its crop; both fields are (n, c, c).

    Every colour operation is jointly linear in x and m: contrast blends with the mean, the others ignore it. A chain of
    colour operations in any order is therefore again a pair of matrices.
    """

    pixel: tf.Tensor
    mean: tf.Tensor


class Linear(NamedTuple):
    """The composed geometry, blur and colour of a view, one row per image.

    Attributes:
        box: the part of each image.
        sigma: (n,) standard deviation of the blur in pixels of the view; None without blur.
        colour: the colour map of each image; None without colour operations. It follows the hue of HSV, if any.
        first: the colour map before that hue; None without it.
        turn: (n,) that hue in full turns; None without it.
    """

    box: Box
    sigma: tf.Tensor | None
    colour: Colour | None
    first: Colour | None = None
    turn: tf.Tensor | None = None


class Operation:
    """One step of a view.

    An operation draws its parameters with `draw` and overrides the methods of its stage. The inherited methods change
    nothing.

    Attributes:
        stage: 0 for geometry, 1 for operations that are linear in the pixels, 2 for others.
    """

    stage: ClassVar[int] = 0  # must not decrease along the chain of a view

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def draw(self, seed: tf.Tensor, count: int | tf.Tensor) -> Draws:
        """Draws named tensors with one row per image from `seed`; `on` (count,) selects the images to change."""
        return {}

    def place(self, box: Box, draws: Draws) -> Box:
        """Geometry: maps a box to a box."""
        return box

    def largest(self, height: int, width: int) -> tuple[int, int]:
        """Geometry: returns the maximum height and width of a box in an image of height x width pixels."""
        return height, width

    def soften(self, sigma: tf.Tensor | None, draws: Draws) -> tf.Tensor | None:
        """Blur: returns the standard deviation (n,) in pixels of the view, or None without any blur."""
        return sigma

    def mix(self, colour: Colour, draws: Draws) -> Colour:
        """Colour: returns the given map followed by the map of this operation."""
        return colour

    def finish(self, pixels: tf.Tensor, draws: Draws) -> tf.Tensor:
        """Nonlinear operations: maps pixels (n, size, size, c) in [0, 1]."""
        return pixels

    def strengths(self, draws: Draws) -> dict[str, tf.Tensor]:
        """Returns the quantities of the statistics table: name with unit -> (n,) tensor."""
        return {}


def numbers(seed: tf.Tensor, count: int | tf.Tensor, columns: int) -> tf.Tensor:
    """Draws (count, columns) numbers in [0, 1) with Philox; the default algorithm differs between devices."""
    return tf.random.stateless_uniform((count, columns), seed, alg="philox")


def uniform(seed: tf.Tensor, count: int | tf.Tensor, columns: int) -> list[tf.Tensor]:
    """Returns the columns of `numbers` as a list of tensors (count,)."""
    return tf.unstack(numbers(seed, count, columns), axis=1)


def between(unit: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Maps numbers in [0, 1) to [low, high)."""
    return low + (high - low) * unit


def fold(seed: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
    """Derives a new seed (2,) int32 from a seed and a number."""
    return tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int32), alg="philox")


def check_number(operation: str, knob: str, value: float, low: float, high: float = math.inf) -> None:
    """Raises ValueError if a value is no number in [low, high]."""
    if not _is_number(value) or not low <= value <= high or math.isinf(value):
        raise ValueError(f"{operation}: {knob} must be in [{low:g}, {high:g}], got {value!r}")


def check_count(operation: str, knob: str, value: int) -> None:
    """Raises ValueError if a value is no integer of 1 or more."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{operation}: {knob} must be an integer of 1 or more, got {value!r}")


def check_range(operation: str, knob: str, value: tuple[float, float], low: float, high: float = math.inf) -> None:
    """Raises ValueError if a value is not a pair (smaller, larger) within [low, high]."""
    pair = isinstance(value, Sequence) and len(value) == 2 and all(map(_is_number, value))
    if not pair or not low <= value[0] <= value[1] <= high or math.isinf(value[1]):
        raise ValueError(f"{operation}: {knob} must be (smaller, larger) within [{low:g}, {high:g}], got {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
