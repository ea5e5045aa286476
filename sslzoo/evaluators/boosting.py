"""Histogram gradient boosting on raw columns, the baseline of encoders of tables that needs no encoder."""

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study
from sslzoo.evaluators.linear import FRACTIONS, SEEDS, Predicted, draws_of, label_subset, predicted, shares

MISSING = np.float32(-3e38)  # stands for NaN in features, which must be finite


def filled(rows: np.ndarray) -> np.ndarray:
    """Raw columns (n, columns) as features: NaN becomes MISSING."""
    return np.where(np.isfinite(rows), rows, MISSING).astype("float32")


def evaluate_boosted(study: Study, *, fractions: Sequence[float] = FRACTIONS, seeds: int = SEEDS) -> Iterator[Score]:
    """Scores of `boosted` for the shares of the labels of the linear probe, under its keys."""
    return shares(study, boosted, fractions, seeds)


@checked("N dim", "", "M dim")
def boosted(train_x, train_y, test_x, fraction: float = 1.0, seeds: int = SEEDS) -> Predicted:
    """What scikit-learn's gradient boosting with its default options predicts for the test rows.

    Args:
        train_x, test_x: raw columns (rows, columns), as of `filled`; codes of categories are taken as numbers.
        train_y: labels (rows,).
        fraction: share of the train labels in (0, 1], at least one row of every class.
        seeds: draws of the labels; one if `fraction` is 1.
    """
    train_x, test_x = (np.where(x == MISSING, np.nan, x) for x in map(np.asarray, (train_x, test_x)))
    subsets = [(label_subset(train_y, fraction, seed), seed) for seed in draws_of(fraction, seeds)]
    with threadpool_limits(1):  # on busy cores more threads wait for each other
        return predicted((_fitted(train_x[rows], train_y[rows], seed) for rows, seed in subsets), test_x)


def _fitted(x: np.ndarray, y: np.ndarray, seed: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(random_state=seed).fit(x, y)
