"""Presets of masked and predictive methods; also available from `presets`.

Of those with two equal views, the method masks and trains on the first. The second is a further draw, which monitors
compare it with.
"""

from sslzoo.catalog.checked import checked
from sslzoo.views.chains import MILDER, asymmetric, blurred, cropped, crops
from sslzoo.views.colour import Jitter
from sslzoo.views.image import View
from sslzoo.views.operation import check_number


@checked()
def mae(size: int, channels: int = 3, min_scale: float = 0.2, interpolation: str = "bicubic", **knobs) -> list[View]:
    """MAE (arXiv:2111.06377, appendix A.1): a random crop and a flip; colours are unchanged. Pixio does not flip.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        interpolation: "bilinear" or "bicubic", how crops are resized; bicubic in the authors' code.
        **knobs: flip.
    """
    return [View(cropped("mae", min_scale=min_scale, interpolation=interpolation, **knobs), size)] * 2


@checked()
def sim_mim(size: int, channels: int = 3, min_scale: float = 0.67, **knobs) -> list[View]:
    """SimMIM (arXiv:2111.09886, section 4.1): a large random crop and a flip; colours are unchanged.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        **knobs: flip and interpolation.
    """
    return [View(cropped("sim_mim", min_scale=min_scale, **knobs), size)] * 2


@checked()
def i_jepa(size: int, channels: int = 3, min_scale: float = 0.3, flip: bool = False) -> list[View]:
    """I-JEPA (arXiv:2301.08243, appendix A.1): a random crop alone; colours are unchanged.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        flip: bool, mirror left and right with probability 0.5, which helps on small data.
    """
    return [View(cropped("i_jepa", min_scale=min_scale, flip=flip), size)] * 2


@checked()
def ibot(
    size: int,
    channels: int = 3,
    min_scale: float = 0.25,
    local_crops: int = 10,
    **knobs,
) -> list[View]:
    """iBOT (arXiv:2111.07832, appendix): DINO's views with larger differences of scale; both large crops are masked.

    The authors' interpolation is bicubic; see `dino` for its cost.

    Args:
        size: int, side of the large crops in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a large crop keeps, and largest of a small one.
        local_crops: int, number of small crops.
        **knobs: strength, hue_space, flip, interpolation, local_size and local_min_scale.
    """
    knobs |= dict(min_scale=min_scale, local_crops=local_crops)
    return crops("ibot", size, channels, MILDER, asymmetric(size), (blurred(size, 0.5),), **knobs)


@checked()
def dino_v2(
    size: int,
    channels: int = 3,
    min_scale: float = 0.32,
    local_crops: int = 8,
    **knobs,
) -> list[View]:
    """DINOv2 (arXiv:2304.07193, appendix): DINO's views with larger differences of scale; half of the large are masked.

    The authors' interpolation is bicubic, with which a pixel takes 2.4 times as long as SimCLR's at 96 px.

    Args:
        size: int, side of the large crops in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a large crop keeps, and largest of a small one.
        local_crops: int, number of small crops.
        **knobs: strength, hue_space, flip, interpolation, local_size and local_min_scale.
    """
    knobs |= dict(min_scale=min_scale, local_crops=local_crops)
    return crops("dino_v2", size, channels, MILDER, asymmetric(size), (blurred(size, 0.5),), **knobs)


@checked()
def capi(size: int, channels: int = 3, min_scale: float = 0.6, **knobs) -> list[View]:
    """CAPI (arXiv:2502.08769, appendix): a random crop and a flip; colours are unchanged.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        **knobs: flip and interpolation.
    """
    return [View(cropped("capi", min_scale=min_scale, **knobs), size)] * 2


@checked()
def aim(size: int, channels: int = 3, min_scale: float = 0.4, **knobs) -> list[View]:
    """AIM (arXiv:2401.08541, section 4): a random crop and a flip; colours are unchanged.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        **knobs: flip and interpolation.
    """
    return [View(cropped("aim", min_scale=min_scale, **knobs), size)] * 2


@checked()
def nepa(size: int, channels: int = 3, min_scale: float = 0.2, **knobs) -> list[View]:
    """NEPA (arXiv:2512.16922, appendix): a random crop and a flip; colours are unchanged.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        **knobs: flip and interpolation.
    """
    return [View(cropped("nepa", min_scale=min_scale, **knobs), size)] * 2


@checked()
def data2vec(size: int, channels: int = 3, strength: float = 1.0, **knobs) -> list[View]:
    """data2vec (arXiv:2202.03555, section 4), from BEiT (arXiv:2106.08254): crop, flip, mild jitter of every image.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        strength: float, 0 or more, multiplies the colour jitter; 0 omits it.
        **knobs: min_scale, flip and interpolation.
    """
    check_number("data2vec", "strength", strength, 0)
    chain = cropped("data2vec", **knobs)
    chain += [Jitter(0.4 * strength, 0.4 * strength, 0.4 * strength * (channels == 3), 0.0, p=1.0)] if strength else []
    return [View(chain, size)] * 2


@checked()
def igpt(size: int, channels: int = 3, min_scale: float = 0.8, flip: bool = False) -> list[View]:
    """image-GPT (ICML 2020, section 3.2): a crop of almost the whole image, where the authors have the largest square.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        flip: bool, mirror left and right with probability 0.5.
    """
    return [View(cropped("igpt", min_scale=min_scale, flip=flip), size)] * 2
