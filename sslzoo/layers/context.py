"""Contexts: one vector for the first steps of a series, by a transformer with a token of its own (TS-TCC)."""

import keras
from keras import layers, ops

from sslzoo.layers.drop_path import Dropout
from sslzoo.layers.tokens import Attention
from sslzoo.layers.transformer import walk

HIDDEN, DROPOUT = 64, 0.1  # of the blocks, in the authors' code


class Context(layers.Layer):
    """TS-TCC's autoregressive model (arXiv 2106.14112, section 3.2): a learned token that attends to the first steps.

    Pre-norm blocks with ReLU and dropout, without positions and without a last norm. Attention is scaled by the width
    of a head; the authors' code scales by that of all heads.

    Args:
        input_dim: int, width of the vectors of steps.
        dim, depth, heads: int, width of the context, number of blocks, heads of each.

    Raises:
        ValueError: if the heads do not divide the width.
    """

    def __init__(self, input_dim: int, dim: int, depth: int, heads: int, **kwargs):
        super().__init__(**kwargs)
        if dim % heads:
            raise ValueError(f"{heads} heads do not divide a width of {dim}: choose others")
        self.entrance = layers.Dense(dim, name="entrance")
        self.entrance.build((None, None, input_dim))
        x = tokens = keras.Input((None, dim))
        for number in range(depth):
            x = _block(x, dim, heads, f"block{number + 1}")
        self.blocks = keras.Model(tokens, x, name="blocks")
        self.token = self.add_weight((dim,), initializer=keras.initializers.RandomNormal(stddev=1.0), name="token")
        self.built = True

    def call(self, steps, *, last):
        """The context of each series.

        Args:
            steps: (n, steps, input_dim).
            last: int scalar, the last step that the context contains.

        Returns:
            (n, dim).
        """
        x = self.entrance(steps)
        token = ops.broadcast_to(ops.cast(self.token, x.dtype), (ops.shape(x)[0], 1, x.shape[-1]))
        x = ops.concatenate([token, x], axis=1)
        seen = ops.broadcast_to(ops.arange(x.shape[1]) <= last + 1, (1, x.shape[1], x.shape[1]))
        return walk(self.blocks, x, seen)[0][:, 0]


def _block(x, dim: int, heads: int, name: str):
    branch = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm1")(x)
    branch = layers.Dense(3 * dim, use_bias=False, name=f"{name}_qkv")(branch)
    branch = layers.Dense(dim, name=f"{name}_projection")(Attention(heads, name=f"{name}_attention")(branch))
    x = layers.Add(name=f"{name}_add1")([x, Dropout(DROPOUT, name=f"{name}_drop1")(branch)])
    branch = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm2")(x)
    branch = layers.Dense(HIDDEN, activation="relu", name=f"{name}_hidden")(branch)
    branch = layers.Dense(dim, name=f"{name}_output")(Dropout(DROPOUT, name=f"{name}_drop2")(branch))
    return layers.Add(name=name)([x, Dropout(DROPOUT, name=f"{name}_drop3")(branch)])
