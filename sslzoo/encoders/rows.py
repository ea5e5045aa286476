"""Encoders of rows of tables: raw columns with missing values in, features out."""

import keras
from keras import layers

from sslzoo.catalog.checked import checked
from sslzoo.layers.columns import ColumnTokens, Subsets, entrance
from sslzoo.layers.tokens import Attention, Pool
from sslzoo.layers.transformer import check_width


@checked()
def mlp_rows(input_shape: tuple[int], units: int = 256, depth: int = 4, schema: dict | None = None) -> keras.Model:
    """Dense layers with ReLU, SCARF's encoder (arXiv 2106.15147, section 4).

    The first layer has a weight vector for each category and for the missing value of each column, its embedding.

    Args:
        input_shape: (columns,).
        units: int, width of each layer.
        depth: int, number of layers.
        schema: columns with their categories, means and deviations, of the training data.
    """
    rows, _, x = entrance(input_shape, schema)
    for number in range(1, depth + 1):
        x = layers.Dense(units, activation="relu", name=f"dense{number}")(x)
    return keras.Model(rows, features(x), name="mlp_rows")


@checked()
def resnet_rows(input_shape: tuple[int], dim: int = 192, depth: int = 3, schema: dict | None = None) -> keras.Model:
    """The residual network for tables of Gorishniy et al. (arXiv 2106.11959, section 3.2), without dropout.

    Args:
        input_shape: (columns,).
        dim: int, width; the hidden layer of a block has twice as many units.
        depth: int, number of blocks.
        schema: columns with their categories, means and deviations, of the training data.
    """
    rows, _, x = entrance(input_shape, schema)
    x = layers.Dense(dim, name="first")(x)
    for number in range(1, depth + 1):
        branch = _norm(f"block{number}_norm")(x)
        branch = layers.Dense(2 * dim, activation="relu", name=f"block{number}_hidden")(branch)
        branch = layers.Dense(dim, name=f"block{number}_output")(branch)
        x = layers.Add(name=f"block{number}")([x, branch])
    x = layers.ReLU(name="relu")(_norm("norm")(x))
    return keras.Model(rows, features(x), name="resnet_rows")


@checked()
def ft_transformer(
    input_shape: tuple[int], dim: int = 64, depth: int = 3, heads: int = 8, schema: dict | None = None
) -> keras.Model:
    """FT-Transformer (arXiv 2106.11959, section 3.3): a token for each column, the class token is the output.

    Pre-norm blocks, without a norm before the first attention, and a gate (ReGLU) of 4/3 of the width; no dropout. The
    paper has a width of 192.

    Args:
        input_shape: (columns,).
        dim: int, width of a token.
        depth: int, number of blocks.
        heads: int, heads of the attention.
        schema: columns with their categories, means and deviations, of the training data.

    Raises:
        ValueError: if the heads do not divide the width, or the width is no multiple of 4.
    """
    check_width(dim, heads)
    rows, columns, x = entrance(input_shape, schema)
    x = ColumnTokens(columns.spans, dim, name="tokens")(x)
    for number in range(1, depth + 1):
        x = _block(x, dim, heads, f"block{number}", norm=number > 1)
    x = layers.LayerNormalization(epsilon=1e-5, name="norm")(Pool("token", name="pool")(x))
    return keras.Model(rows, features(layers.ReLU(name="relu")(x)), name="ft_transformer")


@checked()
def subset_rows(
    input_shape: tuple[int],
    subsets: int = 4,
    overlap: float = 0.75,
    units: int = 256,
    depth: int = 2,
    schema: dict | None = None,
) -> keras.Model:
    """SubTab's encoder (arXiv 2110.04361): one network for overlapping subsets of the columns, the mean of its codes.

    Args:
        input_shape: (columns,).
        subsets: int, number of subsets.
        overlap: float, 0 or more, share of its width by which a subset extends into its neighbour.
        units: int, width of each layer.
        depth: int, number of layers, all but the last of which have a leaky ReLU.
        schema: columns with their categories, means and deviations, of the training data.
    """
    rows, _, x = entrance(input_shape, schema)
    x = Subsets(subsets, overlap, name="subsets")(x)
    for number in range(1, depth):
        x = layers.LeakyReLU(name=f"relu{number}")(layers.Dense(units, name=f"dense{number}")(x))
    codes = layers.Dense(units, name="codes")(x)
    return keras.Model(rows, layers.GlobalAveragePooling1D(name="features", dtype="float32")(codes), name="subset_rows")


def features(x):
    """The output as float32, in any precision."""
    return layers.Activation("linear", dtype="float32", name="features")(x)


def _norm(name: str) -> layers.BatchNormalization:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def _block(x, dim: int, heads: int, name: str, norm: bool):
    """Attention and a gated dense layer, each with norm and shortcut."""
    branch = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm1")(x) if norm else x
    branch = Attention(heads, name=f"{name}_attention")(layers.Dense(3 * dim, name=f"{name}_qkv")(branch))
    x = layers.Add(name=f"{name}_add")([x, layers.Dense(dim, name=f"{name}_projection")(branch)])
    branch = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm2")(x)
    hidden = dim * 4 // 3
    value, gate = (layers.Dense(hidden, name=f"{name}_{part}")(branch) for part in ("value", "gate"))
    branch = layers.Multiply(name=f"{name}_reglu")([value, layers.ReLU(name=f"{name}_relu")(gate)])
    return layers.Add(name=name)([x, layers.Dense(dim, name=f"{name}_output")(branch)])
