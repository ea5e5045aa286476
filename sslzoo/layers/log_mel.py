"""The first layer of encoders of audio: the log-mel spectrogram of waveforms, normalized.

The Fourier transform is a convolution with windowed cosines and sines, so that every export format has the operations.
The settings are those of BYOL-A at 16 kHz (arXiv 2103.06695, section 4.1), scaled to other rates.
"""

import functools
import math

import keras
import numpy as np
from keras import layers, ops

from sslzoo.catalog.ranges import check_number

BANDS = 64
WINDOW, HOP = 0.064, 0.01  # seconds; a window is the nearest power of two in steps
LOWEST, HIGHEST = 60.0, 7800 / 16_000  # edges of the bands: in Hz, and as a share of the rate
FLOOR = 1.1920929e-07  # is added before the logarithm
LEAST = 0.08  # seconds, the shortest waveform, 9 frames
SLOWEST = 4_000  # Hz: below, low bands have no frequency of the Fourier transform


def window(rate: int) -> int:
    """Steps of a window: 1024 at 16 kHz."""
    return 2 ** round(math.log2(WINDOW * rate))


def hop(rate: int) -> int:
    """Steps from one frame to the next: 160 at 16 kHz."""
    return round(HOP * rate)


def frames(steps, rate: int):
    """Number of frames of waveforms of some steps, one number or several."""
    return 1 + steps // hop(rate)


def least(rate: int) -> int:
    """Smallest number of steps that encoders take."""
    return math.ceil(LEAST * rate)


@functools.lru_cache(8)
def mel_weights(rate: int) -> np.ndarray:
    """The triangles (window // 2 + 1, BANDS) of the HTK mel scale, drawn in Hz, without normalization of the area."""
    edges = [2595 * np.log10(1 + hz / 700) for hz in (LOWEST, HIGHEST * rate)]
    hertz = 700 * (10 ** (np.linspace(*edges, BANDS + 2) / 2595) - 1)
    found = np.linspace(0, rate / 2, window(rate) // 2 + 1)[:, None]
    rising, falling = (found - hertz[:-2]) / np.diff(hertz)[:-1], (hertz[2:] - found) / np.diff(hertz)[1:]
    return np.maximum(0, np.minimum(rising, falling)).astype("float32")


@functools.lru_cache(8)
def fourier(rate: int) -> np.ndarray:
    """Windowed cosines and sines (window, 2 * (window // 2 + 1)); the window is a periodic Hann window."""
    steps = np.arange(window(rate))
    angle = 2 * np.pi * np.outer(steps, np.arange(window(rate) // 2 + 1)) / window(rate)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * steps / window(rate))
    return (hann[:, None] * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)).astype("float32")


def log_mel(waves, rate: int):
    """The logarithm of the mel power spectrogram, (n, steps) -> (n, 1 + steps // hop, BANDS) float32.

    Frames are centred at multiples of the hop; both ends are reflected by half a window.

    Args:
        waves: (n, steps) float within [-1, 1], of more steps than half a window.
        rate: int, steps per second.
    """
    half = window(rate) // 2
    padded = ops.pad(ops.cast(waves, "float32"), [(0, 0), (half, half)], mode="reflect")
    kernel = ops.expand_dims(ops.convert_to_tensor(fourier(rate)), 1)
    spectrum = ops.conv(ops.expand_dims(padded, -1), kernel, hop(rate), "valid", "channels_last")
    power = ops.square(spectrum[..., : half + 1]) + ops.square(spectrum[..., half + 1 :])
    return ops.log(ops.matmul(power, ops.convert_to_tensor(mel_weights(rate))) + FLOOR)


@keras.saving.register_keras_serializable("sslzoo")
class LogMel(layers.Layer):
    """Waveforms (batch, steps, 1) -> normalized log-mels (batch, frames, BANDS); log-mels pass unchanged.

    Views of audio are normalized log-mels, since mixing and resizing them has no counterpart in waveforms. One encoder
    therefore takes both, by the number of channels: the views in training, and waveforms in evaluations and exports.

    Args:
        rate: int, steps per second.
        mean, deviation: float, of all bands together, of the training data.
    """

    def __init__(self, rate: int, mean: float = 0.0, deviation: float = 1.0, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.rate, self.mean, self.deviation = rate, mean, deviation
        self.built = True

    def call(self, x):
        if x.shape[-1] == 1:
            x = (log_mel(x[..., 0], self.rate) - self.mean) / self.deviation
        elif x.shape[-1] != BANDS:
            raise ValueError(f"an encoder of audio takes waveforms (batch, samples, 1), got shape {tuple(x.shape)}")
        return ops.cast(x, self.compute_dtype)

    def compute_output_spec(self, x):
        return keras.KerasTensor((x.shape[0], None, BANDS), self.compute_dtype)

    def get_config(self):
        own = {"rate": self.rate, "mean": self.mean, "deviation": self.deviation}
        return {key: value for key, value in super().get_config().items() if key != "autocast"} | own


def entrance(input_shape: tuple[int, int], schema: dict | None = None):
    """The input of an encoder of audio of any length, and the normalized log-mel.

    Args:
        input_shape: (samples, 1).
        schema: "rate", and "mean" and "deviation" of the log-mel of the training data; 16 kHz, 0 and 1 if None.

    Raises:
        ValueError: the shape is not that of waveforms of LEAST seconds or more.
    """
    schema = schema or {"rate": 16_000}
    check_number("rate", schema["rate"], SLOWEST, whole=True)
    shape, shortest = tuple(input_shape) if isinstance(input_shape, tuple | list) else (), least(schema["rate"])
    if len(shape) != 2 or shape[1] != 1 or not isinstance(shape[0], int) or shape[0] < 1:
        raise ValueError(f"input_shape must be (samples, 1), got {input_shape!r}")
    if shape[0] < shortest:
        raise ValueError(f"input_shape={shape}: encoders of audio take {shortest} samples or more, {LEAST} s")
    audio = keras.Input((None, None), name="audio")
    return audio, LogMel(**schema, name="log_mel")(audio)
