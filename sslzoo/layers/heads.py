"""Projectors and predictors between features and losses. Their outputs are float32."""

import keras
from keras import layers, ops

from sslzoo.catalog.checked import checked
from sslzoo.losses import unit


@checked()
def normalization(center: bool = True, scale: bool = True, name: str | None = None) -> layers.BatchNormalization:
    """BatchNormalization with the papers' constants, momentum 0.9 and epsilon 1e-5."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, center=center, scale=scale, name=name)


@checked()
def mlp(
    input_dim: int, hidden_dim: int, output_dim: int, hidden_layers: int = 1, name: str | None = None
) -> keras.Sequential:
    """SimCLR's projector (arXiv 2002.05709, section 2.1): Dense, BatchNorm, ReLU, ..., Dense, BatchNorm without offset.

    Args:
        input_dim, hidden_dim, output_dim: int, widths. Maps (batch, input_dim) to (batch, output_dim), float32.
        hidden_layers: int, how often Dense, BatchNorm, ReLU precede the last Dense.
        name: str, of the network.
    """
    dense = dict(use_bias=False, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01))
    stack = [keras.Input((input_dim,))]
    for _ in range(hidden_layers):
        stack += [layers.Dense(hidden_dim, **dense), normalization(), layers.ReLU()]
    stack += [layers.Dense(output_dim, **dense), normalization(center=False)]
    return keras.Sequential([*stack, layers.Activation("linear", dtype="float32")], name=name)


@checked()
def byol_mlp(input_dim: int, hidden_dim: int, output_dim: int, name: str | None = None) -> keras.Sequential:
    """BYOL's projector and predictor (arXiv 2006.07733, section 3.2): Dense with bias, BatchNorm, ReLU, Dense without.

    Args:
        input_dim, hidden_dim, output_dim: int, widths. Maps (batch, input_dim) to (batch, output_dim), float32.
        name: str, of the network.
    """
    stack = [keras.Input((input_dim,)), layers.Dense(hidden_dim), normalization(), layers.ReLU()]
    stack += [layers.Dense(output_dim, use_bias=False), layers.Activation("linear", dtype="float32")]
    return keras.Sequential(stack, name=name)


@checked()
def plain_mlp(
    input_dim: int, hidden_dim: int, output_dim: int, hidden_layers: int = 1, name: str | None = None
) -> keras.Sequential:
    """MoCo v2's head (arXiv 2003.04297, section 2): Dense, ReLU, Dense with biases, no BatchNorm.

    Args:
        input_dim, hidden_dim, output_dim: int, widths. Maps (batch, input_dim) to (batch, output_dim), float32. With
            hidden_dim 0 it is one Dense layer, MoCo v1's head.
        hidden_layers: int, how often Dense, ReLU precede the last Dense.
        name: str, of the network.
    """
    stack = [keras.Input((input_dim,))]
    for _ in range(hidden_layers if hidden_dim else 0):
        stack += [layers.Dense(hidden_dim), layers.ReLU()]
    stack += [layers.Dense(output_dim), layers.Activation("linear", dtype="float32")]
    return keras.Sequential(stack, name=name)


@checked()
def norm_mlp(
    input_dim: int,
    hidden_dim: int,
    output_dim: int,
    hidden_layers: int = 1,
    last_norm: bool = True,
    affine: bool = True,
    last_bias: bool = False,
    activation: str = "relu",
    name: str | None = None,
) -> keras.Sequential:
    """Projector and predictor of most methods: Dense, BatchNorm, ReLU, ..., Dense, optionally BatchNorm.

    Args:
        input_dim, hidden_dim, output_dim: int, widths. Maps (batch, input_dim) to (batch, output_dim), float32.
        hidden_layers: int, how often Dense, BatchNorm, ReLU precede the last Dense.
        last_norm: bool, BatchNorm after the last Dense.
        affine: bool, whether that BatchNorm has scale and offset.
        last_bias: bool, bias of the last Dense, which has no effect before a BatchNorm.
        activation: str, "relu" or another activation of Keras.
        name: str, of the network.
    """
    stack = [keras.Input((input_dim,))]
    for _ in range(hidden_layers):
        active = layers.ReLU() if activation == "relu" else layers.Activation(activation)
        stack += [layers.Dense(hidden_dim, use_bias=False), normalization(), active]
    stack += [layers.Dense(output_dim, use_bias=last_bias)]
    stack += [normalization(center=affine, scale=affine)] * last_norm
    return keras.Sequential([*stack, layers.Activation("linear", dtype="float32")], name=name)


@checked()
def sim_siam(input_dim: int, output_dim: int, bottleneck: int, hidden_layers: int = 2) -> tuple:
    """SimSiam's projector, which ends with BatchNorm, and predictor, which does not (arXiv 2011.10566, section 3).

    Args:
        input_dim, output_dim: int, widths. They map (batch, input_dim) and (batch, output_dim) to (batch, output_dim),
            float32.
        bottleneck: int, width of the predictor's hidden layer.
        hidden_layers: int, hidden layers of the projector.

    Returns:
        Two networks.
    """
    projector = norm_mlp(input_dim, output_dim, output_dim, hidden_layers, affine=False, name="projector")
    predictor = norm_mlp(output_dim, bottleneck, output_dim, last_norm=False, last_bias=True, name="predictor")
    return projector, predictor


@checked()
def linear(input_dim: int, output_dim: int, name: str | None = None) -> layers.Dense:
    """One Dense layer with bias, (batch, input_dim) -> (batch, output_dim), float32."""
    layer = layers.Dense(output_dim, kernel_initializer="glorot_normal", dtype="float32", name=name)
    layer.build((None, input_dim))
    return layer


@checked()
def gelu_mlp(
    input_dim: int, hidden_dim: int, output_dim: int, norm: bool = False, name: str | None = None
) -> keras.Sequential:
    """DINO's head without its last layer (arXiv 2104.14294, appendix C): three Dense with biases, GELU between them.

    Args:
        input_dim, hidden_dim, output_dim: int, widths. Maps (batch, input_dim) to (batch, output_dim), float32.
        norm: bool, BatchNorm before each GELU, as in MSN (arXiv 2204.07141); DINO uses it for encoders with BatchNorm.
        name: str, of the network.
    """
    stack = [keras.Input((input_dim,))]
    narrow = dict(kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02))
    for _ in range(2):
        stack += [layers.Dense(hidden_dim, **narrow), *[normalization()] * norm, layers.Activation("gelu")]
    stack += [layers.Dense(output_dim, **narrow), layers.Activation("linear", dtype="float32")]
    return keras.Sequential(stack, name=name)


@checked()
def causal_context(grid: int, input_dim: int, hidden_dim: int, blocks: int, name: str | None = None) -> keras.Model:
    """CPC's context network (arXiv 1905.09272, appendix A.2): combines each place with the rows above it.

    Residual blocks of masked convolutions, each of which extends the context by one row, and by one column to both
    sides. No BatchNorm, whose statistics would leak later rows.

    Args:
        grid: int, rows and columns of places.
        input_dim: int, width of a place. Maps (batch, grid, grid, input_dim) to the same shape.
        hidden_dim: int, channels within a block.
        blocks: int, number of blocks; after grid - 1 the context of the last row includes the first.
        name: str, of the network.
    """
    places = keras.Input((grid, grid, input_dim))
    context = places
    for _ in range(blocks):
        x = layers.Conv2D(hidden_dim, 1, activation="relu")(context)
        x = layers.Conv2D(hidden_dim, (1, 3), padding="same")(x)
        x = layers.ZeroPadding2D(((1, 0), (0, 0)))(x)  # nothing from below
        x = layers.Conv2D(hidden_dim, (2, 1), activation="relu")(x)
        context = layers.Add()([context, layers.Conv2D(input_dim, 1)(x)])
    return keras.Model(places, layers.ReLU()(context), name=name)


@keras.saving.register_keras_serializable("sslzoo")
class Prototypes(layers.Layer):
    """Directions that embeddings are compared with: (..., dim) -> cosine similarities (..., count), float32.

    Args:
        dim: int, width of the embeddings, which are normalized here.
        count: int, number of prototypes.
        weight_norm: bool, normalizes the prototypes in every call, and gradients pass through, as in DINO and MSN.
            Otherwise call `normalize` after each step, as in SwAV.

    Raises:
        ValueError: if `count` is less than 1.
    """

    def __init__(self, dim: int, count: int, weight_norm: bool = False, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if count < 1:
            raise ValueError(f"prototypes must be 1 or more, got {count}")
        self.dim, self.count, self.weight_norm = dim, count, weight_norm
        self.kernel = self.add_weight((dim, count), initializer=keras.initializers.RandomNormal(), name="kernel")
        self.normalize()
        self.built = True

    def call(self, z, frozen=False):
        """Similarities of embeddings and prototypes.

        Args:
            z: (..., dim), of any norm.
            frozen: bool scalar; where true, the gradient of the prototypes is zero.
        """
        kernel = ops.convert_to_tensor(self.kernel)
        kernel = ops.where(frozen, ops.stop_gradient(kernel), kernel)
        kernel = ops.normalize(kernel, axis=0) if self.weight_norm else kernel
        return ops.matmul(unit(z), kernel)

    def normalize(self) -> None:
        """Normalizes every prototype."""
        self.kernel.assign(ops.normalize(self.kernel, axis=0))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.count)

    def get_config(self):
        return super().get_config() | {"dim": self.dim, "count": self.count, "weight_norm": self.weight_norm}
