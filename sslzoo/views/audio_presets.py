"""Presets of views of audio. Each preset returns a list of `AudioView`, one for each view, for `Views`.

Every preset takes `length`, the samples of a part of a clip, and `bank`, the training clips. Other knobs are keyword
arguments and are checked for their range.
"""

from collections.abc import Callable

import tensorflow as tf

from sslzoo.catalog.checked import checked
from sslzoo.views.audio import AudioView, Bank, taken
from sslzoo.views.audio_values import Fader, Masks, Mixup, ResizedCrop


@checked()
def byol_a(
    length: int,
    bank: Bank | None = None,
    mixup_ratio: float = 0.4,
    crop_min_scale: float = 0.6,
    fader_gain: float = 0.0,
) -> list[AudioView]:
    """BYOL-A (arXiv 2103.06695, section 3.2): two views of one part of a clip, mixup and resized crop of its log-mel.

    BYOL-A also normalizes each batch of views by its mean and deviation. That is left out: a view would depend on its
    batch, and the BatchNorm after the encoder's first convolution normalizes scale and offset anyway.

    Args:
        length: int, samples of a part.
        bank: training clips.
        mixup_ratio: float in [0, 1], largest share of the other clip; 0.2 in version 2 (arXiv 2204.07402).
        crop_min_scale: float in (0, 1], smallest side of a crop in units of the log-mel; the largest is 1.5.
        fader_gain: float, largest gain of a random linear fader in units of the deviation; 1 in version 2, 0 for none.
    """
    chain = [Mixup(mixup_ratio), ResizedCrop((crop_min_scale, 1.5), (crop_min_scale, 1.5))]
    chain += [Fader(fader_gain)] * (fader_gain > 0)
    return [AudioView(chain, length, _checked(bank))] * 2


@checked()
def simclr(length: int, bank: Bank | None = None, **knobs) -> list[AudioView]:
    """The views of BYOL-A, for methods whose own views are of images.

    Args:
        length: int, samples of a part.
        bank: training clips.
        **knobs: mixup_ratio, crop_min_scale and fader_gain.
    """
    return byol_a(length, bank, **knobs)


@checked()
def cola(length: int, bank: Bank | None = None) -> list[AudioView]:
    """COLA (arXiv 2010.10915, section 2): two random parts of a clip, without further changes.

    The parts of a clip that is shorter than two of them overlap, and those of a clip of at most `length` are equal.

    Args:
        length: int, samples of a part.
        bank: training clips, of which only the statistics are used.
    """
    return [AudioView([], length, _checked(bank), same_part=False)] * 2


@checked()
def spec_augment(
    length: int, bank: Bank | None = None, masks_count: int = 2, time_share: float = 0.25, bands_share: float = 0.25
) -> list[AudioView]:
    """Two views of one part of a clip with the masks of SpecAugment (arXiv 1904.08779), without its time warp.

    SpecAugment is a method for supervised training; the pair of views is not from the paper.

    Args:
        length: int, samples of a part.
        bank: training clips, of which only the statistics are used.
        masks_count: int, number of masks in time, and of masks of bands.
        time_share: float in [0, 1], largest width of a mask in time.
        bands_share: float in [0, 1], largest width of a mask of bands; 27 of 80 in the paper.
    """
    chain = [Masks("time", masks_count, time_share), Masks("bands", masks_count, bands_share)]
    return [AudioView(chain, length, _checked(bank))] * 2


@checked()
def evaluation(length: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns the function that evaluation applies to clips: the part of one length with the most energy.

    A clip that is shorter has half of the missing samples as zeros before it and half after it.

    Args:
        length: int, samples of the result.

    Returns:
        A function of clips (n, samples, 1) and sizes (n, 1) that returns float32 (n, length, 1).
    """

    def evaluated(waves: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
        size = tf.cast(sizes[:, 0], tf.int32)
        steps = waves.shape[1] or tf.shape(waves)[1]
        inside = tf.range(steps)[None] < size[:, None]
        energy = tf.where(inside, tf.square(tf.cast(waves[..., 0], tf.float64)), 0.0)
        passed = tf.pad(tf.cumsum(energy, axis=1), [[0, 0], [1, 0]])
        end = tf.minimum(tf.range(steps + 1) + length, steps)
        gained = tf.gather(passed, end, axis=1) - passed
        possible = tf.range(steps + 1)[None] <= tf.maximum(size - length, 0)[:, None]
        first = tf.argmax(tf.where(possible, gained, tf.constant(-1.0, tf.float64)), axis=1, output_type=tf.int32)
        return taken(waves, size, first - tf.maximum(length - size, 0) // 2, length)[..., None]

    return tf.function(evaluated, autograph=False)


def _checked(bank: Bank | None) -> Bank:
    if not isinstance(bank, Bank):
        raise ValueError(f"bank must be a Bank of clips, got {type(bank).__name__}")
    return bank
