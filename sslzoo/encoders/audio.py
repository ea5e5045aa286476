"""Encoders of audio: waveforms in, features out; the log-mel spectrogram is their first layer."""

import keras
from keras import layers

from sslzoo.catalog.checked import checked
from sslzoo.layers.drop_path import Dropout
from sslzoo.layers.log_mel import BANDS, entrance

BLOCKS = 3


@checked()
def byol_a_encoder(
    input_shape: tuple[int, int],
    dim: int = 2048,
    width: float = 1.0,
    dropout: float = 0.3,
    schema: dict | None = None,
) -> keras.Model:
    """BYOL-A's encoder (arXiv 2103.06695, section 3.3): three convolutions, two dense layers, max + mean over time.

    With 2048 features it has 5.3 million weights. The authors also report 512 and 1024 features.

    Args:
        input_shape: (samples, 1).
        dim: int, width of both dense layers and number of features.
        width: float, multiplies the 64 filters of each convolution.
        dropout: float in [0, 1], share of the values dropped between the dense layers in training.
        schema: "rate", and "mean" and "deviation" of the log-mel of the training data.
    """
    audio, x = entrance(input_shape, schema)
    filters = max(1, round(64 * width))
    x = layers.Reshape((-1, BANDS, 1), name="map")(x)
    for number in range(1, BLOCKS + 1):
        x = layers.Conv2D(filters, 3, padding="same", name=f"conv{number}")(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"conv{number}_norm")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(layers.ReLU(name=f"conv{number}_relu")(x))
    x = layers.Reshape((-1, BANDS // 2**BLOCKS * filters), name="frames")(x)
    x = layers.Dense(dim, activation="relu", name="dense1")(x)
    x = layers.Dense(dim, activation="relu", name="dense2")(Dropout(dropout, name="dropout")(x))
    pooled = [pool(dtype="float32", name=name)(x) for name, pool in POOLS.items()]
    return keras.Model(audio, layers.Add(dtype="float32", name="features")(pooled), name="byol_a_encoder")


POOLS = {"maximum": layers.GlobalMaxPooling1D, "mean": layers.GlobalAveragePooling1D}
