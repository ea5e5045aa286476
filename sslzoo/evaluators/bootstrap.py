"""Bootstrap: intervals of the difference of two scores over the test examples."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from sslzoo.catalog.checked import checked

DISTINCT = 64  # maximum number of distinct differences for which counts are drawn in place of examples
LABEL_DRAWS = 500  # resamplings of the label draws


class Difference(NamedTuple):
    """A difference of two scores and its interval."""

    mean: float
    low: float
    high: float

    def __str__(self):
        return f"{100 * self.mean:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}] %"

    @property
    def clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


@checked()
def paired_difference(one, other, level: float = 0.95, draws: int = 5000, seed: int = 0) -> Difference:
    """Mean difference of two scores of the same examples, with a percentile bootstrap interval.

    Examples are drawn with replacement, both values of an example together (Efron and Tibshirani 1993, chapter 13).
    Examples that are hard for both cancel out, which makes the interval narrower than those of the two separate means.
    With several draws of the labels, draws and examples are resampled independently (Owen 2007, arXiv 0712.1111).

    Args:
        one, other: a value for each example, such as right or not: (examples,), or (draws of the labels, examples),
            with the same examples and draws in the same order.
        level: of the interval.
        draws: bootstrap samples.
        seed: of the bootstrap.

    Raises:
        ValueError: other numbers of examples, none, or NaN.
    """
    one, other = np.asarray(one, "float64"), np.asarray(other, "float64")
    if one.shape != other.shape or one.ndim not in (1, 2) or not one.size:
        raise ValueError(f"both must answer for the same examples: {one.shape} and {other.shape}")
    if np.isnan(one - other).any():
        raise ValueError("the answers hold NaN: both must answer for every example")
    difference, random = np.atleast_2d(one - other), np.random.default_rng(seed)
    if len(difference) == 1:
        means = _means(difference[0], draws, random)
    else:
        chosen = random.integers(0, len(difference), (LABEL_DRAWS, len(difference)))
        means = np.concatenate(
            [_means(difference[rows].mean(0), max(1, draws // LABEL_DRAWS), random) for rows in chosen]
        )
    return _interval(float(np.mean(difference)), means, level)


def difference_of(
    statistic: Callable[[np.ndarray], float],
    one: np.ndarray,
    others: Sequence[np.ndarray],
    level: float = 0.95,
    draws: int = 200,
    seed: int = 0,
) -> Difference:
    """Difference of a statistic that is no mean over examples, such as the adjusted Rand index.

    Args:
        statistic: rows of an array -> number.
        one: argument of the statistic, a row for each example.
        others: the same for the encoders to compare with; their statistics are averaged.
        level, draws, seed: as of `paired_difference`.
    """
    random, found = np.random.default_rng(seed), []
    for draw in range(draws + 1):
        rows = random.integers(0, len(one), len(one)) if draw else np.arange(len(one))
        found.append(statistic(one[rows]) - np.mean([statistic(other[rows]) for other in others]))
    return _interval(float(found[0]), np.array(found[1:]), level)


def _means(values: np.ndarray, draws: int, random: np.random.Generator) -> np.ndarray:
    """Means of `draws` resamplings of the values."""
    kinds, counts = np.unique(values, return_counts=True)
    if len(kinds) > DISTINCT:
        kinds, counts, draws = values, np.ones(len(values)), min(draws, 1000)
    return random.multinomial(len(values), counts / counts.sum(), size=draws) @ kinds / len(values)


def _interval(mean: float, means: np.ndarray, level: float) -> Difference:
    tail = (1 - level) / 2
    return Difference(mean, *map(float, np.quantile(means, [tail, 1 - tail])))
