"""Linear probe: accuracy of a logistic regression on frozen features, for several shares of the labels."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study, WrongOption, as_features, as_labels, check_classes, two_class
from sslzoo.evaluators.logistic import logits, rotated, solve

STRENGTHS = tuple(10.0**power for power in range(-4, 4))  # scikit-learn's C, from strong to weak regularization
FALLBACK_STRENGTH = 0.01
SCARCE_STRENGTH = 1.0
CHOOSING_IMAGES = 5000  # examples on which C is chosen, at most
FOLDS = 5
PATIENCE = 2
TOLERANCE = 1e-4  # of the mean loss; 1e-5 moves the accuracy on Fashion-MNIST by 0.1 points at most
CHOOSING_TOLERANCE = 3e-4
FRACTIONS, SEEDS = (0.01, 0.1, 1.0), 5


class Predicted(NamedTuple):
    """Predictions for test examples by a classifier.

    Attributes:
        labels: (draws of the labels, examples).
        margins: of the second of two classes, which is predicted above 0, (draws, examples); () for other classes.
    """

    labels: np.ndarray
    margins: np.ndarray


def evaluate(study: Study, *, fractions: Sequence[float] = FRACTIONS, seeds: int = SEEDS) -> Iterator[Score]:
    """Accuracy of `linear_probe` for each share of the labels; of two unequal classes AUC and balanced accuracy too.

    With few examples, several shares may be the same labels, at least one of each class; they give one score.
    """
    yield from shares(study, linear_predictions, fractions, seeds)


def shares(study: Study, predictions: Callable, fractions: Sequence[float], seeds: int) -> Iterator[Score]:
    """Scores of a classifier for each share of the labels, under the keys of the linear probe.

    Args:
        study: with labels.
        predictions: as `linear_predictions`.
        fractions: shares of the labels.
        seeds: draws of the labels at shares below 1.
    """
    if seeds < 1:
        raise WrongOption(f"seeds={seeds}: at least one draw of the labels is needed")
    if not len(fractions):
        raise WrongOption("fractions=...: give one share of the labels or more")
    labels, before = study.labels[0], 0
    for fraction in fractions:
        count = len(label_subset(labels, fraction))
        if count != before:
            yield from _scores(study, predictions, 1.0 if count == len(labels) else fraction, count, seeds)
        before = count


def _scores(study: Study, predictions: Callable, fraction: float, count: int, seeds: int) -> Iterator[Score]:
    labels, test_labels = study.labels
    found = predictions(study.train, labels, study.test, fraction, seeds)
    right = found.labels == test_labels
    mean, std = _spread(right)
    used = f"all {count} labels" if fraction == 1 else f"{count} labels ({100 * count / len(labels):.2g} %)"
    title = f"linear probe, {used}"
    yield Score(f"linear_{fraction:g}", mean, title, std, True, answers=right.astype("float32"))
    if two_class.unequal(labels, test_labels):
        yield from two_class.scores(f"{fraction:g}", title, test_labels == np.unique(labels)[1], found.margins)


class Probe:
    """The linear probe on all labels of a study, for features of any examples.

    Attributes:
        classes: those of the training examples, sorted.
    """

    def __init__(self, study: Study):
        self.train, labels = study.train, study.labels[0]
        check_classes(labels)
        self.fitted = fit(standardize(study.train, study.test)[0], labels)
        self.classes = self.fitted.classes_

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Of each class: (examples, classes)."""
        return self.fitted.predict_proba(standardize(self.train, features)[1])

    def answers(self, features: np.ndarray) -> np.ndarray:
        """The most probable class of each example."""
        return self.classes[self.probabilities(features).argmax(1)]


def probe(study: Study) -> Probe:
    """The probe of a study, fitted once."""
    if "probe" not in study.shared:
        study.shared["probe"] = Probe(study)
    return study.shared["probe"]


@checked("N dim", "", "M dim", "")
def linear_probe(train_x, train_y, test_x, test_y, fraction: float = 1.0, seed: int = 0) -> float:
    """Accuracy on the test part of multinomial logistic regression, in [0, 1].

    The features are standardized with mean and deviation of the whole train part, for which no labels are needed. Of
    the labels, a stratified `fraction` is used: C is chosen by accuracy on held-out examples among them, then the probe
    is fitted to all of them. No choice depends on the test part.

    Args:
        train_x, test_x: features (examples, features).
        train_y, test_y: labels (examples,).
        fraction: share of the train labels in (0, 1], at least one example of every class.
        seed: decides which labels, and which of them are held out.

    Raises:
        ValueError: for features or labels of a wrong shape, NaN, a single class, or a fraction outside (0, 1].
    """
    return float(_answers(_prepared(train_x, train_y, test_x, test_y), fraction, [seed]).mean())


@checked("N dim", "", "M dim", "")
def linear_answers(train_x, train_y, test_x, test_y, fraction: float = 1.0, seeds: int = SEEDS) -> np.ndarray:
    """Whether `linear_probe` is right on each test example, for paired comparisons over examples and draws of the
    labels.

    Args:
        train_x, train_y, test_x, test_y, fraction: as for `linear_probe`.
        seeds: draws of the labels; one if `fraction` is 1.

    Returns:
        bool (draws, test examples).
    """
    return _answers(_prepared(train_x, train_y, test_x, test_y), fraction, draws_of(fraction, seeds))


@checked("N dim", "", "M dim")
def linear_predictions(train_x, train_y, test_x, fraction: float = 1.0, seeds: int = SEEDS) -> Predicted:
    """What `linear_probe` predicts for the test examples; the arguments are those of `linear_answers`."""
    train_x, test_x = as_features(train_x), as_features(test_x)
    train_y = as_labels(train_y, train_x)
    check_classes(train_y)
    return _predicted(*standardize(train_x, test_x), train_y, fraction, draws_of(fraction, seeds))


@checked("N dim", "", "M dim", "")
def linear_probes(
    train_x, train_y, test_x, test_y, fractions: Sequence[float] = FRACTIONS, seeds: int = SEEDS
) -> dict[float, tuple[float, float | None]]:
    """`linear_probe` for several shares of the labels: means over the draws of `linear_answers`.

    Returns:
        {fraction: (mean, standard deviation over the draws)}; the deviation is None for a single draw.
    """
    data = _prepared(train_x, train_y, test_x, test_y)
    return {fraction: _spread(_answers(data, fraction, draws_of(fraction, seeds))) for fraction in fractions}


def label_subset(labels: np.ndarray, fraction: float, seed: int = 0) -> np.ndarray:
    """Sorted indices of a random `fraction` of every class, rounded, but at least one example of each.

    Raises:
        ValueError: unless 0 < fraction <= 1.
    """
    if not 0 < fraction <= 1:
        raise WrongOption(f"a fraction of the labels must be above 0 and at most 1, got {fraction}")
    random = np.random.default_rng(seed)
    classes = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    return np.sort(np.concatenate([rows[: max(1, round(fraction * len(rows)))] for rows in classes]))


def fit(x: np.ndarray, y: np.ndarray, seed: int = 0) -> LogisticRegression:
    """The probe on standardized features (examples, features), C chosen on held-out examples among them.

    Returns:
        A fitted scikit-learn estimator.
    """
    classes, numbers = np.unique(y, return_inverse=True)
    # One thread: such thin products are bound by memory; two threads on busy cores took up to 20 times as long.
    with threadpool_limits(1):
        turned, rotation, axes = rotated(x)
        strength, start = _walk(turned, numbers, seed, axes)
        weights = solve(turned, numbers, np.ones((len(y), 1), bool), strength, start, axes, TOLERANCE)[:, 0]
    inner = weights[:-1] if rotation is None else rotation @ weights[:-1]
    return _estimator(inner, weights[-1], classes, strength)


def choose_strength(x: np.ndarray, y: np.ndarray, seed: int = 0) -> float:
    """The C with the best accuracy on held-out examples; of equal ones the most regularized.

    Five folds, or the number of examples of the rarest class if that is smaller; one fold from 2000 examples on. If a
    class has one example, nothing can be held out and C is 0.01. Where a class has fewer examples than five and no C is
    better than always the largest class, which the strongest regularization predicts, C is 1. C weights the sum of the
    losses, not their mean: it is the prior on the weights, and stays the same when the probe is fitted to more examples
    than C was chosen on (for Fashion-MNIST pixels this is 0.4 points better than the same weight of the mean).
    """
    with threadpool_limits(1):
        turned, _, axes = rotated(x)
        return _walk(turned, np.unique(y, return_inverse=True)[1], seed, axes)[0]


def _walk(x, y, seed, axes):
    """The chosen C, and weights (features + 1, 1, classes) near those of all examples at that C."""
    rows = label_subset(y, min(1.0, CHOOSING_IMAGES / len(y)), seed)
    weights = np.zeros((x.shape[1] + 1, 1, y.max() + 1), "float32")
    x, y = x[rows], y[rows]
    held_out = _held_out(y, seed)
    if not held_out.any():
        return FALLBACK_STRENGTH, weights
    weights, used = weights.repeat(held_out.shape[1], 1), ~held_out.all(1)
    known = x[used], y[used], ~held_out[used]
    scores, found = [], []
    for strength in STRENGTHS:
        weights = solve(*known, strength, weights, axes, CHOOSING_TOLERANCE)
        right = logits(x, weights).argmax(2) == y[:, None]
        scores.append(np.mean(right[held_out]))
        found.append(weights.mean(1, keepdims=True))
        if len(scores) - 1 - np.argmax(scores) == PATIENCE:
            break
    best, sizes = int(np.argmax(scores)), np.bincount(y)
    nothing_found = sizes.min() < FOLDS and scores[best] <= sizes.max() / len(y)
    return SCARCE_STRENGTH if nothing_found else STRENGTHS[best], found[best]


def _held_out(y, seed):
    """Which examples each fold holds out, bool (examples, folds); no folds where a class has a single example."""
    rarest = np.bincount(y).min()
    if rarest < 2:
        return np.zeros((len(y), 0), bool)
    folds = StratifiedKFold(min(FOLDS, rarest), shuffle=True, random_state=seed).split(y, y)
    rows = [held_out for _, held_out in folds][: 1 if len(y) >= 2000 else None]
    return np.stack([np.isin(np.arange(len(y)), some) for some in rows], 1)


def _estimator(weights, intercepts, classes, strength):
    probe = LogisticRegression(C=strength)
    if len(classes) == 2:  # scikit-learn keeps the second class's advantage over the first
        weights, intercepts = (values[..., 1:] - values[..., :1] for values in (weights, intercepts))
    probe.classes_, probe.n_features_in_ = classes, len(weights)
    probe.coef_, probe.intercept_ = np.ascontiguousarray(weights.T), intercepts
    return probe


def _prepared(train_x, train_y, test_x, test_y):
    train_x, test_x = as_features(train_x), as_features(test_x)
    train_y, test_y = as_labels(train_y, train_x), as_labels(test_y, test_x)
    check_classes(train_y)
    return *standardize(train_x, test_x), train_y, test_y


def standardize(train_x: np.ndarray, test_x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both parts with the train part's mean at 0 and deviation at 1; a constant feature becomes 0 in the train part."""
    mean, deviation = train_x.mean(0, dtype="float64"), train_x.std(0, dtype="float64")
    # A deviation below float32's resolution of the mean is rounding, which division would turn into noise.
    scale = np.where(deviation > np.finfo("float32").eps * np.abs(mean), deviation, 1)
    return tuple(((x - mean.astype("float32")) / scale.astype("float32")) for x in (train_x, test_x))


def _answers(data, fraction, seeds: Iterable[int]):
    """Whether each test example is right, bool (seeds, test examples)."""
    train_x, test_x, train_y, test_y = data
    return _predicted(train_x, test_x, train_y, fraction, seeds).labels == test_y


def _predicted(train_x, test_x, train_y, fraction, seeds: Iterable[int]) -> Predicted:
    subsets = [(label_subset(train_y, fraction, seed), seed) for seed in seeds]
    return predicted((fit(train_x[rows], train_y[rows], seed) for rows, seed in subsets), test_x)


def predicted(models: Iterable, test_x: np.ndarray) -> Predicted:
    """The predictions of scikit-learn's classifiers, one for each draw of the labels."""
    labels, margins = [], []
    for model in models:
        labels.append(model.predict(test_x))
        margins += [model.decision_function(test_x)] if len(model.classes_) == 2 else []
    return Predicted(np.stack(labels), np.array(margins))


def draws_of(fraction: float, seeds: int) -> range:
    """The seeds of the draws of a share of the labels; one draw where all labels are used."""
    return range(seeds if fraction < 1 else 1)


def _spread(answers):
    shares = answers.mean(1)
    return float(np.mean(shares)), float(np.std(shares, ddof=1)) if len(shares) > 1 else None
