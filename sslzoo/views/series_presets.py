"""Presets of views of time series. Each preset returns a list of `SeriesView`, one for each view, for `Views`.

Every preset takes `length`, the steps of the views, and `channels`. Other knobs are keyword arguments and are checked
for their range. Only `ts_tcc` is from a paper; `simclr`, `byol` and `multi_crop` apply the idea of the preset of images
of their name to series. Strengths are in units of the standard deviation of each channel.
"""

from collections.abc import Callable

import tensorflow as tf

from sslzoo.catalog.checked import checked
from sslzoo.views.operation import check_number
from sslzoo.views.series import SeriesOperation, SeriesView
from sslzoo.views.series_time import Crop, Permute, Reverse, TimeWarp
from sslzoo.views.series_values import (
    Bank,
    ChannelDrop,
    FrequencyMask,
    FrequencyMix,
    Jitter,
    MagnitudeWarp,
    Mask,
    Scale,
)


@checked()
def simclr(length: int, channels: int = 1, min_scale: float = 0.5, reverse: bool = False, **knobs) -> list[SeriesView]:
    """Two views of one chain: crop, jitter and scaling; not from a paper.

    Args:
        length: int, steps of the views.
        channels: int, number of channels of the series.
        min_scale: float in (0, 1], smallest share of the steps that a crop keeps.
        reverse: bool, reverse time with probability 0.5, for data whose time has no direction.
        **knobs: strength and drop.
    """
    check_number("simclr", "min_scale", min_scale, 1e-6, 1)
    chain = [Crop((min_scale, 1.0))] + [Reverse()] * reverse + noisy("simclr", channels, **knobs)
    return [SeriesView(chain, length, channels)] * 2


@checked()
def byol(length: int, channels: int = 1, min_scale: float = 0.5, **knobs) -> list[SeriesView]:
    """Two views of different chains: crop and magnitude warp, and crop, time warp and mask; not from a paper.

    Args:
        length: int, steps of the views.
        channels: int, number of channels of the series.
        min_scale: float in (0, 1], smallest share of the steps that a crop keeps.
        **knobs: strength and drop.
    """
    check_number("byol", "min_scale", min_scale, 1e-6, 1)
    noise, crop = noisy("byol", channels, **knobs), Crop((min_scale, 1.0))
    chains = [crop, *noise, MagnitudeWarp()], [crop, TimeWarp(), *noise, Mask()]
    return [SeriesView(chain, length, channels) for chain in chains]


@checked()
def multi_crop(
    length: int,
    channels: int = 1,
    min_scale: float = 0.5,
    local_crops: int = 4,
    local_min_scale: float = 0.2,
    **knobs,
) -> list[SeriesView]:
    """Two long crops, then short crops that show less of the series, stretched to the same length; not from a paper.

    Args:
        length: int, steps of the views.
        channels: int, number of channels of the series.
        min_scale: float in (0, 1], smallest share of the steps that a long crop keeps, and largest of a short one.
        local_crops: int, number of short crops.
        local_min_scale: float in (0, min_scale], smallest share of the steps that a short crop keeps.
        **knobs: strength and drop.
    """
    check_number("multi_crop", "min_scale", min_scale, 1e-6, 1)
    check_number("multi_crop", "local_min_scale", local_min_scale, 1e-6, min_scale)
    noise = noisy("multi_crop", channels, **knobs)
    long, short = Crop((min_scale, 1.0)), Crop((local_min_scale, min_scale))
    return [SeriesView([crop, *noise], length, channels) for crop in (*[long] * 2, *[short] * local_crops)]


@checked()
def whole(length: int, channels: int = 1, min_scale: float = 0.5, **knobs) -> list[SeriesView]:
    """The series as it is, for methods that mix, crop or mask it themselves, and a view that monitors compare it with.

    Args:
        length: int, steps of the views.
        channels: int, number of channels of the series.
        min_scale: float in (0, 1], smallest share of the steps that the crop of the second view keeps.
        **knobs: strength and drop, of the second view.
    """
    check_number("whole", "min_scale", min_scale, 1e-6, 1)
    chains = [], [Crop((min_scale, 1.0)), *noisy("whole", channels, **knobs)]
    return [SeriesView(chain, length, channels) for chain in chains]


@checked()
def frequency(
    length: int,
    channels: int = 1,
    bank: Callable[[int], Bank] | None = None,
    masked_share: float = 0.1,
    mixed_share: float = 0.1,
    **knobs,
) -> list[SeriesView]:
    """A view without some frequencies, and one with some of other series: FrAug's operations (arXiv:2302.09292).

    The series are the whole ones, and noise is added to both views; the combination is not from a paper.

    Args:
        length: int, steps of the views.
        channels: int, number of channels of the series.
        bank: function from a length to the other series, as of the kind; without it no frequencies are mixed.
        masked_share: float in [0, 1], probability that a frequency of the first view is removed.
        mixed_share: float in [0, 1], probability that a frequency of the second view is that of another series.
        **knobs: strength and drop.
    """
    mix = [FrequencyMix(bank(length), mixed_share)] if bank else []
    noise = noisy("frequency", channels, **knobs)
    return [SeriesView([*chain, *noise], length, channels) for chain in ([FrequencyMask(masked_share)], mix)]


@checked()
def ts_tcc(
    length: int,
    channels: int = 1,
    scaling: float = 1.1,
    scaling_mean: float = 2.0,
    jitter: float = 0.8,
    segments: int = 7,
) -> list[SeriesView]:
    """TS-TCC (arXiv:2106.14112): a weak view, scaling, and a strong view, permutation and jitter.

    The defaults are those of the authors' code for HAR, which draws a factor for each step, and at most one segment
    less than its `max_seg` of 8. Their views are drawn once before the training; these are drawn in each step.

    Args:
        length: int, steps of the views.
        channels: int, number of channels of the series.
        scaling: float, standard deviation of the factors of the weak view; 1.5 for sleep stages, 0.001 for epilepsy.
        scaling_mean: float, mean of these factors.
        jitter: float, standard deviation of the noise of the strong view; 2 for sleep stages, 0.001 for epilepsy.
        segments: int, largest number of segments of the permutation; 11 for sleep stages, 4 for epilepsy.
    """
    weak = [Scale(scaling, scaling_mean, each="step")]
    return [SeriesView(chain, length, channels) for chain in (weak, [Permute(segments), Jitter(jitter)])]


def noisy(preset: str, channels: int, strength: float = 1.0, drop: float = 0.1) -> list[SeriesOperation]:
    """Returns scaling and jitter, and channel drop if there are several channels.

    Args:
        preset: str, name of the preset in error messages.
        channels: int, number of channels of the series.
        strength: float, 0 or more, multiplies the deviation of jitter, 0.1, and of scaling, 0.2; 0 omits both.
        drop: float in [0, 1], probability that a channel is set to its mean, if there are several channels.
    """
    check_number(preset, "strength", strength, 0)
    check_number(preset, "drop", drop, 0, 1)
    chain = [Scale(0.2 * strength), Jitter(0.1 * strength)] if strength else []
    return chain + [ChannelDrop(drop)] * (channels > 1 and drop > 0)


@checked()
def evaluation(length: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns the function that evaluation applies to series: stretched to one length, missing values filled.

    A series of that length without missing values is returned unchanged.

    Args:
        length: int, steps of the result.

    Returns:
        A function of series (n, steps, channels) and sizes (n, 1) that returns float32 (n, length, channels).
    """
    return tf.function(SeriesView([], length), autograph=False)
