"""Latent dynamics: the feature map of the next frame, or its embedding, predicted from those before and the actions."""

import keras
from keras import layers, ops

from sslzoo.catalog.checked import checked
from sslzoo.layers.attention_masks import causal
from sslzoo.layers.drop_path import with_dropout
from sslzoo.layers.heads import normalization
from sslzoo.layers.tokens import Attention

HEAD = 64  # width of a head of attention, in LeWM


@keras.saving.register_keras_serializable("sslzoo")
class MinMax(layers.Layer):
    """Maps (batch, ...) to the range [0, 1] for each example; constant ones to 0 (SPR, arXiv 2007.05929, appendix A).

    Args:
        epsilon: float, added to the range.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs):
        super().__init__(**{"dtype": "float32"} | kwargs)
        self.epsilon = epsilon

    def call(self, inputs):
        inputs = ops.cast(inputs, "float32")
        axes = tuple(range(1, len(inputs.shape)))
        low, high = (reduce(inputs, axis=axes, keepdims=True) for reduce in (ops.min, ops.max))
        return (inputs - low) / (high - low + self.epsilon)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon}


@checked()
def transition(shape: tuple[int, int, int], action_dim: int, hidden_dim: int, name: str | None = None):
    """SPR's transition model: the map with the action as planes, two 3x3 convolutions, ReLU and MinMax.

    Args:
        shape: (rows, columns, channels) of the map.
        action_dim: int, width of the action.
        hidden_dim: int, channels of the first convolution, which BatchNorm follows.
        name: str, of the network.

    Returns:
        Model [map (batch, rows, columns, channels), action (batch, action_dim)] -> map, float32.
    """
    before, action = keras.Input(shape, name="map"), keras.Input((action_dim,), name="action")
    planes = layers.Reshape((1, 1, action_dim))(action)
    planes = layers.UpSampling2D(shape[:2])(planes)
    x = layers.Concatenate()([before, planes])
    x = layers.Conv2D(hidden_dim, 3, padding="same", name="hidden")(x)
    x = normalization(name="norm")(layers.ReLU()(x))
    x = layers.ReLU()(layers.Conv2D(shape[-1], 3, padding="same", name="next")(x))
    return keras.Model([before, action], MinMax(name="range")(x), name=name)


@checked()
def closed_loop(input_dim: int, hidden_dim: int, name: str | None = None):
    """BYOL-Explore's closed-loop GRU cell (arXiv 2206.08332) at the first frame: the belief after the zero state.

    The recurrent weights of a GRU cell have no effect on the zero state and are left out.

    Args:
        input_dim: int, width of the features of a frame.
        hidden_dim: int, width of the belief.
        name: str, of the network.

    Returns:
        Model features (batch, input_dim) -> belief (batch, hidden_dim).
    """
    features = keras.Input((input_dim,), name="features")
    keep = layers.Dense(hidden_dim, activation="sigmoid", name="keep")(features)
    change = layers.Dense(hidden_dim, activation="tanh", name="change")(features)
    return keras.Model(features, (1 - keep) * change, name=name)


@checked()
def open_loop(action_dim: int, hidden_dim: int, name: str | None = None):
    """BYOL-Explore's open-loop GRU cell (arXiv 2206.08332): the belief one step later, from the action alone.

    It is built from dense layers, since `keras.layers.GRUCell` has a seed that `tf.train.Checkpoint` does not save.

    Args:
        action_dim: int, width of the action.
        hidden_dim: int, width of the belief.
        name: str, of the network.

    Returns:
        Model [belief (batch, hidden_dim), action (batch, action_dim)] -> belief.
    """
    before, action = keras.Input((hidden_dim,), name="belief"), keras.Input((action_dim,), name="action")
    gates = layers.Dense(3 * hidden_dim, kernel_initializer="orthogonal", name="belief_gates")(before)
    keep, reset, memory = ops.split(gates, 3, axis=-1)
    to_keep, to_reset, change = ops.split(layers.Dense(3 * hidden_dim, name="action_gates")(action), 3, axis=-1)
    keep, reset = ops.sigmoid(keep + to_keep), ops.sigmoid(reset + to_reset)
    after = keep * before + (1 - keep) * ops.tanh(change + reset * memory)
    return keras.Model([before, action], after, name=name)


@keras.saving.register_keras_serializable("sslzoo")
class Positions(layers.Layer):
    """Adds a trained vector to each place of a sequence, normal at the start: (batch, count, dim) -> the same shape."""

    def build(self, input_shape):
        start = keras.initializers.RandomNormal(stddev=1.0)
        self.positions = self.add_weight(input_shape[1:], initializer=start, name="positions")

    def call(self, x):
        return x + ops.cast(self.positions, x.dtype)


@keras.saving.register_keras_serializable("sslzoo")
class CausalAttention(Attention):
    """Attention in which each token sees itself and the earlier ones."""

    def call(self, qkv):
        return super().call(qkv, causal(qkv.shape[1]))

    def compute_output_shape(self, qkv_shape):
        return super().compute_output_shape(qkv_shape)


@checked()
def conditional_transformer(
    steps: int,
    dim: int,
    action_dim: int,
    hidden_dim: int,
    depth: int,
    heads: int,
    dropout: float,
    name: str | None = None,
):
    """LeWM's predictor (arXiv 2603.19312): a causal transformer over frames, to whose blocks the actions are given.

    The embedding of an action shifts, scales and gates both branches of each block; all gates are 0 at the start
    (AdaLN-Zero, arXiv 2212.09748). As in the authors' code a norm with trained factors follows the conditional one.

    Args:
        steps: int, number of frames.
        dim: int, width of an embedding.
        action_dim: int, width of an action.
        hidden_dim: int, width of the hidden layer of each block.
        depth: int, number of blocks.
        heads: int, heads of each block, of width 64.
        dropout: float, rate at which numbers of both branches are dropped (`Dropout`); 0 for none.
        name: str, of the network.

    Returns:
        Model [embeddings (batch, steps, dim), actions (batch, steps, action_dim)] -> (batch, steps, dim).
    """
    frames, actions = keras.Input((steps, dim), name="frames"), keras.Input((steps, action_dim), name="actions")
    action = layers.Dense(4 * dim, activation="silu", name="action_hidden")(actions)
    action = layers.Activation("silu", name="action_silu")(layers.Dense(dim, name="action")(action))
    x = Positions(name="positions")(frames)
    for number in range(1, depth + 1):
        x = _conditional_block(x, action, hidden_dim, heads, dropout, f"block{number}")
    return keras.Model([frames, actions], layers.LayerNormalization(epsilon=1e-5, name="norm")(x), name=name)


def _conditional_block(x, action, hidden_dim: int, heads: int, dropout: float, name: str):
    """Attention and two dense layers, each shifted, scaled and gated by the action."""
    dim = x.shape[-1]
    modulation = layers.Dense(6 * dim, kernel_initializer="zeros", name=f"{name}_modulation")(action)
    shift1, scale1, gate1, shift2, scale2, gate2 = ops.split(modulation, 6, axis=-1)
    branch = _modulated(x, shift1, scale1, f"{name}_norm1")
    branch = layers.Dense(3 * HEAD * heads, use_bias=False, name=f"{name}_qkv")(branch)
    branch = layers.Dense(dim, name=f"{name}_projection")(CausalAttention(heads, name=f"{name}_attention")(branch))
    x = x + gate1 * with_dropout(branch, dropout, f"{name}_dropout1")
    branch = _modulated(x, shift2, scale2, f"{name}_norm2")
    branch = layers.Dense(hidden_dim, activation="gelu", name=f"{name}_hidden")(branch)
    branch = layers.Dense(dim, name=f"{name}_output")(with_dropout(branch, dropout, f"{name}_dropout2"))
    return x + gate2 * with_dropout(branch, dropout, f"{name}_dropout3")


def _modulated(x, shift, scale, name: str):
    """A norm whose scale and offset are given, and a norm with trained ones."""
    plain = layers.LayerNormalization(epsilon=1e-6, center=False, scale=False, name=f"{name}_plain")(x)
    return layers.LayerNormalization(epsilon=1e-5, name=name)(plain * (1 + scale) + shift)
