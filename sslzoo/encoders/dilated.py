"""Dilated convolutions: the encoder of TS2Vec (Yue et al., arXiv 2106.10466), with a representation for each step."""

import keras
from keras import layers, ops

from sslzoo.catalog.checked import checked
from sslzoo.layers.drop_path import Dropout
from sslzoo.layers.standardize import entrance

POOLINGS = ("max", "mean")


@keras.saving.register_keras_serializable("sslzoo")
class Dilated(layers.Conv1D):
    """A convolution of length 3 that keeps the steps, computed as one product of matrices.

    TensorFlow's dilated convolution on CPU pads and cuts the series into as many parts as the dilation.
    """

    def call(self, x):
        (apart,) = self.dilation_rate
        beyond = ops.zeros_like(x[:, :apart])  # all steps, if there are no more
        before, after = (
            ops.concatenate([beyond, x[:, :-apart]], axis=1),
            ops.concatenate([x[:, apart:], beyond], axis=1),
        )
        taps = ops.concatenate([before, x, after], axis=-1)
        return ops.matmul(taps, ops.reshape(self.kernel, (-1, self.filters))) + self.bias


@checked()
def dilated_conv(
    input_shape: tuple[int, int],
    width: float = 1.0,
    depth: int = 10,
    features: int = 320,
    pool: str = "max",
    dropout: float = 0.1,
    standardize: str = "data",
    schema: dict | None = None,
) -> keras.Model:
    """A dense layer for each step, then residual blocks of two convolutions of length 3 with dilations 1, 2, 4, ...

    The layer "embedded" outputs the steps before the convolutions, where TS2Vec masks, and "steps" the representation
    (batch, steps, features) before the pooling over time.

    Args:
        input_shape: (steps, channels); the encoder takes series of any length.
        width: float, multiplies the 64 channels of the blocks.
        depth: int, number of blocks before the last, which has the channels of the features.
        features: int, width of the representation.
        pool: "max" over time, as TS2Vec's `encode` of a full series, or "mean".
        dropout: float in [0, 1), share of the representation that is dropped in training.
        standardize: "data", by mean and deviation of the training data, or "each", by those of each series.
        schema: mean and deviation of the training data.

    Raises:
        ValueError: if the pooling is unknown.
    """
    if pool not in POOLINGS:
        raise ValueError(f"no pool {pool!r}: choose one of {', '.join(POOLINGS)}")
    channels = max(1, round(64 * width))
    series, x = entrance(input_shape, standardize, schema)
    x = layers.Dense(channels, name="embedded")(x)
    for number in range(depth + 1):
        x = _block(x, channels if number < depth else features, 2**number, f"block{number + 1}", number == depth)
    x = Dropout(dropout, name="steps")(x)
    pooling = layers.GlobalMaxPooling1D if pool == "max" else layers.GlobalAveragePooling1D
    return keras.Model(series, pooling(name="features", dtype="float32")(x), name="dilated_conv")


def _block(x, channels: int, dilation: int, name: str, last: bool):
    shortcut = layers.Conv1D(channels, 1, name=f"{name}_shortcut")(x) if last or x.shape[-1] != channels else x
    for number in (1, 2):
        x = layers.Activation("gelu", name=f"{name}_gelu{number}")(x)
        x = Dilated(channels, 3, padding="same", dilation_rate=dilation, name=f"{name}_conv{number}")(x)
    return layers.Add(name=name)([x, shortcut])
