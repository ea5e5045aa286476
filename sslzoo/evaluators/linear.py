"""Linear probe: how well a logistic regression on frozen features tells the classes apart, with many labels or few."""

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from sslzoo.evaluators import as_features, as_labels

STRENGTHS = tuple(10.0**power for power in range(-4, 4))  # scikit-learn's C, from strong to weak regularization
FALLBACK_STRENGTH = 0.01
CHOOSING_IMAGES = 5000  # C is chosen on at most so many
FOLDS = 5
ITERATIONS = 100
PATIENCE = 2


def linear_probe(train_x, train_y, test_x, test_y, fraction: float = 1.0, seed: int = 0) -> float:
    """Accuracy on the test part of multinomial logistic regression, in [0, 1].

    The features are standardized with mean and deviation of the whole train part, whose images are at hand even where
    their labels are not. The labels of a stratified `fraction` are used: C is chosen by accuracy on held-out images
    among them, then the probe is fitted to all of them. The test part takes no part in any choice.

    Args:
        train_x, test_x: features (images, features).
        train_y, test_y: labels (images,).
        fraction: share of the train labels in (0, 1], at least one image of every class.
        seed: decides which labels, and which of them are held out.

    Raises:
        ValueError: for features or labels of a wrong shape, NaN, a single class, or a fraction outside (0, 1].
    """
    return _accuracy(*_prepared(train_x, train_y, test_x, test_y), fraction, seed)


def linear_probes(
    train_x, train_y, test_x, test_y, fractions: Sequence[float] = (0.01, 0.1, 1.0), seeds: int = 5
) -> dict[float, tuple[float, float | None]]:
    """`linear_probe` for several shares of the labels, each with `seeds` draws of which labels.

    Returns:
        {fraction: (mean, standard deviation over the draws)}. All labels can be drawn in one way alone: there, and with
        a single draw, the deviation is None.
    """
    data = _prepared(train_x, train_y, test_x, test_y)
    return {fraction: _spread(data, fraction, seeds if fraction < 1 else 1) for fraction in fractions}


def label_subset(labels: np.ndarray, fraction: float, seed: int = 0) -> np.ndarray:
    """Sorted indices of a random `fraction` of every class, rounded, but at least one image of each.

    Raises:
        ValueError: unless 0 < fraction <= 1.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"the share of the labels must be in (0, 1], not {fraction}")
    random = np.random.default_rng(seed)
    classes = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    return np.sort(np.concatenate([rows[: max(1, round(fraction * len(rows)))] for rows in classes]))


def fit(x: np.ndarray, y: np.ndarray, seed: int = 0) -> LogisticRegression:
    """The probe on standardized features (images, features) with the C that its own held-out images prefer."""
    return _fit(LogisticRegression(C=choose_strength(x, y, seed), max_iter=ITERATIONS), x, y)


def choose_strength(x: np.ndarray, y: np.ndarray, seed: int = 0) -> float:
    """The C with the best accuracy on held-out images; of equal ones the most regularized.

    Five folds, or as many as the rarest class has images; from 2000 images on a single fold is steady enough. With one
    image in a class nothing can be held out: C is then 0.01. C weighs the sum of the losses, not their mean: it stands
    for the prior on the weights, and is kept as it is when the probe is fitted to more images than it was chosen on
    (for Fashion-MNIST pixels that is 0.4 points better than keeping the weight of the mean).
    """
    rows = label_subset(y, min(1.0, CHOOSING_IMAGES / len(y)), seed)
    x, y = x[rows], y[rows]
    splits = _splits(y, seed)
    probes = [LogisticRegression(warm_start=True, max_iter=ITERATIONS) for _ in splits]
    scores = []
    for strength in STRENGTHS if splits else ():
        probes = [probe.set_params(C=strength) for probe in probes]
        scores.append(np.mean([_held_out(p, x, y, *split) for p, split in zip(probes, splits, strict=True)]))
        if len(scores) - 1 - np.argmax(scores) == PATIENCE:
            break
    return STRENGTHS[int(np.argmax(scores))] if scores else FALLBACK_STRENGTH


def _splits(y, seed):
    rarest = np.unique(y, return_counts=True)[1].min()
    if rarest < 2:
        return []
    folds = StratifiedKFold(min(FOLDS, rarest), shuffle=True, random_state=seed).split(y, y)
    return list(folds)[: 1 if len(y) >= 2000 else None]


def _held_out(probe, x, y, fitted, held_out):
    return _fit(probe, x[fitted], y[fitted]).score(x[held_out], y[held_out])


def _fit(probe, x, y):
    # One thread: products this thin wait for memory, and two threads that share busy cores took up to 20 times as long.
    with warnings.catch_warnings(), threadpool_limits(1):
        # The limit is meant: four times the iterations move Fashion-MNIST pixels by 0.14 points at most.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return probe.fit(x, y)


def _prepared(train_x, train_y, test_x, test_y):
    train_x, test_x = as_features(train_x), as_features(test_x)
    train_y, test_y = as_labels(train_y, train_x), as_labels(test_y, test_x)
    if len(np.unique(train_y)) < 2:
        raise ValueError("the train labels hold a single class; a linear probe needs two or more")
    return *standardize(train_x, test_x), train_y, test_y


def standardize(train_x: np.ndarray, test_x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both parts with the train part's mean at 0 and deviation at 1; a constant feature becomes 0 in the train part."""
    mean, deviation = train_x.mean(0, dtype="float64"), train_x.std(0, dtype="float64")
    # A deviation below float32's resolution of the mean is rounding, and would be blown up to noise.
    scale = np.where(deviation > np.finfo("float32").eps * np.abs(mean), deviation, 1)
    return tuple(((x - mean.astype("float32")) / scale.astype("float32")) for x in (train_x, test_x))


def _accuracy(train_x, test_x, train_y, test_y, fraction, seed):
    rows = label_subset(train_y, fraction, seed)
    return float(fit(train_x[rows], train_y[rows], seed).score(test_x, test_y))


def _spread(data, fraction, seeds):
    scores = [_accuracy(*data, fraction, seed) for seed in range(seeds)]
    return float(np.mean(scores)), float(np.std(scores, ddof=1)) if seeds > 1 else None


def linear_answers(train_x, train_y, test_x, test_y, fraction: float = 1.0, seeds: int = 5) -> np.ndarray:
    """Whether the probe is right for each test image, in each draw of the labels: bool (draws, images)."""
    train_x, test_x, train_y, test_y = _prepared(train_x, train_y, test_x, test_y)
    answers = []
    for seed in range(seeds if fraction < 1 else 1):
        rows = label_subset(train_y, fraction, seed)
        answers.append(fit(train_x[rows], train_y[rows], seed).predict(test_x) == test_y)
    return np.array(answers)
