"""Tokens of a vision transformer: positions and class token, attention, pooling."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("sslzoo")
class Tokens(layers.Layer):
    """Adds positions to patch tokens and prepends the class token.

    (batch, rows, columns, dim) -> (batch, 1 + rows * columns, dim), patches row by row.

    Args:
        dim: int, width of a token.
        grid: (rows, columns) of learned positions, with bicubic interpolation for other grids; None for sines and
            cosines of row and column, computed for any grid.
    """

    def __init__(self, dim: int, grid: tuple[int, int] | None = None, **kwargs):
        super().__init__(**kwargs)
        self.dim, self.grid = dim, tuple(grid) if grid else None
        narrow = keras.initializers.TruncatedNormal(stddev=0.02)
        # A vector: weight decay does not apply to it.
        self.token = self.add_weight((dim,), initializer=narrow, name="class_token")
        if self.grid:
            self.token_position = self.add_weight((dim,), initializer=narrow, name="class_position")
            self.positions = self.add_weight((*self.grid, dim), initializer=narrow, name="positions")
        self.built = True

    def call(self, patches):
        rows, columns = ops.shape(patches)[1:3]
        # The learned grid itself needs no interpolation.
        same = self.grid == tuple(patches.shape[1:3])
        positions = self._learned(rows, columns, same) if self.grid else sincos(rows, columns, self.dim)
        x = ops.reshape(patches + ops.cast(positions, patches.dtype), (-1, rows * columns, self.dim))
        first = ops.convert_to_tensor(self.token)
        first = first + self.token_position if self.grid else first
        first = ops.broadcast_to(ops.cast(first, x.dtype), (ops.shape(x)[0], 1, self.dim))
        return ops.concatenate([first, x], axis=1)

    def _learned(self, rows, columns, same: bool):
        positions = ops.cast(self.positions, "float32")
        if same:
            return positions
        down, across = bicubic(self.grid[0], rows), bicubic(self.grid[1], columns)
        return ops.einsum("rh,hwd,cw->rcd", down, positions, across)

    def compute_output_shape(self, input_shape):
        batch, rows, columns, dim = input_shape
        return (batch, None if None in (rows, columns) else 1 + rows * columns, dim)

    def get_config(self):
        return super().get_config() | {"dim": self.dim, "grid": self.grid}


@keras.saving.register_keras_serializable("sslzoo")
class Attention(layers.Layer):
    """Scaled dot products of queries and keys weigh the values: (batch, tokens, 3 * dim) -> (batch, tokens, dim)."""

    def __init__(self, heads: int, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def call(self, qkv):
        weights, values = self.weights_and_values(qkv)
        mixed = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))
        return ops.reshape(mixed, (-1, ops.shape(qkv)[1], qkv.shape[-1] // 3))

    def weights_and_values(self, qkv):
        """Attention weights (batch, heads, tokens, tokens), and values (batch, heads, tokens, width)."""
        width = qkv.shape[-1] // 3 // self.heads
        split = ops.reshape(qkv, (-1, ops.shape(qkv)[1], 3, self.heads, width))
        queries, keys, values = ops.unstack(ops.transpose(split, (2, 0, 3, 1, 4)), 3, axis=0)
        scores = ops.matmul(queries * width**-0.5, ops.transpose(keys, (0, 1, 3, 2)))
        return ops.cast(ops.softmax(ops.cast(scores, "float32")), qkv.dtype), values

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] // 3)

    def get_config(self):
        return super().get_config() | {"heads": self.heads}


@keras.saving.register_keras_serializable("sslzoo")
class Pool(layers.Layer):
    """The class token, or the mean of all other tokens: (batch, tokens, dim) -> (batch, dim) in float32."""

    def __init__(self, pool: str, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.pool = pool

    def call(self, tokens):
        return tokens[:, 0] if self.pool == "token" else ops.mean(tokens[:, 1:], axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])

    def get_config(self):
        return super().get_config() | {"pool": self.pool}


def sincos(rows, columns, dim: int):
    """Fixed positions of MoCo v3 (arXiv 2104.02057) and MAE: sine and cosine of the column, then of the row.

    Each of the four has dim / 4 frequencies, from 1 to 1 / 10000 radians per patch.

    Args:
        rows, columns: int or scalar, size of the grid.
        dim: int, width of a token, a multiple of 4.

    Returns:
        float32 (rows, columns, dim).
    """
    frequency = 10000.0 ** (-ops.arange(dim // 4, dtype="float32") / (dim // 4))

    def axis(count):
        angle = ops.arange(count, dtype="float32")[:, None] * frequency
        return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1)

    across = ops.broadcast_to(axis(columns)[None], (rows, columns, dim // 2))
    down = ops.broadcast_to(axis(rows)[:, None], (rows, columns, dim // 2))
    return ops.concatenate([across, down], axis=-1)


def bicubic(old: int, new):
    """Weights of cubic convolution with a = -0.75 and repeated borders, as in DINO's interpolation.

    Args:
        old: int, number of places.
        new: int or scalar, number of places after interpolation.

    Returns:
        float32 (new, old).
    """
    place = (ops.arange(new, dtype="float32") + 0.5) * (old / ops.cast(new, "float32")) - 0.5
    whole = ops.floor(place)

    def tap(step: int):
        x = ops.abs(place - whole - step)
        near = (1.25 * x - 2.25) * x**2 + 1
        far = -0.75 * (((x - 5) * x + 8) * x - 4)
        index = ops.clip(ops.cast(whole, "int32") + step, 0, old - 1)
        return ops.where(x <= 1, near, far)[:, None] * ops.one_hot(index, old, dtype="float32")

    return sum(tap(step) for step in range(-1, 3))
