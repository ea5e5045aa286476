"""Vision transformer: Dosovitskiy et al. (arXiv 2010.11929) in DeiT's sizes (arXiv 2012.12877), pre-norm blocks."""

import keras
from keras import layers, ops

POSITIONS = ("sincos", "learned")
POOLS = ("token", "mean")


def vit_tiny(input_shape, **knobs) -> keras.Model:
    """192 features (times `width`), 3 heads; see `vit`."""
    return vit(input_shape, 192, 3, name="vit_tiny", **knobs)


def vit_small(input_shape, **knobs) -> keras.Model:
    """384 features (times `width`), 6 heads; see `vit`."""
    return vit(input_shape, 384, 6, name="vit_small", **knobs)


def vit_base(input_shape, **knobs) -> keras.Model:
    """768 features (times `width`), 12 heads; see `vit`."""
    return vit(input_shape, 768, 12, name="vit_base", **knobs)


def vit(
    input_shape: tuple[int, int, int],
    dim: int,
    heads: int,
    patch_size: int | None = None,
    positions: str = "sincos",
    pool: str = "token",
    depth: int = 12,
    width: float = 1.0,
    frozen_patches: bool = False,
    name: str = "vit",
) -> keras.Model:
    """A class token and one token for each patch pass `depth` blocks and a last norm: (batch, dim).

    Takes images of any size that is a multiple of the patch. The layer "patches" gives the map of patch tokens (batch,
    rows, columns, dim), "tokens" adds positions and the class token, (batch, 1 + rows * columns, dim), and "norm" ends
    the trunk: the part between "tokens" and "norm" takes any subset of the tokens.

    Args:
        input_shape: (height, width, channels); learned positions are those of this size, and others interpolate them.
        dim: width of a token.
        heads: of the attention.
        patch_size: side of a patch in pixels; 4 for images up to 64 px, else 16, if not given.
        positions: "sincos", fixed, or "learned".
        pool: the features are the class "token", or the "mean" of the patches' tokens.
        depth: number of blocks.
        width: multiplies the channels; the number of heads stays.
        frozen_patches: the vectors of patches stay a random projection, which steadies MoCo v3's training.
        name: of the model.

    Raises:
        ValueError: a size that is no multiple of the patch, an unknown name, a width that the heads do not divide.
    """
    patch = patch_size or (4 if max(input_shape[:2]) <= 64 else 16)
    dim = round(dim * width)
    _check(input_shape, patch, dim, heads, positions, pool)
    images = keras.Input((None, None, input_shape[-1]), name="images")
    x = layers.Rescaling(2.0, offset=-1.0, name="normalize")(images)
    x = Patches(dim, patch, frozen_patches, name="patches")(x)
    grid = (input_shape[0] // patch, input_shape[1] // patch) if positions == "learned" else None
    x = Tokens(dim, grid, name="tokens")(x)
    for block in range(depth):
        x = _block(x, dim, heads, f"block{block + 1}")
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    return keras.Model(images, Pool(pool, name="features")(x), name=f"{name}_patch{patch}")


def _check(input_shape: tuple, patch: int, dim: int, heads: int, positions: str, pool: str) -> None:
    for knob, value, known in (("positions", positions, POSITIONS), ("pool", pool, POOLS)):
        if value not in known:
            raise ValueError(f"no {knob} {value!r}: choose one of {', '.join(known)}")
    if dim % heads or dim % 4:
        raise ValueError(f"{dim} features do not divide by 4 and by {heads} heads: choose another width")
    _check_size(input_shape[0], input_shape[1], patch)


def _check_size(height: int | None, width: int | None, patch: int) -> None:
    if (height or 0) % patch or (width or 0) % patch:
        raise ValueError(
            f"images of {height} x {width} are no multiple of the patch, {patch} px: choose another image_size or "
            "patch_size"
        )


def _block(x, dim: int, heads: int, name: str):
    def dense(units: int, part: str):
        return layers.Dense(units, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02), name=part)

    branch = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
    branch = Attention(heads, name=f"{name}_attention")(dense(3 * dim, f"{name}_qkv")(branch))
    x = layers.Add(name=f"{name}_add1")([x, dense(dim, f"{name}_projection")(branch)])
    branch = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
    branch = layers.Activation("gelu", name=f"{name}_gelu")(dense(4 * dim, f"{name}_hidden")(branch))
    return layers.Add(name=name)([x, dense(dim, f"{name}_output")(branch)])


@keras.saving.register_keras_serializable("sslzoo")
class Patches(layers.Conv2D):
    """One vector for each patch: (batch, height, width, channels) -> (batch, height / patch, width / patch, dim)."""

    def __init__(self, dim: int, patch: int, frozen: bool = False, **kwargs):
        super().__init__(dim, patch, patch, kernel_initializer="lecun_normal", **kwargs)
        self.dim, self.patch, self.frozen = dim, patch, frozen

    def build(self, input_shape):
        super().build(input_shape)
        for weight in self.weights:
            weight.trainable = not self.frozen

    def call(self, images):
        _check_size(*images.shape[1:3], self.patch)
        return super().call(images)

    def get_config(self):
        kept = ("name", "trainable", "dtype")
        config = {key: value for key, value in super().get_config().items() if key in kept}
        return config | {"dim": self.dim, "patch": self.patch, "frozen": self.frozen}


@keras.saving.register_keras_serializable("sslzoo")
class Tokens(layers.Layer):
    """Adds positions to the vectors of patches and puts the class token first.

    (batch, rows, columns, dim) -> (batch, 1 + rows * columns, dim), patches row by row.

    Args:
        dim: width of a token.
        grid: (rows, columns) that positions are learned for, bicubic between them for another grid; None for sines and
            cosines of the row and the column, which are computed for the grid at hand.
    """

    def __init__(self, dim: int, grid: tuple[int, int] | None = None, **kwargs):
        super().__init__(**kwargs)
        self.dim, self.grid = dim, tuple(grid) if grid else None
        narrow = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token = self.add_weight((dim,), initializer=narrow, name="class_token")  # a vector: weight decay spares it
        if self.grid:
            self.token_position = self.add_weight((dim,), initializer=narrow, name="class_position")
            self.positions = self.add_weight((*self.grid, dim), initializer=narrow, name="positions")
        self.built = True

    def call(self, patches):
        rows, columns = ops.shape(patches)[1:3]
        # A grid that is known and the learned one needs no interpolation.
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
        """What each token attends to, (batch, heads, tokens, tokens), and what it finds there, (..., tokens, width)."""
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
    """Fixed positions of MoCo v3 (arXiv 2104.02057) and MAE: sine, cosine of the column, then of the row.

    (rows, columns, dim). Each of the four takes dim / 4 frequencies, from 1 down to 1 / 10000 radians a patch.
    """
    frequency = 10000.0 ** (-ops.arange(dim // 4, dtype="float32") / (dim // 4))

    def axis(count):
        angle = ops.arange(count, dtype="float32")[:, None] * frequency
        return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1)

    across = ops.broadcast_to(axis(columns)[None], (rows, columns, dim // 2))
    down = ops.broadcast_to(axis(rows)[:, None], (rows, columns, dim // 2))
    return ops.concatenate([across, down], axis=-1)


def bicubic(old: int, new):
    """Weights (new, old) of cubic convolution with a = -0.75, the border repeated, as in DINO's interpolation."""
    place = (ops.arange(new, dtype="float32") + 0.5) * (old / ops.cast(new, "float32")) - 0.5
    whole = ops.floor(place)

    def tap(step: int):
        x = ops.abs(place - whole - step)
        near = (1.25 * x - 2.25) * x**2 + 1
        far = -0.75 * (((x - 5) * x + 8) * x - 4)
        index = ops.clip(ops.cast(whole, "int32") + step, 0, old - 1)
        return ops.where(x <= 1, near, far)[:, None] * ops.one_hot(index, old, dtype="float32")

    return sum(tap(step) for step in range(-1, 3))
