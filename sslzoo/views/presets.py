"""Presets of views from the papers. Each preset returns a list of `View`, one for each view, for `Views`.

Every preset takes `size`, the side of the views in pixels, and `channels`, the number of channels of the images. If it
is not 3, saturation, hue and grayscale are omitted. Other knobs are keyword arguments and are checked for their range.
"""

from collections.abc import Callable
from dataclasses import replace

import tensorflow as tf

from sslzoo.catalog.checked import checked
from sslzoo.views.chains import MILD, MILDER, STRONG, asymmetric, blurred, coloured, cropped, crops
from sslzoo.views.colour import Grayscale, Jitter, Solarize
from sslzoo.views.distribution_presets import emp_ssl, lejepa, mmcr, ressl, vis_reg  # noqa: F401
from sslzoo.views.frame_presets import curl, frames, random_shift, same_crop, spr  # noqa: F401
from sslzoo.views.geometry import Blur, Centre, Crop, Flip
from sslzoo.views.image import View
from sslzoo.views.image_text_presets import clip, slip  # noqa: F401
from sslzoo.views.masked_presets import aim, capi, data2vec, dino_v2, i_jepa, ibot, igpt, mae, nepa, sim_mim  # noqa: F401
from sslzoo.views.operation import check_number
from sslzoo.views.part_presets import cpc, crop_flip, pirl, puzzle  # noqa: F401


@checked()
def simclr(size: int, channels: int = 3, blur: bool | None = None, solarize: float = 0.0, **knobs) -> list[View]:
    """SimCLR, appendix A (arXiv:2002.05709): two views of one chain; strength 1 for ImageNet, 0.5 for CIFAR-10 (B.9).

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        blur: bool, blur with probability 0.5; None blurs above 64 px only, since the paper omits blur on CIFAR.
        solarize: float in [0, 1], probability of solarization, which is not part of SimCLR.
        **knobs: strength, hue_space, min_scale, flip and interpolation.
    """
    chain = coloured("simclr", channels, STRONG, **knobs)
    chain += [Blur()] * (size > 64 if blur is None else blur) + [Solarize(p=solarize)] * (solarize != 0)
    return [View(chain, size), View(chain, size)]


@checked()
def byol(size: int, channels: int = 3, interpolation: str = "bicubic", **knobs) -> list[View]:
    """BYOL, appendix B (arXiv:2006.07733): the first view is always blurred, the second rarely blurred but solarized.

    Args:
        size: int, side of the views in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        interpolation: "bilinear" or "bicubic", how crops are resized; bicubic in the authors' code.
        **knobs: strength, hue_space, min_scale and flip.
    """
    chain = coloured("byol", channels, MILDER, interpolation=interpolation, **knobs)
    return [View([*chain, *tail], size) for tail in asymmetric(size, uncut=False)]


@checked()
def moco_v1(
    size: int, channels: int = 3, strength: float = 1.0, min_scale: float = 0.2, hue_space: str = "yiq", **knobs
) -> list[View]:
    """MoCo v1 (arXiv:1911.05722, section 3.3), from InstDisc: grayscale, then jitter of every image; no blur.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        strength: float, 0 or more, multiplies the colour jitter; 0 omits it.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        hue_space: "yiq", or "hsv" as in torchvision, with which SimCLR's views of 96 px take 1.4 times as long.
        **knobs: flip and interpolation.
    """
    check_number("moco_v1", "strength", strength, 0)
    rgb = 0.4 * strength * (channels == 3)
    chain = cropped("moco_v1", min_scale=min_scale, **knobs) + [Grayscale()] * (channels == 3)
    chain += [Jitter(0.4 * strength, 0.4 * strength, rgb, rgb, p=1.0, hue_space=hue_space)] if strength else []
    return [View(chain, size), View(chain, size)]


@checked()
def moco_v2(size: int, channels: int = 3, min_scale: float = 0.2, **knobs) -> list[View]:
    """MoCo v2 (arXiv:2003.04297, section 3) and SimSiam (arXiv:2011.10566, section 3): SimCLR's chain, weaker.

    Args:
        size: int, side of the views in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        **knobs: strength, hue_space, flip and interpolation.
    """
    chain = coloured("moco_v2", channels, MILD, min_scale=min_scale, **knobs) + blurred(size, 0.5)
    return [View(chain, size), View(chain, size)]


@checked()
def moco_v3(size: int, channels: int = 3, min_scale: float = 0.2, **knobs) -> list[View]:
    """MoCo v3 for ResNet-50 (arXiv:2104.02057, appendix): BYOL's two views, larger crops; min_scale 0.08 for a ViT.

    Args:
        size: int, side of the views in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        **knobs: strength, hue_space, flip and interpolation.
    """
    chain = coloured("moco_v3", channels, MILDER, min_scale=min_scale, **knobs)
    return [View([*chain, *tail], size) for tail in asymmetric(size)]


@checked()
def sup_con(size: int, channels: int = 3, min_scale: float = 0.2, **knobs) -> list[View]:
    """SupCon (arXiv:2004.11362) as in the authors' code: MoCo v2's chain without blur.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        **knobs: strength, hue_space, flip and interpolation.
    """
    chain = coloured("sup_con", channels, MILD, min_scale=min_scale, **knobs)
    return [View(chain, size), View(chain, size)]


@checked()
def multi_crop(size: int, channels: int = 3, **knobs) -> list[View]:
    """SwAV (arXiv:2006.09882, appendix A): two large crops, then small crops that show less of the image.

    Args:
        size: int, side of the large crops in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        **knobs: strength, hue_space, min_scale, flip, interpolation, local_crops, local_size and local_min_scale.
    """
    tail = blurred(size, 0.5)
    return crops("multi_crop", size, channels, STRONG, (tail, tail), (tail,), **knobs)


@checked()
def dino(size: int, channels: int = 3, min_scale: float = 0.4, local_crops: int = 8, **knobs) -> list[View]:
    """DINO (arXiv:2104.14294, appendix): BYOL's two views of large crops, then small crops.

    The authors' interpolation is bicubic: a pixel takes 2.7 times as long as SimCLR's at 96 px, with bilinear 2.0.

    Args:
        size: int, side of the large crops in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a large crop keeps, and largest of a small one.
        local_crops: int, number of small crops.
        **knobs: strength, hue_space, flip, interpolation, local_size and local_min_scale.
    """
    knobs |= dict(min_scale=min_scale, local_crops=local_crops)
    return crops("dino", size, channels, MILDER, asymmetric(size), (blurred(size, 0.5),), **knobs)


@checked()
def msn(
    size: int, channels: int = 3, strength: float = 0.5, min_scale: float = 0.3, local_crops: int = 10, **knobs
) -> list[View]:
    """MSN (arXiv:2204.07141, appendix): the target's view, the view with dropped patches, then small crops.

    Args:
        size: int, side of the large crops in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        strength: float, 0 or more, multiplies the colour jitter; 0 omits it.
        min_scale: float in (0, 1], smallest share of the area that a large crop keeps, and largest of a small one.
        local_crops: int, number of small crops, the focal views of the paper.
        **knobs: hue_space, flip, interpolation, local_size and local_min_scale.
    """
    knobs |= dict(strength=strength, min_scale=min_scale, local_crops=local_crops)
    return multi_crop(size, channels, **knobs)


@checked()
def fast_siam(size: int, channels: int = 3, number: int = 4, **knobs) -> list[View]:
    """FastSiam (Pototzky et al., GCPR 2022): SimSiam's chain (arXiv:2011.10566, section 3) with more views.

    Args:
        size: int, side of the views in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        number: int, number of views of an image, 2 or more.
        **knobs: strength, hue_space, min_scale, flip and interpolation.
    """
    check_number("fast_siam", "number", number, 2)
    return moco_v2(size, channels, **knobs)[:1] * number


@checked()
def w_mse(
    size: int,
    channels: int = 3,
    number: int = 2,
    min_scale: float = 0.2,
    before_crop: bool = True,
    interpolation: str = "bicubic",
    **knobs,
) -> list[View]:
    """W-MSE (arXiv:2007.06346, section 4): SimCLR's chain, weaker, rarely gray, without blur; two or four views.

    The authors jitter the whole image and crop it afterwards.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        number: int, number of views of an image, 2 or more.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        before_crop: bool, contrast relative to the mean of the whole image, as in the authors' code.
        interpolation: "bilinear" or "bicubic", how crops are resized; bicubic in the authors' code.
        **knobs: strength, hue_space and flip.
    """
    check_number("w_mse", "number", number, 2)
    chain = coloured("w_mse", channels, (*MILD[:-1], 0.1), min_scale=min_scale, interpolation=interpolation, **knobs)
    chain = [replace(one, before_crop=before_crop) if isinstance(one, Jitter) else one for one in chain]
    return [View(chain, size)] * number


@checked()
def vicreg_l(
    size: int,
    channels: int = 3,
    min_scale: float = 0.08,
    local_crops: int = 0,
    local_min_scale: float = 0.08,
    **knobs,
) -> list[View]:
    """VICRegL (arXiv:2210.01571, appendix): BYOL's two views, then small crops blurred and solarized in turn.

    The defaults are those of the authors for ResNet-50. For ConvNeXt they use min_scale 0.4 and local_crops 6.

    The authors' interpolation is bicubic, with which a pixel takes 1.7 times as long as SimCLR's at 96 px.

    Args:
        size: int, side of the large crops in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a large crop keeps, and largest of a small one.
        local_crops: int, number of small crops.
        local_min_scale: float in (0, min_scale], smallest share of the area that a small crop keeps.
        **knobs: strength, hue_space, flip, interpolation and local_size.
    """
    knobs |= dict(min_scale=min_scale, local_crops=local_crops, local_min_scale=local_min_scale)
    return crops("vicreg_l", size, channels, MILDER, asymmetric(size), asymmetric(size), **knobs)


@checked()
def digits(size: int, channels: int = 1, strength: float = 0.5, min_scale: float = 0.35) -> list[View]:
    """SimCLR's chain for digits, without flip and blur and with larger crops; not from a paper.

    Digits must not be mirrored.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        strength: float, 0 or more, multiplies the colour jitter; 0 omits it.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
    """
    return simclr(size, channels, blur=False, strength=strength, min_scale=min_scale, flip=False)


@checked()
def notebook(size: int, channels: int = 3, strength: float = 0.25, clean: bool = True) -> list[View]:
    """The chain of the founding notebook, for autoencoders: two views and the clean image; not from a paper.

    The chain is a square of 24 / 32 of the side at a random position, a flip with probability 0.8, and colour jitter of
    every image.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        strength: float, 0 or more, multiplies the colour jitter; 0 omits it.
        clean: bool, add the image without distortion as the third view, the target of denoising.
    """
    check_number("notebook", "strength", strength, 0)
    rgb = 0.8 * strength * (channels == 3)
    chain = [Crop(scale=((24 / 32) ** 2,) * 2, ratio=(1.0, 1.0)), Flip(0.8)]
    chain += [Jitter(0.8 * strength, 0.8 * strength, rgb, rgb / 4, p=1.0)] if strength else []
    return [View(chain, size), View(chain, size), *[View([Centre()], size)] * clean]


@checked()
def evaluation(size: int, fraction: float = 1.0) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns the function that evaluation applies to images: centre crop and resize (arXiv:2002.05709, appendix B.6).

    A square image of side `size` is returned unchanged if `fraction` is 1.

    Args:
        size: int, side of the result in pixels.
        fraction: float in (0, 1], share of the shorter side that is kept; 224 / 256 on ImageNet.

    Returns:
        A function of images (n, height, width, channels) and sizes (n, 2) that returns float32
        (n, size, size, channels) in [0, 1].
    """
    return tf.function(View([Centre(fraction)], size), autograph=False)
