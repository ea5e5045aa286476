"""Changes of the values of series: jitter, scaling, magnitude warp, masks in time and frequency, channel drop."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from sslzoo.views.operation import between, check_count, check_number, fold, numbers
from sslzoo.views.series import SeriesOperation, described, resampled
from sslzoo.views.series_time import basis, normal

EACH = ("channel", "step")


@dataclass(frozen=True)
class Jitter(SeriesOperation):
    """Noise N(0, sigma^2), fresh for every step and channel.

    Args:
        sigma: standard deviation, in units of that of the channel.
    """

    sigma: float = 0.03

    def __post_init__(self) -> None:
        check_number("Jitter", "sigma", self.sigma, 0)

    def draw(self, seed, count, length, channels):
        return dict(noise=normal(seed, (count, length, channels)))

    def change(self, z, draws):
        return z + self.sigma * draws["noise"]


@dataclass(frozen=True)
class Scale(SeriesOperation):
    """A factor from N(mean, sigma^2).

    Args:
        sigma: standard deviation of the factor.
        mean: its mean; 2 in the code of TS-TCC.
        each: a factor for each "channel", or for each "step" of all channels, as in the code of TS-TCC.
    """

    sigma: float = 0.1
    mean: float = 1.0
    each: str = "channel"

    def __post_init__(self) -> None:
        check_number("Scale", "sigma", self.sigma, 0)
        check_number("Scale", "mean", self.mean, 0)
        if self.each not in EACH:
            raise ValueError(f"Scale: each must be one of {', '.join(EACH)}, got {self.each!r}")

    def draw(self, seed, count, length, channels):
        shape = (count, 1, channels) if self.each == "channel" else (count, length, 1)
        return dict(factor=self.mean + self.sigma * normal(seed, shape))

    def change(self, z, draws):
        return z * draws["factor"]

    def strengths(self, draws):
        return {"factor": draws["factor"][:, 0, 0]}


@dataclass(frozen=True)
class MagnitudeWarp(SeriesOperation):
    """A factor that changes smoothly along time, for each channel (Um et al., arXiv:1706.00527).

    Args:
        sigma: standard deviation of the factor at a knot, around 1.
        knots: number of knots between the ends of the cubic spline.
    """

    sigma: float = 0.2
    knots: int = 4

    def __post_init__(self) -> None:
        check_number("MagnitudeWarp", "sigma", self.sigma, 0)
        check_count("MagnitudeWarp", "knots", self.knots)

    def draw(self, seed, count, length, channels):
        knots = 1.0 + self.sigma * normal(seed, (count, self.knots + 2, channels))
        return dict(factor=tf.einsum("tk,nkc->ntc", basis(self.knots + 2, length), knots))

    def change(self, z, draws):
        return z * draws["factor"]


@dataclass(frozen=True)
class Mask(SeriesOperation):
    """Steps set to the mean of their channel, the same in all channels.

    Args:
        share: share of the steps, in [0, 1].
        runs: number of runs of consecutive steps, which may overlap; 0 masks each step independently.
    """

    share: float = 0.1
    runs: int = 1

    def __post_init__(self) -> None:
        check_number("Mask", "share", self.share, 0, 1)
        if self.runs != 0:
            check_count("Mask", "runs", self.runs)

    def draw(self, seed, count, length, channels):
        if not self.runs:
            return dict(kept=numbers(seed, count, length) >= self.share)
        steps = self.share * length / self.runs
        start = numbers(seed, count, self.runs) * (length - steps)
        after = tf.range(length, dtype=tf.float32)[None, :, None] - start[:, None]
        return dict(kept=~tf.reduce_any((after >= 0) & (after < steps), axis=2))

    def change(self, z, draws):
        return tf.where(draws["kept"][..., None], z, 0.0)

    def strengths(self, draws):
        return {"steps masked, %": 100 * tf.reduce_mean(tf.cast(~draws["kept"], tf.float32), axis=1)}


@dataclass(frozen=True)
class ChannelDrop(SeriesOperation):
    """Channels set to their mean; one is always kept.

    Args:
        p: probability of each channel.
    """

    p: float = 0.1

    def __post_init__(self) -> None:
        check_number("ChannelDrop", "p", self.p, 0, 1)

    def draw(self, seed, count, length, channels):
        drawn = numbers(seed, count, channels)
        return dict(kept=(drawn >= self.p) | (drawn == tf.reduce_max(drawn, axis=1, keepdims=True)))

    def change(self, z, draws):
        return tf.where(draws["kept"][:, None], z, 0.0)

    def strengths(self, draws):
        return {"channels dropped, %": 100 * tf.reduce_mean(tf.cast(~draws["kept"], tf.float32), axis=1)}


@dataclass(frozen=True)
class FrequencyMask(SeriesOperation):
    """Frequencies removed at random, the same in all channels; the mean is kept (TF-C, arXiv:2206.08496).

    Args:
        share: probability of each frequency.
    """

    share: float = 0.1

    def __post_init__(self) -> None:
        check_number("FrequencyMask", "share", self.share, 0, 1)

    def draw(self, seed, count, length, channels):
        return dict(kept=(numbers(seed, count, length // 2 + 1) >= self.share) | (tf.range(length // 2 + 1) == 0))

    def change(self, z, draws):
        return of_spectrum(spectrum(z) * tf.cast(draws["kept"][:, None], tf.complex64), z.shape[1])


class Bank:
    """Training series that views take parts from: float32 (m, length, channels), each of mean 0 and deviation 1."""

    def __init__(self, series: np.ndarray):
        self.series = np.asarray(series, "float32")

    @classmethod
    def of(cls, series: np.ndarray, sizes: np.ndarray, length: int) -> "Bank":
        """The bank of raw series (m, steps, channels) of sizes (m, 1), stretched to a length and normalized."""
        sizes = tf.constant(sizes)
        filled, mean, deviation = described(tf.cast(series, tf.float32), sizes)
        places = tf.repeat(tf.linspace(0.0, 1.0, length)[None], len(series), axis=0)
        return cls((resampled(filled, places, sizes) - mean) / tf.where(deviation > 0, deviation, 1.0))


@dataclass(frozen=True)
class FrequencyMix(SeriesOperation):
    """Frequencies taken from another series of the training data; the mean is kept.

    The other series come from a bank, not from the batch: views then do not depend on which rows share a device.

    Args:
        bank: the other series, of the length of the view.
        share: probability of each frequency.
    """

    bank: Bank
    share: float = 0.1

    def __post_init__(self) -> None:
        if not isinstance(self.bank, Bank):
            raise ValueError(f"FrequencyMix: bank must be a Bank of series, got {type(self.bank).__name__}")
        check_number("FrequencyMix", "share", self.share, 0, 1)

    def draw(self, seed, count, length, channels):
        partner = between(numbers(fold(seed, 0), count, 1)[:, 0], 0.0, float(len(self.bank.series)))
        kept = (numbers(fold(seed, 1), count, length // 2 + 1) >= self.share) | (tf.range(length // 2 + 1) == 0)
        return dict(partner=tf.minimum(tf.cast(partner, tf.int32), len(self.bank.series) - 1), kept=kept)

    def change(self, z, draws):
        other = spectrum(tf.gather(tf.constant(self.bank.series), draws["partner"]))
        return of_spectrum(tf.where(draws["kept"][:, None], spectrum(z), other), z.shape[1])


def spectrum(z: tf.Tensor) -> tf.Tensor:
    """The frequencies of series (n, length, channels): complex (n, channels, length // 2 + 1)."""
    return tf.signal.rfft(tf.transpose(z, [0, 2, 1]))


def of_spectrum(frequencies: tf.Tensor, length: int) -> tf.Tensor:
    """The inverse of `spectrum`."""
    return tf.transpose(tf.signal.irfft(frequencies, [length]), [0, 2, 1])
