"""Presets of methods that divide images into parts, and of distillation; also available from `presets`."""

from dataclasses import replace

from sslzoo.catalog.checked import checked
from sslzoo.views.chains import STRONG, coloured, cropped
from sslzoo.views.colour import Grayscale
from sslzoo.views.image import View
from sslzoo.views.jigsaw import Jigsaw
from sslzoo.views.operation import check_number


@checked()
def pirl(size: int, channels: int = 3, puzzle_min_scale: float = 0.6, grid: int = 3, **knobs) -> list[View]:
    """PIRL (arXiv:1912.01991, section 3.3): an image, and a larger crop whose parts are shuffled; SimCLR's colours.

    Args:
        size: int, side of the image in pixels; the side of the puzzle is the next multiple of `grid`.
        channels: int, number of channels of the images.
        puzzle_min_scale: float in (0, 1], smallest share of the area that the puzzle's crop keeps.
        grid: int, parts on a side of the puzzle.
        **knobs: strength, hue_space, min_scale, flip and interpolation.
    """
    chain = coloured("pirl", channels, STRONG, **knobs)
    check_number("pirl", "puzzle_min_scale", puzzle_min_scale, 1e-6, 1)
    puzzle = [replace(chain[0], scale=(puzzle_min_scale, 1.0)), *chain[1:], Jigsaw(grid)]
    return [View(chain, size), View(puzzle, size + -size % grid)]


@checked()
def cpc(size: int, channels: int = 3, min_scale: float = 0.73, **knobs) -> list[View]:
    """CPC (arXiv:1807.03748, section 3.3): one view, a large gray square; the method cuts it into patches.

    Args:
        size: int, side of the view in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps; 256 of 300 px per side in the paper.
        **knobs: flip and interpolation.
    """
    crop, *flip = cropped("cpc", min_scale=min_scale, **knobs)
    crop = replace(crop, ratio=(1.0, 1.0))
    return [View([crop, *flip, *[Grayscale(1.0)] * (channels == 3)], size)]


@checked()
def puzzle(size: int, channels: int = 3, min_scale: float = 0.73, gray: float = 0.66, **knobs) -> list[View]:
    """Relative patch location and jigsaw as in arXiv:1901.09005, appendix: two large square crops, often gray.

    The method cuts the first view into patches; the second serves monitors. Gray hides the colour fringes of lenses,
    which would reveal the place of a patch.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps; 255 of 292 px per side in the paper.
        gray: float in [0, 1], probability of grayscale.
        **knobs: flip and interpolation.
    """
    crop, *flip = cropped("puzzle", min_scale=min_scale, **knobs)
    crop = replace(crop, ratio=(1.0, 1.0))
    return [View([crop, *flip, *[Grayscale(gray)] * (channels == 3)], size)] * 2


@checked()
def crop_flip(size: int, channels: int = 3, **knobs) -> list[View]:
    """SimCLR v2's distillation (arXiv:2006.10029, section 3): two views, cropped and flipped; colours are unchanged.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        **knobs: min_scale, flip and interpolation.
    """
    return [View(cropped("crop_flip", **knobs), size)] * 2
