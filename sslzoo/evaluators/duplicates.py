"""Duplicates: all pairs of features above a similarity, and the groups that they form."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import as_features, unit_length
from sslzoo.evaluators.outliers import Found

VALUES = 2**24  # similarities at once
MOST = 2_000_000  # pairs


@checked("N dim")
def duplicates(features, similarity: float = 0.98) -> Found:
    """All pairs of rows whose cosine similarity is at least a threshold, the most similar first; exact.

    Args:
        features: (examples, dim). Subtract their mean first where all of them are alike, as after a ReLU.
        similarity: the threshold, in 0..1.

    Returns:
        Pairs of rows (pairs, 2), the smaller row first, and their similarities (pairs,).

    Raises:
        ValueError: a threshold outside of 0..1, or one that more than two million pairs reach.
    """
    if not 0 <= similarity <= 1:
        raise ValueError(f"similarity must be at least 0 and at most 1, got {similarity!r}")
    unit = unit_length(as_features(features))
    step, pairs, scores = max(1, VALUES // len(unit)), [np.zeros((0, 2), np.int64)], [np.zeros(0, np.float32)]
    for start in range(0, len(unit), step):
        found = unit[start : start + step] @ unit[start:].T
        one, two = np.nonzero(np.triu(found >= similarity, 1))
        pairs.append(np.stack([one, two], axis=1) + start)
        scores.append(found[one, two])
        if sum(map(len, scores)) > MOST:
            raise ValueError(f"similarity={similarity} gives more than {MOST} pairs: raise it")
    pairs, scores = np.concatenate(pairs), np.concatenate(scores)
    order = np.argsort(-scores, kind="stable")
    return Found(pairs[order], scores[order])


def groups(pairs: np.ndarray, count: int) -> list[np.ndarray]:
    """Sets of rows that pairs connect, each sorted, the largest first.

    Args:
        pairs: (pairs, 2) rows.
        count: number of all rows.
    """
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    names = connected_components(graph, directed=False)[1]
    some = np.unique(pairs)
    order = some[np.argsort(names[some], kind="stable")]
    found = np.split(order, np.flatnonzero(np.diff(names[order])) + 1) if len(order) else []
    return sorted(found, key=len, reverse=True)
