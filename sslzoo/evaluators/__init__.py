"""Evaluators: scores of frozen features, with or without labels.

Each file with a function `evaluate(study)` is an evaluator under the name of the file: it yields the scores of the
frozen features of one encoder. `judge.judge` runs some of them on several sets of features. The other files are parts
that evaluators and reports share.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np


class WrongOption(ValueError):
    """An option that makes no sense for any data; other ValueErrors of an evaluator mean that the data do not do."""


class Score(NamedTuple):
    """One score of one set of features.

    Attributes:
        key: identifier, the same for all sets of features.
        mean: the score, or None if it is not defined.
        title: for tables; "(lower is better)" marks scores that are better when lower.
        std: standard deviation over draws of the labels or over tasks; None if there is one draw.
        percent: whether the score is a share in [0, 1].
        whole: whether the score is shown as a whole number.
        answers: what an interval is computed from, or None for a score without interval: a value for each test example
            (examples,), or (draws of the labels, examples); with `statistic`, rows (examples, ...).
        statistic: name in `judge.STATISTICS` of the function of the rows of `answers`; "" is their mean.
    """

    key: str
    mean: float | None
    title: str
    std: float | None = None
    percent: bool = False
    whole: bool = False
    answers: np.ndarray | None = None
    statistic: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """Frozen features of one encoder and the labels of their examples: all that an evaluator sees.

    Args:
        train, test: features (examples, features) of the training and of the test examples.
        train_labels, test_labels: integers (examples,), or None where they are not known.
        tokens: function of "train" or "test" and of row numbers (n,) that yields the features of these examples before
            they were pooled, in batches (b, places, channels); None if they are not known.

    Raises:
        ValueError: features or labels of another shape, or features with NaN or infinity.
    """

    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    tokens: Callable[[str, np.ndarray], Iterator[np.ndarray]] | None = dataclasses.field(default=None, repr=False)
    shared: dict = dataclasses.field(default_factory=dict, init=False, repr=False)  # what several evaluators use

    def __post_init__(self) -> None:
        for part, labels in (("train", "train_labels"), ("test", "test_labels")):
            object.__setattr__(self, part, as_features(getattr(self, part)))
            if getattr(self, labels) is not None:
                object.__setattr__(self, labels, as_labels(getattr(self, labels), getattr(self, part)))

    @property
    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels of the training and of the test examples.

        Raises:
            ValueError: one of them is not known.
        """
        if self.train_labels is None or self.test_labels is None:
            raise ValueError("labels of the training and the test examples are required")
        return self.train_labels, self.test_labels


def as_features(values) -> np.ndarray:
    """`values` as float32 features (examples, features).

    Raises:
        ValueError: if they have another number of dimensions, are empty, or hold NaN or infinity.
    """
    features = np.asarray(values, dtype="float32")
    if features.ndim != 2 or not features.size:
        raise ValueError(f"features must be (examples, features), these are {features.shape}; pool or flatten them")
    if not np.isfinite(features).all():
        raise ValueError("the features hold NaN or infinity; look at the encoder that made them")
    return features


def as_labels(values, features: np.ndarray) -> np.ndarray:
    """`values` as labels (examples,) of `features` (examples, features).

    Raises:
        ValueError: if there is not one label per example, or a label is NaN.
    """
    labels = np.asarray(values)
    if labels.shape != (len(features),):
        raise ValueError(f"one label per example is required: labels are {labels.shape}, examples {len(features)}")
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise ValueError("labels hold NaN: leave out the examples without a label")
    return labels


def check_classes(labels: np.ndarray) -> None:
    """Raises ValueError if the labels of a training part are all alike."""
    if len(np.unique(labels)) < 2:
        raise ValueError("the train labels hold a single class; a probe needs two or more")


def unit_length(features: np.ndarray) -> np.ndarray:
    """Each row (examples, features) divided by its length; a row of zeros stays zero."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1)


def _files() -> list[str]:
    from pathlib import Path

    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def __getattr__(name: str):
    from importlib import import_module

    if name in _files():
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_files(), "as_features", "as_labels", "unit_length"])
