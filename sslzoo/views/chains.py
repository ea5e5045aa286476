"""Parts that several presets have in common: crop, flip and colours; large crops followed by small ones.

A preset passes its `**knobs` on to one of these functions, whose knobs are then knobs of the preset.
"""

from sslzoo.views.colour import Grayscale, Jitter
from sslzoo.views.geometry import Blur, Crop, Flip
from sslzoo.views.image import View
from sslzoo.views.operation import Operation, check_number

# Brightness, contrast, saturation, hue; probability of grayscale.
STRONG = (0.8, 0.8, 0.8, 0.2, 0.2)  # SimCLR
MILD = (0.4, 0.4, 0.4, 0.1, 0.2)  # MoCo v2
MILDER = (0.4, 0.4, 0.2, 0.1, 0.2)  # BYOL


def cropped(preset: str, min_scale: float = 0.08, flip: bool = True) -> list[Operation]:
    """A random crop and a flip.

    Args:
        preset: named in errors.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        flip: bool, mirror left and right with probability 0.5.

    Raises:
        ValueError: if a number is outside of its range.
    """
    check_number(preset, "min_scale", min_scale, 1e-6, 1)
    return [Crop(scale=(min_scale, 1.0))] + [Flip()] * flip


def coloured(preset: str, channels: int, colours: tuple, strength: float = 1.0, **knobs) -> list[Operation]:
    """A random crop, a flip, colour jitter with probability 0.8 and grayscale.

    Args:
        preset: named in errors.
        channels: int, of the images. Saturation, hue and grayscale need 3.
        colours: strengths of brightness, contrast, saturation and hue, and the probability of grayscale.
        strength: float, 0 or more, multiplies the colour jitter; 0 omits it.
        **knobs: those of `cropped`.
    """
    check_number(preset, "strength", strength, 0)
    *strengths, gray = colours
    strengths = [strength * one * (channels == 3 or place < 2) for place, one in enumerate(strengths)]
    jitter = [Jitter(*strengths)] if any(strengths) else []
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
    """Large crops, then small crops that show less of the image than any large one.

    Args:
        preset: named in errors.
        size: int, side of the large crops in pixels.
        channels: int, of the images.
        colours: as of `coloured`.
        tails: operations at the end of each large crop.
        small_tails: operations at the end of the small crops, in turn.
        min_scale: float in (0, 1], smallest share of the area that a large crop keeps, and largest of a small one.
        local_crops: int, number of small crops.
        local_size: int, side of the small crops in pixels. None is `size` up to 64 px, where encoders may accept one
            size only, else 96/224 of it in steps of 16.
        local_min_scale: float in (0, min_scale], smallest share of the area that a small crop keeps.
        **knobs: those of `coloured`.
    """
    check_number(preset, "local_crops", local_crops, 0)
    crop, *after = coloured(preset, channels, colours, min_scale=min_scale, **knobs)
    check_number(preset, "local_min_scale", local_min_scale, 1e-6, min_scale)
    small, side = Crop(scale=(local_min_scale, min_scale)), local_size or _local_size(size)
    local = [View([small, *after, *tail], side) for tail in small_tails]
    return [View([crop, *after, *tail], size) for tail in tails] + (local * local_crops)[:local_crops]


def blurred(size: int, p: float) -> list[Operation]:
    """Blur with probability p; nothing for views of up to 64 px, as in the papers' settings for CIFAR."""
    return [Blur(p=p)] * (size > 64)


def _local_size(size: int) -> int:
    return size if size <= 64 else max(16, 16 * round(size * 96 / 224 / 16))
