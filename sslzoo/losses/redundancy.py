"""Losses against redundancy: the features of an embedding agree between views and not with each other."""

from keras import ops


def barlow_twins(z_a, z_b, off_diagonal_weight: float = 0.0051):
    """Barlow Twins (Zbontar et al., arXiv 2103.03230, equation 1): the cross-correlation of two views becomes identity.

    Args:
        z_a, z_b: embeddings of two views, each (N, dim), N >= 2; row i of both is image i.
        off_diagonal_weight: lambda; 0.005 in the paper, 0.0051 in the authors' code.

    Returns:
        A float32 scalar, a sum over features: it grows with dim.
    """
    count = ops.cast(ops.shape(z_a)[0], "float32")
    correlation = ops.matmul(ops.transpose(_standardized(z_a)), _standardized(z_b)) / count
    diagonal = ops.diagonal(correlation)
    off_diagonal = ops.sum(correlation**2) - ops.sum(diagonal**2)
    return ops.sum((1 - diagonal) ** 2) + off_diagonal_weight * off_diagonal


def _standardized(z):
    """Each feature with mean 0 and variance 1 over the batch, as the authors' BatchNorm without parameters does."""
    z = ops.cast(z, "float32")
    return (z - ops.mean(z, axis=0)) * ops.rsqrt(ops.var(z, axis=0) + 1e-5)
