"""Few-shot: accuracy on tasks of a few classes with a few labelled examples each, by the nearest class mean."""

from collections.abc import Iterator

import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study, as_features, as_labels, unit_length

QUERIES = 15


def evaluate(study: Study) -> Iterator[Score]:
    """Accuracy of 1-shot and 5-shot tasks of up to five classes; the deviation is half the 95 % interval."""
    _, labels = study.labels
    counts, missing = np.unique(labels, return_counts=True)[1], []
    for shots in (1, 5):
        ways = min(5, int(np.sum(counts >= shots + QUERIES)))
        if ways < 2:
            missing.append(f"{shots}-shot tasks need two classes of {shots + QUERIES} test examples")
            continue
        found = few_shot_episodes(study.test, labels, ways, shots)
        half = 1.96 * float(np.std(found, ddof=1)) / len(found) ** 0.5
        title = f"few-shot, {ways} classes, {shots} example{'s' * (shots > 1)} each"
        yield Score(f"few_shot_{shots}", float(np.mean(found)), title, half, True, answers=found)
    if missing:
        raise ValueError(", ".join(missing))


@checked("N dim")
def few_shot(
    features, labels, ways: int = 5, shots: int = 1, queries: int = QUERIES, episodes: int = 600, seed: int = 0
) -> tuple[float, float]:
    """N-way K-shot accuracy: each query is assigned to the nearest class mean (arXiv 1703.05175, equations 1 and 2).

    Means of features of unit length, Euclidean distance: SimpleShot's L2N (arXiv 1911.04623, section 3).

    Args:
        features: (examples, features).
        labels: (examples,).
        ways: classes of an episode, N.
        shots: labelled examples of each class, K.
        queries: examples of each class to classify.
        episodes: number of tasks.
        seed: of the draws.

    Returns:
        Mean accuracy over the episodes in [0, 1], and half the width of its 95 % interval.

    Raises:
        ValueError: fewer than `ways` classes have shots + queries examples, or a number that is not positive.
    """
    found = few_shot_episodes(features, labels, ways, shots, queries, episodes, seed)
    return float(np.mean(found)), float(1.96 * np.std(found, ddof=1) / np.sqrt(episodes))


@checked("N dim")
def few_shot_episodes(
    features, labels, ways: int = 5, shots: int = 1, queries: int = QUERIES, episodes: int = 600, seed: int = 0
) -> np.ndarray:
    """Accuracy of each task of `few_shot` (episodes,); the tasks depend on the labels and the seed alone."""
    features = as_features(features)
    labels = as_labels(labels, features)
    if ways < 2 or min(shots, queries) < 1 or episodes < 2:
        raise ValueError(f"{ways} ways, {shots} shots, {queries} queries, {episodes} episodes: take 2, 1, 1, 2 or more")
    rows = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    rows = [some for some in rows if len(some) >= shots + queries]
    if len(rows) < ways:
        raise ValueError(f"{len(rows)} classes have {shots + queries} examples: {ways} ways need {ways} such classes")
    random, unit = np.random.default_rng(seed), unit_length(features)
    return np.array([episode(unit, _draw(random, rows, ways, shots + queries), shots) for _ in range(episodes)])


def episode(features: np.ndarray, chosen: np.ndarray, shots: int) -> float:
    """Accuracy of one task.

    Args:
        features: (examples, features).
        chosen: rows of `features` (ways, shots + queries), a line for each class.
        shots: how many of each line are labelled.
    """
    means = features[chosen[:, :shots]].mean(1)
    queries = features[chosen[:, shots:]]
    distances = (means**2).sum(1) - 2 * queries @ means.T  # and the length of the query, the same for every mean
    return float(np.mean(distances.argmin(-1) == np.arange(len(chosen))[:, None]))


def _draw(random, rows, ways, count):
    classes = random.permutation(len(rows))[:ways]
    return np.stack([random.permutation(rows[one])[:count] for one in classes])
