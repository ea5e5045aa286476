"""Presets of masked and predictive methods; also available from `presets`.

The first view is masked by the method and trained on. The second is a further draw, which monitors compare it with.
"""

from sslzoo.views.chains import cropped
from sslzoo.views.image import View


def mae(size: int, channels: int = 3, min_scale: float = 0.2, **knobs) -> list[View]:
    """MAE (arXiv:2111.06377, appendix A.1): a random crop and a flip; colours are unchanged. Pixio does not flip.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        **knobs: flip.
    """
    return [View(cropped("mae", min_scale=min_scale, **knobs), size)] * 2


def sim_mim(size: int, channels: int = 3, min_scale: float = 0.67, **knobs) -> list[View]:
    """SimMIM (arXiv:2111.09886, section 4.1): a large random crop and a flip; colours are unchanged.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        **knobs: flip.
    """
    return [View(cropped("sim_mim", min_scale=min_scale, **knobs), size)] * 2


def i_jepa(size: int, channels: int = 3, min_scale: float = 0.3, flip: bool = False) -> list[View]:
    """I-JEPA (arXiv:2301.08243, appendix A.1): a random crop alone; colours are unchanged.

    Args:
        size: int, side of the views in pixels.
        channels: int, number of channels of the images.
        min_scale: float in (0, 1], smallest share of the area that a crop keeps.
        flip: bool, mirror left and right with probability 0.5, which helps on small data.
    """
    return [View(cropped("i_jepa", min_scale=min_scale, flip=flip), size)] * 2
