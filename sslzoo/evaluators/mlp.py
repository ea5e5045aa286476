"""MLP probe: accuracy of a network with one hidden layer on frozen features."""

import warnings
from collections.abc import Iterator

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study, as_features, as_labels, check_classes
from sslzoo.evaluators.linear import standardize

IMAGES = 5000  # training examples at most


def evaluate(study: Study, *, epochs: int = 20) -> Iterator[Score]:
    """Accuracy of `mlp_probe`, fitted to at most 5000 training examples."""
    labels, test_labels = study.labels
    rows = np.sort(np.random.default_rng(0).permutation(len(labels))[:IMAGES])
    right = mlp_answers(study.train[rows], labels[rows], study.test, test_labels, epochs=epochs)
    yield Score("mlp", float(np.mean(right)), "MLP probe, one hidden layer", percent=True, answers=right)


@checked("N dim", "", "M dim", "")
def mlp_probe(train_x, train_y, test_x, test_y, hidden: int = 256, epochs: int = 50, seed: int = 0) -> float:
    """Accuracy on the test part, in [0, 1], of a ReLU network with one hidden layer, trained by Adam.

    Features are standardized by the train part. Training stops early by a held-out tenth of the train part, if that is
    large enough.

    Args:
        train_x, test_x: features (examples, features).
        train_y, test_y: labels (examples,).
        hidden: units of the hidden layer.
        epochs: maximum number of epochs.
        seed: of weights, order and held-out examples.

    Raises:
        ValueError: for features or labels of a wrong shape, NaN, or a single class.
    """
    return float(mlp_answers(train_x, train_y, test_x, test_y, hidden, epochs, seed).mean())


@checked("N dim", "", "M dim", "")
def mlp_answers(train_x, train_y, test_x, test_y, hidden: int = 256, epochs: int = 50, seed: int = 0) -> np.ndarray:
    """Whether the probe of `mlp_probe` is right for each test example: bool (examples,)."""
    train_x, test_x = as_features(train_x), as_features(test_x)
    train_y, test_y = as_labels(train_y, train_x), as_labels(test_y, test_x)
    check_classes(train_y)
    counts = np.unique(train_y, return_counts=True)[1]
    stops = counts.min() >= 10 and len(train_x) >= 10 * len(counts)
    probe = MLPClassifier(
        (hidden,), max_iter=epochs, early_stopping=bool(stops), n_iter_no_change=5, random_state=seed, alpha=1e-3
    )
    train_x, test_x = standardize(train_x, test_x)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # `epochs` is a limit
        return probe.fit(train_x, train_y).predict(test_x) == test_y
