"""Two classes of unequal size: the area under the ROC curve and the balanced accuracy, next to the accuracy."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import rankdata

from sslzoo.evaluators import Score

UNEQUAL = 0.6  # share of the larger class from which on both are reported


def unequal(labels: np.ndarray, test_labels: np.ndarray) -> bool:
    """Whether there are two classes, the larger with UNEQUAL of the training labels or more, and both are tested."""
    counts = np.unique(labels, return_counts=True)[1]
    return len(counts) == 2 and counts.max() >= UNEQUAL * counts.sum() and len(np.unique(test_labels)) == 2


def scores(name: str, title: str, positive: np.ndarray, margins: np.ndarray) -> Iterator[Score]:
    """Both scores of one classifier.

    Args:
        name: end of the keys.
        title: of the classifier.
        positive: whether the label of a test example is the second class, (examples,).
        margins: of the second class, which is predicted above 0: (draws of the labels, examples).
    """
    by_margin = np.column_stack([positive, *margins])
    right = np.column_stack([positive, *((margins > 0) == positive)])
    for key, rows, each in (("auc", by_margin, auc_of), ("balanced", right, balanced_of)):
        values = [each(rows[:, [0, 1 + draw]]) for draw in range(len(margins))]
        std = float(np.std(values, ddof=1)) if len(values) > 1 else None
        shown = "AUC" if key == "auc" else "balanced accuracy"
        yield Score(
            f"{key}_{name}", float(np.mean(values)), f"{shown}, {title}", std, key == "balanced", False, rows, key
        )


def auc_of(rows: np.ndarray) -> float:
    """Area under the ROC curve: the share of pairs of both classes in which the second class has the higher margin.

    Equal margins count one half (Hanley and McNeil 1982); without one of the classes the area is 0.5.

    Args:
        rows: whether it is the second class, and a margin for each draw of the labels: (examples, 1 + draws).

    Returns:
        The mean over the draws.
    """
    positive = rows[:, 0] > 0
    count, others = positive.sum(), (~positive).sum()
    if not count or not others:
        return 0.5
    ranks = rankdata(rows[:, 1:], axis=0)[positive].sum(0)
    return float(np.mean((ranks - count * (count + 1) / 2) / (count * others)))


def balanced_of(rows: np.ndarray) -> float:
    """Balanced accuracy: the mean of the accuracies of the classes that are there.

    Args:
        rows: the class, and whether the prediction is right for each draw of the labels: (examples, 1 + draws).
    """
    return float(np.mean([rows[rows[:, 0] == label, 1:].mean() for label in np.unique(rows[:, 0])]))
