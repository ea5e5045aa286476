"""InceptionTime: Fawaz et al. (arXiv 1909.04939), one network of the ensemble."""

import keras
from keras import layers

from sslzoo.catalog.checked import checked
from sslzoo.encoders.conv_1d import activated, convolved, normed
from sslzoo.layers.standardize import entrance


@checked()
def inception_time(
    input_shape: tuple[int, int],
    width: float = 1.0,
    depth: int = 6,
    kernel_size: int = 40,
    standardize: str = "data",
    schema: dict | None = None,
) -> keras.Model:
    """Modules of three long convolutions side by side and a pooled branch, a shortcut every third; mean over time.

    Args:
        input_shape: (steps, channels); the encoder takes series of any length.
        width: float, multiplies the 32 channels of each branch; features are four times that.
        depth: int, number of modules.
        kernel_size: int, steps of the longest convolution; the others have a half and a quarter of them.
        standardize: "data", by mean and deviation of the training data, or "each", by those of each series.
        schema: mean and deviation of the training data.
    """
    series, x = entrance(input_shape, standardize, schema)
    channels, shortcut = max(1, round(32 * width)), x
    for number in range(1, depth + 1):
        x = _module(x, channels, kernel_size, f"module{number}")
        if number % 3 == 0:
            around = convolved(shortcut, x.shape[-1], 1, f"block{number // 3}_shortcut", bias=False)
            around = normed(around, f"block{number // 3}_shortcut")
            x = layers.ReLU(name=f"block{number // 3}")(layers.Add(name=f"block{number // 3}_add")([x, around]))
            shortcut = x
    features = layers.GlobalAveragePooling1D(name="features", dtype="float32")(x)
    return keras.Model(series, features, name="inception_time")


def _module(x, channels: int, kernel_size: int, name: str):
    narrow = convolved(x, channels, 1, f"{name}_bottleneck", bias=False) if x.shape[-1] > 1 else x
    lengths = [max(1, kernel_size // 2**k) for k in range(3)]
    parts = [convolved(narrow, channels, n, f"{name}_conv{k}", bias=False) for k, n in enumerate(lengths, start=1)]
    pooled = layers.MaxPooling1D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    parts.append(convolved(pooled, channels, 1, f"{name}_conv4", bias=False))
    return activated(layers.Concatenate(name=f"{name}_concat")(parts), name)
