"""Judge: every score of every set of features, with paired intervals of what training gained over the baselines."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from tqdm.auto import tqdm

from sslzoo.evaluators import as_features
from sslzoo.evaluators.bootstrap import Difference, difference_of, paired_difference
from sslzoo.evaluators.clustering import cluster_answers, cluster_scores
from sslzoo.evaluators.dense import iou_of
from sslzoo.evaluators.knn import vote
from sslzoo.evaluators.linear import label_subset, linear_answers
from sslzoo.evaluators.report import Row

METRICS = ("linear", "knn", "clustering")
TRAINED = "trained"
CLUSTERING = {
    "accuracy": "k-means, accuracy",
    "ari": "k-means, adjusted Rand index",
    "nmi": "k-means, mutual information",
    "silhouette": "k-means, silhouette",
    "davies_bouldin": "k-means, Davies-Bouldin (lower is better)",
}


class Scored(NamedTuple):
    """One score of one set of features.

    Attributes:
        key, metric: identifier, and title for tables.
        mean, std: the score, None where it is not defined, and its deviation over draws of the labels or over seeds.
        percent: whether it is a share.
        answers: what an interval is computed from, or None: a value for each test image (images,), or (draws of the
            labels, images); with `statistic`, rows (images, ...) of which the score is a function.
        statistic: name in STATISTICS.
    """

    key: str
    metric: str
    mean: float | None
    std: float | None = None
    percent: bool = False
    answers: np.ndarray | None = None
    statistic: str = ""


STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    "ari": lambda rows: adjusted_rand_score(rows[:, 0], rows[:, 1]),
    "nmi": lambda rows: normalized_mutual_info_score(rows[:, 0], rows[:, 1]),
    "iou": iou_of,
}


Column = Sequence[tuple[np.ndarray, np.ndarray]]  # of one set of features: (train, test) of each encoder in it


def judge(
    columns: Mapping[str, Column],
    train_y=None,
    test_y=None,
    *,
    metrics: Sequence[str] = METRICS,
    fractions: Sequence[float] = (0.01, 0.1, 1.0),
    seeds: int = 5,
    k: int = 20,
    temperature: float = 0.07,
    clusters: int | None = None,
    known: Mapping[str, Sequence[Sequence[Scored]]] | None = None,
) -> tuple[list[Row], dict[str, list[list[Scored]]]]:
    """Every score of every set of features, with paired intervals of what "trained" gains over each other set.

    Args:
        columns: name -> one or more (train features, test features); several are encoders with other seeds, whose mean
            and deviation are taken. For example "trained", "untrained", "raw pixels".
        train_y, test_y: labels; None where there are none, and then `metrics` can be ("clustering",) alone.
        metrics: some of "linear", "knn", "clustering".
        fractions, seeds: shares of the labels for the linear probe, and draws of each share.
        k, temperature: of the k-NN vote.
        clusters: for k-means; as many as there are classes where it is None.
        known: name -> scores of a set of features that were computed before, which is then not in `columns`.

    Returns:
        Rows, and for each name the scores of each of its encoders.

    Raises:
        ValueError: for an unknown metric, or one that needs labels without them.
    """
    _check(metrics, train_y, test_y, clusters)
    scorers = {
        "linear": lambda train, test: _linear(train, train_y, test, test_y, fractions, seeds),
        "knn": lambda train, test: _knn(train, train_y, test, test_y, k, temperature),
        "clustering": lambda train, test: _clustering(test, test_y, clusters),
    }
    count = sum(map(len, columns.values())) * len(metrics)
    with tqdm(total=count, desc="scores", unit="score", leave=False, disable=None) as bar:

        def score(part: tuple[np.ndarray, np.ndarray]) -> list[Scored]:
            found = []
            for metric in metrics:
                found += scorers[metric](*map(as_features, part))
                bar.update()
            return found

        scores = {name: [score(part) for part in column] for name, column in columns.items()}
    scores |= {name: [*map(list, encoders)] for name, encoders in (known or {}).items()}
    return rows_of(scores), scores


def rows_of(scores: Mapping[str, Sequence[Sequence[Scored]]]) -> list[Row]:
    """Rows of the table of `judge`: name of a set of features -> the scores of each of its encoders."""
    by_key = {name: {same[0].key: same for same in zip(*encoders, strict=True)} for name, encoders in scores.items()}
    return [
        _row(name, same, _gains(key, same, by_key) if name == TRAINED else {})
        for name, found in by_key.items()
        for key, same in found.items()
    ]


def _row(name: str, same: Sequence[Scored], gains: dict[str, Difference]) -> Row:
    first = same[0]
    mean, std = first.mean, first.std
    if len(same) > 1:
        means = [one.mean for one in same if one.mean is not None]
        mean, std = (float(np.mean(means)), float(np.std(means, ddof=1))) if len(means) > 1 else (None, None)
    return Row(first.metric, name, mean, std, first.percent, first.key, gains=gains)


def _gains(key: str, same: Sequence[Scored], by_key: Mapping[str, Mapping]) -> dict[str, Difference]:
    others = {name: found[key] for name, found in by_key.items() if name != TRAINED and key in found}
    pairs = {name: (same[0].answers, [one.answers for one in found]) for name, found in others.items()}
    return {
        name: _difference(same[0].statistic, one, rest)
        for name, (one, rest) in pairs.items()
        if one is not None and all(other is not None for other in rest)
    }


def _difference(statistic: str, one: np.ndarray, others: Sequence[np.ndarray]) -> Difference:
    if statistic:
        return difference_of(STATISTICS[statistic], one, others)
    return paired_difference(one, np.mean(others, axis=0))


def _check(metrics, train_y, test_y, clusters):
    unknown = [metric for metric in metrics if metric not in METRICS]
    if unknown:
        raise ValueError(f"no metric is called {', '.join(unknown)}; choose from {', '.join(METRICS)}")
    if {"linear", "knn"} & set(metrics) and (train_y is None or test_y is None):
        raise ValueError(
            "the linear probe and k-NN need labels of the train and test images; without labels judge with "
            "metrics=('clustering',) and clusters=<number>, which gives silhouette and Davies-Bouldin"
        )
    if test_y is None and clusters is None:
        raise ValueError("without labels the number of clusters is not known; give clusters=<number>")


def _linear(train_x, train_y, test_x, test_y, fractions, seeds) -> Iterator[Scored]:
    before = 0
    for fraction in fractions:
        labels = len(label_subset(np.asarray(train_y), fraction))
        if labels == before:  # so few images that a smaller share already took them all
            continue
        before, whole = labels, labels == len(train_y)
        right = linear_answers(train_x, train_y, test_x, test_y, fraction, 1 if whole else seeds)
        shares = right.mean(1)
        std = float(np.std(shares, ddof=1)) if len(shares) > 1 else None
        title = (
            f"linear probe, {'all ' * whole}{labels} labels" + (not whole) * f" ({100 * labels / len(train_y):.2g} %)"
        )
        yield Scored(f"linear_{fraction:g}", title, float(np.mean(shares)), std, True, right.astype("float32"))


def _knn(train_x, train_y, test_x, test_y, k, temperature) -> Iterator[Scored]:
    right = (vote(train_x, train_y, test_x, k, temperature) == test_y).astype("float32")
    yield Scored("knn", f"k-NN, {min(k, len(train_x))} neighbours", float(right.mean()), None, True, right)


def _clustering(test_x, test_y, clusters) -> Iterator[Scored]:
    found = cluster_answers(test_x, test_y, clusters)
    means = cluster_scores(test_x, found, test_y)
    answers: dict[str, np.ndarray] = {}
    if found.silhouette is not None:
        answers["silhouette"] = found.silhouette[np.isfinite(found.silhouette)].astype("float32")
    if test_y is not None:
        pairs = np.stack([np.unique(test_y, return_inverse=True)[1][found.rows], found.clusters], 1)
        answers |= {"accuracy": found.right.astype("float32"), "ari": pairs, "nmi": pairs}
    for key, mean in means.items():
        statistic = key if key in STATISTICS else ""
        yield Scored(key, CLUSTERING[key], mean, None, key == "accuracy", answers.get(key), statistic)
