"""Conv6: the five convolutions of the founding notebook, whose sixth layer is the projector."""

import keras
from keras import layers

from sslzoo.catalog.checked import checked
from sslzoo.layers.heads import normalization


@checked()
def conv6(input_shape: tuple[int, int, int], width: float = 1.0, batch_norm: bool = False) -> keras.Model:
    """Five 3x3 convolutions of 32, 32, 64, 64, 512 channels with hard tanh and pooling.

    The network of Tang, Yang and Amit (arXiv 2109.15089). A 32 x 32 image has 8192 features.

    Args:
        input_shape: (height, width, channels), at least 8 x 8.
        width: float, multiplies the channels.
        batch_norm: bool, normalizes after each convolution. The paper's network does not; methods without negatives
            need it.

    Raises:
        ValueError: if the image is smaller than 8 x 8.
    """
    if min(input_shape[:2]) < 8:
        raise ValueError(f"conv6 halves the image three times: {input_shape[0]} x {input_shape[1]} is below 8 x 8")

    def convolution(x, channels: int, index: int):
        channels = max(1, round(channels * width))
        x = layers.Conv2D(channels, 3, padding="same", kernel_initializer="glorot_normal", name=f"conv{index}")(x)
        return normalization(name=f"norm{index}")(x) if batch_norm else x

    images = keras.Input(input_shape, name="images")
    x = layers.Rescaling(2.0, offset=-1.0, name="normalize")(images)
    for block, channels in enumerate((32, 64)):
        x = convolution(x, channels, 2 * block + 1)
        x = layers.Activation("hard_tanh", name=f"tanh{2 * block + 1}")(x)
        x = layers.MaxPooling2D(name=f"pool{2 * block + 2}")(convolution(x, channels, 2 * block + 2))
    x = layers.MaxPooling2D(name="pool5")(convolution(x, 512, 5))
    return keras.Model(images, layers.Flatten(name="features")(x), name="conv6")
