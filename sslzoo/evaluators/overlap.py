"""Overlap: whether two encoders find the same examples near each other."""

import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import as_features, unit_length
from sslzoo.evaluators.knn import top

CHUNK = 256  # queries at once: 256 similarities to 10 000 examples are 10 MB
VALUES = 2**26  # similarities at once, at most


@checked("N dim", "N other")
def neighbour_overlap(one, other, k: int = 10) -> float:
    """Mutual k-NN (Huh et al. 2024, arXiv 2405.07987, appendix A): mean share of common neighbours, in [0, 1].

    Chance is k / (examples - 1). Neighbours by cosine similarity, the example itself excluded; invariant to rotation
    and scale of either side.

    Args:
        one, other: features of the same examples in the same order, (examples, features of each).
        k: number of neighbours, fewer than examples.

    Raises:
        ValueError: other numbers of examples, or k out of range.
    """
    one, other = as_features(one), as_features(other)
    if len(one) != len(other) or not 1 <= k < len(one):
        raise ValueError(f"{len(one)} and {len(other)} examples, k {k}: take the same, and k from 1 to examples - 1")
    return shared(nearest(one, k), nearest(other, k))


def shared(one: np.ndarray, other: np.ndarray) -> float:
    """Mean share of common entries of two tables of neighbours (examples, k)."""
    return float(np.mean([len(np.intersect1d(x, y)) / len(x) for x, y in zip(one, other, strict=True)]))


def nearest(features, k: int, queries: np.ndarray | None = None) -> np.ndarray:
    """The rows of `neighbours`."""
    return neighbours(features, k, queries)[0]


@checked("N dim")
def neighbours(features, k: int, queries: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Rows and cosine similarities (queries, k) of the k examples nearest to each query, nearest first, without itself.

    Args:
        features: (examples, features).
        k: at most examples - 1.
        queries: rows of `features`; by default all of them.

    Raises:
        ValueError: k out of range.
    """
    unit = unit_length(as_features(features))
    if not 1 <= k < len(unit):
        raise ValueError(f"{k} neighbours among {len(unit)} examples: take k from 1 to examples - 1")
    queries = np.arange(len(unit)) if queries is None else np.asarray(queries)
    return search(unit, unit[queries], k, own=queries)


def search(bank: np.ndarray, queries: np.ndarray, k: int, own: np.ndarray | None = None) -> tuple:
    """Rows of a bank and cosine similarities (queries, k) of the k nearest to each query, nearest first; exact.

    Of equally similar rows the first ones are found. Queries are compared in blocks, so that memory is bounded.

    Args:
        bank: features of length one (examples, dim).
        queries: features of length one (queries, dim).
        k: at most the rows of the bank, less one with `own`.
        own: row of the bank that each query is, which is not found, or None.
    """
    step = max(1, min(CHUNK, VALUES // len(bank)))
    parts = []
    for start in range(0, len(queries), step):
        similarity = queries[start : start + step] @ bank.T
        if own is not None:
            similarity[np.arange(len(similarity)), own[start : start + step]] = -np.inf
        parts.append(_largest(similarity, k))
    if not parts:
        return np.zeros((0, k), np.int64), np.zeros((0, k), np.float32)
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _largest(similarity: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.sort(top(similarity, k), axis=1)  # of ties the first rows
    near = np.take_along_axis(similarity, rows, axis=1)
    order = np.argsort(-near, axis=1, kind="stable")
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(near, order, axis=1)
