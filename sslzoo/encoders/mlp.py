"""MLP: fully connected layers, for tiny images and rows."""

import keras
from keras import layers


def mlp(input_shape: tuple[int, ...], units: int = 512, depth: int = 2) -> keras.Model:
    """`depth` times Dense, BatchNorm, ReLU over the flattened input; features (batch, units).

    Args:
        input_shape: shape of one input, such as (height, width, channels).
        units: width of every layer.
        depth: number of layers.
    """
    images = keras.Input(input_shape, name="images")
    x = layers.Flatten()(layers.Rescaling(2.0, offset=-1.0, name="normalize")(images))
    for index in range(1, depth + 1):
        x = layers.Dense(units, use_bias=False, name=f"dense{index}")(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"norm{index}")(x)
        x = layers.ReLU(name=f"relu{index}")(x)
    return keras.Model(images, layers.Activation("linear", name="features")(x), name="mlp")
