"""Windows of one long series, and their features: what probes of forecasts and of anomalies share."""

from collections.abc import Callable, Mapping

import numpy as np

Encode = Callable[[np.ndarray], np.ndarray]  # windows (n, window, channels) -> features (n, dim)
BATCH = 256
RAW = "raw values"


def as_series(values) -> np.ndarray:
    """`values` as one series (steps, channels), float32.

    Raises:
        ValueError: another number of axes, or values that are not finite.
    """
    series = np.asarray(values, "float32")
    series = series[:, None] if series.ndim == 1 else series
    if series.ndim != 2 or not series.size:
        raise ValueError(f"series must be (steps, channels), got shape {series.shape}")
    if not np.isfinite(series).all():
        raise ValueError("series holds NaN or infinity: fill or cut these steps before")
    return series


def windows(series: np.ndarray, window: int, ends: np.ndarray) -> np.ndarray:
    """The windows (n, window, channels) of a series (steps, channels) that end before the steps `ends` (n,)."""
    return series[ends[:, None] - window + np.arange(window)]


def named(encode: Encode | Mapping[str, Encode]) -> dict[str, Encode]:
    """The encoders by name, "features" for a single one, and the raw values of the windows as one more."""
    encoders = dict(encode) if isinstance(encode, Mapping) else {"features": encode}
    return encoders | {RAW: _raw}


def _raw(found: np.ndarray) -> np.ndarray:
    """The values of windows as rows, missing ones replaced by the mean of their channel in the window."""
    return np.where(np.isnan(found), np.nanmean(found, axis=1, keepdims=True), found).reshape(len(found), -1)


def features_of(encode: Encode, found: np.ndarray) -> np.ndarray:
    """Features (n, dim), float32, of windows, encoded in batches.

    Raises:
        ValueError: the features of a batch are not (n, dim), or not finite.
    """
    batches = [np.asarray(encode(found[start : start + BATCH]), "float32") for start in range(0, len(found), BATCH)]
    features = np.concatenate(batches)
    if features.ndim != 2 or len(features) != len(found):
        raise ValueError(f"encode gives {features.shape} for {len(found)} windows: (windows, features) are required")
    if not np.isfinite(features).all():
        raise ValueError("the features hold NaN or infinity; look at the encoder that made them")
    return features
