"""Lloyd's iterations of k-means in blocks, where only examples whose cluster can have changed are compared again."""

from typing import NamedTuple

import numpy as np

ROWS = 4096  # of a block
SLACK = 1e-5  # of a distance, above the rounding of float32
ITERATIONS = 300


class Found(NamedTuple):
    """Clusters (examples,), their means (clusters, dim) and the sum of squared distances to them."""

    clusters: np.ndarray
    means: np.ndarray
    inertia: float


def lloyd(x: np.ndarray, means: np.ndarray, tolerance: float, iterations: int = ITERATIONS) -> Found:
    """Iterates from some means until no example changes its cluster, or the inertia falls by less than the tolerance.

    An example keeps its cluster as long as the means have moved less than the gap between its distances to the nearest
    and to the second mean (Hamerly's bound, SDM 2010), and is not compared until then. A cluster that loses all its
    examples keeps its mean.

    Args:
        x: features (examples, dim), float32.
        means: to start from, (clusters, dim), at least 2.
        tolerance: relative to the inertia.
        iterations: maximum number.
    """
    squares = np.einsum("nd,nd->n", x, x)
    total = squares.sum(dtype="float64")
    clusters, gaps = np.full(len(x), -1), np.full(len(x), -1, "float32")
    means, sums, counts = means.astype("float64"), np.zeros(means.shape), np.zeros(len(means), int)
    before = np.inf
    for _ in range(iterations):
        changed = False
        for rows in _blocks(np.flatnonzero(gaps <= 0)):
            some = x[rows]
            new, gaps[rows] = _nearest(some, squares[rows], means)
            moved = new != clusters[rows]
            if moved.any():
                changed = True
                _move(sums, counts, some[moved], clusters[rows[moved]], new[moved])
                clusters[rows] = new
        last, used = means, counts > 0
        means = np.where(used[:, None], sums / np.maximum(counts, 1)[:, None], last)
        inertia = total - np.vdot(counts, np.square(means).sum(1))
        if not changed or before - inertia <= tolerance * inertia:
            break
        steps, before = np.linalg.norm(means - last, axis=1), inertia
        gaps -= (steps + steps.max()).astype("float32")[clusters]
    return Found(clusters, means.astype("float32"), float(inertia))


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]


def _nearest(x: np.ndarray, squares: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest mean of each example, and how much farther the second one is, less the slack."""
    distances = x @ (-2 * means.astype("float32").T)
    distances += np.square(means).sum(1).astype("float32")
    nearest, rows = distances.argmin(1), np.arange(len(x))
    first = distances[rows, nearest]
    distances[rows, nearest] = np.inf
    second = distances.min(1)
    first, second = (np.sqrt(np.maximum(part + squares, 0)) for part in (first, second))
    return nearest, second - first - SLACK * second


def _move(sums: np.ndarray, counts: np.ndarray, x: np.ndarray, old: np.ndarray, new: np.ndarray) -> None:
    """Moves examples x from their old clusters, -1 for none, to the new ones."""
    signs, columns = np.zeros((len(counts) + 1, len(x)), "float32"), np.arange(len(x))
    signs[new, columns] = 1
    signs[old, columns] = -1
    sums += signs[:-1] @ x
    counts += signs[:-1].sum(1).astype(int)
