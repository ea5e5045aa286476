"""A transformer over the neighbours of an embedding, All4One's third branch."""

import keras
from keras import layers, ops

from sslzoo.layers.tokens import Attention


@keras.saving.register_keras_serializable("sslzoo")
class Places(layers.Layer):
    """Adds sines and cosines of the place in a sequence: (batch, count, dim) -> same, dim even."""

    def call(self, tokens):
        count, dim = tokens.shape[1:]
        frequency = 10000.0 ** (-ops.arange(dim // 2, dtype="float32") * 2 / dim)
        angle = ops.arange(count, dtype="float32")[:, None] * frequency
        return tokens + ops.cast(ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1), tokens.dtype)


def neighbour_transformer(count: int, dim: int, depth: int = 3, heads: int = 8, name: str | None = None) -> keras.Model:
    """Combines an embedding's neighbours (All4One, arXiv 2303.09417, section 3.2).

    Blocks of attention and an MLP of twice the width, each followed by LayerNorm. Without the paper's dropout, whose
    random numbers would depend on the number of devices.

    Args:
        count: int, number of neighbours.
        dim: int, width, even and a multiple of `heads`. Maps (batch, count, dim) to the first output (batch, dim),
            float32.
        depth: int, number of blocks.
        heads: int, attention heads.
        name: str, of the network.
    """
    tokens = keras.Input((count, dim))
    x = Places(name="places")(tokens)
    for block in range(1, depth + 1):
        mixed = Attention(heads, name=f"block{block}_attention")(layers.Dense(3 * dim, name=f"block{block}_qkv")(x))
        mixed = layers.Dense(dim, name=f"block{block}_output")(mixed)
        x = layers.LayerNormalization(epsilon=1e-5, name=f"block{block}_norm1")(layers.Add()([x, mixed]))
        hidden = layers.Dense(2 * dim, activation="relu", name=f"block{block}_hidden")(x)
        hidden = layers.Dense(dim, name=f"block{block}_back")(hidden)
        x = layers.LayerNormalization(epsilon=1e-5, name=f"block{block}_norm2")(layers.Add()([x, hidden]))
    return keras.Model(tokens, layers.Activation("linear", dtype="float32")(x[:, 0]), name=name)
