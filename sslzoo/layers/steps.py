"""Time steps of series: windows of them, and what an encoder outputs for each before it pools them."""

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
