"""Tokens of a vision transformer: positions and class token, attention, pooling."""

import keras
from keras import layers, ops

HIDDEN = -1e9  # score of a key that a query does not see; finite, so that a query without keys gives no NaN


@keras.saving.register_keras_serializable("sslzoo")
class Tokens(layers.Layer):
    """Adds positions to patch tokens and prepends class tokens and registers.

    (batch, rows, columns, dim) -> (batch, count + registers + rows * columns, dim), patches row by row.

    Args:
        dim: int, width of a token.
        grid: (rows, columns) of learned positions, with bicubic interpolation for other grids; None for sines and
            cosines of row and column, computed for any grid.
        count: int, number of class tokens.
        registers: int, tokens after the class tokens that no pooling reads (arXiv 2309.16588); without positions.
    """

    def __init__(self, dim: int, grid: tuple[int, int] | None = None, count: int = 1, registers: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.dim, self.grid = dim, tuple(grid) if grid else None
        self.count, self.registers = count, registers
        narrow = keras.initializers.TruncatedNormal(stddev=0.02)
        # Vectors: weight decay does not apply to them.
        self.token = self.add_weight((count * dim,), initializer=narrow, name="class_token")
        if registers:
            self.register = self.add_weight((registers * dim,), initializer=narrow, name="registers")
        if self.grid:
            self.token_position = self.add_weight((count * dim,), initializer=narrow, name="class_position")
            self.positions = self.add_weight((*self.grid, dim), initializer=narrow, name="positions")
        self.built = True

    @property
    def extra(self) -> int:
        """Number of tokens before those of the patches."""
        return self.count + self.registers

    def call(self, patches):
        rows, columns = ops.shape(patches)[1:3]
        # The learned grid itself needs no interpolation.
        same = self.grid == tuple(patches.shape[1:3])
        positions = self._learned(rows, columns, same) if self.grid else sincos(rows, columns, self.dim)
        x = ops.reshape(patches + ops.cast(positions, patches.dtype), (-1, rows * columns, self.dim))
        first = ops.reshape(self._first(), (self.extra, self.dim))
        first = ops.broadcast_to(ops.cast(first, x.dtype), (ops.shape(x)[0], self.extra, self.dim))
        return ops.concatenate([first, x], axis=1)

    def _first(self):
        first = ops.convert_to_tensor(self.token)
        first = first + self.token_position if self.grid else first
        return ops.concatenate([first, self.register]) if self.registers else first

    def _learned(self, rows, columns, same: bool):
        positions = ops.cast(self.positions, "float32")
        if same:
            return positions
        down, across = bicubic(self.grid[0], rows), bicubic(self.grid[1], columns)
        return ops.einsum("rh,hwd,cw->rcd", down, positions, across)

    def compute_output_shape(self, input_shape):
        batch, rows, columns, dim = input_shape
        return (batch, None if None in (rows, columns) else self.extra + rows * columns, dim)

    def get_config(self):
        own = {"dim": self.dim, "grid": self.grid, "count": self.count, "registers": self.registers}
        return super().get_config() | own


@keras.saving.register_keras_serializable("sslzoo")
class Attention(layers.Layer):
    """Scaled dot products of queries and keys weigh the values: (batch, tokens, 3 * dim) -> (batch, tokens, dim)."""

    def __init__(self, heads: int, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def call(self, qkv, allowed=None):
        """Mixed values.

        Args:
            qkv: (batch, tokens, 3 * dim).
            allowed: bool (batch or 1, queries, keys), which keys a query sees; None for all.
        """
        return _merged(ops.matmul(*self.weights_and_values(qkv, allowed)))

    def weights_and_values(self, qkv, allowed=None):
        """Attention weights (batch, heads, tokens, tokens), and values (batch, heads, tokens, width)."""
        queries, keys, values = (_heads(part, self.heads) for part in ops.split(qkv, 3, axis=-1))
        return attention_weights(queries, keys, allowed), values

    def compute_output_shape(self, qkv_shape, allowed_shape=None):
        return (*qkv_shape[:-1], qkv_shape[-1] // 3)

    def get_config(self):
        return super().get_config() | {"heads": self.heads}


@keras.saving.register_keras_serializable("sslzoo")
class CrossAttention(layers.Layer):
    """Attention of queries to other tokens: (batch, q, dim), (batch, tokens, 2 * dim) -> (batch, q, dim).

    Args:
        heads: int, number of heads.
    """

    def __init__(self, heads: int, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def call(self, queries, keys_values):
        keys, values = (_heads(part, self.heads) for part in ops.split(keys_values, 2, axis=-1))
        return _merged(ops.matmul(attention_weights(_heads(queries, self.heads), keys), values))

    def compute_output_shape(self, queries_shape, keys_values_shape):
        return queries_shape

    def get_config(self):
        return super().get_config() | {"heads": self.heads}


@keras.saving.register_keras_serializable("sslzoo")
class LayerScale(layers.Layer):
    """Multiplies each feature by a trained factor (CaiT, arXiv 2103.17239): (..., dim) -> (..., dim).

    Args:
        initial: float, factor at the start: 1e-5 in DINOv2.
    """

    def __init__(self, initial: float, **kwargs):
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape):
        start = keras.initializers.Constant(self.initial)
        self.factor = self.add_weight((input_shape[-1],), initializer=start, name="factor")

    def call(self, x):
        return x * ops.cast(self.factor, x.dtype)

    def get_config(self):
        return super().get_config() | {"initial": self.initial}


@keras.saving.register_keras_serializable("sslzoo")
class Gate(layers.Layer):
    """SiLU of the first half of the features times the second half (SwiGLU, arXiv 2002.05202)."""

    def call(self, x):
        first, second = ops.split(x, 2, axis=-1)
        return ops.silu(first) * second

    def compute_output_shape(self, x_shape):
        return (*x_shape[:-1], x_shape[-1] // 2)


def attention_weights(queries, keys, allowed=None):
    """Softmax of scaled dot products, computed in float32.

    Args:
        queries, keys: (batch, heads, tokens, width).
        allowed: bool (batch or 1, queries, keys), which keys a query sees; None for all. A query that sees none gets
            equal weights.

    Returns:
        (batch, heads, queries, keys), in the type of the queries.
    """
    scores = ops.matmul(queries * queries.shape[-1] ** -0.5, ops.transpose(keys, (0, 1, 3, 2)))
    scores = ops.cast(scores, "float32")
    scores = scores if allowed is None else ops.where(allowed[:, None], scores, HIDDEN)
    return ops.cast(ops.softmax(scores), queries.dtype)


def _heads(x, heads: int):
    """(batch, tokens, dim) -> (batch, heads, tokens, dim / heads)."""
    return ops.transpose(ops.reshape(x, (-1, ops.shape(x)[1], heads, x.shape[-1] // heads)), (0, 2, 1, 3))


def _merged(x):
    """(batch, heads, tokens, width) -> (batch, tokens, heads * width)."""
    _, heads, _, width = x.shape
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, ops.shape(x)[2], heads * width))


@keras.saving.register_keras_serializable("sslzoo")
class Pool(layers.Layer):
    """The mean of the class tokens, or of the patch tokens: (batch, tokens, dim) -> (batch, dim) in float32.

    Args:
        pool: "token", for the class tokens, or "mean", for the patches.
        count: int, number of class tokens.
        registers: int, number of tokens after the class tokens that are ignored.
    """

    def __init__(self, pool: str, count: int = 1, registers: int = 0, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.pool, self.count, self.registers = pool, count, registers

    def call(self, tokens):
        if self.pool == "token":
            return tokens[:, 0] if self.count == 1 else ops.mean(tokens[:, : self.count], axis=1)
        return ops.mean(tokens[:, self.count + self.registers :], axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])

    def get_config(self):
        return super().get_config() | {"pool": self.pool, "count": self.count, "registers": self.registers}


@keras.saving.register_keras_serializable("sslzoo")
class GridPool(layers.Layer):
    """Means of the patch tokens within the cells of a grid, one after the other: -> (batch, cells * cells * dim).

    Cell i of a side of n patches reaches from floor(i n / cells) to ceil((i + 1) n / cells): cells overlap where n is
    no multiple of their number, and share patches where n is below it.

    Args:
        cells: int, rows and columns of the grid.
        extra: int, number of tokens before those of the patches.
    """

    def __init__(self, cells: int, extra: int = 1, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.cells, self.extra = cells, extra

    def call(self, tokens, patches):
        """Features of tokens (batch, extra + rows * columns, dim) and patches (batch, rows, columns, dim)."""
        rows, columns = ops.shape(patches)[1:3]
        grid = ops.reshape(tokens[:, self.extra :], (-1, rows, columns, tokens.shape[-1]))
        means = ops.einsum("ir,brcd,jc->bijd", self._weights(rows), grid, self._weights(columns))
        return ops.reshape(means, (-1, self.cells**2 * tokens.shape[-1]))

    def _weights(self, count):
        """Share of each patch of a side in each cell: float32 (cells, count)."""
        first = ops.arange(self.cells) * count // self.cells
        end = -(-(ops.arange(self.cells) + 1) * count // self.cells)
        place = ops.arange(count)
        inside = ops.cast((place >= first[:, None]) & (place < end[:, None]), "float32")
        return inside / ops.sum(inside, axis=1, keepdims=True)

    def compute_output_shape(self, tokens_shape, patches_shape):
        return (tokens_shape[0], self.cells**2 * tokens_shape[-1])

    def get_config(self):
        return super().get_config() | {"cells": self.cells, "extra": self.extra}


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
