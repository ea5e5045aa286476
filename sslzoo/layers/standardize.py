"""The first layer of encoders of series: missing values filled, channels normalized."""

import keras
from keras import layers, ops

STANDARDIZE = ("data", "each")


@keras.saving.register_keras_serializable("sslzoo")
class Standardize(layers.Layer):
    """Fills missing values and normalizes the channels of series: (batch, steps, channels), NaN for missing values.

    A missing value becomes the mean of its channel in its series, and 0 before the normalization if the channel has no
    value at all.

    Args:
        mean, deviation: floats, one for each channel, by which the channels are normalized.
        each: bool, normalize each channel of each series by its own mean and deviation instead.
    """

    def __init__(self, mean: list[float], deviation: list[float], each: bool = False, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.mean, self.deviation, self.each = [*mean], [*deviation], each
        self.built = True

    def call(self, series):
        series = ops.cast(series, "float32")
        known = ops.isfinite(series)
        count = ops.maximum(ops.sum(ops.cast(known, "float32"), axis=1, keepdims=True), 1.0)
        own = ops.sum(ops.where(known, series, 0.0), axis=1, keepdims=True) / count
        x = ops.where(known, series, own)
        if self.each:
            deviation = ops.std(x, axis=1, keepdims=True)
            x = (x - own) / ops.maximum(deviation, 1e-6 * ops.maximum(ops.abs(own), 1.0))
        else:
            x = (x - ops.convert_to_tensor(self.mean, "float32")) / ops.convert_to_tensor(self.deviation, "float32")
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, series):
        return keras.KerasTensor(series.shape, self.compute_dtype)

    def get_config(self):
        own = {"mean": self.mean, "deviation": self.deviation, "each": self.each}
        return {key: value for key, value in super().get_config().items() if key != "autocast"} | own


def entrance(input_shape: tuple[int, int], standardize: str = "data", schema: dict | None = None, least: int = 2):
    """The input of an encoder of series of any length, and the normalized series.

    Args:
        input_shape: (steps, channels).
        standardize: "data" normalizes each channel by mean and deviation of the training data, "each" those of each
            series by their own, where amplitude is noise.
        schema: "mean" and "deviation" of each channel of the training data; 0 and 1 if None.
        least: smallest number of steps.

    Raises:
        ValueError: the shape is not that of series of enough steps, or there is no such normalization.
    """
    shape = tuple(input_shape) if isinstance(input_shape, tuple | list) else ()
    if len(shape) != 2 or not all(isinstance(side, int) and side > 0 for side in shape):
        raise ValueError(f"input_shape must be (steps, channels), each 1 or more, got {input_shape!r}")
    if shape[0] < least:
        raise ValueError(f"input_shape={shape}: this encoder takes series of {least} steps or more")
    if standardize not in STANDARDIZE:
        raise ValueError(f"no standardize {standardize!r}: choose one of {', '.join(STANDARDIZE)}")
    channels = shape[1]
    schema = schema or {"mean": [0.0] * channels, "deviation": [1.0] * channels}
    if len(schema["mean"]) != channels:
        raise ValueError(f"the schema has {len(schema['mean'])} channels, input_shape={shape}")
    series = keras.Input((None, channels), name="series")
    first = Standardize(schema["mean"], schema["deviation"], standardize == "each", name="normalize")
    return series, first(series)
