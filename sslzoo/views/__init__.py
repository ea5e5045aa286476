"""What makes the views: operations, `View` (a chain of them), `Views` (those of a batch), and the papers' presets."""

from sslzoo.views import presets
from sslzoo.views.colour import Grayscale, Jitter, Solarize
from sslzoo.views.geometry import Blur, Centre, Crop, Flip
from sslzoo.views.image import View, Views
from sslzoo.views.jigsaw import Jigsaw
from sslzoo.views.operation import Operation
from sslzoo.views.rotate import Rotate

__all__ = [
    "Blur",
    "Centre",
    "Crop",
    "Flip",
    "Grayscale",
    "Jigsaw",
    "Jitter",
    "Operation",
    "Rotate",
    "Solarize",
    "View",
    "Views",
    "presets",
]
