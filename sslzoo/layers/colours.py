"""Colours in CIE Lab: conversion from sRGB, bins of the ab plane, and soft assignments to them."""

import keras
import numpy as np
from keras import layers, ops

TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]], "float32"
)  # of linear sRGB
WHITE = np.array([0.95047, 1.0, 1.08883], "float32")  # D65


def to_lab(images):
    """CIE Lab of sRGB images in [0, 1]: (..., 3) -> float32 (..., 3); white is (100, 0, 0)."""
    images = ops.cast(images, "float32")
    low, high = images / 12.92, ((ops.maximum(images, 0.04045) + 0.055) / 1.055) ** 2.4
    xyz = ops.matmul(ops.where(images <= 0.04045, low, high), TO_XYZ.T / WHITE)
    root = ops.where(xyz > 0.008856, ops.maximum(xyz, 0.008856) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return ops.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


@keras.saving.register_keras_serializable("sslzoo")
class Lightness(layers.Layer):
    """The lightness L / 100 of RGB images, in all three channels: (batch, height, width, 3) -> same shape."""

    def call(self, images):
        return ops.cast(ops.repeat(to_lab(images)[..., :1] / 100, 3, axis=-1), self.compute_dtype)


def ab_bins(step: int = 10) -> np.ndarray:
    """Centres of the squares of a grid of the ab plane that contain a colour of sRGB, float32 (bins, 2)."""
    levels = np.linspace(0, 1, 65, dtype="float32")
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    ab = ops.convert_to_numpy(to_lab(cube))[:, 1:]
    return step * np.unique(np.round(ab / step), axis=0).astype("float32")


def soft_bins(ab, bins, *, neighbours: int = 10, sigma: float = 5.0):
    """Soft assignment of colours to their nearest bins (Zhang, Isola and Efros, arXiv 1603.08511, section 2.1).

    Args:
        ab: (N, 2).
        bins: (Q, 2).
        neighbours: int, number of nearest bins.
        sigma: float, of the Gaussian of the distance that weighs them.

    Returns:
        float32 (N, Q), rows of sum 1.
    """
    squared = ops.sum((ops.cast(ab, "float32")[:, None] - bins) ** 2, axis=-1)
    near, found = ops.top_k(-squared, neighbours)
    weights = ops.softmax(near / (2 * sigma**2))
    return ops.sum(ops.one_hot(found, bins.shape[0], dtype="float32") * weights[..., None], axis=1)


def rebalancing(probabilities, *, uniform: float = 0.5):
    """Factors that raise rare bins (arXiv 1603.08511, equation 4): 1 / ((1 - uniform) p + uniform / Q), of mean 1.

    Args:
        probabilities: (Q,), how often each bin occurs, of sum 1.
        uniform: float in 0..1, share of the uniform distribution that is blended in; lambda of the paper.

    Returns:
        float32 (Q,), of expectation 1 under `probabilities`.
    """
    factors = 1 / ((1 - uniform) * probabilities + uniform / probabilities.shape[0])
    return factors / ops.sum(probabilities * factors)
