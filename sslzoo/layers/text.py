"""Text: a tokenizer from strings to numbers, and the transformer that reads them."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from sslzoo.catalog.checked import checked
from sslzoo.catalog.knobs import nearest
from sslzoo.layers.drop_path import with_dropout
from sslzoo.layers.pieces import CONTINUED, Pieces, fit_pieces
from sslzoo.layers.transformer import block, check_width

TOKENIZERS = ("words", "pieces", "bytes")
SPECIAL = 3  # numbers below the first byte; 0 is the end of a text, without bytes 1 is an unknown word
UNKNOWN = "[?]"


def fit_vocabulary(texts: Sequence[str], size: int, how: str = "words") -> tuple[str, ...]:
    """The most frequent words of some texts, in lower case and without punctuation, the most frequent first.

    Args:
        texts: of the training part.
        size: int, maximum number of words or pieces, the end of a text and the unknown word included.
        how: as of `Tokenizer`; "pieces" gives those of `fit_pieces`, "bytes" nothing.

    Raises:
        ValueError: pieces need a package that is not installed.
    """
    if how != "words":
        return fit_pieces(texts, size) if how == "pieces" else ()
    import tensorflow as tf

    found = layers.TextVectorization(max_tokens=max(3, size))
    found.adapt(tf.constant(list(texts)))
    return tuple(found.get_vocabulary(include_special_tokens=False))


@keras.saving.register_keras_serializable("sslzoo")
class Tokenizer(layers.Layer):
    """Texts to numbers: strings (n,) -> int32 (n, length), 0 after the end; longer texts are cut.

    Args:
        how: "words", split at spaces, in lower case and without punctuation; "pieces" of these words, as of
            `sslzoo.layers.pieces.Pieces`; or "bytes" of UTF-8, for any language.
        length: int, number of tokens.
        vocabulary: the known words or pieces, as of `fit_vocabulary`; unused for bytes.

    Raises:
        ValueError: if `how` is none of these, or there are no words.
    """

    def __init__(self, how: str = "words", length: int = 77, vocabulary: Sequence[str] = (), **kwargs):
        super().__init__(**kwargs)
        token_count(how, vocabulary)
        self.how, self.length, self.vocabulary = how, length, list(vocabulary)
        self.built = True
        if how == "words":
            self.words = layers.TextVectorization(output_sequence_length=length, vocabulary=self.vocabulary)
        elif how == "pieces":
            self.words = Pieces(length, self.vocabulary)

    def call(self, texts):
        import tensorflow as tf  # encoders of tokens are also loaded without it

        if self.how != "bytes":
            return tf.cast(self.words(texts), tf.int32)
        read = tf.io.decode_raw(texts, tf.uint8, fixed_length=self.length)  # which fills up with the byte 0
        return tf.where(read > 0, tf.cast(read, tf.int32) + SPECIAL, 0)

    def compute_output_spec(self, texts):
        return keras.KerasTensor((texts.shape[0], self.length), "int32")

    def get_config(self):
        return super().get_config() | dict(how=self.how, length=self.length, vocabulary=self.vocabulary)


def token_count(how: str, vocabulary: Sequence[str]) -> int:
    """Number of different tokens of a `Tokenizer`, whose errors it raises."""
    if how not in TOKENIZERS:
        raise ValueError(nearest("tokenizer", how, TOKENIZERS))
    if how != "bytes" and not vocabulary:
        raise ValueError(f"a tokenizer of {how} needs a vocabulary: give one, or tokenizer='bytes'")
    return len(vocabulary) + 2 if how != "bytes" else 256 + SPECIAL


def spelled(tokens: np.ndarray, how: str, vocabulary: Sequence[str] = ()) -> str:
    """The text of tokens int (length,), as far as a `Tokenizer` keeps it; UNKNOWN for each unknown word.

    Args:
        tokens: of one text; those that are not above 0 are left out.
        how, vocabulary: as of `Tokenizer`.
    """
    numbers = [int(token) for token in tokens if token > 0]
    if how == "bytes":
        return bytes(number - SPECIAL for number in numbers if number >= SPECIAL).decode("utf-8", "replace")
    known = dict(enumerate(vocabulary, start=2))
    return " ".join(known.get(number, UNKNOWN) for number in numbers).replace(f" {CONTINUED}", "")


def read(tokens, embedding: layers.Layer, depth: int, heads: int, dropout: float = 0.0):
    """Pre-norm blocks and a norm on embedded tokens, symbolic: int (batch, length) -> (batch, length, dim), and `Real`.

    Tokens of 0, after the end of a text, are seen by no other token.

    Args:
        tokens: int (batch, length).
        embedding: int (batch, length) -> (batch, length, dim).
        depth, heads: int, number of blocks, heads of each.
        dropout: float in 0..0.99, share of the numbers that is dropped in training, after the embeddings and in both
            branches of each block.

    Raises:
        ValueError: if the heads do not divide the width, or the width is no multiple of 4.
    """
    check_width(embedding.dim, heads)
    real = Real(name="real")(tokens)
    x = with_dropout(embedding(tokens), dropout, "dropout")
    for number in range(depth):
        x = block(x, embedding.dim, heads, f"block{number + 1}", allowed=real, dropout=dropout)
    return layers.LayerNormalization(epsilon=1e-6, name="norm")(x), real


@checked()
def text_tower(
    token_count: int, length: int, dim: int, depth: int, heads: int, output_dim: int, name: str = "text"
) -> keras.Model:
    """CLIP's text tower (arXiv 2103.00020, section 2.4), bidirectional: int32 (batch, length) -> (batch, output_dim).

    Token embeddings and learned positions pass pre-norm blocks and a norm; the mean over the tokens of the text is
    projected. CLIP's own is causal and takes the last token.

    Args:
        token_count: int, number of different tokens.
        length: int, number of tokens of a text.
        dim, depth, heads: int, width of a token, number of blocks, heads of each.
        output_dim: int, width of the embedding, float32.
        name: str, of the model.

    Raises:
        ValueError: if the heads do not divide the width, or the width is no multiple of 4.
    """
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    x, real = read(tokens, Embedded(token_count, length, dim, name="embedded"), depth, heads)
    x = MeanOfReal(name="features")(x, real)
    return keras.Model(tokens, projection(dim, output_dim, name="projection")(x), name=name)


@checked()
def word_means(token_count: int, length: int, dim: int, name: str = "text") -> keras.Model:
    """The mean of the vectors of the words of a text, int32 (batch, length) -> float32 (batch, dim); 0 for no word.

    The vectors are random, standard normal, and not trained: texts of other words have other means. The order of the
    words makes no difference.

    Args:
        token_count: int, number of different tokens.
        length: int, number of tokens of a text.
        dim: int, width of a vector.
        name: str, of the model.
    """
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    start = keras.initializers.RandomNormal(stddev=1.0)
    vectors = layers.Embedding(token_count, dim, start, trainable=False, dtype="float32", name="vectors")(tokens)
    means = MeanOfReal(dtype="float32", name="features")(vectors, Real(name="real")(tokens))
    return keras.Model(tokens, means, name=name)


@keras.saving.register_keras_serializable("sslzoo")
class Real(layers.Layer):
    """Which tokens a text consists of: int (batch, length) -> bool (batch, 1, length)."""

    def call(self, tokens):
        return ops.expand_dims(tokens > 0, 1)

    def compute_output_spec(self, tokens):
        return keras.KerasTensor((tokens.shape[0], 1, tokens.shape[1]), "bool")


@keras.saving.register_keras_serializable("sslzoo")
class Embedded(layers.Layer):
    """Embeddings of tokens plus learned positions, initialized as CLIP's: int (batch, length) -> (batch, length, dim).

    Args:
        size, length, dim: int, number of different tokens, of tokens of a text, width.
    """

    def __init__(self, size: int, length: int, dim: int, **kwargs):
        super().__init__(**kwargs)
        self.size, self.length, self.dim = size, length, dim

    def build(self, input_shape):
        normal = keras.initializers.RandomNormal
        self.embeddings = self.add_weight((self.size, self.dim), initializer=normal(stddev=0.02), name="embeddings")
        self.positions = self.add_weight((self.length, self.dim), initializer=normal(stddev=0.01), name="positions")

    def call(self, tokens):
        return ops.take(self.embeddings, tokens, axis=0) + self.positions

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.dim)

    def get_config(self):
        return super().get_config() | dict(size=self.size, length=self.length, dim=self.dim)


@keras.saving.register_keras_serializable("sslzoo")
class MeanOfReal(layers.Layer):
    """Mean over the tokens of each text: (batch, length, dim), bool (batch, 1, length) -> (batch, dim); 0 for none."""

    def call(self, x, real):
        share = ops.cast(real, x.dtype)
        return ops.matmul(share, x)[:, 0] / ops.maximum(ops.sum(share, axis=-1), 1)

    def compute_output_shape(self, x_shape, real_shape):
        return x_shape[0], x_shape[-1]


@checked()
def projection(input_dim: int, output_dim: int, name: str | None = None) -> keras.Sequential:
    """CLIP's projection: one linear map without bias, (batch, input_dim) -> (batch, output_dim), float32."""
    start = keras.initializers.RandomNormal(stddev=input_dim**-0.5)
    dense = layers.Dense(output_dim, use_bias=False, kernel_initializer=start, dtype="float32")
    return keras.Sequential([keras.Input((input_dim,)), dense], name=name)
