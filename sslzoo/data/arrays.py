"""Arrays as datasets: shape, type, range and labels checked, each refusal with the way out."""

import os
from typing import Any

import numpy as np

from sslzoo.data import labels as numbers
from sslzoo.data.dataset import DataError, Dataset, Splits
from sslzoo.data.images import shrink
from sslzoo.data.made import in_memory
from sslzoo.data.ranges import checked_range, to_range

SERIES = "; for time series (n, steps, channels) give kind='series'"
ROUNDING = 1e-4  # floats may exceed [0, 1] by this much, and are clipped


def from_array(
    images: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    name: str = "array",
    max_size: int | None = None,
    value_range: tuple[float, float] | None = None,
) -> Dataset:
    """A dataset of an array.

    Args:
        images: (n, height, width) or (n, height, width, channels), uint8, uint16 or float within [0, 1]; any numbers
            where `value_range` is given.
        labels: (n,) or (n, 1) integers, -1 for images without a label. Numbers from 65536 on are renumbered.
        name: what to call it.
        max_size: longest side in pixels; larger images are shrunk.
        value_range: the values of black and white, such as (0, 4095); values beyond are clipped. By default the range
            of the type, or (0, 1) for floats.

    Raises:
        DataError: shape, dtype, range or lengths do not fit.
    """
    return splits_of((images, labels), name=name, max_size=max_size, value_range=value_range).train


def splits_of(*pairs: tuple[Any, Any], name: str = "array", max_size: int | None = None, value_range=None) -> Splits:
    """Datasets of one or two pairs (images, labels), whose labels are numbered alike; as of `from_array`."""
    images = [shrink(_images(array, value_range), max_size) for array, _ in pairs]
    given = [
        None if labels is None else numbers.checked(labels, len(array))
        for (_, labels), array in zip(pairs, images, strict=True)
    ]
    given = [None if part is None or np.all(part == numbers.UNLABELLED) else part for part in given]
    labels, class_names, lines = numbers.numbered(given)
    shapes = {array.shape[1:] for array in images}
    if len({shape[-1] for shape in shapes}) > 1:
        raise DataError(f"training and test images have shapes {' and '.join(map(str, shapes))}: give both alike")
    parts = zip(images, labels, strict=True)
    return Splits(*(in_memory(name, x, labels=y, class_names=class_names, notes=tuple(lines)) for x, y in parts))


def _images(images: Any, value_range: tuple[float, float] | None) -> np.ndarray:
    array = _array(images)
    _check_shape(array)
    array = array if array.ndim == 4 else array[..., None]
    if array.dtype.kind in "fc":
        _check_finite(array)
    if value_range is not None:
        return to_range(array, checked_range(value_range))
    if array.dtype.kind != "f" and array.dtype not in (np.uint8, np.uint16):
        raise DataError(f"images are {array.dtype}: {_convert(array)}")
    return _unit(array) if array.dtype.kind == "f" else array


def _array(images: Any) -> np.ndarray:
    """The array in whatever was given; a line for what is none."""
    kind = type(images).__name__
    if type(images).__module__.startswith("pandas"):
        raise DataError(
            f"data is a pandas {kind}: give an array, data.to_numpy().reshape(-1, height, width), or a folder"
        )
    if isinstance(images, list | tuple) and images and all(isinstance(item, str | os.PathLike) for item in images):
        raise DataError(f"data is a {kind} of {len(images)} paths: give one folder, which may hold links to these")
    try:
        array = np.asarray(images)
    except ValueError as error:
        raise DataError(
            f"data is a {kind} of arrays of several shapes: bring them to one size, or give a folder"
        ) from error
    if array.dtype.kind not in "buifc":
        raise DataError(
            f"data is a {kind}: give the name of a dataset, the path of a folder, an array or a pair of arrays"
        )
    return array


def _check_shape(array: np.ndarray) -> None:
    shape = array.shape
    if array.ndim not in (3, 4) or 0 in shape:
        table = "; for a table (n, columns) give kind='rows'" * (array.ndim == 2)
        raise DataError(f"images have shape {shape}: give (n, height, width) or (n, height, width, channels){table}")
    if array.ndim == 4 and _channels_first(*shape[1:]):
        raise DataError(
            f"images have shape {shape}, with the channels first: give images.transpose(0, 2, 3, 1), "
            "of shape (n, height, width, channels)"
        )
    if array.ndim == 3 and _one_image(*shape):
        raise DataError(f"images have shape {shape}, which is one image: give several, (n, height, width, channels)")


def _channels_first(first: int, middle: int, last: int) -> bool:
    """Whether the axes are (channels, height, width): 1 or 3 by two larger ones, or 2 or 4 by two larger equal ones."""
    return last > 4 and middle > first and (first in (1, 3) or (first in (2, 4) and middle == last))


def _one_image(height: int, width: int, channels: int) -> bool:
    return channels in (3, 4) and min(height, width) > 8


def _check_finite(array: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(array).all(axis=(1, 2, 3)))
    if len(bad):
        word = "NaN" if np.isnan(array[bad[0]]).any() else "infinite"
        raise DataError(
            f"{word} pixels in {len(bad)} of {len(array)} images, the first of them images[{bad[0]}]: leave these out, "
            "or give numpy.nan_to_num(images, posinf=1, neginf=0)"
        )


def _unit(array: np.ndarray) -> np.ndarray:
    """Floats within [0, 1], rid of rounding beyond."""
    low, high = float(array.min()), float(array.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise DataError(f"images are floats from {low:.7g} to {high:.7g}: {_scale(low, high)}{SERIES}")
    array = array.astype(np.float32, copy=False)
    return array if 0 <= low and array.max() <= 1 else array.clip(0, 1)


def _scale(low: float, high: float) -> str:
    if -0.5 < low and high < 1.5:
        return "give numpy.clip(images, 0, 1), or value_range=(LOW, HIGH), the values of black and white"
    likely = next(((a, b) for a, b in ((-1, 1), (0, 255), (0, 65535)) if a <= low and high <= b), None)
    likely = likely or (float(f"{low:.7g}"), float(f"{high:.7g}"))
    return f"scale them to [0, 1], or give value_range={likely}, the values of black and white"


def _convert(array: np.ndarray) -> str:
    if array.dtype.kind == "b":
        return "convert them to floats, images.astype('float32')"
    if array.dtype.kind == "c":
        return "convert them to floats, such as abs(images)"
    low, high = int(array.min()), int(array.max())
    for kind in ("uint8", "uint16"):
        if low >= 0 and high <= np.iinfo(kind).max:
            return f"convert them, images.astype('{kind}'), or give value_range={low, high}"
    return f"they go from {low} to {high}: give value_range={low, high}, the values of black and white"
