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


def vicreg(z_a, z_b, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0):
    """VICReg (Bardes, Ponce and LeCun, arXiv 2105.04906, equation 6) with the reductions of the authors' code.

    The code takes means over the dimensions in the invariance term, and over the two views in the variance term, where
    the paper has sums; the covariance terms of the two views are added.

    Args:
        z_a, z_b: embeddings of two views, each (N, dim), N >= 2; row i of both is image i.
        invariance: weight of the mean squared difference.
        variance: weight of how much standard deviations fall short of 1.
        covariance: weight of the squared covariances between features.

    Returns:
        A float32 scalar; 24.75 where all embeddings are equal.
    """
    z_a, z_b = ops.cast(z_a, "float32"), ops.cast(z_b, "float32")
    narrow = (too_narrow(z_a) + too_narrow(z_b)) / 2
    redundant = redundancy(z_a) + redundancy(z_b)
    return invariance * ops.mean((z_a - z_b) ** 2) + variance * narrow + covariance * redundant


def too_narrow(z):
    """How much the features' standard deviations over the batch fall short of 1 (VICReg, equation 1): mean, a scalar.

    z is (N, ..., dim), N >= 2: positions between the first and last axis count one by one.
    """
    z = ops.cast(z, "float32")
    variance = ops.sum((z - ops.mean(z, axis=0)) ** 2, axis=0) / _degrees_of_freedom(z)
    return ops.mean(ops.relu(1 - ops.sqrt(variance + 1e-4)))


def redundancy(z):
    """Sum of the squared covariances between different features, divided by dim (VICReg, equations 3 and 4): a scalar.

    z is (N, ..., dim), N >= 2: a mean over the positions between the first and last axis, each with its own covariance.
    """
    dim = z.shape[-1]
    z = ops.cast(z, "float32")
    z = ops.reshape(z - ops.mean(z, axis=0), (ops.shape(z)[0], -1, dim))
    covariance = ops.einsum("npi,npj->pij", z, z) / _degrees_of_freedom(z)
    return ops.mean(ops.sum((covariance * (1 - ops.eye(dim))) ** 2, axis=(1, 2))) / dim


def _degrees_of_freedom(z):
    return ops.cast(ops.shape(z)[0] - 1, "float32")


def tico_covariance(z, covariance, rate: float = 0.1):
    """The running second moment of directions, moved towards that of a batch (TiCo, arXiv 2206.10698, algorithm 1).

    Args:
        z: embeddings (N, dim), of any norm; no gradient goes back to them.
        covariance: (dim, dim), that of the batches before, zeros at the start.
        rate: the fraction moved: one minus the paper's beta.

    Returns:
        float32 (dim, dim), symmetric, of trace 1 at most.
    """
    z = ops.stop_gradient(ops.normalize(ops.cast(z, "float32")))
    count = ops.cast(ops.shape(z)[0], "float32")
    return covariance + rate * (ops.matmul(ops.transpose(z), z) / count - covariance)


def tico(z_a, z_b, covariance, covariance_weight: float = 8.0):
    """TiCo (Zhu et al., arXiv 2206.10698, equation 6): agree with the target, avoid the directions that are crowded.

    Args:
        z_a, z_b: embeddings of the online and of the target network, each (N, dim), of any norm; whoever calls stops
            the gradient of z_b.
        covariance: (dim, dim) of `tico_covariance`, this batch included.
        covariance_weight: rho.

    Returns:
        A float32 scalar; rho where all embeddings, of all batches, point one way.
    """
    z_a, z_b = (ops.normalize(ops.cast(z, "float32")) for z in (z_a, z_b))
    crowded = ops.sum(ops.matmul(z_a, ops.stop_gradient(covariance)) * z_a, axis=-1)
    return ops.mean(1 - ops.sum(z_a * z_b, axis=-1) + covariance_weight * crowded)


def whiten(z, shrinkage: float = 0.0):
    """Mean 0 and covariance identity, by the inverse of the Cholesky factor of the covariance (arXiv 2007.06346, 3.1).

    Args:
        z: (..., n, dim), n > dim: each set of n rows by itself.
        shrinkage: the covariance is blended with so much of the identity.

    Returns:
        float32 of the same shape.
    """
    z = ops.cast(z, "float32")
    z = z - ops.mean(z, axis=-2, keepdims=True)
    covariance = ops.matmul(ops.swapaxes(z, -1, -2), z) / (z.shape[-2] - 1)
    factor = ops.cholesky((1 - shrinkage) * covariance + shrinkage * ops.eye(z.shape[-1]))
    return ops.swapaxes(ops.solve_triangular(factor, ops.swapaxes(z, -1, -2), lower=True), -1, -2)


def w_mse(z_a, z_b, whitening_size: int = 128, normalize: bool = True, shrinkage: float = 0.0):
    """W-MSE (Ermolov et al., arXiv 2007.06346, equation 6): squared distance of embeddings that are whitened apart.

    Args:
        z_a, z_b: embeddings of two views, each (N, dim); whoever calls has permuted the images.
        whitening_size: so many consecutive rows are whitened together; divides N and is above dim, twice dim or more
            for a well-conditioned covariance.
        normalize: squared distances of directions, 2 - 2 cos; otherwise the mean squared error of the numbers.
        shrinkage: of the covariance towards the identity.

    Returns:
        A float32 scalar; 0 for equal views, about 2 for unrelated ones.

    Raises:
        ValueError: a whitening_size that does not divide N, or is not above dim.
    """
    count, dim = z_a.shape
    if (count or 0) % whitening_size:
        raise ValueError(f"whitening_size {whitening_size} does not divide the batch, {count} images")
    if whitening_size <= dim:
        raise ValueError(f"whitening_size must be above {dim}, the embedding's width, got {whitening_size}")
    sets = (-1, whitening_size, z_a.shape[-1])
    z_a, z_b = (whiten(ops.reshape(z, sets), shrinkage) for z in (z_a, z_b))
    if not normalize:
        return ops.mean((z_a - z_b) ** 2)
    return ops.mean(2 - 2 * ops.sum(ops.normalize(z_a) * ops.normalize(z_b), axis=-1))
