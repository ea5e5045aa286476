"""Agreement of clusters with classes, from their contingency table: fast enough for a bootstrap."""

import numpy as np


def table_of(rows: np.ndarray) -> np.ndarray:
    """Counts of pairs of class and cluster, int64 (classes, clusters), from rows (examples, 2) of numbers from 0."""
    first, second = np.asarray(rows, "int64").T
    width = int(second.max()) + 1
    return np.bincount(first * width + second, minlength=(int(first.max()) + 1) * width).reshape(-1, width)


def adjusted_rand(rows: np.ndarray) -> float:
    """Adjusted Rand index (Hubert and Arabie 1985), 1 for the same partition and 0 on average for a random one.

    Args:
        rows: (examples, 2), number of the class and of the cluster, from 0.
    """
    table = table_of(rows).astype("float64")
    count, both = table.sum(), np.sum(table**2)
    classes, clusters = np.sum(table.sum(1) ** 2), np.sum(table.sum(0) ** 2)
    apart = clusters - both, classes - both  # ordered pairs that one partition separates and the other does not
    if not any(apart):
        return 1.0
    together, rest = both - count, count**2 - classes - clusters + both
    pairs = [(together + one) * (one + rest) for one in apart]
    return float(2 * (together * rest - apart[0] * apart[1]) / sum(pairs))


def mutual_information(rows: np.ndarray) -> float:
    """Mutual information over the mean of both entropies, in [0, 1]; 1 if both have one part.

    Args:
        rows: (examples, 2), number of the class and of the cluster, from 0.
    """
    table = table_of(rows) / len(rows)
    entropies = [_entropy(table.sum(axis)) for axis in (0, 1)]
    if not any(entropies):
        return 1.0
    shared = sum(entropies) - _entropy(table.ravel())
    return float(np.clip(2 * shared / sum(entropies), 0, 1))


def _entropy(shares: np.ndarray) -> float:
    some = shares[shares > 0]
    return max(0.0, float(-np.sum(some * np.log(some))))
