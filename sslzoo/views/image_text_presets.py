"""Presets of methods that compare images with texts; also available from `presets`."""

from sslzoo.catalog.checked import checked
from sslzoo.views.chains import MILD, blurred, coloured, cropped
from sslzoo.views.image import View


@checked()
def clip(size: int, channels: int = 3, min_scale: float = 0.9, flip: bool = False, **knobs) -> list[View]:
    """CLIP (arXiv:2103.00020, section 2.5): one view, a random crop of nearly the whole image; nothing else changes.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps; 0.9 as in open_clip.
        flip: bool, mirror left and right with probability 0.5; wrong for letters, and for captions with sides.
        **knobs: interpolation.
    """
    return [View(cropped("clip", min_scale=min_scale, flip=flip, **knobs), size)]


@checked()
def slip(size: int, channels: int = 3, flip: bool = False, min_scale: float = 0.08, **knobs) -> list[View]:
    """SLIP (arXiv:2112.12750, section 4): the view of CLIP for captions, and two of SimCLR for each other.

    Args:
        size: int, side of the views in pixels; up to 64 px nothing is blurred.
        channels: int, number of channels of the images.
        flip: bool, mirror left and right with probability 0.5, in the views of SimCLR too, where the paper does.
        min_scale: float in (0, 1], smallest share of the area that a crop of SimCLR keeps.
        **knobs: strength and hue_space.
    """
    view = View(coloured("slip", channels, MILD, min_scale=min_scale, flip=flip, **knobs) + blurred(size, 0.5), size)
    return [*clip(size, channels, flip=flip), view, view]
