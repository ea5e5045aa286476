"""MLP: fully connected layers, for tiny images."""

import keras
from keras import layers

from sslzoo.catalog.checked import checked


@checked()
def mlp(input_shape: tuple[int, ...], units: int = 512, depth: int = 2) -> keras.Model:
    """Dense, BatchNorm and ReLU over the flattened input, `depth` times: features (batch, units).

    Args:
        input_shape: shape of an input, such as (height, width, channels).
        units: int, width of every layer.
        depth: int, number of layers.
    """
    images = keras.Input(input_shape, name="images")
    x = layers.Flatten()(layers.Rescaling(2.0, offset=-1.0, name="normalize")(images))
    for index in range(1, depth + 1):
        x = layers.Dense(units, use_bias=False, name=f"dense{index}")(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"norm{index}")(x)
        x = layers.ReLU(name=f"relu{index}")(x)
    return keras.Model(images, layers.Activation("linear", name="features")(x), name="mlp")
