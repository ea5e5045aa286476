"""Calibration: whether the confidence of the linear probe is its accuracy."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sslzoo.evaluators import Score, Study
from sslzoo.evaluators.linear import probe

BINS = 10


def evaluate(study: Study) -> Iterator[Score]:
    """Expected calibration error of the linear probe on the test examples."""
    title = "calibration error of the probe (lower is better)"
    yield Score("calibration", probe_reliability(study).error, title, percent=True)


class Reliability(NamedTuple):
    """Expected calibration error, and the numbers of each bin of a reliability diagram (NaN in empty bins)."""

    error: float
    confidence: np.ndarray  # (bins,), mean
    accuracy: np.ndarray  # (bins,)
    count: np.ndarray  # (bins,)


def probe_reliability(study: Study, bins: int = BINS) -> Reliability:
    """`reliability` of the linear probe on the test examples; test classes without training examples count as wrong."""
    fitted = probe(study)
    columns = {label: column for column, label in enumerate(fitted.classes)}
    correct = np.array([columns.get(label, -1) for label in study.labels[1]])
    return reliability(fitted.probabilities(study.test), correct, bins)


def reliability(probabilities, correct_class, bins: int = 15) -> Reliability:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599, equation 3) over bins of equal width.

    Args:
        probabilities: (examples, classes), rows that sum to 1.
        correct_class: (examples,), column numbers.
        bins: of the confidence, the highest probability of an example; each is open on its left.

    Raises:
        ValueError: rows that do not sum to 1, or another number of labels.
    """
    probabilities, correct_class = np.asarray(probabilities, "float64"), np.asarray(correct_class)
    if probabilities.ndim != 2 or not np.allclose(probabilities.sum(1), 1, atol=1e-3):
        raise ValueError(f"probabilities {probabilities.shape} must be (examples, classes) with rows that sum to 1")
    if correct_class.shape != (len(probabilities),):
        raise ValueError(
            f"one label per example is required: labels are {correct_class.shape}, examples {len(probabilities)}"
        )
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == correct_class
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, values, minlength=bins) for values in (confidence, right.astype("float64"))]
    with np.errstate(invalid="ignore"):
        mean_confidence, accuracy = (total / count for total in sums)
    error = np.abs(sums[0] - sums[1]).sum() / len(probabilities)
    return Reliability(float(error), mean_confidence, accuracy, count)
