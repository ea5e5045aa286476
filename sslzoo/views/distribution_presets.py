"""Presets of losses on distributions and of relations between images; also available from `presets`."""

from dataclasses import replace

from sslzoo.catalog.checked import checked
from sslzoo.views.chains import MILDER, asymmetric, blurred, coloured, crops
from sslzoo.views.colour import Solarize
from sslzoo.views.geometry import Crop, Flip
from sslzoo.views.image import View
from sslzoo.views.operation import check_number


@checked()
def lejepa(
    size: int,
    channels: int = 3,
    min_scale: float = 0.3,
    local_crops: int = 6,
    solarize: float = 0.2,
    **knobs,
) -> list[View]:
    """LeJEPA (arXiv:2511.08544): two large crops, then small crops; the same colours, blur and solarization for all.

    Args:
        size: int, side of the large crops in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a large crop keeps, and largest of a small one.
        local_crops: int, number of small crops.
        solarize: float in [0, 1], probability of solarization.
        **knobs: strength, hue_space, flip, interpolation, local_size and local_min_scale.
    """
    tail = [*blurred(size, 0.5), *[Solarize(p=solarize)] * (solarize != 0)]
    knobs |= dict(min_scale=min_scale, local_crops=local_crops)
    return crops("lejepa", size, channels, MILDER, (tail, tail), (tail,), **knobs)


@checked()
def vis_reg(size: int, channels: int = 3, number: int = 4, min_scale: float = 0.3, **knobs) -> list[View]:
    """VISReg (arXiv:2606.02572): four large crops, then small crops, with the colours of LeJEPA.

    Args:
        size: int, side of the large crops in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        number: int, number of large crops, 2 or more.
        min_scale: float in (0, 1], smallest share of the area that a large crop keeps, and largest of a small one.
        **knobs: strength, hue_space, flip, interpolation, local_crops, local_size and local_min_scale.
    """
    check_number("vis_reg", "number", number, 2)
    tail = [*blurred(size, 0.5), Solarize(p=0.2)]
    return crops("vis_reg", size, channels, MILDER, (tail,) * number, (tail,), min_scale=min_scale, **knobs)


@checked()
def mmcr(size: int, channels: int = 3, number: int = 2, **knobs) -> list[View]:
    """MMCR (arXiv:2303.03307, appendix): BYOL's two views in turn.

    Args:
        size: int, side of the views in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        number: int, number of views of an image, 2 or more; 40 on CIFAR-10.
        **knobs: strength, hue_space, min_scale, flip and interpolation.
    """
    check_number("mmcr", "number", number, 2)
    chain = coloured("mmcr", channels, MILDER, **knobs)
    return ([View([*chain, *tail], size) for tail in asymmetric(size)] * number)[:number]


@checked()
def emp_ssl(size: int, channels: int = 3, number: int = 20, min_scale: float = 0.25, **knobs) -> list[View]:
    """EMP-SSL (arXiv:2304.03977): square crops of a quarter of the area; blur and solarization are rare.

    Args:
        size: int, side of the views in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        number: int, number of views of an image, 2 or more.
        min_scale: float in (0, 1], share of the area that a crop keeps.
        **knobs: strength, hue_space, flip and interpolation.
    """
    check_number("emp_ssl", "number", number, 2)
    crop, *after = coloured("emp_ssl", channels, (0.4, 0.4, 0.4, 0.2, 0.2), min_scale=min_scale, **knobs)
    crop = replace(crop, scale=(min_scale, min_scale), ratio=(1.0, 1.0))
    return [View([crop, *after, *blurred(size, 0.1), Solarize(p=0.1)], size)] * number


@checked()
def ressl(size: int, channels: int = 3, **knobs) -> list[View]:
    """ReSSL (arXiv:2107.09282, section 3.2): the student's view, distorted; the teacher's, only cropped and flipped.

    Args:
        size: int, side of the views in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        **knobs: strength, hue_space, min_scale, flip and interpolation.
    """
    chain = coloured("ressl", channels, MILDER, **knobs)
    weak = [operation for operation in chain if isinstance(operation, Crop | Flip)]
    return [View([*chain, *blurred(size, 0.5)], size), View(weak, size)]
