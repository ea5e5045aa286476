"""A transformer on patches of a series, as the vision transformer (arXiv 2010.11929); patches as in PatchTST."""

import keras
from keras import layers

from sslzoo.catalog.checked import checked
from sslzoo.layers.standardize import entrance
from sslzoo.layers.tokens import Pool, Tokens
from sslzoo.layers.transformer import block, check_width


@checked()
def patch_series(
    input_shape: tuple[int, int],
    patch_size: int | None = None,
    dim: int = 64,
    depth: int = 3,
    heads: int = 4,
    standardize: str = "data",
    schema: dict | None = None,
) -> keras.Model:
    """One token for each patch of consecutive steps of all channels, pre-norm blocks, mean of the patches.

    Args:
        input_shape: (steps, channels); the encoder takes series of any length, which is padded to whole patches.
        patch_size: int, steps of a patch; None is 4 for series of up to 64 steps, 8 for up to 256, else 16.
        dim: int, width of a token.
        depth: int, number of blocks.
        heads: int, heads of the attention.
        standardize: "data", by mean and deviation of the training data, or "each", by those of each series.
        schema: mean and deviation of the training data.

    Raises:
        ValueError: if the heads do not divide the width, or the width is no multiple of 4.
    """
    check_width(dim, heads)
    series, x = entrance(input_shape, standardize, schema)
    steps = input_shape[0]
    patch = patch_size or (4 if steps <= 64 else 8 if steps <= 256 else 16)
    x = layers.Conv1D(dim, patch, strides=patch, padding="same", name="patches")(x)
    x = Tokens(dim, name="tokens")(layers.Reshape((1, -1, dim), name="row")(x))
    for number in range(depth):
        x = block(x, dim, heads, f"block{number + 1}")
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    return keras.Model(series, Pool("mean", 1, name="features")(x), name=f"patch_series{patch}")
