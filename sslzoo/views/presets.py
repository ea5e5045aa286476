"""The papers' recipes of views by name: each gives a list of `View`, for `Views`, or a callable for evaluation."""

from collections.abc import Callable

import tensorflow as tf

from sslzoo.views.colour import Grayscale, Jitter, Solarize
from sslzoo.views.geometry import Blur, Centre, Crop, Flip
from sslzoo.views.image import View
from sslzoo.views.operation import Operation, check_number


def simclr(
    size: int,
    channels: int = 3,
    strength: float = 1.0,
    blur: bool | None = None,
    min_scale: float = 0.08,
    flip: bool = True,
    solarize: float = 0.0,
) -> list[View]:
    """SimCLR, appendix A (arXiv:2002.05709): two views of one chain; strength 1 for ImageNet, 0.5 for CIFAR-10 (B.9).

    Args:
        size: side of the views in pixels.
        channels: where it is not 3, saturation, hue and grayscale are left out.
        strength: of the colour jitter; 0 leaves it out.
        blur: None blurs above 64 px only, since the paper leaves it out at CIFAR's 32 px.
        min_scale: the smallest share of the area that a crop keeps.
        flip: swap left and right half of the time.
        solarize: probability; no part of SimCLR's recipe.

    Raises:
        ValueError: naming the knob, its value and the allowed range.
    """
    check_number("simclr", "strength", strength, 0)
    check_number("simclr", "min_scale", min_scale, 1e-6, 1)
    chain = [Crop(scale=(min_scale, 1.0))] + [Flip()] * flip
    chain += _colours(0.8 * strength, 0.8 * strength, 0.8 * strength, 0.2 * strength, channels)
    chain += [Blur()] * (size > 64 if blur is None else blur) + [Solarize(p=solarize)] * (solarize != 0)
    return [View(chain, size), View(chain, size)]


def byol(size: int, channels: int = 3, strength: float = 1.0, min_scale: float = 0.08, flip: bool = True) -> list[View]:
    """BYOL, appendix B (arXiv:2006.07733): the first view is always blurred, the second seldom, but solarized.

    Args:
        size: side of the views in pixels; up to 64 nothing is blurred.
        channels: where it is not 3, saturation, hue and grayscale are left out.
        strength: multiplies the colour jitter; 0 leaves it out.
        min_scale: the smallest share of the area that a crop keeps.
        flip: swap left and right half of the time.
    """
    check_number("byol", "strength", strength, 0)
    check_number("byol", "min_scale", min_scale, 1e-6, 1)
    chain = [Crop(scale=(min_scale, 1.0))] + [Flip()] * flip
    chain += _colours(0.4 * strength, 0.4 * strength, 0.2 * strength, 0.1 * strength, channels)
    blurs = [Blur(p=p) for p in (1.0, 0.1)] if size > 64 else []
    return [View([*chain, *blurs[:1]], size), View([*chain, *blurs[1:], Solarize(p=0.2)], size)]


def digits(size: int, channels: int = 1, strength: float = 0.5, min_scale: float = 0.35) -> list[View]:
    """SimCLR's chain (arXiv:2002.05709) without flip and blur, with larger crops: digits read one way only; no paper's.

    Args:
        size: side of the views in pixels.
        channels: where it is not 3, saturation, hue and grayscale are left out.
        strength: of the colour jitter; 0 leaves it out.
        min_scale: the smallest share of the area that a crop keeps.
    """
    return simclr(size, channels, strength, blur=False, min_scale=min_scale, flip=False)


def notebook(size: int, channels: int = 3, strength: float = 0.25, clean: bool = True) -> list[View]:
    """The founding notebook's chain, for autoencoders: two views and, third, the clean image; no paper's.

    A square of 24 of 32 pixels anywhere in the image, resized; flip with probability 0.8; jitter always.

    Args:
        size: side of the views in pixels.
        channels: where it is not 3, saturation and hue are left out.
        strength: of the colour jitter; 0 leaves it out.
        clean: adds the image without distortion as third view, the target of denoising.
    """
    check_number("notebook", "strength", strength, 0)
    rgb = 0.8 * strength * (channels == 3)
    chain = [Crop(scale=((24 / 32) ** 2,) * 2, ratio=(1.0, 1.0)), Flip(0.8)]
    chain += [Jitter(0.8 * strength, 0.8 * strength, rgb, rgb / 4, p=1.0)] if strength else []
    return [View(chain, size), View(chain, size), *[View([Centre()], size)] * clean]


def evaluation(size: int, fraction: float = 1.0) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The centre, resized, as SimCLR evaluates (arXiv:2002.05709, appendix B.6); fraction 224 / 256 on ImageNet.

    An image that has the size already stays as it is.

    Returns:
        images (n, height, width, channels), sizes (n, 2) -> float32 (n, size, size, channels) in [0, 1].
    """
    return tf.function(View([Centre(fraction)], size), autograph=False)


def _colours(brightness: float, contrast: float, saturation: float, hue: float, channels: int) -> list[Operation]:
    """Jitter with probability 0.8 and grayscale with 0.2, or what of it the channels allow."""
    if channels != 3:
        saturation = hue = 0.0
    strengths = (brightness, contrast, saturation, hue)
    jitter = [Jitter(*strengths)] if any(strengths) else []
    return jitter + [Grayscale()] * (channels == 3)
