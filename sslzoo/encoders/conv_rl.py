"""The convolutional networks of reinforcement learning from pixels: CURL's and DQN's."""

import keras
from keras import layers

from sslzoo.catalog.checked import checked


@checked()
def conv_rl(input_shape: tuple[int, int, int], width: float = 1.0, features: int = 50) -> keras.Model:
    """Four 3x3 convolutions, the first with stride 2, a dense layer and LayerNorm (CURL, arXiv 2004.04136).

    The convolutions are not padded: frames of 84 px have a map of 35 x 35.

    Args:
        input_shape: (height, width, channels), at least 15 x 15; the frames of a stack are channels.
        width: float, multiplies the 32 channels of the convolutions.
        features: int, width of the dense layer.

    Raises:
        ValueError: if the frame is smaller than 15 x 15.
    """
    _check("conv_rl", input_shape, 15)
    shapes = [(32, 3, 2), (32, 3, 1), (32, 3, 1), (32, 3, 1)]
    frames, x = _convolved(input_shape, width, shapes)
    x = layers.Dense(features, kernel_initializer="orthogonal", name="dense")(layers.Flatten(name="flatten")(x))
    return keras.Model(frames, layers.LayerNormalization(epsilon=1e-5, name="features")(x), name="conv_rl")


@checked()
def nature_conv(input_shape: tuple[int, int, int], width: float = 1.0) -> keras.Model:
    """The convolutions of DQN (Mnih et al., Nature 518, 2015): 8x8 stride 4, 4x4 stride 2, 3x3 of 32, 64, 64 channels.

    The convolutions are not padded: frames of 84 px have a map of 7 x 7, whose 3136 values are the features.

    Args:
        input_shape: (height, width, channels), at least 36 x 36; the frames of a stack are channels.
        width: float, multiplies the channels.

    Raises:
        ValueError: if the frame is smaller than 36 x 36.
    """
    _check("nature_conv", input_shape, 36)
    frames, x = _convolved(input_shape, width, [(32, 8, 4), (64, 4, 2), (64, 3, 1)])
    return keras.Model(frames, layers.Flatten(name="features")(x), name="nature_conv")


def _check(name: str, input_shape: tuple[int, int, int], least: int) -> None:
    if min(input_shape[:2]) < least:
        size = " x ".join(map(str, input_shape[:2]))
        raise ValueError(f"{name} takes frames of {least} x {least} px or more, not {size}: give a larger image_size")


def _convolved(input_shape: tuple[int, int, int], width: float, shapes: list[tuple[int, int, int]]) -> tuple:
    """The input and the map after convolutions of (channels, kernel, stride)."""
    frames = x = keras.Input(input_shape, name="images")
    for number, (channels, kernel, stride) in enumerate(shapes, 1):
        made = layers.Conv2D(
            max(1, round(channels * width)), kernel, stride, kernel_initializer="orthogonal", name=f"conv{number}"
        )
        x = layers.ReLU(name=f"relu{number}")(made(x))
    return frames, x
