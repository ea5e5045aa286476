"""Corruptions of images: noise, blur, contrast, brightness, occlusion, in five severities (after arXiv 1903.12261)."""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

SEVERITIES = (1, 2, 3, 4, 5)

# A strength for each severity. Lengths are shares of the image's side, so that the effect does not depend on the size.
_STRENGTHS = {
    "gaussian noise": (0.04, 0.08, 0.12, 0.18, 0.26),  # standard deviation, of 1
    "impulse noise": (0.01, 0.03, 0.06, 0.11, 0.17),  # share of the values that are black or white
    "blur": (0.01, 0.018, 0.027, 0.04, 0.055),  # standard deviation, of the side
    "pixelate": (0.8, 0.6, 0.45, 0.33, 0.25),  # side of the small image, as a share of the side
    "contrast": (0.7, 0.5, 0.35, 0.22, 0.12),  # what is left of it
    "brightness": (0.08, 0.16, 0.24, 0.32, 0.4),  # added, of 1
    "occlusion": (0.15, 0.22, 0.3, 0.38, 0.46),  # side of a gray square, of the side
}


def names() -> tuple[str, ...]:
    """The names of all corruptions."""
    return tuple(_STRENGTHS)


def corrupt(images: np.ndarray, name: str, severity: int, seed: int = 0) -> np.ndarray:
    """Corrupted images.

    Args:
        images: (n, height, width, channels) in [0, 1].
        name: one of `names()`.
        severity: 1 to 5.
        seed: of the random numbers.

    Returns:
        float32 (n, height, width, channels) in [0, 1].

    Raises:
        ValueError: no such corruption or severity.
    """
    if name not in _STRENGTHS or severity not in SEVERITIES:
        raise ValueError(f"no {name!r} of severity {severity}: there are {', '.join(names())}, each from 1 to 5")
    images = np.asarray(images, "float32")
    spoiled = _WAYS[name](images, _STRENGTHS[name][severity - 1], np.random.default_rng(seed))
    return np.clip(spoiled, 0, 1, dtype="float32")


def _gaussian(images, deviation, random):
    return images + random.normal(scale=deviation, size=images.shape).astype("float32")


def _impulse(images, share, random):
    dice = random.uniform(size=images.shape)
    return np.where(dice < share / 2, 0, np.where(dice > 1 - share / 2, 1, images))


def _blur(images, deviation, random):
    return gaussian_filter(images, (0, *(deviation * side for side in images.shape[1:3]), 0))


def _pixelate(images, share, random):
    rows, columns = (_blocks(side, share) for side in images.shape[1:3])
    return np.einsum("yh,nhwc,xw->nyxc", rows, images, columns, optimize=True)


def _blocks(side, share):
    """Averages within blocks of pixels, back on every pixel of the block: (side, side)."""
    block = np.arange(side) * max(1, round(side * share)) // side
    same = block[:, None] == block
    return (same / same.sum(1, keepdims=True)).astype("float32")


def _contrast(images, share, random):
    mean = images.mean((1, 2), keepdims=True)
    return mean + share * (images - mean)


def _brightness(images, added, random):
    return images + added


def _occlusion(images, share, random):
    spoiled, (height, width) = images.copy(), images.shape[1:3]
    tall, wide = max(1, round(share * height)), max(1, round(share * width))
    tops, lefts = (random.integers(0, free + 1, len(images)) for free in (height - tall, width - wide))
    for image, top, left in zip(spoiled, tops, lefts, strict=True):
        image[top : top + tall, left : left + wide] = 0.5
    return spoiled


_WAYS: dict[str, Callable] = {
    "gaussian noise": _gaussian,
    "impulse noise": _impulse,
    "blur": _blur,
    "pixelate": _pixelate,
    "contrast": _contrast,
    "brightness": _brightness,
    "occlusion": _occlusion,
}
