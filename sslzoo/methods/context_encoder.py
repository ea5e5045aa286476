"""Context encoder: paint the central hole of an image from what surrounds it."""

import numpy as np
from keras import ops

from sslzoo.layers import decoders
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

FILL = (0.482, 0.459, 0.408)  # mean colour of ImageNet, with which the hole is filled


class ContextEncoder(SSLModel):
    """Minimizes the mean squared error of the central square of an image, painted by a decoder from the features.

    The border of the square is visible and counts more, so that the painting continues it. Without the paper's
    adversary, which sharpens the painting: squared errors alone favour its blurred mean. The first view is painted; the
    second serves monitors.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        hole: float in (0, 1], side of the square as a share of the view's.
        overlap: float in [0, 0.5), width of the visible border as a share of the square's side: 4 of 64 px.
        overlap_weight: float, weight of the border's pixels.
        input_shape: (height, width, channels) of the views, needed if the encoder accepts any size.

    Raises:
        ValueError: if the size of the images is unknown, or `overlap` leaves no hole.
    """

    paper = "https://arxiv.org/abs/1604.07379"
    use = "a baseline: painting needs context, and keeps more of it than reconstruction"
    batch = 16
    views = "crop_flip"
    kinds = ("image",)

    def __init__(
        self,
        encoder,
        hole: float = 0.5,
        overlap: float = 0.0625,
        overlap_weight: float = 10.0,
        input_shape: tuple | None = None,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if not 0 <= overlap < 0.5:
            raise ValueError(f"overlap must be in [0, 0.5), got {overlap!r}: the hole is what it leaves of the square")
        self.hole = hole
        self.overlap = overlap
        self.overlap_weight = overlap_weight
        self.input_shape = input_shape
        size, _, channels = tuple(input_shape or encoder.input_shape[1:])
        if size is None:
            raise ValueError(f"{encoder.name} takes images of any size: give input_shape=(height, width, channels)")
        self.side = max(1, round(hole * size))
        self.decoder = decoders.simple(encoder.output_shape[-1], (self.side, self.side, channels))

    def call(self, batch):
        image = ops.cast(batch["views"][0], "float32")
        size, channels = image.shape[1], image.shape[-1]
        start = (size - self.side) // 2
        visible, weights = self._masks(size, start)
        fill = FILL if channels == 3 else [sum(FILL) / 3] * channels
        square = image[:, start : start + self.side, start : start + self.side]
        painted = self.decoder(self.encode(image * visible + (1 - visible) * np.array(fill, "float32")))
        return dict(errors=ops.mean(weights * (painted - square) ** 2, axis=(1, 2, 3)), painted=painted)

    def _masks(self, size: int, start: int) -> tuple[np.ndarray, np.ndarray]:
        """1 for visible pixels (size, size, 1), and the weights of the square's pixels (side, side, 1)."""
        border = round(self.overlap * self.side)
        inner = slice(border, self.side - border)
        weights = np.full((self.side, self.side, 1), self.overlap_weight, "float32")
        weights[inner, inner] = 1
        visible, hidden = np.ones((size, size, 1), "float32"), slice(start + border, start + self.side - border)
        visible[hidden, hidden] = 0
        return visible, weights

    def objective(self, errors, **outputs):
        return ops.mean(gather(errors))
