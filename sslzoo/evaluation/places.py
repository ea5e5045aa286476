"""Features at places of images, before they are pooled, and pixels of patches: the `tokens` of studies."""

import functools
from collections.abc import Callable, Iterator

import keras
import numpy as np

from sslzoo.data import Splits
from sslzoo.layers.maps import place_map
from sslzoo.views.inputs import feature_batches, patches

SIDE = 4  # of a patch of raw pixels
Tokens = Callable[[str, np.ndarray], Iterator[np.ndarray]]


def of_encoder(encoder: keras.Model, splits: Splits, size: int) -> Tokens:
    """The `tokens` of a study: features of an encoder at places of the images, before they are pooled.

    They raise ValueError if the encoder has none.

    Args:
        encoder: a vision transformer, or an encoder with a feature map.
        splits: its data, with a test part.
        size: side of the images in pixels.
    """
    model = functools.cache(lambda: place_map(encoder))

    def of(part: str, rows: np.ndarray) -> Iterator[np.ndarray]:
        for maps in feature_batches(model(), getattr(splits, part).take(rows), size):
            yield maps.reshape(len(maps), -1, maps.shape[-1])

    return of


def of_pixels(parts: tuple[np.ndarray, np.ndarray], side: int) -> Tokens:
    """The `tokens` of a study of raw pixels: patches of 4 x 4 pixels.

    Args:
        parts: raw pixels (images, side x side x channels) of the training and the test part.
        side: of the images, in pixels.
    """

    def of(part: str, rows: np.ndarray) -> Iterator[np.ndarray]:
        chosen = parts[("train", "test").index(part)][rows]
        count = max(1, side // SIDE)
        yield patches(chosen.reshape(len(rows), side, side, -1), count, count).reshape(len(rows), count**2, -1)

    return of
