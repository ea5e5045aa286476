"""The verdict: whether training improved the features of an encoder."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from sslzoo.evaluators.bootstrap import Difference, paired_difference

CEILING = 0.95  # above this k-NN accuracy of the untrained encoder, a gain is hard to measure


@dataclasses.dataclass
class Snapshot:
    """The measurements of the monitors at one step.

    Attributes:
        figures: figures by name: those of `health`, and `knn` if there are labels.
        found: for each watched image, whether its other view is the nearest embedding.
        matched: for each watched image, whether the features of its other mild view are the nearest.
        right: for each image of the online k-NN, whether its class is predicted; None without labels.
        dim: dimension of the embeddings.
    """

    figures: dict[str, float]
    found: np.ndarray
    matched: np.ndarray
    right: np.ndarray | None
    dim: int


def verdict(
    start: Snapshot, end: Snapshot, labels_trained_on: bool = False, baseline: str = "the untrained encoder"
) -> str:
    """Describes the effect of a training, with the figures of its decision.

    With labels, the gain in online k-NN decides; otherwise the gain in how often features find the other mild view of
    an image, the figure that follows accuracy best (benchmarks/label_free.md). A gain is reported if the 95 % interval
    of a paired bootstrap over the images excludes zero. Collapse is measured relative to the start, since the
    embeddings of some untrained networks have a low spread too.

    Args:
        start: the measurements before the first step.
        end: the measurements after the last step.
        labels_trained_on: whether the labels of the online k-NN were used in training, which makes it optimistic.
        baseline: what the text calls the encoder before the first step.

    Returns:
        One line that begins with "learning", "no measurable gain over" or "worse than" the baseline, "collapsing" or
        "diverged", and ends with advice if there is any.
    """
    figures, before = end.figures, start.figures
    if not all(map(math.isfinite, figures.values())):
        return "diverged: embeddings are not finite; lower the learning rate"
    found = _change(start.found, end.found, f"other view found among {len(end.found)} in")
    name = "k-NN of labels that were trained on" if labels_trained_on else "k-NN"
    knn = _change(start.right, end.right, name) if end.right is not None else None
    rank = f"rank {figures['rank']:.0f} of {min(len(end.found), end.dim)} (start {before['rank']:.0f})"
    if figures["spread"] < min(0.1, 0.7 * before["spread"]) and figures["contrast_accuracy"] < 0.5:
        spread = f"spread {figures['spread']:.2f} of 1, start {before['spread']:.2f}"
        return f"collapsing: all embeddings point one way ({spread}); {found}; lower the learning rate"
    if figures["rank"] < min(max(2.0, 0.03 * min(len(end.found), end.dim)), 0.7 * before["rank"]):
        return f"collapsing: {rank}; {found}; lower the learning rate or weaken the views"
    deciding = knn or _change(start.matched, end.matched, f"mild view found by features among {len(end.matched)} in")
    summary = "; ".join(str(part) for part in (deciding, found, rank))
    if deciding.gain.low > 0:
        return f"learning: {summary}"
    if deciding.gain.high < 0:
        return f"worse than {baseline}: {summary}; train longer, or look at the views: `sslzoo views`"
    return f"no measurable gain over {baseline}: {summary}; {_advice(found, knn)}"


class _Change(NamedTuple):
    what: str
    before: float
    after: float
    gain: Difference

    def __str__(self) -> str:
        low, high = (f"{100 * value:+.1f}" for value in (self.gain.low, self.gain.high))
        gain = f"{100 * self.gain.mean:+.1f} [{low}, {high}]"
        return f"{self.what} {100 * self.after:.1f} % (start {100 * self.before:.1f} %, gain {gain})"


def _change(before: np.ndarray, after: np.ndarray, what: str) -> _Change:
    return _Change(what, float(np.mean(before)), float(np.mean(after)), paired_difference(after, before))


def _advice(found: _Change, knn: _Change | None) -> str:
    if found.gain.low <= 0:
        return "raise the learning rate, or train longer"
    if knn and knn.before > CEILING:
        return "k-NN leaves little to gain on these images: compare the scores with few labels"
    return "the objective is learned, the features are no better yet: train longer, or change views or encoder"
