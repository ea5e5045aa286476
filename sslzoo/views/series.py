"""A view of time series: parameters are drawn first; all maps of time are composed and applied once, then the values.

Values are changed in units of each channel's standard deviation in its series, around its mean, so that strengths mean
the same whatever the data are measured in. A missing value becomes the mean of its channel in its series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from sslzoo.views.drawn import Drawn
from sslzoo.views.operation import Draws, check_count, fold

SNAP = 1e-3  # positions this near to a step are that step, so that a series that keeps its length is unchanged


class SeriesOperation:
    """One step of a view of series. An operation draws its parameters and overrides `place` or `change`.

    Attributes:
        stage: 0 for maps of time, 1 for changes of the values.
    """

    stage: ClassVar[int] = 1

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def draw(self, seed: tf.Tensor, count: int | tf.Tensor, length: int, channels: int) -> Draws:
        """Draws named tensors with one row per series from `seed`; `on` (count,) selects the series to change."""
        return {}

    def place(self, positions: tf.Tensor, draws: Draws) -> tf.Tensor:
        """Maps of time: where in its input, (n, length) in [0, 1], the output at some positions is found."""
        return positions

    def change(self, z: tf.Tensor, draws: Draws) -> tf.Tensor:
        """Changes of the values: maps series (n, length, channels) of mean 0 and deviation 1."""
        return z

    def strengths(self, draws: Draws) -> dict[str, tf.Tensor]:
        """Returns the quantities of the statistics table: name with unit -> (n,) tensor."""
        return {}


@dataclass(frozen=True)
class SeriesView(Drawn):
    """A chain of operations, and the length of its output.

    Args:
        operations: the operations, maps of time before changes of the values.
        length: steps of the view; the part of a series that a view shows is stretched to it by linear interpolation.
        channels: channels of the series.

    Raises:
        ValueError: if a number is below 1, or the operations are in another order.
    """

    kind: ClassVar[str] = "series"
    operations: Sequence[SeriesOperation]
    length: int
    channels: int = 1

    def __post_init__(self) -> None:
        check_count("SeriesView", "length", self.length)
        check_count("SeriesView", "channels", self.channels)
        object.__setattr__(self, "operations", tuple(self.operations))
        for operation in self.operations:
            if not isinstance(operation, SeriesOperation):
                raise ValueError(f"SeriesView: operations must be instances such as Reverse(), got {operation!r}")
        stages = [operation.stage for operation in self.operations]
        if stages != sorted(stages):
            raise ValueError("SeriesView: put maps of time, such as Crop, before changes of the values, such as Jitter")

    def __call__(self, series: tf.Tensor, sizes: tf.Tensor, seed: Sequence[int] = (0, 0)) -> tf.Tensor:
        """Draws parameters from `seed` and applies the view; a view without operations needs no seed."""
        series, sizes = tf.convert_to_tensor(series), tf.convert_to_tensor(sizes)
        return self.apply(series, sizes, self.sample(tf.constant(seed, tf.int32), tf.shape(series)[0]))

    def sample(self, seed: tf.Tensor, count: int | tf.Tensor) -> list[Draws]:
        """Draws the parameters of each operation from `seed` (2,) int32: name -> tensor of `count` rows."""
        shape = (self.length, self.channels)
        return [operation.draw(fold(seed, k), count, *shape) for k, operation in enumerate(self.operations)]

    def place(self, sizes: tf.Tensor, draws: Sequence[Draws]) -> tf.Tensor:
        """Where each step of the views is found in its series: (n, length) in [0, 1]."""
        grid = tf.linspace(0.0, 1.0, self.length) if self.length > 1 else tf.zeros(1)
        positions = tf.repeat(grid[None], tf.shape(sizes)[0], axis=0)
        for operation, drawn in reversed([*zip(self.operations, draws, strict=True)]):
            positions = operation.place(positions, drawn)
        return positions

    def where(self, sizes: tf.Tensor, draws: Sequence[Draws]) -> tf.Tensor:
        """The part of each series that the view shows, float32 (n, 2): start and length, in units of its length."""
        positions = self.place(sizes, draws)
        start = tf.reduce_min(positions, axis=1)
        return tf.stack([start, tf.reduce_max(positions, axis=1) - start], axis=1)

    def apply(self, series: tf.Tensor, sizes: tf.Tensor, draws: Sequence[Draws]) -> tf.Tensor:
        """Makes the views.

        Args:
            series: (n, steps, channels) float; NaN is a missing value.
            sizes: (n, 1), number of steps of each series; the rest of the canvas is not read.
            draws: parameters returned by `sample`, n rows.

        Returns:
            float32 (n, length, channels), in the units of the data, without NaN.

        Raises:
            ValueError: if the series have another number of channels than the view.
        """
        if self.operations and series.shape[-1] != self.channels:
            raise ValueError(f"SeriesView: the view has {self.channels} channels, the series have {series.shape[-1]}")
        filled, mean, deviation = described(tf.cast(series, tf.float32), sizes)
        moved = resampled(filled, self.place(sizes, draws), sizes)
        changes = [pair for pair in zip(self.operations, draws, strict=True) if pair[0].stage]
        if not changes:
            return moved
        z = (moved - mean) / tf.where(deviation > 0, deviation, 1.0)
        for operation, drawn in changes:
            z = operation.change(z, drawn)
        return z * deviation + mean


def described(series: tf.Tensor, sizes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Series without missing values, and the mean and the deviation of each channel, (n, 1, channels).

    A missing value becomes the mean of its channel; a channel without any value becomes 0.
    """
    inside = tf.range(tf.shape(series)[1])[None] < tf.cast(sizes[:, :1], tf.int32)
    known = inside[..., None] & tf.math.is_finite(series)
    count = tf.maximum(tf.reduce_sum(tf.cast(known, tf.float32), axis=1, keepdims=True), 1.0)
    mean = tf.reduce_sum(tf.where(known, series, 0.0), axis=1, keepdims=True) / count
    filled = tf.where(known, series, mean)
    spread = tf.where(known, filled - mean, 0.0)
    deviation = tf.sqrt(tf.reduce_sum(tf.square(spread), axis=1, keepdims=True) / count)
    # Rounding errors of a constant channel are no deviation.
    return filled, mean, tf.where(deviation > 1e-6 * tf.abs(mean), deviation, 0.0)


def resampled(series: tf.Tensor, positions: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """The values at positions (n, length) in [0, 1] of the valid part of series, by linear interpolation."""
    last = tf.cast(sizes[:, :1], tf.float32) - 1.0
    place = tf.clip_by_value(positions * last, 0.0, last)
    nearest = tf.round(place)
    place = tf.where(tf.abs(place - nearest) < SNAP, nearest, place)
    before = tf.floor(place)
    after = tf.minimum(before + 1.0, last)
    share = (place - before)[..., None]
    left, right = (tf.gather(series, tf.cast(one, tf.int32), batch_dims=1) for one in (before, after))
    return left + share * (right - left)
