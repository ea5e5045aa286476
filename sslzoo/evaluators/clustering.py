"""Clustering: k-means on frozen features, scored by shape and, if labels are known, by agreement with them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import kmeans_plusplus
from sklearn.metrics import adjusted_rand_score, davies_bouldin_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from threadpoolctl import threadpool_limits

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study, WrongOption, as_features, as_labels, unit_length
from sslzoo.evaluators.axes import some_axes
from sslzoo.evaluators.lloyd import lloyd
from sslzoo.evaluators.silhouette import silhouettes
from sslzoo.utils.bars import progress

IMAGES = 10_000  # of k-means and Davies-Bouldin, at most
SILHOUETTE_IMAGES = 5_000  # its time and memory grow with the square
STARTS = 10
TOLERANCE = 1e-6  # of the inertia; starts and the last iterations end when one lowers it by less
AXES = 64  # principal axes that the starts see, or two for each cluster if that is more
TITLES = {
    "accuracy": "k-means, accuracy",
    "ari": "k-means, adjusted Rand index",
    "nmi": "k-means, mutual information",
    "silhouette": "k-means, silhouette",
    "davies_bouldin": "k-means, Davies-Bouldin (lower is better)",
}


class Clusters(NamedTuple):
    """What k-means found for each example, in the order of `rows`.

    Attributes:
        rows: row numbers of the features that were used, sorted.
        clusters: the cluster of each example, from 0.
        matched: the number of the class that each example's cluster is matched with, its place among the sorted
            classes; -1 for clusters in excess of the classes. None without labels.
        right: whether the matched class is that of the example, bool. None without labels.
        silhouette: of each example, in [-1, 1]; NaN for all but 5000 examples that are drawn. None if it is not
            defined.
    """

    rows: np.ndarray
    clusters: np.ndarray
    matched: np.ndarray | None
    right: np.ndarray | None
    silhouette: np.ndarray | None


def evaluate(study: Study, *, clusters: int | None = None) -> Iterator[Score]:
    """The scores of `clustering` of the test examples; without labels, `clusters` has to be given."""
    found = cluster_answers(study.test, study.test_labels, clusters)
    answers = _rows_to_draw(found, study.test_labels)
    for key, mean in cluster_scores(study.test, found, study.test_labels).items():
        statistic = key if key in ("ari", "nmi") else ""
        yield Score(key, mean, TITLES[key], percent=key == "accuracy", answers=answers.get(key), statistic=statistic)


def _rows_to_draw(found: Clusters, labels: np.ndarray | None) -> dict[str, np.ndarray]:
    """What intervals are computed from: key -> a row for each example."""
    answers = {}
    if found.silhouette is not None:
        answers["silhouette"] = found.silhouette[np.isfinite(found.silhouette)].astype("float32")
    if labels is not None:
        pairs = np.stack([np.unique(labels, return_inverse=True)[1][found.rows], found.clusters], 1)
        answers |= {"accuracy": found.right.astype("float32"), "ari": pairs, "nmi": pairs}
    return answers


@checked("N dim")
def clustering(features, labels=None, clusters: int | None = None, seed: int = 0) -> dict[str, float | None]:
    """k-means (k-means++, the best of 10 starts) on features of unit length, scored by `scores`.

    At most 10 000 examples, drawn by `seed`, are used.

    Args:
        features: (examples, features).
        labels: (examples,), or None.
        clusters: their number; by default that of the classes.
        seed: of the drawn examples and the starts.

    Returns:
        What `scores` returns.

    Raises:
        ValueError: unless 2 <= clusters < examples, or if neither labels nor clusters are given.
    """
    return cluster_scores(features, cluster_answers(features, labels, clusters, seed), labels)


def cluster_scores(features, found: Clusters, labels=None) -> dict[str, float | None]:
    """What `scores` returns, of the answers of `cluster_answers` for the same features and labels."""
    used = unit_length(as_features(features)[found.rows])
    return _scores(used, found, None if labels is None else np.asarray(labels)[found.rows])


@checked("N dim")
def cluster_answers(features, labels=None, clusters: int | None = None, seed: int = 0) -> Clusters:
    """The answers of `clustering` example by example, for paired comparisons; arguments as there.

    With 128 features or more, the 10 starts run on the 64 largest principal axes, and the best of them is continued on
    all features. On Fashion-MNIST this changes the inertia by at most 0.15 % in the mean of ten seeds, less than seeds
    differ.
    """
    features = as_features(features)
    labels = None if labels is None else as_labels(labels, features)
    if labels is None and clusters is None:
        raise ValueError("without labels the number of clusters is not known; give clusters=<number>")
    if clusters is not None and clusters < 2:
        raise WrongOption(f"clusters={clusters}: k-means needs at least 2 clusters and more examples")
    rows = _some(len(features), IMAGES, seed)
    features = unit_length(features[rows])
    clusters = clusters or len(np.unique(labels))
    if not 2 <= clusters < len(features):
        line = f"k-means needs at least 2 clusters and more examples: {clusters} clusters, {len(features)} examples"
        raise ValueError(line)
    found = k_means(features, clusters, seed)
    return _answers(features, found, None if labels is None else labels[rows], seed)._replace(rows=rows)


def scores(features, found, labels=None, seed: int = 0) -> dict[str, float | None]:
    """How good the clusters `found` (examples,) of `features` (examples, features) are.

    Returns:
        accuracy: share of examples in the right class when clusters and classes are matched one to one as well as can
        be (Hungarian method). ari: adjusted Rand index, 1 perfect, about 0 for chance. nmi: mutual information over the
        arithmetic mean of the entropies, in [0, 1]. These three need labels.
        silhouette: Euclidean, in [-1, 1], on at most 5000 examples drawn by `seed`. davies_bouldin: lower is better.
        The two depend on scale and dimension: compare them inside one experiment. None if there is a single cluster,
        which happens when an encoder has collapsed.
    """
    return _scores(features, _answers(features, found, labels, seed), labels)


def k_means(features: np.ndarray, clusters: int, seed: int = 0) -> np.ndarray:
    """The cluster of each example (examples,): the best of 10 starts in few dimensions, continued in all of them."""
    few, random = max(AXES, 2 * clusters), np.random.RandomState(seed)
    wide = features.shape[1] >= 2 * few
    with threadpool_limits(1):  # two threads on busy cores wait for each other: 35 s compared with 6 s
        seen = features @ some_axes(features, few).vectors if wide else features
        starts = (kmeans_plusplus(seen, clusters, random_state=random)[0] for _ in range(STARTS))
        ends = (lloyd(seen, start, TOLERANCE) for start in progress(starts, "k-means", STARTS))
        best = min(ends, key=lambda end: end.inertia)
        if not wide:
            return best.clusters
        members = np.eye(clusters, dtype="float32")[best.clusters]
        means = members.T @ features / np.maximum(members.sum(0), 1)[:, None]
        return lloyd(features, means, TOLERANCE).clusters


def _answers(features, found, labels, seed):
    found = np.asarray(found)
    matched, right = (None, None) if labels is None else _matched(found, labels)
    rows = _some(len(found), SILHOUETTE_IMAGES, seed)
    silhouette = None
    if _defined(found[rows]):
        silhouette = np.full(len(found), np.nan)
        silhouette[rows] = silhouettes(features[rows], found[rows])
    return Clusters(np.arange(len(found)), found, matched, right, silhouette)


def _matched(found, labels):
    """The class number of each example's cluster, and whether it is right."""
    classes, numbers = np.unique(found, return_inverse=True)
    table = contingency_matrix(labels, found)
    kind, cluster = linear_sum_assignment(table, maximize=True)
    class_of = np.full(len(classes), -1)
    class_of[cluster] = kind
    return class_of[numbers], class_of[numbers] == np.unique(labels, return_inverse=True)[1]


def _scores(features, found, labels):
    by_shape = {
        "silhouette": None if found.silhouette is None else float(np.nanmean(found.silhouette)),
        "davies_bouldin": _davies_bouldin(features, found.clusters),
    }
    if labels is None:
        return by_shape
    by_label = {
        "accuracy": float(np.mean(found.right)),
        "ari": float(adjusted_rand_score(labels, found.clusters)),
        "nmi": float(normalized_mutual_info_score(labels, found.clusters)),
    }
    return by_label | by_shape


def _davies_bouldin(features, clusters):
    return float(davies_bouldin_score(features, clusters)) if _defined(clusters) else None


def _defined(clusters):
    return 2 <= len(np.unique(clusters)) < len(clusters)


def _some(count, limit, seed):
    """At most `limit` row numbers, sorted, drawn by `seed`."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:limit])
