"""Maps of the time of series: crop, reversal, time warp, permutation of segments. They compose into one resampling."""

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from sslzoo.views.operation import between, check_count, check_number, check_range, fold, numbers, uniform
from sslzoo.views.series import SeriesOperation


@dataclass(frozen=True)
class Crop(SeriesOperation):
    """A consecutive part, stretched to the length of the view.

    Args:
        scale: range of the share of the steps that is kept, drawn uniformly.
    """

    stage: ClassVar[int] = 0
    scale: tuple[float, float] = (0.5, 1.0)

    def __post_init__(self) -> None:
        check_range("Crop", "scale", self.scale, 1e-6, 1.0)

    def draw(self, seed, count, length, channels):
        scale, start = uniform(seed, count, 2)
        scale = between(scale, *self.scale)
        return dict(scale=scale, start=start * (1.0 - scale))

    def place(self, positions, draws):
        return draws["start"][:, None] + positions * draws["scale"][:, None]

    def strengths(self, draws):
        return {"steps kept, %": 100 * draws["scale"]}


@dataclass(frozen=True)
class Reverse(SeriesOperation):
    """The series backwards, for data whose time has no direction.

    Args:
        p: probability.
    """

    stage: ClassVar[int] = 0
    p: float = 0.5

    def __post_init__(self) -> None:
        check_number("Reverse", "p", self.p, 0, 1)

    def draw(self, seed, count, length, channels):
        return dict(on=numbers(seed, count, 1)[:, 0] < self.p)

    def place(self, positions, draws):
        return tf.where(draws["on"][:, None], 1.0 - positions, positions)


@dataclass(frozen=True)
class TimeWarp(SeriesOperation):
    """A smooth, strictly increasing map of time with fixed ends (Um et al., arXiv:1706.00527, made monotone).

    The logarithm of the speed is a cubic spline through equidistant knots with values from N(0, sigma^2). The warp of
    the references multiplies positions instead, and runs backwards in most draws.

    Args:
        sigma: standard deviation of the logarithm of the speed at a knot.
        knots: number of knots between the ends.
        p: probability.
    """

    stage: ClassVar[int] = 0
    sigma: float = 0.2
    knots: int = 4
    p: float = 1.0

    def __post_init__(self) -> None:
        check_number("TimeWarp", "sigma", self.sigma, 0)
        check_count("TimeWarp", "knots", self.knots)
        check_number("TimeWarp", "p", self.p, 0, 1)

    def draw(self, seed, count, length, channels):
        on = numbers(fold(seed, 0), count, 1)[:, 0] < self.p
        knots = self.sigma * normal(fold(seed, 1), (count, self.knots + 2)) * tf.cast(on, tf.float32)[:, None]
        speed = tf.exp(knots @ basis(self.knots + 2, length).T)
        passed = tf.cumsum((speed[:, 1:] + speed[:, :-1]) / 2, axis=1)
        return dict(on=on, time=tf.pad(passed / passed[:, -1:], [[0, 0], [1, 0]]))

    def place(self, positions, draws):
        return along(draws["time"], positions)

    def strengths(self, draws):
        grid = np.linspace(0, 1, draws["time"].shape[1], dtype="float32")
        return {"largest shift, % of the steps": 100 * tf.reduce_max(tf.abs(draws["time"] - grid), axis=1)}


@dataclass(frozen=True)
class Permute(SeriesOperation):
    """Segments in random order, all channels alike (TS-TCC, arXiv:2106.14112); the number of segments is random too.

    Args:
        segments: largest number of segments; the number is drawn from 1 to it.
        p: probability.
    """

    stage: ClassVar[int] = 0
    segments: int = 5
    p: float = 1.0

    def __post_init__(self) -> None:
        check_count("Permute", "segments", self.segments)
        check_number("Permute", "p", self.p, 0, 1)

    def draw(self, seed, count, length, channels):
        on, number = uniform(fold(seed, 0), count, 2)
        number = 1 + tf.cast(number * self.segments, tf.int32)
        number = tf.where(on < self.p, number, 1)
        cuts = 1 + tf.cast(numbers(fold(seed, 1), count, self.segments) * (length - 1), tf.int32)
        used = tf.range(self.segments)[None] < (number - 1)[:, None]
        cuts = tf.where(used, cuts, length)
        segment = tf.reduce_sum(tf.cast(tf.range(length)[None, :, None] >= cuts[:, None], tf.int32), axis=2)
        keys = tf.gather(numbers(fold(seed, 2), count, self.segments + 1), segment, batch_dims=1)
        order = tf.argsort(keys, axis=1, stable=True)
        return dict(on=number > 1, number=number, order=order)

    def place(self, positions, draws):
        last = draws["order"].shape[1] - 1
        step = tf.round(positions * last)
        found = tf.gather(draws["order"], tf.cast(step, tf.int32), batch_dims=1)
        moved = tf.cast(found, tf.float32) + positions * last - step
        moved = tf.clip_by_value(moved / max(last, 1), 0.0, 1.0)
        return tf.where(draws["on"][:, None], moved, positions)

    def strengths(self, draws):
        return {"segments": tf.cast(draws["number"], tf.float32)}


def along(values: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """Values (n, length) on an even grid, at positions (n, k) in [0, 1], by linear interpolation."""
    last = values.shape[1] - 1
    before = tf.clip_by_value(tf.floor(positions * last), 0.0, max(last - 1, 0))
    index = tf.cast(before, tf.int32)
    left, right = tf.gather(values, index, batch_dims=1), tf.gather(values, tf.minimum(index + 1, last), batch_dims=1)
    return left + (positions * last - before) * (right - left)


def normal(seed: tf.Tensor, shape: tuple) -> tf.Tensor:
    """Draws standard normal numbers with Philox, which is the same on all devices."""
    return tf.random.stateless_normal(shape, seed, alg="philox")


@functools.lru_cache(64)
def basis(knots: int, length: int) -> np.ndarray:
    """The matrix (length, knots) from values at equidistant knots to the cubic spline through them."""
    from scipy.interpolate import CubicSpline  # slow to import

    places = np.linspace(0, 1, knots)
    return CubicSpline(places, np.eye(knots))(np.linspace(0, 1, length)).astype("float32")
