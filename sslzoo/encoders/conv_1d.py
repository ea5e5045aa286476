"""Convolutions along time: FCN and ResNet of Wang, Yan and Oates (arXiv 1611.06455), the encoder of TS-TCC."""

import keras
from keras import layers

from sslzoo.catalog.checked import checked
from sslzoo.layers.drop_path import Dropout
from sslzoo.layers.standardize import entrance


@checked()
def fcn_1d(
    input_shape: tuple[int, int], width: float = 1.0, standardize: str = "data", schema: dict | None = None
) -> keras.Model:
    """Three convolutions of 128, 256, 128 channels and lengths 8, 5, 3, each with BatchNorm and ReLU; mean over time.

    Args:
        input_shape: (steps, channels); the encoder takes series of any length.
        width: float, multiplies the channels.
        standardize: "data", by mean and deviation of the training data, or "each", by those of each series.
        schema: mean and deviation of the training data.
    """
    series, x = entrance(input_shape, standardize, schema)
    for number, (channels, length) in enumerate(((128, 8), (256, 5), (128, 3)), start=1):
        x = activated(convolved(x, _wide(channels, width), length, f"conv{number}"), f"conv{number}")
    return keras.Model(series, layers.GlobalAveragePooling1D(name="features", dtype="float32")(x), name="fcn_1d")


@checked()
def resnet_1d(
    input_shape: tuple[int, int], width: float = 1.0, standardize: str = "data", schema: dict | None = None
) -> keras.Model:
    """Three residual blocks of 64, 128, 128 channels, each of convolutions of lengths 8, 5, 3; mean over time.

    Args:
        input_shape: (steps, channels); the encoder takes series of any length.
        width: float, multiplies the channels.
        standardize: "data", by mean and deviation of the training data, or "each", by those of each series.
        schema: mean and deviation of the training data.
    """
    series, x = entrance(input_shape, standardize, schema)
    for number, channels in enumerate((64, 128, 128), start=1):
        x = _block(x, _wide(channels, width), f"block{number}")
    return keras.Model(series, layers.GlobalAveragePooling1D(name="features", dtype="float32")(x), name="resnet_1d")


@checked()
def conv_pool_1d(
    input_shape: tuple[int, int],
    width: float = 1.0,
    kernel_size: int = 8,
    stride: int = 1,
    dropout: float = 0.35,
    standardize: str = "data",
    schema: dict | None = None,
) -> keras.Model:
    """The encoder of TS-TCC (arXiv 2106.14112): three convolutions, each with pooling; mean over time.

    The authors' classifiers read all pooled steps, of which this encoder returns the mean.

    Args:
        input_shape: (steps, channels); the encoder takes series of any length.
        width: float, multiplies the channels.
        kernel_size: int, steps of the first convolution; the others have 8. 25 for sleep stages.
        stride: int, of the first convolution; 3 for sleep stages.
        dropout: float in [0, 1), share of the output of the first block that is dropped in training.
        standardize: "data", by mean and deviation of the training data, or "each", by those of each series.
        schema: mean and deviation of the training data.
    """
    series, x = entrance(input_shape, standardize, schema)
    for number, (channels, length) in enumerate(((32, kernel_size), (64, 8), (128, 8)), start=1):
        name, strides = f"conv{number}", stride if number == 1 else 1
        x = layers.ZeroPadding1D(length // 2, name=f"{name}_pad")(x)
        x = layers.Conv1D(_wide(channels, width), length, strides=strides, use_bias=False, name=name)(x)
        x = layers.ZeroPadding1D(1, name=f"{name}_pool_pad")(activated(x, name))
        x = layers.MaxPooling1D(2, name=f"{name}_pool")(x)
        x = Dropout(dropout, name=f"{name}_drop")(x) if number == 1 else x
    return keras.Model(series, layers.GlobalAveragePooling1D(name="features", dtype="float32")(x), name="conv_pool_1d")


def _wide(channels: int, width: float) -> int:
    return max(1, round(channels * width))


def _block(x, channels: int, name: str):
    """Three convolutions, and a shortcut with a convolution of length 1 where the channels change."""
    shortcut = x if x.shape[-1] == channels else layers.Conv1D(channels, 1, padding="same", name=f"{name}_shortcut")(x)
    shortcut = normed(shortcut, f"{name}_shortcut")
    for number, length in enumerate((8, 5), start=1):
        x = activated(convolved(x, channels, length, f"{name}_conv{number}"), f"{name}_conv{number}")
    x = normed(convolved(x, channels, 3, f"{name}_conv3"), f"{name}_conv3")
    return layers.ReLU(name=name)(layers.Add(name=f"{name}_add")([x, shortcut]))


def convolved(x, channels: int, length: int, name: str, bias: bool = True):
    """A convolution that keeps the number of steps."""
    return layers.Conv1D(channels, length, padding="same", use_bias=bias, name=name)(x)


def normed(x, name: str):
    """BatchNorm."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)


def activated(x, name: str):
    """BatchNorm and ReLU."""
    return layers.ReLU(name=f"{name}_relu")(normed(x, name))
