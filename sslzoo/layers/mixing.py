"""Mixtures of examples (mixup, arXiv 1710.09412): shares with a Beta distribution, made of uniform random numbers."""

import functools

import numpy as np
from keras import ops

POINTS = 4097  # of the table, between which is interpolated


def beta(noise, alpha: float):
    """Numbers with the distribution Beta(alpha, alpha), by the inverse of its distribution function.

    Args:
        noise: uniform (...), in [0, 1).
        alpha: float, above 0; 1 for a uniform distribution, less for numbers near 0 and 1.

    Returns:
        float32 (...), in 0..1.
    """
    table = ops.convert_to_tensor(_quantiles(float(alpha)))
    place = ops.cast(noise, "float32") * (POINTS - 1)
    before = ops.floor(place)
    first = ops.cast(before, "int32")
    low, high = ops.take(table, first), ops.take(table, first + 1)
    return low + (place - before) * (high - low)


@functools.lru_cache(16)
def _quantiles(alpha: float) -> np.ndarray:
    """Quantiles of Beta(alpha, alpha) at POINTS equidistant shares."""
    from scipy.special import betaincinv  # slow to import

    return betaincinv(alpha, alpha, np.linspace(0, 1, POINTS)).astype("float32")
