"""Presets of frames of episodes: random shifts and crops without colours; also available from `presets`.

A stack of frames has one shift and one crop, like any image of more channels.
"""

from dataclasses import dataclass

from sslzoo.catalog.checked import checked
from sslzoo.views.chains import cropped
from sslzoo.views.geometry import Centre, Crop
from sslzoo.views.image import View
from sslzoo.views.operation import check_number, fold
from sslzoo.views.shift import Intensity, Shift


@dataclass(frozen=True)
class SameView(View):
    """A view with the same parameters for all frames that belong together."""

    def sample_of(self, seed, number, count):
        return self.sample(fold(seed, 0), count)


@checked()
def frames(size: int, channels: int = 3) -> list[View]:
    """ST-DIM (arXiv:1906.08226) and LeWM (2603.19312): frames as they are, resized only.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
    """
    return [View([Centre()], size)] * 2


@checked()
def random_shift(size: int, channels: int = 3, pad: int = 4, intensity: float = 0.0) -> list[View]:
    """ATC (arXiv:2009.08319, section 3): each frame is shifted by up to 4 of 84 px; also of DrQ and SPR.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        pad: int, largest shift in pixels in each direction.
        intensity: float, standard deviation of a factor of all pixels; 0.05 in SPR.
    """
    view = View([Shift(pad)] + [Intensity(intensity)] * (intensity != 0), size)
    return [view, view]


@checked()
def spr(size: int, channels: int = 3, pad: int = 4, intensity: float = 0.05) -> list[View]:
    """SPR (arXiv:2007.05929, section 2.4): random shift and intensity, drawn for each frame.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        pad: int, largest shift in pixels in each direction.
        intensity: float, standard deviation of a factor of all pixels.
    """
    return random_shift(size, channels, pad, intensity)


@checked()
def curl(size: int, channels: int = 3, min_scale: float = 0.7056) -> list[View]:
    """CURL (arXiv:2004.04136, section 4.2): two random squares of 84 of 100 px; frames of 100 px are not resized.

    Args:
        size: int, side of the views in pixels; 84 in the paper.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], share of the area of each crop; that of 84 px of 100 in the paper.
    """
    check_number("curl", "min_scale", min_scale, 1e-6, 1)
    view = View([Crop(scale=(min_scale, min_scale), ratio=(1.0, 1.0))], size)
    return [view, view]


@checked()
def same_crop(size: int, channels: int = 3, min_scale: float = 0.2, flip: bool = False, **knobs) -> list[View]:
    """VIP (arXiv:2210.00030) and R3M (2203.12601) as in the authors' code: one random crop for all frames of a clip.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that the crop keeps.
        flip: bool, mirror left and right with probability 0.5.
        **knobs: interpolation.
    """
    view = SameView(cropped("same_crop", min_scale=min_scale, flip=flip, **knobs), size)
    return [view, view]
