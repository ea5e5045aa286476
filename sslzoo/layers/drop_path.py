"""Drop path: random images skip a branch of a residual block in training (stochastic depth, arXiv 1603.09382).

Dropout with the same random numbers, which do not depend on the number of devices.
"""

from collections.abc import Callable
from contextvars import ContextVar

import keras
from keras import ops

FIRST = 100_000  # number of the first draw of a step, above those of the methods

_current: ContextVar["drawing | None"] = ContextVar("drawing", default=None)


class drawing:
    """Context of a training step, in which `DropPath` layers drop; each of their calls gets numbers of its own.

    Without it they pass their input on: in inference, in exports, and in a training without sslzoo.

    Args:
        uniform: function (shape, draw) -> random numbers in [0, 1), as `SSLModel.uniform`; the first entry of the shape
            counts rows of this replica.
    """

    def __init__(self, uniform: Callable):
        self.uniform, self.calls, self.parts = uniform, 0, 1

    def __enter__(self) -> None:
        self._token = _current.set(self)

    def __exit__(self, *error) -> None:
        _current.reset(self._token)

    def rows(self, count, *rest):
        """Random numbers (count, *rest) for the rows of a batch, whose rows are grouped by example unless `stacked`."""
        self.calls += 1
        drawn = self.uniform((count // self.parts, self.parts, *rest), FIRST + self.calls)
        return ops.reshape(ops.swapaxes(drawn, 0, 1), (count, *rest))


class stacked:
    """Context in which a batch consists of `parts` views of all examples, one view after the other.

    A row then has the same numbers on any number of replicas, each of which stacks the views of its own examples.
    """

    def __init__(self, parts: int):
        self.parts = parts

    def __enter__(self) -> None:
        self._drawing, self._before = _current.get(), 1
        if self._drawing:
            self._before, self._drawing.parts = self._drawing.parts, self.parts

    def __exit__(self, *error) -> None:
        if self._drawing:
            self._drawing.parts = self._before


@keras.saving.register_keras_serializable("sslzoo")
class DropPath(keras.layers.Layer):
    """0 for a share of the examples, the others divided by the share that is kept: (batch, ...) -> (batch, ...).

    The expectation is the input. It acts in the training steps of a method alone; see `drawing`. A target network never
    drops.

    Args:
        rate: float in 0..1, probability that an example is dropped.
    """

    def __init__(self, rate: float, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, x, training=None):
        draws = _current.get()
        if draws is None or training is not True or not self.rate:
            return x
        drawn = self.drawn(ops.shape(x))
        kept = ops.cast(draws.rows(*drawn) >= self.rate, x.dtype) / (1 - self.rate)
        return x * ops.reshape(kept, (*drawn, *(1,) * (len(x.shape) - len(drawn))))

    def drawn(self, shape: tuple) -> tuple:
        """The shape of the random numbers for an input of a shape: one for each example."""
        return shape[:1]

    def get_config(self):
        return super().get_config() | {"rate": self.rate}


@keras.saving.register_keras_serializable("sslzoo")
class Dropout(DropPath):
    """0 for a share of the numbers, the others divided by the share that is kept: (batch, ...) -> (batch, ...).

    Acts as `DropPath` does: in the training steps of a method alone, and not in a target network.

    Args:
        rate: float in 0..1, probability that a number is dropped.
    """

    def drawn(self, shape: tuple) -> tuple:
        """The shape of the random numbers for an input of a shape: the same."""
        return shape


def with_drop_path(branch, rate: float, name: str):
    """The symbolic branch, dropped at a rate; itself at rate 0."""
    return DropPath(rate, name=name)(branch) if rate else branch


def with_dropout(branch, rate: float, name: str):
    """The symbolic branch with `Dropout` at a rate; itself at rate 0."""
    return Dropout(rate, name=name)(branch) if rate else branch


def growing(rate: float, depth: int) -> list[float]:
    """The rate of each of `depth` blocks: linear from 0 in the first to `rate` in the last, as in DeiT and DINO."""
    return [rate * number / max(1, depth - 1) for number in range(depth)]
