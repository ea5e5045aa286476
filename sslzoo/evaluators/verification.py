"""Verification: whether two examples are of the same class, decided by a threshold of their similarity."""

from typing import NamedTuple

import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.evaluators.two_class import auc_of


class Threshold(NamedTuple):
    """A threshold of the similarity from which a pair counts as the same, and its figures."""

    threshold: float
    precision: float
    recall: float
    f1: float
    false_positive_rate: float


class Verification(NamedTuple):
    """Thresholds of pairs.

    Attributes:
        chosen: of the largest recall whose false-positive rate is at most the target.
        best: of the largest F1.
        auc: area under the ROC curve.
        curve: float64 (thresholds, 5), the columns of Threshold, the largest threshold first.
    """

    chosen: Threshold
    best: Threshold
    auc: float
    curve: np.ndarray


@checked()
def calibrate(similarities, same, false_positives: float = 0.01) -> Verification:
    """The threshold from which two examples are the same, for a target rate of false positives.

    Each similarity that occurs is tried. Where even the most similar pair is false, no pair is accepted: the threshold
    is then just above all similarities.

    Args:
        similarities: of pairs, (pairs,).
        same: whether each pair is of one class, (pairs,), both kinds occur.
        false_positives: target rate, the largest share of different pairs that may be accepted, in 0..1.

    Raises:
        ValueError: other shapes, values that are not finite, one kind of pairs, or a rate outside of 0..1.
    """
    similarities, same = np.asarray(similarities, "float64"), np.asarray(same).astype(bool)
    if similarities.ndim != 1 or same.shape != similarities.shape or not np.isfinite(similarities).all():
        raise ValueError(f"one finite similarity per pair is required: {similarities.shape} and same {same.shape}")
    if same.all() or not same.any():
        raise ValueError("same: pairs of one class and pairs of two are required")
    order = np.argsort(-similarities, kind="stable")
    values, hits = similarities[order], np.cumsum(same[order])
    last = np.flatnonzero(np.append(np.diff(values), -1) < 0)  # of equal similarities the last
    accepted, true = np.append(0, last + 1), np.append(0, hits[last])
    thresholds = np.append(np.nextafter(values[0], np.inf), values[last])
    precision, recall = true / np.maximum(accepted, 1), true / same.sum()
    f1 = 2 * true / (accepted + same.sum())
    curve = np.stack([thresholds, precision, recall, f1, (accepted - true) / (~same).sum()], axis=1)
    allowed = np.flatnonzero(curve[:, 4] <= false_positives)
    chosen = allowed[np.argmax(recall[allowed])]
    auc = auc_of(np.stack([same, similarities], axis=1))
    return Verification(Threshold(*curve[chosen].tolist()), Threshold(*curve[np.argmax(f1)].tolist()), auc, curve)


@checked("", "")
def pairs_of(labels, pairs: int = 10_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random pairs of labelled examples, half of them of one class: rows (pairs, 2), and whether they are the same.

    The classes of equal pairs are drawn by their number of pairs. Pairs may be drawn twice.

    Args:
        labels: (examples,).
        pairs: number of pairs, 2 or more.
        seed: of the draw.

    Raises:
        ValueError: there is one class only, or no class has two examples.
    """
    labels = np.asarray(labels)
    random = np.random.default_rng(seed)
    classes, sizes = np.unique(labels, return_counts=True)
    if len(classes) < 2 or sizes.max() < 2:
        raise ValueError("pairs of one class and of two are required: the labels give one kind alone")
    members = {place: np.flatnonzero(labels == label) for place, label in enumerate(classes)}
    possible = sizes * (sizes - 1.0)
    drawn = random.choice(len(classes), pairs // 2, p=possible / possible.sum())
    equal = [random.choice(members[place], 2, replace=False) for place in drawn]
    one = random.integers(len(labels), size=16 * (pairs - len(equal)) + 64)
    two = random.integers(len(labels), size=len(one))
    other = np.flatnonzero(labels[one] != labels[two])[: pairs - len(equal)]
    rows = np.concatenate([np.reshape(equal, (-1, 2)), np.stack([one, two], axis=1)[other]]).astype(np.int64)
    return rows, np.arange(len(rows)) < len(equal)
