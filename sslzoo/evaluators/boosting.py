"""Histogram gradient boosting on raw columns, the baseline of encoders of tables that needs no encoder."""

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study
from sslzoo.evaluators.linear import FRACTIONS, SEEDS, draws_of, label_subset, shares

MISSING = np.float32(-3e38)  # stands for NaN in features, which must be finite


def filled(rows: np.ndarray) -> np.ndarray:
    """Raw columns (n, columns) as features: NaN becomes MISSING."""
    return np.where(np.isfinite(rows), rows, MISSING).astype("float32")


def accuracies(study: Study, *, fractions: Sequence[float] = FRACTIONS, seeds: int = SEEDS) -> Iterator[Score]:
    """Accuracy of `boosted_answers` for the shares of the labels of the linear probe, under its keys."""
    return shares(study, boosted_answers, fractions, seeds)


@checked("N dim", "", "M dim", "")
def boosted_answers(train_x, train_y, test_x, test_y, fraction: float = 1.0, seeds: int = SEEDS) -> np.ndarray:
    """Whether scikit-learn's gradient boosting with its default options is right on each test row.

    Args:
        train_x, test_x: raw columns (rows, columns), as of `filled`; codes of categories are taken as numbers.
        train_y, test_y: labels (rows,).
        fraction: share of the train labels in (0, 1], at least one row of every class.
        seeds: draws of the labels; one if `fraction` is 1.

    Returns:
        bool (draws, test rows).
    """
    train_x, test_x = (np.where(x == MISSING, np.nan, x) for x in map(np.asarray, (train_x, test_x)))
    right = []
    for seed in draws_of(fraction, seeds):
        rows = label_subset(train_y, fraction, seed)
        with threadpool_limits(1):  # on busy cores more threads wait for each other
            model = HistGradientBoostingClassifier(random_state=seed).fit(train_x[rows], train_y[rows])
            right.append(model.predict(test_x) == test_y)
    return np.stack(right)
