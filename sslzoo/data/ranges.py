"""The range of pixels: what is black, what is white, and data that use little of it."""

from typing import Any

import numpy as np

from sslzoo.data.dataset import DataError, Dataset

SAMPLED = 64  # images that are looked at
SMALL = 1 / 4  # of the range: data that stay below get a note


def checked_range(value_range: Any) -> tuple[float, float]:
    """(low, high) as floats; a DataError for anything else."""
    try:
        low, high = map(float, value_range.split(",") if isinstance(value_range, str) else value_range)
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not (np.isfinite([low, high]).all() and low < high):
        raise DataError(f"value_range is {value_range!r}: give the values of black and white, such as (0, 4095)")
    return low, high


def to_range(images: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Pixels with the values of black and white moved to the ends of the type's range, and clipped to it.

    Args:
        images: any numbers.
        value_range: (low, high).

    Returns:
        uint8 and uint16 as they are, any other type as float32 within [0, 1].
    """
    low, high = value_range
    unit = ((images.astype(np.float32) - low) / (high - low)).clip(0, 1)
    if images.dtype not in (np.uint8, np.uint16):
        return unit
    return np.rint(unit * np.iinfo(images.dtype).max).astype(images.dtype)


def stretched(dataset: Dataset, value_range: Any) -> Dataset:
    """The dataset with pixels as by `to_range`; what lies beyond an image on its canvas stays 0."""
    value_range = checked_range(value_range)
    low, high = value_range

    def read(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images, sizes = dataset.examples(index)
        images = to_range(images, value_range)
        for image, (height, width) in zip(images, sizes, strict=True):
            image[height:], image[:, width:] = 0, 0
        return images, sizes

    note = f"pixel values from {low:g} to {high:g} are scaled to the range of {dataset.dtype} (value_range)"
    version = f"{dataset.version}-{low:g}-{high:g}"
    # The bytes of the files are no longer those of the pixels.
    return dataset.with_images(read, content=None, version=version, notes=(*dataset.notes, note))


def small_range(dataset: Dataset) -> list[str]:
    """A line where the pixels use a small part of their range, as 12 bits in 16 do."""
    pixels = dataset.examples(np.unique(np.linspace(0, len(dataset) - 1, SAMPLED).astype(np.int64)))[0]
    full = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
    most = float(pixels.max(initial=0))
    if most == 0:
        return ["all pixels are 0: is it the right data?"]
    if most >= SMALL * full:
        return []
    white = 2 ** int(np.ceil(np.log2(most + 1))) - 1 if full > 1 else float(f"{most:.3g}")
    return [
        f"pixel values reach {most:.4g} of {full:.0f}, a small part of the range, so images are dark: "
        f"value_range=(0, {white}) scales them"
    ]
