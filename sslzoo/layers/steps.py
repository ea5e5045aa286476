"""Time steps of series: windows and patches of them, and what an encoder outputs for each before it pools them."""

import keras
from keras import layers, ops

from sslzoo.utils.keras_internals import source

POOLINGS = (layers.GlobalMaxPooling1D, layers.GlobalAveragePooling1D)


def steps_of(encoder: keras.Model, method: str) -> keras.KerasTensor:
    """The symbolic vectors of steps (batch, steps, dim) that an encoder pools to its features.

    Args:
        encoder: functional model that ends with a global pooling over time, such as dilated_conv.
        method: name of the method, for the error message.

    Raises:
        ValueError: if the encoder ends otherwise.
    """
    pooling, inputs = source(encoder.output)
    if not isinstance(pooling, POOLINGS):
        known = "dilated_conv, fcn_1d, resnet_1d or inception_time"
        raise ValueError(f"{method} needs a vector for each step, which {encoder.name} does not pool: choose {known}")
    return inputs[0]


def window(series, first, length):
    """Consecutive steps of each series.

    Args:
        series: (n, steps, channels).
        first: int (n,), the first step of each window.
        length: int scalar, number of steps.

    Returns:
        (n, length, channels).
    """
    return ops.take_along_axis(series, (first[:, None] + ops.arange(length))[..., None], axis=1)


def patches_of(series, patch: int) -> tuple:
    """Consecutive steps as patches, padded by zeros at both ends as a convolution with "same" padding does.

    Args:
        series: (n, steps, channels).
        patch: int, steps of a patch.

    Returns:
        The patches, float32 (n, patches, patch * channels), and a mask (patches, patch * channels): 1 for values of the
        series, 0 for padding.
    """
    _, steps, channels = series.shape
    missing = -steps % patch
    padding = missing // 2, missing - missing // 2
    padded = ops.pad(ops.cast(series, "float32"), ((0, 0), padding, (0, 0)))
    real = ops.repeat(ops.pad(ops.ones((steps,)), (padding,)), channels)
    return ops.reshape(padded, (-1, (steps + missing) // patch, patch * channels)), ops.reshape(
        real, (-1, patch * channels)
    )
