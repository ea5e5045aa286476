"""Parts that several presets share: crop, flip and colours; large crops followed by small crops.

A preset passes its `**knobs` on to one of these functions. The knobs of that function are then knobs of the preset.
"""

from dataclasses import replace

from sslzoo.views.colour import Grayscale, Jitter, Solarize
from sslzoo.views.geometry import Blur, Crop, Flip
from sslzoo.views.image import View
from sslzoo.views.operation import Operation, check_number

# Brightness, contrast, saturation, hue; probability of grayscale.
STRONG = (0.8, 0.8, 0.8, 0.2, 0.2)  # SimCLR
MILD = (0.4, 0.4, 0.4, 0.1, 0.2)  # MoCo v2
MILDER = (0.4, 0.4, 0.2, 0.1, 0.2)  # BYOL


def cropped(
    preset: str, min_scale: float = 0.08, flip: bool = True, interpolation: str = "bilinear"
) -> list[Operation]:
    """Returns a random crop and a flip.

    Args:
        preset: str, name of the preset in error messages.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        flip: bool, mirror left and right with probability 0.5.
        interpolation: "bilinear" or "bicubic", how crops are resized.

    Returns:
        A list of operations.

    Raises:
        ValueError: if a number is outside its range, or there is no such interpolation.
    """
    check_number(preset, "min_scale", min_scale, 1e-6, 1)
    return [Crop(scale=(min_scale, 1.0), interpolation=interpolation)] + [Flip()] * flip


def coloured(
    preset: str, channels: int, colours: tuple, strength: float = 1.0, hue_space: str = "yiq", **knobs
) -> list[Operation]:
    """Returns a random crop, a flip, colour jitter with probability 0.8, and grayscale.

    Args:
        preset: str, name of the preset in error messages.
        channels: int, number of channels of the images. Saturation, hue and grayscale require 3.
        colours: strengths of brightness, contrast, saturation and hue, and the probability of grayscale.
        strength: float, 0 or more, multiplies the colour jitter; 0 omits it.
        hue_space: "yiq", or "hsv" as in torchvision, with which SimCLR's views of 96 px take 1.4 times as long.
        **knobs: the knobs of `cropped`.

    Returns:
        A list of operations.
    """
    check_number(preset, "strength", strength, 0)
    *strengths, gray = colours
    strengths = [strength * one * (channels == 3 or place < 2) for place, one in enumerate(strengths)]
    jitter = [Jitter(*strengths, hue_space=hue_space)] if any(strengths) else []
    return cropped(preset, **knobs) + jitter + [Grayscale(gray)] * (channels == 3)


def crops(
    preset: str,
    size: int,
    channels: int,
    colours: tuple,
    tails: tuple,
    small_tails: tuple,
    min_scale: float = 0.14,
    local_crops: int = 6,
    local_size: int | None = None,
    local_min_scale: float = 0.05,
    **knobs,
) -> list[View]:
    """Returns large crops, then small crops that show less of the image than the large ones.

    Args:
        preset: str, name of the preset in error messages.
        size: int, side of the large crops in pixels.
        channels: int, number of channels of the images.
        colours: as for `coloured`.
        tails: the last operations of each large crop.
        small_tails: the last operations of the small crops, used in turn.
        min_scale: float in (0, 1], smallest share of the area that a large crop keeps, and largest of a small one.
        local_crops: int, number of small crops.
        local_size: int, side of the small crops in pixels. None means `size` up to 64 px, where an encoder
            may accept one size only, and 96/224 of `size`, rounded to a multiple of 16, above.
        local_min_scale: float in (0, min_scale], smallest share of the area that a small crop keeps.
        **knobs: the knobs of `coloured`.

    Returns:
        A list of `View`.
    """
    check_number(preset, "local_crops", local_crops, 0)
    crop, *after = coloured(preset, channels, colours, min_scale=min_scale, **knobs)
    check_number(preset, "local_min_scale", local_min_scale, 1e-6, min_scale)
    small, side = replace(crop, scale=(local_min_scale, min_scale)), local_size or _local_size(size)
    local = [View([small, *after, *tail], side) for tail in small_tails]
    return [View([crop, *after, *tail], size) for tail in tails] + (local * local_crops)[:local_crops]


def blurred(size: int, p: float, uncut: bool = True) -> list[Operation]:
    """Returns a blur with probability p, or no operation for views of up to 64 px, as the papers do on CIFAR."""
    return [Blur(p=p, uncut=uncut)] * (size > 64)


def asymmetric(size: int, uncut: bool = True) -> tuple[list[Operation], list[Operation]]:
    """Returns the last operations of BYOL's two views; `uncut` as of `Blur`, for methods that were made in PyTorch."""
    return blurred(size, 1.0, uncut), [*blurred(size, 0.1, uncut), Solarize(p=0.2)]


def _local_size(size: int) -> int:
    return size if size <= 64 else max(16, 16 * round(size * 96 / 224 / 16))
