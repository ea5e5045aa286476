"""Presets of methods that see images in parts, and of distillation; `presets` offers them too."""

from sslzoo.views.colour import Grayscale, Jitter
from sslzoo.views.geometry import Crop, Flip
from sslzoo.views.image import View
from sslzoo.views.jigsaw import Jigsaw
from sslzoo.views.operation import check_number


def pirl(
    size: int,
    channels: int = 3,
    strength: float = 1.0,
    min_scale: float = 0.08,
    flip: bool = True,
    puzzle_min_scale: float = 0.6,
    grid: int = 3,
) -> list[View]:
    """PIRL (arXiv:1912.01991, section 3.3): an image, and a larger crop as a shuffled puzzle; SimCLR's colours.

    Args:
        size: side of the image in pixels; that of the puzzle is the next multiple of `grid`.
        channels: where it is not 3, saturation, hue and grayscale are left out.
        strength: of the colour jitter; 0 leaves it out.
        min_scale: the smallest share of the area that a crop keeps.
        flip: swap left and right half of the time.
        puzzle_min_scale: the smallest share of the area that the puzzle's crop keeps.
        grid: parts on a side of the puzzle.
    """
    check_number("pirl", "strength", strength, 0)
    check_number("pirl", "min_scale", min_scale, 1e-6, 1)
    check_number("pirl", "puzzle_min_scale", puzzle_min_scale, 1e-6, 1)
    rgb = strength * (channels == 3)
    after = [Flip()] * flip + ([Jitter(0.8 * strength, 0.8 * strength, 0.8 * rgb, 0.2 * rgb)] if strength else [])
    after += [Grayscale()] * (channels == 3)
    puzzle = [Crop(scale=(puzzle_min_scale, 1.0)), *after, Jigsaw(grid)]
    return [View([Crop(scale=(min_scale, 1.0)), *after], size), View(puzzle, size + -size % grid)]


def cpc(size: int, channels: int = 3, min_scale: float = 0.73, flip: bool = True) -> list[View]:
    """CPC (arXiv:1807.03748, section 3.3): one view, a large square in gray, which the method cuts into patches.

    Args:
        size: side of the view in pixels.
        channels: where it is not 3, images keep them as they are.
        min_scale: the smallest share of the area that a crop keeps; in the paper 256 of 300 pixels on a side.
        flip: swap left and right half of the time.
    """
    check_number("cpc", "min_scale", min_scale, 1e-6, 1)
    crop = Crop(scale=(min_scale, 1.0), ratio=(1.0, 1.0))
    return [View([crop, *[Flip()] * flip, *[Grayscale(1.0)] * (channels == 3)], size)]


def crop_flip(size: int, channels: int = 3, min_scale: float = 0.08, flip: bool = True) -> list[View]:
    """SimCLR v2's distillation (arXiv:2006.10029, section 3): two views, cropped and flipped; colours stay.

    Args:
        size: side of the views in pixels.
        channels: any.
        min_scale: the smallest share of the area that a crop keeps.
        flip: swap left and right half of the time.
    """
    check_number("crop_flip", "min_scale", min_scale, 1e-6, 1)
    return [View([Crop(scale=(min_scale, 1.0)), *[Flip()] * flip], size)] * 2
