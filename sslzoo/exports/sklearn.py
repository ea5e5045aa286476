"""An exported encoder as a scikit-learn transformer of examples to features, for pipelines and grid searches."""

import functools
from pathlib import Path

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sslzoo.catalog.kinds import DEFAULT, KINDS, Kind
from sslzoo.exports.inputs import exported_kind, pixels, raw_rows, raw_texts, values
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.layers.columns import columns_in
from sslzoo.layers.tokenized import words_in


class EncoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Features of images, series, rows of tables or texts by a frozen exported encoder; `fit` only checks the examples.

    An encoder of rows takes a DataFrame: columns are found by name, and texts become the codes of its training. An
    encoder of texts takes a list of strings, or tokens (n, tokens).

    Args:
        encoder_path: folder of the export. The estimator holds the path alone, so that copies of it are small.
        batch_size: examples encoded at a time.
        value_range: of images, values of black and white, such as (0, 16); by default those of the type, and (0, 1) for
            floats.
    """

    def __init__(
        self,
        encoder_path: str | Path | None = None,
        batch_size: int = 256,
        value_range: tuple[float, float] | None = None,
    ):
        self.encoder_path = encoder_path
        self.batch_size = batch_size
        self.value_range = value_range

    def fit(self, X, y=None) -> "EncoderTransformer":
        """Checks that the encoder accepts the examples.

        Args:
            X: (n, height, width, channels), or rows (n, height * width * channels); uint8, uint16 or float in [0, 1].
                Gray images are repeated to the channels of an encoder of colour images. Of series (n, steps, channels),
                or (n, steps) for one channel. Of rows a DataFrame, or an array (n, columns). Of both, NaN is a missing
                value.
            y: not used.

        Raises:
            ValueError: no encoder, images of another size or of other channels, NaN, or values outside [0, 1].
        """
        X = self._validated(X, reset=True)
        encoder, shape = self._load()
        self._images(X, shape)
        self._n_features_out = encoder.output_shape[-1]
        self.image_shape_ = shape
        return self

    def transform(self, X) -> np.ndarray:
        """Features (n, dim), float32, of examples as those of `fit`."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        inputs = self._images(X, self.image_shape_)
        encoder, _ = self._load()
        batches = (inputs[start : start + self.batch_size] for start in range(0, len(inputs), self.batch_size))
        return np.concatenate([keras.ops.convert_to_numpy(encoder(batch, training=False)) for batch in batches])

    def _validated(self, X, reset: bool):
        """X after the checks of scikit-learn: pixels are finite, other values may be missing; a table stays a table."""
        if len(self._kind.axes) == 1:
            validate_data(self, X, reset=reset, skip_check_array=True)
            return X
        finite = True if self._kind.pixels else "allow-nan"
        return validate_data(self, X, reset=reset, allow_nd=True, ensure_all_finite=finite)

    def _images(self, X, shape: tuple[int, ...]) -> np.ndarray:
        """X as the encoder takes it, float32: of images (n, *shape)."""
        if self._kind.dtype == "int32":
            return raw_texts(X, words_in(self._load()[0]))
        if len(shape) == 1:
            return raw_rows(X, columns_in(self._load()[0]))
        return pixels(X, shape, self.value_range) if self._kind.pixels else values(X, shape, self._kind.name)

    @property
    def _kind(self) -> Kind:
        """The kind of data that the encoder takes."""
        return KINDS[DEFAULT if self.encoder_path is None else exported_kind(read_facts(self.encoder_path))]

    def _load(self) -> tuple[keras.Model, tuple[int, ...]]:
        """The encoder and the shape of one input."""
        if self.encoder_path is None:
            raise ValueError("encoder_path is not given: pass the folder of an exported encoder")
        return cached_encoder(str(Path(self.encoder_path).absolute()))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


@functools.lru_cache(4)
def cached_encoder(path: str) -> tuple[keras.Model, tuple[int, ...]]:
    """The encoder of an export, read once, and the shape of one input."""
    return load_encoder(path), tuple(read_facts(path)["encoder"]["input"]["shape"][1:])
