"""Operations on frames: random shift and intensity."""

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from sslzoo.catalog.ranges import check_number
from sslzoo.views.operation import Operation, uniform

LARGEST = 2.0  # standard deviations of the intensity


@dataclass(frozen=True)
class Shift(Operation):
    """Shifts a view by a random number of pixels along both axes; the pixels of the border are repeated.

    This is a random crop of the view after its border was padded by replication (DrQ, arXiv:2004.13649, section 4.1).

    Args:
        pad: largest shift in pixels of the view, in each direction.
    """

    stage: ClassVar[int] = 2
    pad: int = 4

    def __post_init__(self) -> None:
        check_number("Shift: pad", self.pad, 0, whole=True)

    def draw(self, seed, count):
        down, right = (tf.cast(tf.floor(u * (2 * self.pad + 1)), tf.int32) for u in uniform(seed, count, 2))
        return dict(down=tf.minimum(down, 2 * self.pad) - self.pad, right=tf.minimum(right, 2 * self.pad) - self.pad)

    def finish(self, pixels, draws):
        for axis, shift in ((1, draws["down"]), (2, draws["right"])):
            side = pixels.shape[axis]
            taken = tf.clip_by_value(tf.range(side) + shift[:, None], 0, side - 1)
            pixels = tf.gather(pixels, taken, axis=axis, batch_dims=1)
        return pixels

    def strengths(self, draws):
        return {"shift down, px": draws["down"], "shift right, px": draws["right"]}


@dataclass(frozen=True)
class Intensity(Operation):
    """Multiplies a view by 1 + scale * n, with n from a normal distribution cut off at 2 (SPR, arXiv:2007.05929).

    Args:
        scale: standard deviation of the factor.
    """

    stage: ClassVar[int] = 2
    scale: float = 0.05

    def __post_init__(self) -> None:
        check_number("Intensity: scale", self.scale, 0)

    def draw(self, seed, count):
        normal = tf.random.stateless_normal((count,), seed, alg="philox")
        return dict(factor=1 + self.scale * tf.clip_by_value(normal, -LARGEST, LARGEST))

    def finish(self, pixels, draws):
        return tf.clip_by_value(pixels * draws["factor"][:, None, None, None], 0.0, 1.0)

    def strengths(self, draws):
        return {"factor": draws["factor"]}
