"""Outliers and near-duplicates among features, by cosine similarity."""

from typing import NamedTuple

import numpy as np

from sslzoo.evaluators import as_features, unit_length

CHUNK = 256  # rows at once: 256 similarities to 10 000 images are 10 MB


class Found(NamedTuple):
    """Rows of features, the most extreme first, and their scores."""

    rows: np.ndarray  # (count,) of single images, (count, 2) of pairs
    scores: np.ndarray  # (count,)


def neighbours(features, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k most similar other images of each image: rows and cosine similarities (images, k), the nearest first.

    Args:
        features: (images, features).
        k: at most images - 1.
    """
    unit, parts = unit_length(as_features(features)), []
    for start in range(0, len(unit), CHUNK):
        similarity = unit[start : start + CHUNK] @ unit.T
        own = np.arange(len(similarity))
        similarity[own, start + own] = -np.inf
        rows = np.argpartition(similarity, -k, axis=1)[:, -k:]
        near = np.take_along_axis(similarity, rows, axis=1)
        order = np.argsort(-near, axis=1, kind="stable")
        parts.append((np.take_along_axis(rows, order, axis=1), np.take_along_axis(near, order, axis=1)))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def outliers(similarities: np.ndarray, count: int) -> Found:
    """The images with the largest cosine distance to their k-th neighbour (Ramaswamy et al. 2000), and that distance.

    Args:
        similarities: (images, k), as of `neighbours`.
        count: of images.
    """
    distance = 1 - similarities[:, -1]
    rows = np.argsort(-distance, kind="stable")[:count]
    return Found(rows, distance[rows])


def near_duplicates(rows: np.ndarray, similarities: np.ndarray, count: int) -> Found:
    """The pairs of highest cosine similarity, each pair once, and that similarity.

    Args:
        rows, similarities: (images, k), as of `neighbours`.
        count: of pairs.
    """
    pairs = np.stack([np.repeat(np.arange(len(rows)), rows.shape[1]), rows.ravel()], axis=1)
    pairs, first = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    values = similarities.ravel()[first]
    order = np.argsort(-values, kind="stable")[:count]
    return Found(pairs[order], values[order])
