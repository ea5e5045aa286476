"""Contrastive losses: tell the other view of an image from the other images."""

import math

import keras
from keras import ops


def nt_xent(z_a, z_b, temperature: float):
    """Normalized temperature-scaled cross-entropy (SimCLR, arXiv 2002.05709, equation 1), mean over the 2N embeddings.

    Args:
        z_a, z_b: embeddings of two views, each (N, dim), of any norm; row i of both is image i.
        temperature: divides the cosine similarities.

    Returns:
        A float32 scalar; log(2N - 1) where all embeddings are equal.
    """
    z = ops.normalize(ops.cast(ops.concatenate([z_a, z_b]), "float32"))
    count = ops.shape(z_a)[0]
    itself = ops.eye(2 * count, dtype="float32")
    logits = ops.matmul(z, ops.transpose(z)) / temperature - 1e9 * itself
    other_view = (ops.arange(2 * count) + count) % (2 * count)
    return ops.mean(keras.losses.sparse_categorical_crossentropy(other_view, logits, from_logits=True))


def nt_xent_baseline(count: int, dim: int, temperature: float) -> float:
    """NT-Xent of `count` pairs of random directions in `dim` dimensions: log(2N - 1) + 1 / (2 dim temperature^2).

    The second term is the mean of exp over cosines of variance 1/dim; losses of different widths and temperatures
    can be compared only after subtracting it. It overestimates where dim * temperature^2 is below about 1.
    """
    return math.log(2 * count - 1) + 1 / (2 * dim * temperature**2)
