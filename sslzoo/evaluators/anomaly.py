"""Anomalies: examples far from the training examples of one class, and steps of a series that change its features."""

from collections.abc import Iterator, Mapping

import numpy as np
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study, as_features, check_classes
from sslzoo.evaluators.report import Row
from sslzoo.evaluators.scores import Scores
from sslzoo.evaluators.two_class import auc_of
from sslzoo.evaluators.windows import Encode, as_series, features_of, named, windows

NEIGHBOURS = 2
REFERENCE = 21  # steps; of TS2Vec's code
TRAIN = 0.5  # share of the steps


def evaluate(study: Study, *, neighbours: int = NEIGHBOURS) -> Iterator[Score]:
    """Mean over the classes of the ROC AUC with which `distances` finds the test examples of all other classes.

    Each class in turn is taken as normal: the distances are those to its training examples.
    """
    labels, test_labels = study.labels
    check_classes(labels)
    normal = [label for label in np.unique(labels) if 0 < np.sum(test_labels == label) < len(test_labels)]
    if not normal:
        raise ValueError("the test labels hold no class of the train labels, or a single class")
    found = [distances(study.train[labels == label], study.test, neighbours) for label in normal]
    other = [test_labels != label for label in normal]
    rows = np.stack([other, found], axis=-1).transpose(1, 0, 2)
    title = f"anomaly AUC, {neighbours} neighbours of one class"
    yield Score("anomaly", one_class(rows), title, answers=rows, statistic="one_class")


def one_class(rows: np.ndarray) -> float:
    """Mean over the classes of the AUC, of (examples, classes, 2): whether of another class, and the distance."""
    return float(np.mean([auc_of(rows[:, place]) for place in range(rows.shape[1])]))


@checked("N dim", "M dim")
def distances(bank, queries, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """Mean Euclidean distance of each query to its nearest features of the bank, at most all (arXiv 2002.10445).

    Args:
        bank: features of normal examples (examples, dim).
        queries: features (queries, dim).
        neighbours: number of neighbours.

    Returns:
        (queries,).
    """
    bank, queries = as_features(bank), as_features(queries)
    with threadpool_limits(1):
        index = NearestNeighbors(n_neighbors=min(neighbours, len(bank)), algorithm="brute").fit(bank)
        return index.kneighbors(queries)[0].mean(1)


@checked()
def last_step(encode: Encode, series, window: int = 96, reference: int = REFERENCE) -> np.ndarray:
    """How much the last step of a window changes its features, as TS2Vec finds anomalies without training on them.

    For each step, the L1 distance between the features of the window that ends with it, with this step and with a
    missing value in its place, divided by the mean of the distances of the `reference` steps before, less 1. TS2Vec
    masks the step after its first layer; here it is NaN in the input, which encoders replace by the mean.

    Source: arXiv 2106.10466, section 4.3.

    Args:
        encode: windows (n, window, channels) of raw values, NaN for missing ones -> features (n, dim).
        series: (steps, channels), or (steps,) for one channel; finite.
        window: steps of a window.
        reference: steps before.

    Returns:
        (steps,), 0 where fewer than `reference` distances before it are known.
    """
    series = as_series(series)
    if window < 2:
        raise ValueError(f"window={window}: a step is masked, 2 or more are required")
    if len(series) < window + reference:
        raise ValueError(f"series has {len(series)} steps: window + reference = {window + reference} are required")
    found = windows(series, window, np.arange(window, len(series) + 1))
    masked = found.copy()
    masked[:, -1] = np.nan
    changes = np.abs(features_of(encode, found) - features_of(encode, masked)).sum(1, dtype="float64")
    before = np.lib.stride_tricks.sliding_window_view(changes, reference)[:-1].mean(1)
    scores = changes[reference:] / np.maximum(before, 1e-12 + 1e-6 * changes.mean()) - 1
    return np.concatenate([np.zeros(len(series) - len(scores)), scores])


@checked()
def anomalies(
    encode: Encode | Mapping[str, Encode],
    series,
    labels,
    window: int = 96,
    neighbours: int = NEIGHBOURS,
    reference: int = REFERENCE,
) -> Scores:
    """ROC AUC of two detectors of anomalous steps in the second half of a long series.

    "last step" is `last_step`. "neighbours" is the distance of the features of the window that ends with a step to the
    nearest of the windows of the first half whose steps are all normal. The raw values of the windows are the baseline.

    Args:
        encode: as of `last_step`, or a mapping of names to several.
        series: (steps, channels), or (steps,) for one channel; finite.
        labels: whether each step is an anomaly, (steps,).
        window: steps of a window.
        neighbours: as of `distances`.
        reference: as of `last_step`.

    Returns:
        Rows with the keys "last_step_auc" and "neighbours_auc" for each encoder and for the raw values.

    Raises:
        ValueError: other shapes, no normal window in the first half, or one kind of steps in the second.
    """
    series, labels = as_series(series), np.asarray(labels).astype(bool)
    if labels.shape != series.shape[:1]:
        raise ValueError(f"labels must be one for each of {len(series)} steps, got shape {labels.shape}")
    split = int(TRAIN * len(series))
    normal = [end for end in range(window, split + 1) if not labels[end - window : end].any()]
    if not normal or len(np.unique(labels[split:])) < 2:
        raise ValueError(
            f"labels: a normal window={window} in the first half and both kinds in the second are required"
        )
    test, rows = np.arange(split + 1, len(series) + 1), []
    bank, queries = windows(series, window, np.array(normal)), windows(series, window, test)
    for name, one in named(encode).items():
        far = distances(features_of(one, bank), features_of(one, queries), neighbours)
        found = {"last step": last_step(one, series, window, reference)[split:], "neighbours": far}
        for detector, scores in found.items():
            area = auc_of(np.stack([labels[split:], scores], axis=1))
            rows.append(Row(f"anomaly AUC, {detector}", name, area, key=f"{detector.replace(' ', '_')}_auc"))
    notes = [f"{labels[split:].sum()} of {len(test)} test steps are anomalies; chance 0.5"]
    return Scores(rows, notes)
