"""k-NN and linear probe on labelled data that need not be the training data: while a run trains, and at its end."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from sslzoo.catalog.kinds import KINDS, Kind, kind_of
from sslzoo.data import Dataset, Splits
from sslzoo.evaluation import judging, sources
from sslzoo.evaluation.judging import TRAINED
from sslzoo.evaluators.scores import Scores
from sslzoo.exports.inputs import accepted_splits
from sslzoo.views import inputs

JUDGED = dict(raw_pixels=False, evaluators=("linear", "knn"), fractions=(1.0,))
KEYS = {"knn": "probe_knn", "linear_1": "probe_linear"}  # keys of scores -> names in the logs of a run


def read(data: Any, kind: Kind, option: str) -> Splits | None:
    """Returns labelled data, at most 10 000 training and 5000 test examples of them.

    Args:
        data: as for `pretrain`, with labels; None for none.
        kind: that of the training data.
        option: name of the argument, for messages.

    Raises:
        ValueError: they have no labels, or are of another kind; one line.
    """
    if data is None:
        return None
    named = isinstance(data, str | Dataset | Splits)
    if named and (found := kind_of(data)) != kind.name:
        shown = repr(data) if isinstance(data, str) else "..."
        raise ValueError(f"{option}={shown} is of the kind {found!r}, the training data are {kind.noun}")
    try:
        return judging.judged(sources.labelled(data, kind=kind.name), {})
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from error


def scores(columns: Mapping[str, Sequence[keras.Model]], data: Splits, size: int) -> Scores:
    """Returns the scores of encoders on labelled data, with paired intervals.

    Args:
        columns: name -> encoders, as for `judging.score`.
        data: those of `read`.
        size: extent of the inputs.
    """
    return judging.score(columns, accepted_splits(data, next(iter(columns.values()))[0]), size, **JUDGED)


class Probe:
    """Online k-NN and linear probe: those of `evaluate`, on frozen features of the current weights.

    Args:
        data: labelled data, with a test part.
        size: extent of the inputs.
        every: number of epochs between two probes; the last epoch is always probed.
        epochs: number of epochs of the run.
    """

    def __init__(self, data: Splits, size: int, every: int = 1, epochs: int = 1):
        self.data, self.size, self.every, self.epochs = data, size, every, epochs
        self.view = KINDS[data.train.kind].functions.evaluation(size)

    def due(self, epoch: int) -> bool:
        """Returns whether an epoch, counted from 1, is followed by a probe."""
        return epoch % self.every == 0 or epoch == self.epochs

    def figures(self, encode: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
        """Returns "probe_knn" and "probe_linear", accuracies on the test part.

        Features with NaN or infinity have no figures.

        Args:
            encode: function from a batch of inputs to features (n, dim).
        """
        parts = [self._features(encode, part) for part in self.data]
        if not all(np.isfinite(part).all() for part in parts):
            return {}
        found = judging.scores_of({TRAINED: [tuple(parts)]}, self.data, self.size, **JUDGED)
        return {KEYS[row.key]: row.mean for row in found if row.key in KEYS}

    def _features(self, encode: Callable, part: Dataset) -> np.ndarray:
        batches = inputs.images(part, self.size, view=self.view)
        return np.concatenate([keras.ops.convert_to_numpy(encode(batch)) for batch in batches]).astype("float32")
