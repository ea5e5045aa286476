"""An exported encoder as a transformer of scikit-learn: images in, features out, in a Pipeline or a grid search."""

import functools
import math
from pathlib import Path

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sslzoo.exports.savedmodel import load_encoder, read_facts


class EncoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Features of images, by an exported encoder that stays as it is: `fit` only checks the images.

    Args:
        encoder_path: folder of the export; only the path is kept, so that copies and other processes stay small.
        batch_size: images encoded at a time.
    """

    def __init__(self, encoder_path: str | Path | None = None, batch_size: int = 256):
        self.encoder_path = encoder_path
        self.batch_size = batch_size

    def fit(self, X, y=None) -> "EncoderTransformer":
        """Checks that the encoder takes such images.

        Args:
            X: (n, height, width, channels), or rows (n, height * width * channels); uint8, uint16 or float in [0, 1].
            y: not used.

        Raises:
            ValueError: no encoder, or images of another size than its own.
        """
        X = validate_data(self, X, allow_nd=True)
        encoder, shape = self._load()
        if X.shape[1:] not in (shape, (math.prod(shape),)):
            raise ValueError(f"X has shape {X.shape}: the encoder takes images {shape}, or rows of {math.prod(shape)}")
        self._n_features_out = encoder.output_shape[-1]
        self.image_shape_ = shape
        return self

    def transform(self, X) -> np.ndarray:
        """Features (n, dim), float32, of images as those of `fit`."""
        check_is_fitted(self)
        X = validate_data(self, X, allow_nd=True, reset=False)
        scale = np.iinfo(X.dtype).max if X.dtype in (np.uint8, np.uint16) else 1
        images = X.reshape(-1, *self.image_shape_).astype("float32") / np.float32(scale)
        encoder, _ = self._load()
        batches = (images[start : start + self.batch_size] for start in range(0, len(images), self.batch_size))
        return np.concatenate([keras.ops.convert_to_numpy(encoder(batch, training=False)) for batch in batches])

    def _load(self) -> tuple[keras.Model, tuple[int, ...]]:
        """The encoder and the shape of one image."""
        if self.encoder_path is None:
            raise ValueError("encoder_path is not given: the folder of an exported encoder")
        return _cached(str(Path(self.encoder_path).absolute()))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


@functools.lru_cache(4)
def _cached(path: str) -> tuple[keras.Model, tuple[int, ...]]:
    return load_encoder(path), tuple(read_facts(path)["encoder"]["image_shape"])
