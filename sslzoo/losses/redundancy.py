"""Redundancy reduction: the features of an embedding agree between views and are uncorrelated with each other."""

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import unit


@checked("N>1 dim", "N>1 dim")
def barlow_twins(z_a, z_b, *, off_diagonal_weight: float = 0.0051):
    """Squared distance of the cross-correlation matrix of two views from the identity.

    Barlow Twins (Zbontar et al., arXiv 2103.03230, equation 1).

    Args:
        z_a, z_b: (N, dim), N >= 2, embeddings of two views; row i of both is example i.
        off_diagonal_weight: float, lambda of the paper: 0.005 there, 0.0051 in the authors' code.

    Returns:
        A float32 scalar, a sum over features, which grows with dim.
    """
    count = ops.cast(ops.shape(z_a)[0], "float32")
    correlation = ops.matmul(ops.transpose(_standardized(z_a)), _standardized(z_b)) / count
    diagonal = ops.diagonal(correlation)
    off_diagonal = ops.sum(correlation**2) - ops.sum(diagonal**2)
    return ops.sum((1 - diagonal) ** 2) + off_diagonal_weight * off_diagonal


def _standardized(z):
    """Features of mean 0 and variance 1 over the batch, as the authors' BatchNorm without parameters gives them."""
    z = ops.cast(z, "float32")
    return (z - ops.mean(z, axis=0)) * ops.rsqrt(ops.var(z, axis=0) + 1e-5)


@checked("N>1 dim", "N>1 dim")
def vicreg(z_a, z_b, *, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0):
    """VICReg (Bardes, Ponce and LeCun, arXiv 2105.04906, equation 6) with the reductions of the authors' code.

    The code averages over dimensions in the invariance term and over the two views in the variance term, where the
    paper has sums. The covariance terms of the two views are added.

    Args:
        z_a, z_b: (N, dim), N >= 2, embeddings of two views; row i of both is example i.
        invariance: float, weight of the mean squared difference.
        variance: float, weight of `too_narrow`.
        covariance: float, weight of `redundancy`.

    Returns:
        A float32 scalar; 24.75 with the default weights where all embeddings are equal.
    """
    z_a, z_b = ops.cast(z_a, "float32"), ops.cast(z_b, "float32")
    narrow = (too_narrow(z_a) + too_narrow(z_b)) / 2
    redundant = redundancy(z_a) + redundancy(z_b)
    return invariance * ops.mean((z_a - z_b) ** 2) + variance * narrow + covariance * redundant


@checked("N>1 ... dim")
def too_narrow(z):
    """Mean over features of max(0, 1 - standard deviation over the batch) (VICReg, equation 1).

    Args:
        z: (N, ..., dim), N >= 2; positions between the first and the last axis count separately.

    Returns:
        A float32 scalar in 0..1.
    """
    z = ops.cast(z, "float32")
    variance = ops.sum((z - ops.mean(z, axis=0)) ** 2, axis=0) / _degrees_of_freedom(z)
    return ops.mean(ops.relu(1 - ops.sqrt(variance + 1e-4)))


@checked("N>1 ... dim")
def redundancy(z):
    """Sum of squared covariances of different features, divided by dim (VICReg, equations 3 and 4).

    Args:
        z: (N, ..., dim), N >= 2; each position between the first and the last axis has a covariance of its own.

    Returns:
        A float32 scalar, the mean over positions.
    """
    dim = z.shape[-1]
    z = ops.cast(z, "float32")
    z = ops.reshape(z - ops.mean(z, axis=0), (ops.shape(z)[0], -1, dim))
    covariance = ops.einsum("npi,npj->pij", z, z) / _degrees_of_freedom(z)
    return ops.mean(ops.sum((covariance * (1 - ops.eye(dim))) ** 2, axis=(1, 2))) / dim


def _degrees_of_freedom(z):
    return ops.cast(ops.shape(z)[0] - 1, "float32")


@checked("N dim", "N dim", "N dim", "N dim")
def feature_agreement(z_a, z_b, target_a, target_b):
    """All4One's feature term: each feature agrees with the target's of the other view (arXiv 2303.09417, section 3.3).

    Features are normalized over the batch, without being centred. 5 times the sum of two roots: of the mean squared
    distance of their correlations from 1 on the diagonal, and from 0 off it.

    Args:
        z_a, z_b: (N, dim), of the online network.
        target_a, target_b: (N, dim), of the target network; the caller stops the gradient.

    Returns:
        A float32 scalar.
    """
    columns = [unit(ops.transpose(ops.cast(z, "float32"))) for z in (target_a, z_b, target_b, z_a)]
    pairs = [ops.matmul(columns[k], ops.transpose(columns[k + 1])) for k in (0, 2)]
    diagonals, dim = [ops.diagonal(pair) for pair in pairs], z_a.shape[-1]
    on = sum(ops.mean((1 - diagonal) ** 2) for diagonal in diagonals) / 2
    squares = sum(ops.sum(pair**2) for pair in pairs) - sum(ops.sum(diagonal**2) for diagonal in diagonals)
    # The constant keeps the gradient of the roots finite at 0.
    return 5 * (ops.sqrt(on + 1e-12) + ops.sqrt(squares / (2 * dim * (dim - 1)) + 1e-12))


@checked("N dim", "dim dim")
def tico_covariance(z, covariance, *, rate: float = 0.1):
    """Running second moment of directions, moved towards that of a batch (TiCo, arXiv 2206.10698, algorithm 1).

    Args:
        z: (N, dim), of any norm; no gradient passes.
        covariance: (dim, dim), of the earlier batches, zeros at the start.
        rate: float in 0..1, share moved: 1 - beta of the paper.

    Returns:
        float32 (dim, dim), symmetric, of trace at most 1.
    """
    z = ops.stop_gradient(unit(z))
    count = ops.cast(ops.shape(z)[0], "float32")
    return covariance + rate * (ops.matmul(ops.transpose(z), z) / count - covariance)


@checked("N dim", "N dim", "dim dim")
def tico(z_a, z_b, covariance, *, covariance_weight: float = 8.0):
    """TiCo (Zhu et al., arXiv 2206.10698, equation 6): agrees with the target, avoids frequent directions.

    Args:
        z_a: (N, dim), of the online network, of any norm.
        z_b: (N, dim), of the target network, of any norm; the caller stops the gradient.
        covariance: (dim, dim) of `tico_covariance`, this batch included.
        covariance_weight: float, rho of the paper.

    Returns:
        A float32 scalar; rho where all embeddings of all batches have one direction.
    """
    z_a, z_b = (unit(z) for z in (z_a, z_b))
    crowded = ops.sum(ops.matmul(z_a, ops.stop_gradient(covariance)) * z_a, axis=-1)
    return ops.mean(1 - ops.sum(z_a * z_b, axis=-1) + covariance_weight * crowded)


@checked("... n>1 dim")
def whiten(z, *, shrinkage: float = 0.0):
    """Rows of mean 0 and covariance identity, by the Cholesky factor of the covariance (arXiv 2007.06346, 3.1).

    Args:
        z: (..., n, dim), n > dim; each set of n rows is whitened by itself.
        shrinkage: float in 0..1, weight of the identity blended into the covariance.

    Returns:
        float32 of the same shape.
    """
    z = ops.cast(z, "float32")
    z = z - ops.mean(z, axis=-2, keepdims=True)
    covariance = ops.matmul(ops.swapaxes(z, -1, -2), z) / (z.shape[-2] - 1)
    factor = ops.cholesky((1 - shrinkage) * covariance + shrinkage * ops.eye(z.shape[-1]))
    return ops.swapaxes(ops.solve_triangular(factor, ops.swapaxes(z, -1, -2), lower=True), -1, -2)


@checked("N dim", "N dim")
def w_mse(z_a, z_b, *, whitening_size: int = 128, normalize: bool = True, shrinkage: float = 0.0):
    """W-MSE (Ermolov et al., arXiv 2007.06346, equation 6): squared distance of embeddings whitened in parts.

    Args:
        z_a, z_b: (N, dim), embeddings of two views, in random order.
        whitening_size: int, consecutive rows that are whitened together. Divides N and exceeds dim; at least 2 dim
            gives a well-conditioned covariance.
        normalize: bool, compares directions, 2 - 2 cos, instead of numbers.
        shrinkage: as of `whiten`.

    Returns:
        A float32 scalar; 0 for equal views, about 2 for unrelated ones.

    Raises:
        ValueError: if `whitening_size` does not divide N or does not exceed dim.
    """
    count, dim = z_a.shape
    if (count or 0) % whitening_size:
        raise ValueError(f"whitening_size={whitening_size} does not divide the batch of {count} images")
    if whitening_size <= dim:
        raise ValueError(f"whitening_size must be above {dim}, the embedding's width, got {whitening_size}")
    sets = (-1, whitening_size, z_a.shape[-1])
    z_a, z_b = (whiten(ops.reshape(z, sets), shrinkage=shrinkage) for z in (z_a, z_b))
    if not normalize:
        return ops.mean((z_a - z_b) ** 2)
    return ops.mean(2 - 2 * ops.sum(unit(z_a) * unit(z_b), axis=-1))
