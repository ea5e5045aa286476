"""The first layer of encoders of texts, which knows the tokenizer of their tokens."""

from collections.abc import Sequence

import keras
from keras import ops

from sslzoo.layers.text import Embedded, Tokenizer, token_count


@keras.saving.register_keras_serializable("sslzoo")
class Words(Embedded):
    """Embeddings of tokens plus learned positions: int32 (batch, length) -> (batch, length, dim).

    Tokens are those of `Tokenizer`; one more, `mask`, replaces a hidden token. A token that is not known becomes the
    unknown word, 1.

    Args:
        length, dim: int, number of tokens of a text, width.
        how: "words", "pieces" or "bytes", as of `Tokenizer`.
        vocabulary: the known words or pieces, as of `fit_vocabulary`.
    """

    def __init__(self, length: int, dim: int, how: str = "words", vocabulary: Sequence[str] = (), **kwargs):
        mask = token_count(how, vocabulary)
        super().__init__(mask + 1, length, dim, **kwargs)
        self.mask, self.how, self.vocabulary = mask, how, list(vocabulary)

    def call(self, tokens):
        return super().call(ops.where((tokens >= 0) & (tokens <= self.mask), tokens, 1))

    @property
    def arguments(self) -> dict:
        """The arguments of `tokenizer`."""
        return {"how": self.how, "length": self.length, "vocabulary": self.vocabulary}

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer whose tokens the encoder takes."""
        return Tokenizer(**self.arguments)

    def get_config(self):
        config = super().get_config() | dict(how=self.how, vocabulary=self.vocabulary)
        return {name: value for name, value in config.items() if name != "size"}


def words_in(encoder: keras.Model) -> Words | None:
    """The first layer of an encoder of texts, or None if it has none of this package."""
    return next((layer for layer in getattr(encoder, "layers", ()) if isinstance(layer, Words)), None)


def words_of(encoder: keras.Model, method: str) -> Words:
    """The first layer of an encoder of texts, for a method that needs it.

    Raises:
        ValueError: there is none.
    """
    if (found := words_in(encoder)) is None:
        raise ValueError(
            f"{method} needs an encoder of texts such as text_transformer, {encoder.name} has no layer Words"
        )
    return found
