"""A view of audio: a part of each clip, its normalized log-mel, and operations on that.

Views are log-mels and not waveforms: BYOL-A's mixing and resizing act on log-mels. Encoders of audio take both, see
`sslzoo.layers.log_mel.LogMel`. Other clips that views mix in come from a bank of training clips, not from the batch, so
that views do not depend on which rows share a device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from sslzoo.layers.log_mel import BANDS, frames, log_mel
from sslzoo.views.drawn import Drawn, looker
from sslzoo.views.operation import Draws, check_count, fold, numbers

SHARED = 1_000_003  # folded into the seed of draws that all views share
AT_ONCE = 64  # clips whose log-mel is computed at a time


class Bank:
    """Training clips that views mix in, with the rate and the statistics of the log-mel of the training data.

    Args:
        waves: float32 (m, samples, 1), on a canvas.
        sizes: (m, 1), samples of each.
        rate: samples per second.
        mean, deviation: of the log-mel.
    """

    def __init__(self, waves: np.ndarray, sizes: np.ndarray, rate: int, mean: float = 0.0, deviation: float = 1.0):
        self.waves, self.sizes, self.rate, self.mean, self.deviation = waves, sizes, rate, mean, deviation
        self._mels: dict[int, np.ndarray] = {}

    def normalized(self, waves: tf.Tensor) -> tf.Tensor:
        """The normalized log-mel of waveforms: (n, length) -> (n, frames, BANDS)."""
        return (log_mel(waves, self.rate) - self.mean) / self.deviation

    def mels(self, length: int) -> np.ndarray:
        """The normalized log-mel of a part of each clip, the same in each call: (m, frames, BANDS)."""
        if length not in self._mels:
            start = np.random.default_rng(0).uniform(size=len(self.waves)).astype("float32")
            every = [slice(k, k + AT_ONCE) for k in range(0, len(self.waves), AT_ONCE)]
            with tf.init_scope():  # the first call may be within the graph of a tf.data pipeline
                cut = [part(self.waves[some], self.sizes[some], start[some], length) for some in every]
                self._mels[length] = np.concatenate([self.normalized(one).numpy() for one in cut])
        return self._mels[length]


class AudioOperation:
    """One step of a view of audio. An operation draws its parameters and overrides `change`."""

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def draw(self, seed: tf.Tensor, count: int | tf.Tensor, shape: tuple[int, int], bank: Bank) -> Draws:
        """Draws named tensors with one row per clip from `seed`; `shape` is (frames, BANDS) of a log-mel."""
        return {}

    def change(self, x: tf.Tensor, draws: Draws, others: np.ndarray) -> tf.Tensor:
        """Maps normalized log-mels (n, frames, BANDS); `others` are those of the bank, (m, frames, BANDS)."""
        return x

    def strengths(self, draws: Draws) -> dict[str, tf.Tensor]:
        """Returns the quantities of the statistics table: name with unit -> (n,) tensor."""
        return {}


@dataclass(frozen=True)
class AudioView(Drawn):
    """A random part of each clip, its normalized log-mel, and a chain of operations.

    A clip that is shorter than the part has half of the missing samples as zeros before it and half after it.

    Args:
        operations: of the chain.
        length: samples of the part.
        bank: of the training data.
        same_part: all views of a clip show the same part, as in BYOL-A; otherwise each draws its own, as in COLA.

    Raises:
        ValueError: if the length is below 1, or the operations or the bank are none.
    """

    kind: ClassVar[str] = "audio"
    operations: Sequence[AudioOperation]
    length: int
    bank: Bank
    same_part: bool = True

    def __post_init__(self) -> None:
        check_count("AudioView", "length", self.length)
        object.__setattr__(self, "operations", tuple(self.operations))
        for operation in self.operations:
            if not isinstance(operation, AudioOperation):
                raise ValueError(f"AudioView: operations must be instances such as Mixup(), got {operation!r}")
        if not isinstance(self.bank, Bank):
            raise ValueError(f"AudioView: bank must be a Bank of clips, got {type(self.bank).__name__}")

    def __call__(self, waves: tf.Tensor, sizes: tf.Tensor, seed: Sequence[int] = (0, 0)) -> tf.Tensor:
        """Draws parameters from `seed` and applies the view."""
        waves, sizes = tf.convert_to_tensor(waves), tf.convert_to_tensor(sizes)
        return self.apply(waves, sizes, self.sample(tf.constant(seed, tf.int32), tf.shape(waves)[0]))

    @property
    def shape(self) -> tuple[int, int]:
        """(frames, BANDS) of a view."""
        return frames(self.length, self.bank.rate), BANDS

    def sample(self, seed: tf.Tensor, count: int | tf.Tensor) -> list[Draws]:
        """Draws the start of the part and the parameters of each operation: name -> tensor of `count` rows."""
        drawn = [one.draw(fold(seed, k), count, self.shape, self.bank) for k, one in enumerate(self.operations)]
        return [{"start": numbers(fold(seed, SHARED), count, 1)[:, 0]}, *drawn]

    def sample_of(self, seed: tf.Tensor, number: int, count: int | tf.Tensor) -> list[Draws]:
        """As `sample`, with the start drawn for all views alike if they show the same part."""
        first, *others = self.sample(fold(seed, number), count)
        shared = {"start": numbers(fold(seed, SHARED), count, 1)[:, 0]}
        return [shared if self.same_part else first, *others]

    def where(self, sizes: tf.Tensor, draws: Sequence[Draws]) -> tf.Tensor:
        """The part of each clip that the view shows, float32 (n, 2): start and length, in units of its length."""
        size = tf.cast(sizes[:, 0], tf.float32)
        shown = tf.minimum(float(self.length) / size, 1.0)
        return tf.stack([tf.floor(draws[0]["start"] * (1.0 - shown) * size) / size, shown], axis=1)

    def apply(self, waves: tf.Tensor, sizes: tf.Tensor, draws: Sequence[Draws]) -> tf.Tensor:
        """Makes the views.

        Args:
            waves: (n, samples, 1) float.
            sizes: (n, 1), number of samples of each clip; the rest of the canvas is not read.
            draws: parameters returned by `sample`, n rows.

        Returns:
            float32 (n, frames, BANDS), normalized log-mels.

        Raises:
            ValueError: if the waveforms have several channels.
        """
        if waves.shape[-1] != 1:
            raise ValueError(f"AudioView: waveforms have one channel, got {waves.shape[-1]}")
        x = self.bank.normalized(part(waves, sizes, draws[0]["start"], self.length))
        others = self.bank.mels(self.length) if self.operations else None
        for operation, drawn in zip(self.operations, draws[1:], strict=True):
            x = operation.change(x, drawn, others)
        return x

    def look(self, examples: tf.Tensor, engine: str = "auto", xla: bool = True) -> Any:
        """As of `Drawn`; never compiled by XLA, whose convolutions are slow on the host."""
        return looker(self, False)


def part(waves: tf.Tensor, sizes: tf.Tensor, start: tf.Tensor, length: int) -> tf.Tensor:
    """A part of each clip, with zeros on both sides of a clip that is shorter.

    Args:
        waves: (n, samples, 1).
        sizes: (n, 1), samples of each clip.
        start: (n,) in [0, 1), share of the possible starts.
        length: samples of the part.

    Returns:
        float32 (n, length).
    """
    size = tf.cast(tf.convert_to_tensor(sizes)[:, 0], tf.int32)
    free = tf.cast(tf.maximum(size - length, 0), tf.float32)
    first = tf.minimum(tf.cast(start * (free + 1.0), tf.int32), tf.maximum(size - length, 0))
    return taken(waves, size, first - tf.maximum(length - size, 0) // 2, length)


def taken(waves: tf.Tensor, size: tf.Tensor, first: tf.Tensor, length: int) -> tf.Tensor:
    """The samples first..first + length - 1 of clips of some sizes, 0 outside of a clip: float32 (n, length)."""
    place = first[:, None] + tf.range(length)[None]
    inside = (place >= 0) & (place < size[:, None])
    found = tf.gather(tf.cast(waves[..., 0], tf.float32), tf.where(inside, place, 0), batch_dims=1)
    return tf.where(inside, found, 0.0)
