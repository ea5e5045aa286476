"""A transformer on tokens of texts, as BERT (arXiv 1810.04805), small enough for thousands of texts."""

import keras

from sslzoo.catalog.checked import checked
from sslzoo.layers.text import MeanOfReal, read
from sslzoo.layers.tokenized import Words


@checked()
def text_transformer(
    input_shape: tuple[int],
    dim: int = 128,
    depth: int = 2,
    heads: int = 4,
    dropout: float = 0.1,
    schema: dict | None = None,
) -> keras.Model:
    """Embeddings of tokens and positions, pre-norm blocks, mean over the tokens of the text.

    Differences from BERT: the norms precede the branches, attention weights are not dropped, and the mean takes the
    place of a class token.

    Args:
        input_shape: (tokens,), the longest text.
        dim: int, width of a token.
        depth: int, number of blocks.
        heads: int, heads of the attention.
        dropout: float in 0..0.99, share of the numbers that is dropped in training, after the embeddings and in both
            branches of each block.
        schema: the tokenizer, with the vocabulary of the training data; bytes if None.

    Raises:
        ValueError: if the heads do not divide the width, or the width is no multiple of 4.
    """
    tokens = keras.Input(input_shape, dtype="int32", name="tokens")
    embedding = Words(input_shape[0], dim, **(schema or {"how": "bytes"}), name="words")
    x, real = read(tokens, embedding, depth, heads, dropout)
    return keras.Model(tokens, MeanOfReal(name="features", dtype="float32")(x, real), name="text_transformer")
