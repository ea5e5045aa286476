"""Latent dynamics: feature maps of one range, and the map of the next frame predicted from map and action."""

import keras
from keras import layers, ops

from sslzoo.catalog.checked import checked
from sslzoo.layers.heads import normalization


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
