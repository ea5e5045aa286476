"""Operations on normalized log-mels: mixup, resized crop and fader of BYOL-A, and the masks of SpecAugment."""

from dataclasses import dataclass

import tensorflow as tf

from sslzoo.layers.log_mel import FLOOR
from sslzoo.views.audio import AudioOperation
from sslzoo.views.operation import between, check_count, check_number, check_range, fold, numbers, uniform

CANVAS = (1.5, 1.0)  # of time and of bands, in units of the log-mel
CUBIC = -0.75  # of the kernel, as in PyTorch


@dataclass(frozen=True)
class Mixup(AudioOperation):
    """Another clip in the background, mixed before the logarithm (BYOL-A, section 3.2): log((1 - a) e^x + a e^z).

    z is drawn from a bank of training clips; the paper draws it from the last 2048 inputs. As in the authors' code, x
    and z are normalized log-mels.

    Args:
        ratio: a is uniform between 0 and this, alpha of the paper.
    """

    ratio: float = 0.4

    def __post_init__(self) -> None:
        check_number("Mixup", "ratio", self.ratio, 0, 1)

    def draw(self, seed, count, shape, bank):
        share, partner = uniform(seed, count, 2)
        last = len(bank.waves) - 1
        return dict(share=self.ratio * share, partner=tf.minimum(tf.cast(partner * (last + 1.0), tf.int32), last))

    def change(self, x, draws, others):
        share = draws["share"][:, None, None]
        other = tf.gather(tf.constant(others), draws["partner"])
        return tf.math.log((1 - share) * tf.exp(x) + share * tf.exp(other) + FLOOR)

    def strengths(self, draws):
        return {"other clip, %": 100 * draws["share"]}


@dataclass(frozen=True)
class ResizedCrop(AudioOperation):
    """A crop in time and bands from a larger canvas, resized to the log-mel (BYOL-A, section 3.2).

    The log-mel lies in the middle of a canvas of zeros, its mean, that is CANVAS times as large. Sides of the crop are
    drawn in units of the log-mel and cut to the canvas. It is resized by bicubic interpolation with aligned corners.

    Args:
        time, bands: ranges of both sides of the crop.
    """

    time: tuple[float, float] = (0.6, 1.5)
    bands: tuple[float, float] = (0.6, 1.5)

    def __post_init__(self) -> None:
        check_range("ResizedCrop", "time", self.time, 1e-6)
        check_range("ResizedCrop", "bands", self.bands, 1e-6)

    def draw(self, seed, count, shape, bank):
        drawn = uniform(seed, count, 4)
        found = {}
        for axis, (name, span) in enumerate((("time", self.time), ("bands", self.bands))):
            canvas = int(CANVAS[axis] * shape[axis])
            side = tf.clip_by_value(tf.floor(between(drawn[2 * axis], *span) * shape[axis]), 1.0, float(canvas))
            start = tf.floor(drawn[2 * axis + 1] * (canvas - side + 1.0))
            found |= {f"{name}_start": tf.minimum(start, canvas - side), f"{name}_side": side}
        return found | dict(shape=tf.tile([[*shape]], [count, 1]))

    def change(self, x, draws, others):
        rows = resizing(draws["time_start"], draws["time_side"], x.shape[1], int(CANVAS[0] * x.shape[1]))
        columns = resizing(draws["bands_start"], draws["bands_side"], x.shape[2], int(CANVAS[1] * x.shape[2]))
        return tf.einsum("nit,ntb,njb->nij", rows, x, columns)

    def strengths(self, draws):
        frames, bands = tf.unstack(tf.cast(draws["shape"], tf.float32), axis=1)
        return {"time, %": 100 * draws["time_side"] / frames, "bands, %": 100 * draws["bands_side"] / bands}


@dataclass(frozen=True)
class Fader(AudioOperation):
    """A straight line in time added to all bands, from one random end to the other (BYOL-A v2, arXiv 2204.07402).

    Args:
        gain: both ends are uniform between -gain and gain.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        check_number("Fader", "gain", self.gain, 0)

    def draw(self, seed, count, shape, bank):
        return dict(ends=between(numbers(seed, count, 2), -self.gain, self.gain))

    def change(self, x, draws, others):
        along = tf.linspace(0.0, 1.0, x.shape[1])
        head, tail = tf.unstack(draws["ends"], axis=1)
        return x + (head[:, None] + (tail - head)[:, None] * along)[..., None]

    def strengths(self, draws):
        return {"first gain": draws["ends"][:, 0]}


@dataclass(frozen=True)
class Masks(AudioOperation):
    """Runs of frames or of bands set to 0, the mean (SpecAugment, arXiv 1904.08779, section 2).

    Args:
        along: "time" or "bands".
        count: number of runs, which may overlap.
        share: largest width of a run as a share of the axis; the width is uniform from 0 to it.
    """

    along: str = "time"
    count: int = 2
    share: float = 0.25

    def __post_init__(self) -> None:
        if self.along not in ("time", "bands"):
            raise ValueError(f"Masks: along must be time or bands, got {self.along!r}")
        check_count("Masks", "count", self.count)
        check_number("Masks", "share", self.share, 0, 1)

    def draw(self, seed, count, shape, bank):
        side = shape[0] if self.along == "time" else shape[1]
        width = tf.floor(numbers(fold(seed, 0), count, self.count) * (int(self.share * side) + 1.0))
        start = tf.floor(numbers(fold(seed, 1), count, self.count) * (side - width + 1.0))
        place = tf.range(side, dtype=tf.float32)[None, :, None] - start[:, None]
        return dict(kept=~tf.reduce_any((place >= 0) & (place < width[:, None]), axis=2))

    def change(self, x, draws, others):
        kept = draws["kept"][:, :, None] if self.along == "time" else draws["kept"][:, None]
        return tf.where(kept, x, 0.0)

    def strengths(self, draws):
        return {f"{self.along} masked, %": 100 * tf.reduce_mean(tf.cast(~draws["kept"], tf.float32), axis=1)}


def resizing(start: tf.Tensor, side: tf.Tensor, length: int, canvas: int) -> tf.Tensor:
    """The matrices (n, length, length) from an axis to a crop of its canvas, resized back to its length.

    Args:
        start, side: (n,) whole numbers, the crop on the canvas.
        length: of the axis, which lies in the middle of the canvas.
        canvas: length of the canvas.
    """
    step = (side - 1.0) / max(length - 1, 1)
    position = tf.range(length, dtype=tf.float32)[None] * step[:, None]  # within the crop
    before = tf.floor(position)
    places = tf.range(length, dtype=tf.float32) + (canvas - length) // 2
    total = tf.zeros((1, length, length))
    for tap in (-1.0, 0.0, 1.0, 2.0):
        weight = cubic(position - before - tap)
        source = tf.clip_by_value(before + tap, 0.0, side[:, None] - 1.0) + start[:, None]
        total += weight[..., None] * tf.cast(tf.abs(source[..., None] - places) < 0.5, tf.float32)
    return total


def cubic(distance: tf.Tensor) -> tf.Tensor:
    """The kernel of bicubic interpolation (Keys 1981) with the parameter CUBIC."""
    x = tf.abs(distance)
    near = (CUBIC + 2) * x**3 - (CUBIC + 3) * x**2 + 1
    far = CUBIC * (x**3 - 5 * x**2 + 8 * x - 4)
    return tf.where(x <= 1, near, tf.where(x < 2, far, 0.0))
