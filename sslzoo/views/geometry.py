"""Geometric operations and blur: crop, centre, flip, blur."""

import math
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from sslzoo.catalog.knobs import nearest
from sslzoo.views.operation import Operation, between, check_number, check_range, uniform, whole
from sslzoo.views.resample import KERNELS

# A scale and ratio whose box exceeds the image are drawn again, at most this number of times. The areas then have the
# same distribution as in torchvision.
TRIES = 10


@dataclass(frozen=True)
class Crop(Operation):
    """Random resized crop (Szegedy et al. 2014, arXiv:1409.4842).

    Args:
        scale: range of the share of the area that is kept, drawn uniformly.
        ratio: range of width / height of the crop, drawn log-uniformly.
        interpolation: "bilinear" or "bicubic", both antialiased as in PIL.
    """

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if self.interpolation not in KERNELS:
            raise ValueError(nearest("interpolation", self.interpolation, KERNELS))
        check_range("Crop", "scale", self.scale, 1e-6, 1.0)
        check_range("Crop", "ratio", self.ratio, 1e-6)

    def draw(self, seed, count):
        *tries, down, right = uniform(seed, count, 2 * TRIES + 2)
        scale = between(tf.stack(tries[:TRIES], 1), *self.scale)
        ratio = tf.exp(between(tf.stack(tries[TRIES:], 1), *map(math.log, self.ratio)))
        return dict(scale=scale, ratio=ratio, down=down, right=right)

    def place(self, box, draws):
        area = (box.height * box.width)[:, None] * draws["scale"]
        heights, widths = (tf.round(tf.sqrt(x)) for x in (area / draws["ratio"], area * draws["ratio"]))
        fits = (heights <= box.height[:, None]) & (widths <= box.width[:, None])
        chosen = tf.argmax(tf.cast(fits, tf.int32), axis=1, output_type=tf.int32)  # the first box that fits
        height, width = (tf.gather(x, chosen, batch_dims=1) for x in (heights, widths))
        height, width = tf.clip_by_value(height, 1.0, box.height), tf.clip_by_value(width, 1.0, box.width)
        top, left = _start(draws["down"], box.height - height), _start(draws["right"], box.width - width)
        found, central = tf.reduce_any(fits, axis=1), self._central(box)
        top, left, height, width = (
            tf.where(found, drawn, fallback)
            for drawn, fallback in zip((top, left, height, width), central, strict=True)
        )
        return box._replace(top=box.top + top, left=box.left + left, height=height, width=width)

    def _central(self, box):
        """The largest central box of a ratio and area in range, where no box fits, as in torchvision."""
        height = tf.minimum(box.height, box.width / self.ratio[0])
        width = tf.minimum(box.width, box.height * self.ratio[1])
        shrink = tf.sqrt(tf.minimum(1.0, self.scale[1] * box.height * box.width / (height * width)))
        height, width = (tf.maximum(tf.round(side * shrink), 1.0) for side in (height, width))
        return (box.height - height) // 2, (box.width - width) // 2, height, width

    def largest(self, height, width):
        area = height * width * self.scale[1]
        sides = math.sqrt(area / self.ratio[0]), math.sqrt(area * self.ratio[1])
        return min(height, math.ceil(sides[0])), min(width, math.ceil(sides[1]))

    def strengths(self, draws):
        box = self.place(whole(tf.fill((draws["down"].shape[0], 2), 1000)), draws)
        return {"area kept of a square, %": box.height * box.width / 1e4, "width / height": box.width / box.height}


@dataclass(frozen=True)
class Centre(Operation):
    """Central square whose side is `fraction` of the shorter side of the image; deterministic."""

    fraction: float = 1.0

    def __post_init__(self) -> None:
        check_number("Centre", "fraction", self.fraction, 1e-6, 1.0)

    def place(self, box, draws):
        side = tf.maximum(tf.round(self.fraction * tf.minimum(box.height, box.width)), 1.0)
        top, left = box.top + (box.height - side) // 2, box.left + (box.width - side) // 2
        return box._replace(top=top, left=left, height=side, width=side)

    def largest(self, height, width):
        side = math.ceil(self.fraction * min(height, width))
        return side, side


@dataclass(frozen=True)
class Flip(Operation):
    """Mirrors left and right with probability `p`."""

    p: float = 0.5

    def __post_init__(self) -> None:
        check_number("Flip", "p", self.p, 0, 1)

    def draw(self, seed, count):
        return dict(on=uniform(seed, count, 1)[0] < self.p)

    def place(self, box, draws):
        return box._replace(mirrored=tf.not_equal(box.mirrored, draws["on"]))


@dataclass(frozen=True)
class Blur(Operation):
    """Gaussian blur with a kernel of a tenth of the view's width (SimCLR, arXiv:2002.05709, appendix A).

    Args:
        sigma: range of the standard deviation in pixels of the view, drawn uniformly.
        p: probability of the blur.
        uncut: the kernel reaches four standard deviations at any width, as PIL does, which PyTorch methods use. At 96
            px the kernel of SimCLR cuts off a standard deviation of 2 to 1.85.
    """

    stage: ClassVar[int] = 1  # linear, and its weights sum to one: it commutes with the colour operations
    sigma: tuple[float, float] = (0.1, 2.0)
    p: float = 0.5
    uncut: bool = False

    def __post_init__(self) -> None:
        check_range("Blur", "sigma", self.sigma, 0.0)
        check_number("Blur", "p", self.p, 0, 1)

    def draw(self, seed, count):
        on, sigma = uniform(seed, count, 2)
        return dict(on=on < self.p, sigma=between(sigma, *self.sigma))

    def reach(self, size: int) -> int:
        """Pixels of the kernel to each side, for views of `size` pixels."""
        return min(math.ceil(4 * self.sigma[1]), (size - 1) // 2) if self.uncut else size // 20

    def soften(self, sigma, draws):
        # At 1e-3 the weights of the neighbours underflow to zero: the view stays sharp without a branch.
        own = tf.maximum(tf.where(draws["on"], draws["sigma"], 0.0), 1e-3)
        return own if sigma is None else tf.sqrt(sigma**2 + own**2)

    def strengths(self, draws):
        return {"sigma, px": draws["sigma"]}


def _start(unit: tf.Tensor, slack: tf.Tensor) -> tf.Tensor:
    """Draws one of the slack + 1 integer positions uniformly."""
    return tf.minimum(tf.floor(unit * (slack + 1)), slack)
