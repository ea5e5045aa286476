"""What an operation of a view is: parameters drawn for a whole batch, and the stages it has a say in."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import tensorflow as tf

Draws = Mapping[str, tf.Tensor]


class Box(NamedTuple):
    """Where in each image a view looks: (n,) float32 tensors of whole pixels, and (n,) bool."""

    top: tf.Tensor
    left: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor
    mirrored: tf.Tensor


def whole(sizes: tf.Tensor) -> Box:
    """The box of all that is valid; sizes (n, 2): height, width."""
    height, width = tf.unstack(tf.cast(sizes, tf.float32), axis=1)
    return Box(tf.zeros_like(height), tf.zeros_like(width), height, width, tf.zeros_like(height, tf.bool))


class Colour(NamedTuple):
    """The colour map `pixel @ x + mean @ m`, x a pixel and m the mean pixel of its crop; both fields (n, c, c).

    Every colour operation is linear in x and m together (contrast blends with the mean, the others ignore it), so a
    chain of them, in any order, is again two matrices.
    """

    pixel: tf.Tensor
    mean: tf.Tensor


class Operation:
    """One step of a view. It draws first, then answers in the stages that concern it; the defaults change nothing."""

    stage: ClassVar[int] = 0  # 0 geometry, 1 linear in the pixels, 2 not linear: a view's chain must not go back

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def draw(self, seed: tf.Tensor, count: int | tf.Tensor) -> Draws:
        """Named tensors with one row per image, from `seed` alone; `on` (count,) says which images it acts on."""
        return {}

    def place(self, box: Box, draws: Draws) -> Box:
        """Geometry: the box of a box."""
        return box

    def largest(self, height: int, width: int) -> tuple[int, int]:
        """Geometry: how high and how wide a box within height x width pixels becomes at most."""
        return height, width

    def soften(self, sigma: tf.Tensor | None, draws: Draws) -> tf.Tensor | None:
        """Blur: the standard deviation (n,) in pixels of the view; None, as at the start, where nothing blurs."""
        return sigma

    def mix(self, colour: Colour, draws: Draws) -> Colour:
        """Colour: the map so far, followed by this one."""
        return colour

    def finish(self, pixels: tf.Tensor, draws: Draws) -> tf.Tensor:
        """Whatever is not linear, on pixels (n, size, size, c) in [0, 1]."""
        return pixels

    def strengths(self, draws: Draws) -> dict[str, tf.Tensor]:
        """What the statistics table reports, in words and units: (n,) tensors."""
        return {}


def numbers(seed: tf.Tensor, count: int | tf.Tensor, columns: int) -> tf.Tensor:
    """(count, columns) in [0, 1). Philox by name, since the default differs between kinds of devices."""
    return tf.random.stateless_uniform((count, columns), seed, alg="philox")


def uniform(seed: tf.Tensor, count: int | tf.Tensor, columns: int) -> list[tf.Tensor]:
    """The `numbers` as so many tensors (count,)."""
    return tf.unstack(numbers(seed, count, columns), axis=1)


def between(unit: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Maps numbers of [0, 1) to [low, high)."""
    return low + (high - low) * unit


def fold(seed: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
    """A new seed (2,) int32 from a seed and a number."""
    return tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int32), alg="philox")


def check_number(operation: str, knob: str, value: float, low: float, high: float = float("inf")) -> None:
    """Raises ValueError unless low <= value <= high."""
    if not low <= value <= high:
        raise ValueError(f"{operation}: {knob} must be in [{low:g}, {high:g}], got {value!r}")


def check_range(operation: str, knob: str, value: tuple[float, float], low: float, high: float = float("inf")) -> None:
    """Raises ValueError unless value is a pair (smaller, larger) within [low, high]."""
    if len(value) != 2 or not low <= value[0] <= value[1] <= high:
        raise ValueError(f"{operation}: {knob} must be (smaller, larger) within [{low:g}, {high:g}], got {value!r}")
