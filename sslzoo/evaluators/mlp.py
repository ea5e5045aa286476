"""MLP probe: what a network with one hidden layer reads from frozen features beyond what a linear one does."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from sslzoo.evaluators import as_features, as_labels
from sslzoo.evaluators.linear import standardize


def mlp_probe(train_x, train_y, test_x, test_y, hidden: int = 256, epochs: int = 50, seed: int = 0) -> float:
    """Accuracy on the test part, in [0, 1], of a ReLU network with one hidden layer, trained by Adam.

    Features are standardized by the train part. A tenth of the train part says when to stop, where it is large enough.

    Args:
        train_x, test_x: features (images, features).
        train_y, test_y: labels (images,).
        hidden: units.
        epochs: at most so many.
        seed: of weights, order and what is held out.

    Raises:
        ValueError: for features or labels of a wrong shape, NaN, or a single class.
    """
    train_x, test_x = as_features(train_x), as_features(test_x)
    train_y, test_y = as_labels(train_y, train_x), as_labels(test_y, test_x)
    counts = np.unique(train_y, return_counts=True)[1]
    if len(counts) < 2:
        raise ValueError("the train labels hold a single class; a probe needs two or more")
    stops = counts.min() >= 10 and len(train_x) >= 10 * len(counts)
    probe = MLPClassifier(
        (hidden,), max_iter=epochs, early_stopping=bool(stops), n_iter_no_change=5, random_state=seed, alpha=1e-3
    )
    train_x, test_x = standardize(train_x, test_x)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # `epochs` is meant as a limit
        return float(probe.fit(train_x, train_y).score(test_x, test_y))
