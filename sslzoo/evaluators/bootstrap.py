"""Bootstrap: whether one encoder is better than another, or was lucky with these test images."""

from typing import NamedTuple

import numpy as np


class Difference(NamedTuple):
    """A difference of accuracies and its interval."""

    mean: float
    low: float
    high: float

    def __str__(self):
        return f"{100 * self.mean:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}] %"

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def paired_difference(one, other, level: float = 0.95, draws: int = 5000, seed: int = 0) -> Difference:
    """How much more often `one` is right than `other` on the same images, with a percentile bootstrap interval.

    Images are drawn with replacement, both answers of an image together (Efron and Tibshirani 1993, chapter 13): what
    both find hard cancels out, which makes the interval narrower than those of the two accuracies apart.

    Args:
        one, other: right or not, bool (images,), the same images in the same order.
        level: of the interval.
        draws: bootstrap samples.
        seed: of the draws.

    Raises:
        ValueError: other numbers of images, or none.
    """
    one, other = np.asarray(one, "float64"), np.asarray(other, "float64")
    if one.shape != other.shape or one.ndim != 1 or not one.size:
        raise ValueError(f"both must answer for the same images: {one.shape} and {other.shape}")
    gains = np.array([np.sum(one < other), np.sum(one == other), np.sum(one > other)])
    # An image gives -1, 0 or 1, so that drawing images is drawing how many of each kind there are.
    drawn = np.random.default_rng(seed).multinomial(len(one), gains / len(one), size=draws)
    means = (drawn[:, 2] - drawn[:, 0]) / len(one)
    tail = (1 - level) / 2
    return Difference(float(np.mean(one - other)), *map(float, np.quantile(means, [tail, 1 - tail])))
