"""Transformers: the block, stacks of blocks for decoders and predictors, and the parts of a vision transformer."""

import math
import re

import keras
from keras import layers, ops

from sslzoo.layers.drop_path import with_drop_path, with_dropout
from sslzoo.layers.tokens import Attention, CrossAttention, Gate, GridPool, LayerScale, Pool, sincos
from sslzoo.utils.keras_internals import nodes


def dense(units: int, name: str, **options) -> layers.Dense:
    """A dense layer with the initialization of vision transformers, normal with deviation 0.02."""
    # An initializer of its own: one that is shared would give equal weights to layers of equal shape.
    return layers.Dense(units, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02), name=name, **options)


def block(
    x,
    dim: int,
    heads: int,
    name: str,
    layer_scale: float = 0.0,
    swiglu: bool = False,
    drop_path: float = 0.0,
    allowed=None,
    dropout: float = 0.0,
):
    """A pre-norm block (arXiv 2010.11929): attention, then two dense layers, each with norm and shortcut.

    Args:
        x: symbolic tokens (batch, tokens, dim).
        dim, heads: int, width of a token and number of heads.
        name: str, of the block's last layer and start of the others' names.
        layer_scale: float, initial factor of both branches (`LayerScale`); 0 for none.
        swiglu: bool, as of `feed_forward`.
        drop_path: float, rate at which examples skip a branch (`DropPath`), each branch by itself; 0 for none.
        allowed: symbolic bool (batch, 1 or tokens, tokens), which tokens each token sees; None for all.
        dropout: float, rate at which numbers of both branches are dropped (`Dropout`); 0 for none.
    """
    branch = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
    branch = dense(3 * dim, f"{name}_qkv")(branch)
    attention, seen = Attention(heads, name=f"{name}_attention"), {} if allowed is None else {"allowed": allowed}
    branch = dense(dim, f"{name}_projection")(attention(branch, **seen))
    branch = with_dropout(branch, dropout, f"{name}_dropout1")
    branch = LayerScale(layer_scale, name=f"{name}_scale1")(branch) if layer_scale else branch
    x = layers.Add(name=f"{name}_add1")([x, with_drop_path(branch, drop_path, f"{name}_drop1")])
    branch = with_dropout(feed_forward(x, dim, name, swiglu), dropout, f"{name}_dropout2")
    branch = LayerScale(layer_scale, name=f"{name}_scale2")(branch) if layer_scale else branch
    branch = with_drop_path(branch, drop_path, f"{name}_drop2")
    return layers.Add(name=name)([x, branch])


def feed_forward(x, dim: int, name: str, swiglu: bool = False):
    """The second half of a block without its shortcut: norm, dense layer of four times the width, GELU, dense layer.

    Args:
        x: symbolic tokens (batch, tokens, dim).
        dim: int, width of a token.
        name: str, start of the layers' names.
        swiglu: bool, a gate instead of GELU (arXiv 2002.05202), with two thirds of the hidden width, rounded up to a
            multiple of 8, as in DINOv2.
    """
    branch = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
    if swiglu:
        branch = dense(2 * 8 * math.ceil(4 * dim * 2 / 3 / 8), f"{name}_hidden")(branch)
        return dense(dim, f"{name}_output")(Gate(name=f"{name}_gate")(branch))
    branch = dense(4 * dim, f"{name}_hidden")(branch)
    branch = layers.Activation("gelu", name=f"{name}_gelu")(branch)
    return dense(dim, f"{name}_output")(branch)


def transformer(dim: int, depth: int, heads: int, output_dim: int, name: str | None = None) -> keras.Model:
    """Blocks, a norm and a dense layer: (batch, tokens, dim) -> (batch, tokens, output_dim), float32.

    Args:
        dim, depth, heads: int, width of a token, number of blocks, heads of each.
        output_dim: int, width of the output.
        name: str, of the network.

    Raises:
        ValueError: if the heads do not divide the width, or the width is no multiple of 4.
    """
    check_width(dim, heads)
    x = tokens = keras.Input((None, dim))
    for number in range(depth):
        x = block(x, dim, heads, f"block{number + 1}")
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    return keras.Model(tokens, dense(output_dim, "output", dtype="float32")(x), name=name)


def cross_transformer(dim: int, depth: int, heads: int, name: str | None = None) -> keras.Model:
    """CAPI's predictor (arXiv 2502.08769, section 3.3): blocks whose queries see other tokens and not each other.

    Args:
        dim, depth, heads: int, width of a token, number of blocks, heads of each.
        name: str, of the network.

    Returns:
        Model of [queries (batch, q, dim), tokens (batch, t, dim)] -> (batch, q, dim).

    Raises:
        ValueError: if the heads do not divide the width, or the width is no multiple of 4.
    """
    check_width(dim, heads)
    x = queries = keras.Input((None, dim))
    seen = keras.Input((None, dim))
    for number in range(depth):
        part = f"block{number + 1}"
        branch = layers.LayerNormalization(epsilon=1e-6, name=f"{part}_norm1")(x)
        keys_values = dense(2 * dim, f"{part}_kv")(seen)
        asked = dense(dim, f"{part}_q")(branch)
        branch = CrossAttention(heads, name=f"{part}_attention")(asked, keys_values)
        x = layers.Add(name=f"{part}_add1")([x, dense(dim, f"{part}_projection")(branch)])
        x = layers.Add(name=part)([x, feed_forward(x, dim, part)])
    return keras.Model([queries, seen], layers.LayerNormalization(epsilon=1e-6, name="norm")(x), name=name)


def check_width(dim: int, heads: int) -> None:
    """Raises ValueError if heads do not divide a width, or positions do not fit it."""
    if dim % heads or dim % 4:
        raise ValueError(f"a width of {dim} does not divide by 4 and by {heads} heads: choose others")


def parts(encoder: keras.Model) -> tuple[keras.Model, keras.Model, keras.Model]:
    """A vision transformer in three parts, which share its layers; one after the other they output its last norm.

    Args:
        encoder: functional model with layers named "patches", "tokens" and "norm", such as vit_tiny.

    Returns:
        `stem`, images -> patch vectors (n, rows, columns, dim), without positions; `place`, patch vectors -> tokens
        (n, extra + rows * columns, dim), class tokens first; `trunk`, any of the tokens -> tokens after the last norm.

    Raises:
        ValueError: if the encoder has no such layers.
    """
    if not {"patches", "tokens", "norm"} <= {layer.name for layer in encoder.layers}:
        raise ValueError(f"{encoder.name} has no patch tokens: take a vision transformer such as vit_tiny")
    patches, tokens, norm = (encoder.get_layer(name).output for name in ("patches", "tokens", "norm"))
    return keras.Model(encoder.input, patches), keras.Model(patches, tokens), keras.Model(tokens, norm)


def token_width(encoder: keras.Model) -> int:
    """Width of a token of a vision transformer, which is not that of the features if `pool="grid"`."""
    return encoder.get_layer("tokens").output.shape[-1]


def reader(encoder: keras.Model) -> keras.Model:
    """The encoder with features that a part of the patches has as well: its own, or the class token for a grid."""
    pool = encoder.get_layer("features")
    if not isinstance(pool, GridPool):
        return encoder
    tokens, norm = encoder.get_layer("tokens"), encoder.get_layer("norm").output
    features = Pool("token", tokens.count, tokens.registers, name="features")(norm)
    return keras.Model(encoder.input, features, name=encoder.name)


def kept(tokens, ids, extra: int):
    """The first `extra` tokens and those of some patches.

    Args:
        tokens: (n, extra + patches, dim).
        ids: int (n, k), numbers of patches.
        extra: int, tokens before those of the patches.

    Returns:
        (n, extra + k, dim).
    """
    return ops.concatenate([tokens[:, :extra], picked(tokens[:, extra:], ids)], axis=1)


def picked(x, ids):
    """Rows of each example by number: x (n, rows, dim), ids int (n, k) -> (n, k, dim)."""
    return ops.take_along_axis(x, ids[..., None], axis=1)


def scattered(x, ids, count: int):
    """The rows of x at the places `ids` of `count` rows, 0 elsewhere: (n, k, dim), int (n, k) -> (n, count, dim)."""
    return ops.einsum("nkc,nkd->ncd", ops.one_hot(ids, count, dtype=x.dtype), x)


def through(network_parts: tuple, images, mask=None, mask_token=None):
    """Tokens of images after the last norm, where masked patches are replaced by a token before positions are added.

    Args:
        network_parts: as `parts` returns them.
        images: (n, height, width, channels).
        mask: bool (n, rows, columns), true where masked; None for no mask.
        mask_token: weight (dim,).

    Returns:
        (n, extra + rows * columns, dim).
    """
    stem, place, trunk = network_parts
    patches = stem(images)
    if mask is not None:
        patches = ops.where(mask[..., None], ops.cast(mask_token, patches.dtype), patches)
    return trunk(place(patches))


def walk(network: keras.Model, tokens, allowed=None) -> tuple:
    """Passes tokens through the layers of a functional model, with a mask for its attention.

    Args:
        network: functional model of tokens, such as `trunk` of `parts` or a `transformer`. It gets no further weights.
        tokens: its input (n, tokens, dim).
        allowed: bool (n or 1, tokens, tokens), which tokens (last axis) each token sees; None for all.

    Returns:
        The output of the network, and a list of the outputs of its blocks, the first block first.
    """
    values, blocks = {id(network.inputs[0]): tokens}, []
    for node in nodes(network):
        inputs = [values[id(tensor)] for tensor in node.input_tensors]
        if not inputs:
            continue
        options = {"allowed": allowed} if isinstance(node.operation, Attention) and allowed is not None else {}
        output = node.operation(inputs if len(inputs) > 1 else inputs[0], **options)
        values[id(node.output_tensors[0])] = output
        blocks += [output] * bool(re.fullmatch(r"block\d+", node.operation.name))
    return values[id(network.outputs[0])], blocks


class Predictor(layers.Layer):
    """Predicts hidden patches from visible tokens: MAE's decoder (arXiv 2111.06377), I-JEPA's predictor (2301.08243).

    Visible tokens are projected to the predictor's width; a mask token for each hidden patch joins them. Fixed
    positions are added to all patches, and the outputs at the mask tokens are the predictions. Attention has no order,
    so that the place of a patch in the sequence makes no difference.

    Args:
        input_dim: int, width of a visible token.
        dim, depth, heads: int, width, number of blocks and heads of the predictor.
        output_dim: int, width of a prediction.
    """

    def __init__(self, input_dim: int, dim: int, depth: int, heads: int, output_dim: int, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.entrance = dense(dim, "entrance")
        self.entrance.build((None, None, input_dim))
        self.blocks = transformer(dim, depth, heads, output_dim, name="blocks")
        narrow = keras.initializers.TruncatedNormal(stddev=0.02)
        self.mask_token = self.add_weight((dim,), initializer=narrow, name="mask_token")  # a vector: it does not decay
        self.built = True

    def call(self, tokens, visible, hidden, *, grid: tuple, real=None):
        """Predictions of patches.

        Args:
            tokens: (n, extra + k, input_dim), class tokens first.
            visible: int (n, k), the patches of the other tokens.
            hidden: int (n, t), the patches to predict.
            grid: (rows, columns) of patches.
            real: bool (n, t), whether a hidden patch is one; others are seen by no token. None for all.

        Returns:
            float32 (n, t, output_dim).
        """
        x, extra = self.entrance(tokens), tokens.shape[1] - visible.shape[1]
        positions = ops.cast(ops.reshape(sincos(*grid, self.dim), (-1, self.dim)), x.dtype)
        asked = ops.cast(self.mask_token, x.dtype) + ops.take(positions, hidden, axis=0)
        seen = x[:, extra:] + ops.take(positions, visible, axis=0)
        x = ops.concatenate([x[:, :extra], seen, asked], axis=1)
        if real is None:
            return self.blocks(x)[:, -hidden.shape[1] :]
        allowed = ops.concatenate([ops.ones_like(x[:, : tokens.shape[1], 0], "bool"), real], axis=1)
        allowed = ops.broadcast_to(allowed[:, None], (ops.shape(x)[0], x.shape[1], x.shape[1]))
        return walk(self.blocks, x, allowed)[0][:, -hidden.shape[1] :]
