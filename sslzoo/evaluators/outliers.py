"""Outliers and near-duplicates among features, by cosine similarity."""

from typing import NamedTuple

import numpy as np


class Found(NamedTuple):
    """Rows of features, sorted by their scores."""

    rows: np.ndarray  # (count,) of single examples, (count, 2) of pairs
    scores: np.ndarray  # (count,)


def outliers(similarities: np.ndarray, count: int) -> Found:
    """The examples with the largest cosine distance to their k-th neighbour (Ramaswamy et al. 2000), and this distance.

    Args:
        similarities: (examples, k), as of `overlap.neighbours`.
        count: number of examples.
    """
    distance = 1 - similarities[:, -1]
    rows = np.argsort(-distance, kind="stable")[:count]
    return Found(rows, distance[rows])


def near_duplicates(rows: np.ndarray, similarities: np.ndarray, count: int) -> Found:
    """The pairs with the highest cosine similarity, each pair once, and this similarity.

    Args:
        rows, similarities: (examples, k), as of `overlap.neighbours`.
        count: number of pairs.
    """
    pairs = np.stack([np.repeat(np.arange(len(rows)), rows.shape[1]), rows.ravel()], axis=1)
    pairs, first = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    values = similarities.ravel()[first]
    order = np.argsort(-values, kind="stable")[:count]
    return Found(pairs[order], values[order])
