"""A baseline: features that need no encoder, or another classifier on them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np


class Baseline(NamedTuple):
    """Features of inputs without an encoder.

    Attributes:
        size: extent of the inputs that it takes.
        features: inputs (n, ...) of that extent -> features (n, dim).
        instead: name of an evaluator -> function that takes its place; other evaluators are then left out. None for the
            evaluators themselves.
    """

    size: int
    features: Callable[[np.ndarray], np.ndarray]
    instead: Mapping[str, Callable] | None = None


def flattened(inputs: np.ndarray) -> np.ndarray:
    """Inputs (n, ...) as rows (n, dim)."""
    return inputs.reshape(len(inputs), -1)
