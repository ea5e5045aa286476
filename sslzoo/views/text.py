"""A view of tokens of texts: parameters are drawn first, then the operations change the tokens one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from sslzoo.views.drawn import Drawn
from sslzoo.views.operation import Draws, check_count, check_number, fold, numbers


class TextOperation:
    """One step of a view of texts. An operation draws its parameters and overrides `change`."""

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def draw(self, seed: tf.Tensor, count: int | tf.Tensor, tokens: int) -> Draws:
        """Draws named tensors with one row per text from `seed`."""
        return {}

    def change(self, text: tf.Tensor, draws: Draws) -> tf.Tensor:
        """Maps tokens (n, tokens)."""
        return text

    def strengths(self, draws: Draws) -> dict[str, tf.Tensor]:
        """Returns the quantities of the statistics table: name with unit -> (n,) tensor."""
        return {}


@dataclass(frozen=True)
class Delete(TextOperation):
    """Tokens that are left out, each with a probability; the later ones move up. A text keeps one token at least.

    Args:
        share: the probability.
    """

    share: float = 0.2

    def __post_init__(self) -> None:
        check_number("Delete", "share", self.share, 0, 1)

    def draw(self, seed, count, tokens):
        return dict(noise=numbers(seed, count, tokens))

    def change(self, text, draws):
        noise = tf.where(text > 0, draws["noise"], 0.0)
        kept = (noise >= self.share) | (noise >= tf.reduce_max(noise, axis=1, keepdims=True))
        return moved_up(tf.where(kept, text, 0))

    def strengths(self, draws):
        return {"deleted, %": 100 * tf.reduce_mean(tf.cast(draws["noise"] < self.share, tf.float32), axis=1)}


@dataclass(frozen=True)
class Span(TextOperation):
    """Consecutive tokens, a share of those of the text, at a random place.

    Args:
        share: the share, rounded up.
    """

    share: float = 0.7

    def __post_init__(self) -> None:
        check_number("Span", "share", self.share, 1e-6, 1)

    def draw(self, seed, count, tokens):
        return dict(place=numbers(seed, count, 1))

    def change(self, text, draws):
        length = tf.reduce_sum(tf.cast(text > 0, tf.float32), axis=1, keepdims=True)
        wanted = tf.math.ceil(self.share * length)
        first = tf.floor(draws["place"] * (length - wanted + 1))
        place = tf.range(text.shape[1], dtype=tf.float32)[None]
        return moved_up(tf.where((place >= first) & (place < first + wanted), text, 0))


def moved_up(text: tf.Tensor) -> tf.Tensor:
    """The tokens in their order, zeros last."""
    order = tf.argsort(tf.cast(text <= 0, tf.int32), axis=1, stable=True)
    return tf.gather(text, order, batch_dims=1)


def fitted(text: tf.Tensor, tokens: int) -> tf.Tensor:
    """The first tokens of texts (n, any), int32 (n, tokens); shorter texts are followed by zeros."""
    text = tf.cast(text, tf.int32)[:, :tokens]
    return tf.ensure_shape(tf.pad(text, [[0, 0], [0, tokens - text.shape[1]]]), (None, tokens))


@dataclass(frozen=True)
class TextView(Drawn):
    """A chain of operations on tokens.

    Args:
        operations: the operations, in any order; without any the view is the text.
        tokens: number of tokens of the view.

    Raises:
        ValueError: if the operations are none.
    """

    kind: ClassVar[str] = "text"
    operations: Sequence[TextOperation]
    tokens: int

    def __post_init__(self) -> None:
        check_count("TextView", "tokens", self.tokens)
        object.__setattr__(self, "operations", tuple(self.operations))
        for operation in self.operations:
            if not isinstance(operation, TextOperation):
                raise ValueError(f"TextView: operations must be instances such as Delete(), got {operation!r}")

    def __call__(self, text: tf.Tensor, sizes: tf.Tensor, seed: Sequence[int] = (0, 0)) -> tf.Tensor:
        """Draws parameters from `seed` and applies the view."""
        text = tf.convert_to_tensor(text)
        return self.apply(text, sizes, self.sample(tf.constant(seed, tf.int32), tf.shape(text)[0]))

    def sample(self, seed: tf.Tensor, count: int | tf.Tensor) -> list[Draws]:
        """Draws the parameters of each operation from `seed` (2,) int32: name -> tensor of `count` rows."""
        return [operation.draw(fold(seed, k), count, self.tokens) for k, operation in enumerate(self.operations)]

    def where(self, sizes: tf.Tensor, draws: Sequence[Draws]) -> tf.Tensor:
        """Which part of a text is seen is not recorded: float32 (n, 0)."""
        return tf.zeros((tf.shape(sizes)[0], 0))

    def apply(self, text: tf.Tensor, sizes: tf.Tensor, draws: Sequence[Draws]) -> tf.Tensor:
        """Makes the views.

        Args:
            text: int (n, any), tokens, 0 after the end.
            sizes: (n, 0), not read.
            draws: parameters returned by `sample`, n rows.

        Returns:
            int32 (n, tokens).
        """
        text = fitted(text, self.tokens)
        for operation, drawn in zip(self.operations, draws, strict=True):
            text = operation.change(text, drawn)
        return text
