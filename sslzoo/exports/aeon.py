"""An exported encoder of series as a transformer of aeon: collections of series to features."""

from pathlib import Path

import keras
import numpy as np

from sslzoo.data.series import of_arrays
from sslzoo.exports.inputs import accepted, exported_kind
from sslzoo.exports.savedmodel import read_facts
from sslzoo.exports.sklearn import cached_encoder
from sslzoo.views.inputs import images

try:
    from aeon.transformations.collection import BaseCollectionTransformer
except ImportError as error:  # aeon, or one of its dependencies
    BaseCollectionTransformer, MISSING = object, str(error)
else:
    MISSING = ""


class EncoderCollectionTransformer(BaseCollectionTransformer):
    """Features of series by a frozen exported encoder; `fit` only checks the series.

    A collection is (n, channels, steps), or a list of arrays (channels, steps) of several lengths; NaN is a missing
    value. Each series is stretched to the length of the training, as in `sslzoo.evaluate`. The features are (n, dim),
    float32.

    Args:
        encoder_path: folder of the export. The estimator holds the path alone, so that copies of it are small.
        batch_size: series encoded at a time.

    Raises:
        ImportError: aeon is not installed.
    """

    _tags = {
        "output_data_type": "Tabular",
        "algorithm_type": "deeplearning",
        "X_inner_type": ["np-list", "numpy3D"],
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": True,
    }

    def __init__(self, encoder_path: str | Path | None = None, batch_size: int = 256):
        if MISSING:
            raise ImportError(f"aeon and its dependencies are required: pip install aeon ({MISSING})")
        self.encoder_path = encoder_path
        self.batch_size = batch_size
        super().__init__()

    def _fit(self, X, y=None) -> None:
        encoder, shape = self._load()
        self._inputs(X[:1], shape)
        self.features_ = encoder.output_shape[-1]

    def _transform(self, X, y=None) -> np.ndarray:
        encoder, shape = self._load()
        batches = images(self._inputs(X, shape), shape[0], self.batch_size)
        return np.concatenate([keras.ops.convert_to_numpy(encoder(batch, training=False)) for batch in batches])

    def _inputs(self, X, shape: tuple[int, int]):
        """The series as a Dataset; raises ValueError for other channels than those of the encoder."""
        return accepted(of_arrays({"train": ([series.T for series in X], None)}, "X")["train"], shape[-1])

    def _load(self) -> tuple[keras.Model, tuple[int, int]]:
        """The encoder and the shape (steps, channels) of an input."""
        if self.encoder_path is None:
            raise ValueError("encoder_path is not given: pass the folder of an exported encoder")
        if (kind := exported_kind(read_facts(self.encoder_path))) != "series":
            raise ValueError(f"{self.encoder_path} is an encoder of the kind {kind!r}; one of series is required")
        return cached_encoder(str(Path(self.encoder_path).absolute()))
