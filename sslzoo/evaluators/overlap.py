"""Overlap: whether two encoders find the same images near each other."""

import numpy as np

from sslzoo.evaluators import as_features, unit_length

CHUNK = 256


def neighbour_overlap(one, other, k: int = 10) -> float:
    """Mutual k-NN (Huh et al. 2024, arXiv 2405.07987, appendix A): mean share of common neighbours, in [0, 1].

    k / (images - 1) is chance, 1 the same neighbours everywhere. Neighbours by cosine similarity, the image itself left
    out; unchanged by rotation and scale of either side.

    Args:
        one, other: features of the same images in the same order, (images, features of each).
        k: neighbours looked at, fewer than there are images.

    Raises:
        ValueError: other numbers of images, or k out of range.
    """
    one, other = as_features(one), as_features(other)
    if len(one) != len(other) or not 1 <= k < len(one):
        raise ValueError(f"{len(one)} and {len(other)} images, k {k}: take the same images, and k from 1 to images - 1")
    a, b = nearest(one, k), nearest(other, k)
    return float(np.mean([len(np.intersect1d(x, y)) / k for x, y in zip(a, b, strict=True)]))


def nearest(features: np.ndarray, k: int, queries: np.ndarray | None = None) -> np.ndarray:
    """Rows of the k images nearest to each query by cosine similarity, nearest first, itself left out: (queries, k).

    Args:
        features: (images, features).
        k: at most images - 1.
        queries: rows of `features`; all of them if not given.
    """
    unit = unit_length(features)
    queries = np.arange(len(unit)) if queries is None else np.asarray(queries)
    chunks = [queries[start : start + CHUNK] for start in range(0, len(queries), CHUNK)]
    return np.concatenate([_nearest(unit, chunk, k) for chunk in chunks])


def _nearest(unit, queries, k):
    similarity = unit[queries] @ unit.T
    similarity[np.arange(len(queries)), queries] = -np.inf
    return np.argsort(-similarity, axis=1, kind="stable")[:, :k]
