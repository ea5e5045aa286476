"""Features at places of images, before they are pooled, and pixels of patches: `tokens` of studies, and pictures."""

import functools
from collections.abc import Callable, Iterator

import keras
import numpy as np

from sslzoo.data import Splits
from sslzoo.evaluators.dense import enlarge
from sslzoo.evaluators.projection import pca_colours
from sslzoo.layers.maps import attention_map, place_map
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


class TokenPictures:
    """Pictures of the patch tokens of a vision transformer and of the attention in its last block.

    Args:
        encoder: a vision transformer.

    Raises:
        ValueError: if it is none.
    """

    def __init__(self, encoder: keras.Model):
        self.attention, self.tokens = attention_map(encoder), place_map(encoder)

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Pictures in [0, 1], (n, height, width, channels), by title.

        The images; the colours of `pca_colours`; the attention to each patch, the mean of the heads, scaled for each
        image from its minimum (black) to its maximum (white).

        Args:
            images: (n, height, width, channels) in [0, 1].
        """
        size = images.shape[1:3]
        attention = keras.ops.convert_to_numpy(self.attention(images, training=False)).mean(-1, keepdims=True)
        low, high = (end(attention, axis=(1, 2), keepdims=True) for end in (np.min, np.max))
        attention = (attention - low) / np.where(high > low, high - low, 1)
        tokens = keras.ops.convert_to_numpy(keras.ops.cast(self.tokens(images, training=False), "float32"))
        colours = pca_colours(tokens).repeat(size[0] // tokens.shape[1], 1).repeat(size[1] // tokens.shape[2], 2)
        return {"image": np.asarray(images), "patch tokens": colours, "attention": enlarge(attention, size)}
