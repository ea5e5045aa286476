"""TS2Vec: the same time in two crops of a series is recognized among other times and other series, at all scales."""

import keras
from keras import ops

from sslzoo.layers.steps import steps_of, window
from sslzoo.layers.targets import Target
from sslzoo.losses import hierarchical_contrast
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class TS2Vec(SSLModel):
    """Contrasts the representations of time steps in the overlap of two crops, within a series and between series.

    The method crops the first view itself, as the overlap must be aligned: lengths are drawn once for a batch, the
    place for each series. Steps are masked after the encoder's first layer in training. The exported encoder is the
    mean of the weights before the first and after each step. Missing values are filled here; the authors mask them. The
    features are the maximum over time; the layer "steps" of the export has a representation of each step.

    Args:
        encoder: dilated_conv, (batch, steps, channels) -> features (batch, features).
        mask_ratio: float in [0, 1), probability that a step is masked.
        instance_weight: float in [0, 1], weight of the contrast between series; that within a series has 1 - it.

    Raises:
        ValueError: if the encoder has no layer "embedded", or does not pool steps.
    """

    paper = "https://arxiv.org/abs/2106.10466"
    use = "series of any length, of which a representation of each step is wanted too"
    batch = 8
    views = "whole"
    default_encoder = "dilated_conv"
    kinds = ("series",)
    micro_batches = False

    def __init__(self, encoder, mask_ratio: float = 0.5, instance_weight: float = 0.5, **kwargs):
        super().__init__(encoder, **kwargs)
        self.mask_ratio = mask_ratio
        self.instance_weight = instance_weight
        if "embedded" not in {layer.name for layer in encoder.layers}:
            raise ValueError(f"ts2vec masks steps inside of dilated_conv, not of {encoder.name}: choose that encoder")
        embedded = encoder.get_layer("embedded").output
        self.stem = keras.Model(encoder.input, embedded)
        self.trunk = keras.Model(embedded, steps_of(encoder, "ts2vec"))
        self.target = Target(encoder)

    def compile(self, optimizer="rmsprop", **kwargs):
        """As of SSLModel, without XLA, which would compile each length of a crop."""
        super().compile(optimizer, **{"jit_compile": False} | kwargs)

    def call(self, batch, training=None):
        series = batch["views"][0]
        steps = series.shape[1]
        first, left, right, last = crops(self.uniform((4,), 0, everywhere=True, training=training), steps)
        noise = self.uniform((ops.shape(series)[0],), 1, training=training)
        offset = _integer(noise, steps - last + first + 1) - first  # all of first..last lies within the series
        a = self._steps(window(series, offset + first, right - first), 2, training)
        b = self._steps(window(series, offset + left, last - left), 3, training)
        return dict(a=_padded(a, left - first, steps), b=_padded(b, 0, steps), length=right - left)

    def _steps(self, series, draw: int, training):
        """Representations of the steps of series, some of them masked in training."""
        x = self.stem(series)
        if training:
            shown = self.uniform(tuple(ops.shape(x)[:2]), draw) >= self.mask_ratio
            x = x * ops.cast(shown[..., None], x.dtype)
        return self.trunk(x)

    def objective(self, a, b, length):
        return hierarchical_contrast(gather(a), gather(b), length, instance_weight=self.instance_weight)

    def after_step(self, **outputs):
        self.target.update(1 / ops.cast(self.step + 1, "float32"))

    def exported(self):
        return self.target.copies[0]


def crops(noise, steps: int):
    """Ends of two crops, first..right and left..last, which overlap in left..right: first <= left < right <= last.

    Args:
        noise: uniform (4,).
        steps: int, of the series, 2 or more.

    Returns:
        Four int32 scalars in 0..steps; the overlap has 2 steps or more.
    """
    length = 2 + _integer(noise[0], steps - 1)
    left = _integer(noise[1], steps - length + 1)
    right = left + length
    return _integer(noise[2], left + 1), left, right, right + _integer(noise[3], steps - right + 1)


def _integer(noise, below):
    """Integers 0..below - 1."""
    return ops.cast(ops.floor(noise * ops.cast(below, "float32")), "int32")


def _padded(x, start, steps: int):
    """The steps of x from `start` on, its last one repeated up to a known number of steps."""
    return ops.take(x, ops.minimum(start + ops.arange(steps), ops.shape(x)[1] - 1), axis=1)
