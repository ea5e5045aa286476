"""Clustering: k-means on frozen features, scored by its shape alone and, where there are labels, against them."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, davies_bouldin_score, normalized_mutual_info_score, silhouette_score
from sklearn.metrics.cluster import contingency_matrix
from threadpoolctl import threadpool_limits

from sslzoo.evaluators import as_features, as_labels, unit_length

IMAGES = 10_000  # k-means and Davies-Bouldin see at most so many
SILHOUETTE_IMAGES = 5_000  # its time and memory grow with the square
STARTS = 10


def clustering(features, labels=None, clusters: int | None = None, seed: int = 0) -> dict[str, float | None]:
    """k-means (k-means++, the best of 10 starts) on features of unit length, scored by `scores`.

    At most 10 000 images, drawn by `seed`, are looked at.

    Args:
        features: (images, features).
        labels: (images,), or None.
        clusters: how many to look for; as many as there are classes where it is None.

    Returns:
        What `scores` returns.

    Raises:
        ValueError: unless 2 <= clusters < images, or if neither labels nor clusters are given.
    """
    features = as_features(features)
    labels = None if labels is None else as_labels(labels, features)
    if labels is None and clusters is None:
        raise ValueError("without labels the number of clusters is not known; give clusters=<number>")
    rows = _some(len(features), IMAGES, seed)
    features = unit_length(features[rows])
    clusters = clusters or len(np.unique(labels))
    if not 2 <= clusters < len(features):
        raise ValueError(
            f"k-means needs at least 2 clusters and more images: {clusters} clusters, {len(features)} images"
        )
    with threadpool_limits(1):  # two threads that share busy cores wait for each other: 35 s where one takes 6
        found = KMeans(clusters, n_init=STARTS, random_state=seed).fit_predict(features)
    return scores(features, found, None if labels is None else labels[rows], seed)


def scores(features, found, labels=None, seed: int = 0) -> dict[str, float | None]:
    """How good the clusters `found` (images,) of `features` (images, features) are.

    Returns:
        accuracy: share of images in the right class when clusters and classes are matched one to one as well as can be
        (Hungarian method). ari: adjusted Rand index, 1 perfect, about 0 for chance. nmi: mutual information over the
        arithmetic mean of the entropies, in [0, 1]. These three need labels.
        silhouette: Euclidean, in [-1, 1], on at most 5000 images drawn by `seed`. davies_bouldin: lower is better. The
        two depend on scale and dimension: compare them inside one experiment. None where a cluster has no other beside
        it, as happens when an encoder has collapsed.
    """
    rows = _some(len(found), SILHOUETTE_IMAGES, seed)
    shape = {
        "silhouette": _shape_score(silhouette_score, features[rows], found[rows]),
        "davies_bouldin": _shape_score(davies_bouldin_score, features, found),
    }
    return shape if labels is None else _label_scores(found, labels) | shape


def _label_scores(found, labels):
    table = contingency_matrix(labels, found)
    matched = table[linear_sum_assignment(table, maximize=True)].sum()
    return {
        "accuracy": float(matched / len(labels)),
        "ari": float(adjusted_rand_score(labels, found)),
        "nmi": float(normalized_mutual_info_score(labels, found)),
    }


def _shape_score(score, features, found):
    defined = 2 <= len(np.unique(found)) < len(found)
    return float(score(features, found)) if defined else None


def _some(images, limit, seed):
    """At most `limit` row numbers, sorted, drawn by `seed`."""
    return np.sort(np.random.default_rng(seed).permutation(images)[:limit])
