"""Views: operations, `View` of images and `SeriesView` (chains of operations), `Views` (of a batch) and presets."""

from sslzoo.views import presets
from sslzoo.views.colour import Grayscale, Jitter, Solarize
from sslzoo.views.drawn import Drawn, Views
from sslzoo.views.geometry import Blur, Centre, Crop, Flip
from sslzoo.views.image import View
from sslzoo.views.jigsaw import Jigsaw
from sslzoo.views.operation import Operation
from sslzoo.views.rotate import Rotate
from sslzoo.views.rows import RowOperation, RowView
from sslzoo.views.series import SeriesOperation, SeriesView

__all__ = [
    "Blur",
    "Centre",
    "Crop",
    "Drawn",
    "Flip",
    "Grayscale",
    "Jigsaw",
    "Jitter",
    "Operation",
    "Rotate",
    "RowOperation",
    "RowView",
    "SeriesOperation",
    "SeriesView",
    "Solarize",
    "View",
    "Views",
    "presets",
]


def __getattr__(name: str):
    from sslzoo import catalog

    if name in catalog.presets():
        return getattr(presets, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from sslzoo import catalog

    return sorted([*__all__, *catalog.presets()])
