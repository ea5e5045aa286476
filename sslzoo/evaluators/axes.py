"""Principal axes of features that are not centred: all axes, or the largest ones, estimated from some examples."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh

SAMPLE = 1000


class Axes(NamedTuple):
    """Orthogonal directions of unit length (dim, axes), and the features' mean square along each, largest first."""

    vectors: np.ndarray
    squares: np.ndarray


def principal_axes(x: np.ndarray) -> Axes:
    """The axes that span features (examples, dim), from the smaller of the two Gram matrices."""
    x = x.astype("float64")
    wide = x.shape[1] > len(x)
    values, vectors = eigh(x @ x.T if wide else x.T @ x, driver="evd", check_finite=False)
    kept = np.flatnonzero(values >= 1e-10 * values[-1])[::-1]
    values, vectors = values[kept], vectors[:, kept]
    if wide:
        vectors = x.T @ (vectors / np.sqrt(np.maximum(values, np.finfo("float64").tiny)))
    return Axes(vectors.astype("float32"), values / len(x))


def some_axes(x: np.ndarray, count: int) -> Axes:
    """At most `count` of the largest axes of features (examples, dim), estimated from about 1000 evenly spaced rows."""
    axes = principal_axes(x[:: max(1, len(x) // SAMPLE)][:SAMPLE])
    return Axes(axes.vectors[:, :count], axes.squares[:count])
