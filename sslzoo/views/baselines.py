"""A baseline: features that need no encoder."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Baseline(NamedTuple):
    """Features of inputs without an encoder.

    Attributes:
        size: extent of the inputs that it takes.
        features: inputs (n, ...) of that extent -> features (n, dim).
    """

    size: int
    features: Callable[[np.ndarray], np.ndarray]


def flattened(inputs: np.ndarray) -> np.ndarray:
    """Inputs (n, ...) as rows (n, dim)."""
    return inputs.reshape(len(inputs), -1)
