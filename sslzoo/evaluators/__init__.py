"""Evaluators: functions of features and labels, or of a function `encode: images -> features`.

One file for each way to judge, such as linear, knn and clustering. judge.py computes the scores of several sets of
features and what one gains over the others; report.py makes tables of them.
"""

import numpy as np


def as_features(values) -> np.ndarray:
    """`values` as float32 features (images, features).

    Raises:
        ValueError: if they have another number of dimensions, are empty, or hold NaN or infinity.
    """
    features = np.asarray(values, dtype="float32")
    if features.ndim != 2 or not features.size:
        raise ValueError(f"features must be (images, features), these are {features.shape}; pool or flatten each image")
    if not np.isfinite(features).all():
        raise ValueError("the features hold NaN or infinity; look at the encoder that made them")
    return features


def as_labels(values, features: np.ndarray) -> np.ndarray:
    """`values` as labels (images,) that belong to `features` (images, features).

    Raises:
        ValueError: if there is not one label an image.
    """
    labels = np.asarray(values)
    if labels.shape != (len(features),):
        raise ValueError(f"there must be one label an image: labels are {labels.shape}, images {len(features)}")
    return labels


def unit_length(features: np.ndarray) -> np.ndarray:
    """Each row (images, features) divided by its length; a row of zeros stays zero."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1)


def _files() -> list[str]:
    from pathlib import Path

    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def __getattr__(name: str):
    from importlib import import_module

    if name in _files():
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_files(), "as_features", "as_labels", "unit_length"])
