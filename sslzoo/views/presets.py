"""The papers' recipes of views by name: each gives a list of `View`, for `Views`, or a callable for evaluation."""

from collections.abc import Callable

import tensorflow as tf

from sslzoo.views.colour import Grayscale, Jitter, Solarize
from sslzoo.views.geometry import Blur, Centre, Crop, Flip
from sslzoo.views.image import View
from sslzoo.views.operation import Operation, check_number
from sslzoo.views.part_presets import cpc, crop_flip, pirl  # noqa: F401


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


def moco_v1(
    size: int, channels: int = 3, strength: float = 1.0, min_scale: float = 0.2, flip: bool = True
) -> list[View]:
    """MoCo v1 (arXiv:1911.05722, section 3.3), after InstDisc: gray first, then jitter of every image; no blur.

    Args:
        size: side of the views in pixels.
        channels: where it is not 3, saturation, hue and grayscale are left out.
        strength: multiplies the colour jitter; 0 leaves it out.
        min_scale: the smallest share of the area that a crop keeps.
        flip: swap left and right half of the time.
    """
    check_number("moco_v1", "strength", strength, 0)
    check_number("moco_v1", "min_scale", min_scale, 1e-6, 1)
    rgb = 0.4 * strength * (channels == 3)
    chain = [Crop(scale=(min_scale, 1.0))] + [Flip()] * flip + [Grayscale()] * (channels == 3)
    chain += [Jitter(0.4 * strength, 0.4 * strength, rgb, rgb, p=1.0)] if strength else []
    return [View(chain, size), View(chain, size)]


def moco_v2(
    size: int, channels: int = 3, strength: float = 1.0, min_scale: float = 0.2, flip: bool = True
) -> list[View]:
    """MoCo v2 (arXiv:2003.04297, section 3) and SimSiam (arXiv:2011.10566, section 3): SimCLR's chain, milder.

    Args:
        size: side of the views in pixels; up to 64 nothing is blurred.
        channels: where it is not 3, saturation, hue and grayscale are left out.
        strength: multiplies the colour jitter; 0 leaves it out.
        min_scale: the smallest share of the area that a crop keeps.
        flip: swap left and right half of the time.
    """
    check_number("moco_v2", "strength", strength, 0)
    check_number("moco_v2", "min_scale", min_scale, 1e-6, 1)
    chain = [Crop(scale=(min_scale, 1.0))] + [Flip()] * flip
    chain += _colours(0.4 * strength, 0.4 * strength, 0.4 * strength, 0.1 * strength, channels)
    chain += [Blur()] * (size > 64)
    return [View(chain, size), View(chain, size)]


def multi_crop(
    size: int,
    channels: int = 3,
    strength: float = 1.0,
    min_scale: float = 0.14,
    flip: bool = True,
    local_crops: int = 6,
    local_size: int | None = None,
    local_min_scale: float = 0.05,
) -> list[View]:
    """SwAV (arXiv:2006.09882, appendix A): two large crops, then small ones of less of the image than any large one.

    Args:
        size: side of the large crops in pixels; up to 64 nothing is blurred.
        channels: where it is not 3, saturation, hue and grayscale are left out.
        strength: multiplies the colour jitter; 0 leaves it out.
        min_scale: the smallest share of the area that a large crop keeps, and the largest that a small one does.
        flip: swap left and right half of the time.
        local_crops: number of small crops.
        local_size: their side in pixels; None is `size` up to 64 px, where encoders may take that size only, else
            96/224 of it, in steps of 16.
        local_min_scale: the smallest share of the area that a small crop keeps.
    """
    _check_crops("multi_crop", strength, min_scale, local_crops, local_min_scale)
    after = [Flip()] * flip + _colours(0.8 * strength, 0.8 * strength, 0.8 * strength, 0.2 * strength, channels)
    after += [Blur()] * (size > 64)
    local = View([Crop(scale=(local_min_scale, min_scale)), *after], local_size or _local_size(size))
    return [View([Crop(scale=(min_scale, 1.0)), *after], size)] * 2 + [local] * local_crops


def dino(
    size: int,
    channels: int = 3,
    strength: float = 1.0,
    min_scale: float = 0.4,
    flip: bool = True,
    local_crops: int = 8,
    local_size: int | None = None,
    local_min_scale: float = 0.05,
) -> list[View]:
    """DINO (arXiv:2104.14294, appendix): BYOL's two views of large crops, then small crops; bilinear, not bicubic.

    Args:
        min_scale: the smallest share of the area that a large crop keeps, and the largest that a small one does.
        local_crops: number of small crops.

    The others are those of `multi_crop`.
    """
    _check_crops("dino", strength, min_scale, local_crops, local_min_scale)
    after = [Flip()] * flip + _colours(0.4 * strength, 0.4 * strength, 0.2 * strength, 0.1 * strength, channels)
    first, second, others = ([Blur(p=p)] * (size > 64) for p in (1.0, 0.1, 0.5))
    large, small = Crop(scale=(min_scale, 1.0)), Crop(scale=(local_min_scale, min_scale))
    local = View([small, *after, *others], local_size or _local_size(size))
    views = [View([large, *after, *first], size), View([large, *after, *second, Solarize(p=0.2)], size)]
    return views + [local] * local_crops


def msn(
    size: int,
    channels: int = 3,
    strength: float = 0.5,
    min_scale: float = 0.3,
    flip: bool = True,
    local_crops: int = 10,
    local_size: int | None = None,
    local_min_scale: float = 0.05,
) -> list[View]:
    """MSN (arXiv:2204.07141, appendix): the target's view, the view whose patches are dropped, then small crops.

    Args:
        min_scale: the smallest share of the area that a large crop keeps, and the largest that a small one does.
        local_crops: number of small crops, the paper's focal views.

    The others are those of `multi_crop`.
    """
    return multi_crop(size, channels, strength, min_scale, flip, local_crops, local_size, local_min_scale)


def fast_siam(
    size: int, channels: int = 3, strength: float = 1.0, min_scale: float = 0.2, flip: bool = True, number: int = 4
) -> list[View]:
    """FastSiam (Pototzky et al., GCPR 2022): SimSiam's chain (arXiv:2011.10566, section 3), more views of an image.

    Args:
        number: of views, 2 or more.
    """
    check_number("fast_siam", "number", number, 2)
    return moco_v2(size, channels, strength, min_scale, flip)[:1] * number


def w_mse(
    size: int, channels: int = 3, strength: float = 1.0, min_scale: float = 0.2, flip: bool = True, number: int = 2
) -> list[View]:
    """W-MSE (arXiv:2007.06346, section 4): SimCLR's chain, milder, seldom gray, no blur; two views or four.

    Args:
        number: of views, 2 or more.
    """
    check_number("w_mse", "strength", strength, 0)
    check_number("w_mse", "min_scale", min_scale, 1e-6, 1)
    check_number("w_mse", "number", number, 2)
    chain = [Crop(scale=(min_scale, 1.0))] + [Flip()] * flip
    chain += _colours(0.4 * strength, 0.4 * strength, 0.4 * strength, 0.1 * strength, channels, gray=0.1)
    return [View(chain, size)] * number


def vicreg_l(
    size: int,
    channels: int = 3,
    strength: float = 1.0,
    min_scale: float = 0.08,
    flip: bool = True,
    local_crops: int = 0,
    local_size: int | None = None,
    local_min_scale: float = 0.08,
) -> list[View]:
    """VICRegL (arXiv:2210.01571, appendix): BYOL's two views; small crops, if any, are blurred and solarized in turn.

    As the authors train ResNet-50. Their ConvNeXt has a min_scale of 0.4 and 6 local_crops.
    """
    _check_crops("vicreg_l", strength, min_scale, local_crops, local_min_scale)
    first, second = byol(size, channels, strength, min_scale, flip)
    crop, side = Crop(scale=(local_min_scale, min_scale)), local_size or _local_size(size)
    local = [View([crop, *view.operations[1:]], side) for view in (first, second)]
    return [first, second, *(local * local_crops)[:local_crops]]


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


def _local_size(size: int) -> int:
    """Side of the small crops of views of `size` pixels."""
    return size if size <= 64 else max(16, 16 * round(size * 96 / 224 / 16))


def _check_crops(preset: str, strength: float, min_scale: float, local_crops: int, local_min_scale: float) -> None:
    check_number(preset, "strength", strength, 0)
    check_number(preset, "min_scale", min_scale, 1e-6, 1)
    check_number(preset, "local_crops", local_crops, 0)
    check_number(preset, "local_min_scale", local_min_scale, 1e-6, min_scale)


def _colours(
    brightness: float, contrast: float, saturation: float, hue: float, channels: int, gray: float = 0.2
) -> list[Operation]:
    """Jitter with probability 0.8 and grayscale with probability `gray`, or what of it the channels allow."""
    if channels != 3:
        saturation = hue = 0.0
    strengths = (brightness, contrast, saturation, hue)
    jitter = [Jitter(*strengths)] if any(strengths) else []
    return jitter + [Grayscale(gray)] * (channels == 3)
