"""BatchNorm statistics that belong to the current weights: means over given batches instead of moving averages."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from sslzoo.utils.keras_internals import norms


class Calibration:
    """Sets the moving statistics of a model's BatchNorm layers to their means over batches (PreciseBN).

    Moving averages lag behind the weights: those of an untrained network are mean 0 and variance 1, and those of a
    short training include earlier weights. Two networks are comparable only if the statistics of both are computed
    alike (Wu and Johnson, arXiv 2105.07576, section 3).

    Args:
        model: the model that contains the layers.
        forward: callable batch -> outputs, in training mode; `model(batch, training=True)` if None. A layer that it
            does not call, or calls in inference mode, keeps its statistics.
    """

    def __init__(self, model: keras.Model, forward: Callable[[Any], Any] | None = None):
        self.model, self.norms = model, norms(model)
        self.kept: list[float] | None = None  # share of the old statistics that a pass keeps; measured once
        forward = forward or (lambda batch: model(batch, training=True))

        def after(batch, start):
            for variable in self._statistics:
                variable.assign(ops.full(variable.shape, ops.cast(start, variable.dtype), variable.dtype))
            forward(batch)
            return [ops.convert_to_tensor(variable) for variable in self._statistics]

        self.after = tf.function(after)

    def __bool__(self) -> bool:
        return bool(self.norms)

    def calibrate(self, batches: Iterable) -> None:
        """Sets the statistics. All other state of the model is unchanged.

        What a method draws anew in each step, such as masks, is that of step 0, so that two states can be compared.

        Args:
            batches: iterable of inputs of `forward`, at least one.
        """
        if not self.norms:
            return
        before, other = self._values(), _state(self.model)
        with _at_step_zero(self.model):
            found = [self._after(batch, 0.0) for batch in self._measured(batches)]
        _restore(other)
        sums = zip(before, map(sum, zip(*found, strict=True)), self.kept, strict=True)
        self._assign([old if kept == 1 else total / len(found) / (1 - kept) for old, total, kept in sums])

    def _measured(self, batches: Iterable) -> Iterator:
        """The batches; the first one is also used to measure `kept`."""
        for batch in batches:
            if self.kept is None:
                momenta = [norm.momentum for norm in self.norms for _ in range(2)]
                pairs = zip(self._after(batch, 1.0), self._after(batch, 0.0), momenta, strict=True)
                self.kept = [_kept(*pair) for pair in pairs]
            yield batch

    @contextlib.contextmanager
    def calibrated(self, batches: Iterable) -> Iterator[None]:
        """Context in which the statistics are those of `calibrate`; at its end they are bitwise those from before."""
        with self.preserved():
            self.calibrate(batches)
            yield

    @contextlib.contextmanager
    def preserved(self) -> Iterator[None]:
        """Context at whose end the statistics are bitwise those from before."""
        before = self._values()
        try:
            yield
        finally:
            self._assign(before)

    @property
    def _statistics(self) -> list[keras.Variable]:
        return [variable for norm in self.norms for variable in (norm.moving_mean, norm.moving_variance)]

    def _values(self) -> list[np.ndarray]:
        return [ops.convert_to_numpy(variable) for variable in self._statistics]

    def _assign(self, values: list[np.ndarray]) -> None:
        for variable, value in zip(self._statistics, values, strict=True):
            variable.assign(ops.cast(value, variable.dtype))

    def _after(self, batch, start: float) -> list[np.ndarray]:
        """The statistics after one batch, starting from `start` everywhere, float64."""
        return [value.numpy().astype("float64") for value in self.after(batch, tf.constant(start))]


def _kept(from_one: np.ndarray, from_zero: np.ndarray, momentum: float) -> float:
    """Share of the old statistics that a pass keeps: momentum to the power of the calls in it, 1 without a call."""
    share = float(np.median(from_one - from_zero))
    if momentum in (0.0, 1.0) or share <= 0:
        return momentum if momentum == 1.0 else 0.0 if share < 0.5 else 1.0
    return momentum ** round(math.log(share) / math.log(momentum))


@contextlib.contextmanager
def _at_step_zero(model: keras.Model) -> Iterator[None]:
    """Context in which a compiled model has made no step."""
    if getattr(model, "optimizer", None) is None:
        yield
        return
    iterations = model.optimizer.iterations
    made = ops.convert_to_numpy(iterations)
    iterations.assign(0)
    try:
        yield
    finally:
        iterations.assign(made)


def _state(model: keras.Model) -> list[tuple[keras.Variable, np.ndarray]]:
    """Variables that a forward pass in training mode may change, such as counters of random generators."""
    return [(variable, ops.convert_to_numpy(variable)) for variable in model.non_trainable_variables]


def _restore(state: list[tuple[keras.Variable, np.ndarray]]) -> None:
    for variable, value in state:
        variable.assign(value)
