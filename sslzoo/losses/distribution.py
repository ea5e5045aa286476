"""Losses on the distribution of embeddings: views agree, and all embeddings together do not collapse.

Views are stacked, (V, N, dim). Random directions, rotations and samples are arguments, so that the losses are pure.
"""

import math

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import unit
from sslzoo.losses.redundancy import too_narrow


def normal(uniform):
    """Standard normal numbers, float32, from uniform ones in [0, 1)."""
    return math.sqrt(2) * ops.erfinv(ops.clip(2 * uniform - 1, -1 + 1e-6, 1 - 1e-6))


@checked("V N dim")
def invariance(views, *, centres: int | None = None):
    """Mean squared difference of all views from the mean of the first `centres` (LeJEPA, arXiv 2511.08544, section 5).

    Gradients pass through the mean as well.

    Args:
        views: (V, N, dim).
        centres: int, number of views in the mean; all if None.

    Returns:
        A float32 scalar, a mean over views, rows and features.
    """
    views = ops.cast(views, "float32")
    return ops.mean((views - ops.mean(views[:centres], axis=0)) ** 2)


@checked("V N>1 dim", "dim K", "N>1")
def sigreg(views, directions, valid=None, *, knots: int = 17, reach: float = 3.0):
    """SIGReg: the Epps-Pulley statistic of projections on random lines (LeJEPA, arXiv 2511.08544, section 4).

    N times the integral over t of |characteristic function - exp(-t^2 / 2)|^2 exp(-t^2 / 2), by the trapezoidal rule on
    [0, reach], doubled for symmetry.

    Args:
        views: (V, N, dim), not normalized.
        directions: (dim, K), of any norm; no gradient passes.
        valid: (N,), 1 for rows that count and 0 for others; None if all count.
        knots: int, number of points of the rule.
        reach: float, end of the interval.

    Returns:
        A float32 scalar, the mean over views and directions: about 1.05 for standard normal embeddings of any number,
        0.402 N where all embeddings are zero.
    """
    views = ops.cast(views, "float32")
    valid = ops.ones_like(views[0, :, 0]) if valid is None else ops.cast(valid, "float32")
    count = ops.sum(valid)
    share = (valid / ops.maximum(count, 1.0))[:, None]
    lines = ops.stop_gradient(ops.transpose(unit(ops.transpose(directions))))
    places, total = ops.matmul(views, lines), 0.0
    step = reach / (knots - 1)
    for knot in range(knots):
        t = step * knot
        window = math.exp(-(t**2) / 2)
        real, imaginary = (ops.sum(share * wave(t * places), axis=1) for wave in (ops.cos, ops.sin))
        weight = step * (1 if knot in (0, knots - 1) else 2) * window
        total += weight * ((real - window) ** 2 + imaginary**2)
    return count * ops.mean(total)


@checked("V N>1 dim", "dim K")
def visreg(views, directions, *, epsilon: float = 1e-6):
    """VISReg (Wu et al., arXiv 2606.02572): scale, shape and centre of the embeddings of each view.

    The scale is the mean squared difference of the standard deviations from 1, the centre the mean squared mean. The
    shape is the sliced Wasserstein distance of standardized embeddings from the standard normal distribution; no
    gradient passes through their division.

    Args:
        views: (V, N, dim), not normalized.
        directions: (dim, K), of any norm; no gradient passes.
        epsilon: float, added to the standard deviations; 1e-6 in the authors' code.

    Returns:
        A float32 scalar, the sum of the three, each a mean over views. For zeros it is 1 plus the mean square of the
        quantiles, 1.89 for 64 rows.
    """
    views = ops.cast(views, "float32")
    mean = ops.mean(views, axis=1, keepdims=True)
    # The constant keeps the gradient of the root finite where a feature is constant.
    deviation = ops.sqrt(ops.mean((views - mean) ** 2, axis=1, keepdims=True) + 1e-12) + epsilon
    lines = ops.stop_gradient(ops.transpose(unit(ops.transpose(directions))))
    places = ops.sort(ops.matmul((views - mean) / ops.stop_gradient(deviation), lines), axis=1)
    ranks = ops.arange(1, ops.shape(views)[1] + 1)
    quantiles = normal(ops.cast(ranks, "float32") / ops.cast(ops.shape(views)[1] + 1, "float32"))
    shape = ops.mean((places - quantiles[:, None]) ** 2)
    return ops.mean((1 - deviation) ** 2) + shape + ops.mean(mean**2)


@checked("V N dim")
def mmcr(views, *, local_weight: float = 0.0):
    """MMCR (Yerxa et al., arXiv 2303.03307, equation 2): minus the nuclear norm of the images' mean directions.

    Args:
        views: (V, N, dim), of any norm. Only directions count, without which the loss has no lower bound.
        local_weight: float, weight of the mean nuclear norm of an image's views; 0 in the authors' experiments.

    Returns:
        A float32 scalar: -sqrt(N) where all directions are equal, at least -sqrt(N min(N, dim)).
    """
    views = unit(views)
    loss = -_nuclear_norm(ops.mean(views, axis=0))
    return loss + local_weight * ops.mean(_nuclear_norm(ops.swapaxes(views, 0, 1))) if local_weight else loss


def _nuclear_norm(matrices):
    """Sums of the singular values. TensorFlow's gradient is finite for equal ones, if it computes no vectors."""
    return ops.sum(ops.svd(matrices, compute_uv=False), axis=-1)


@checked("V N>1 dim")
def frossl(views, *, invariance_weight: float = 1.0):
    """FroSSL (Skean et al., arXiv 2310.02903): log of the Frobenius norm of each view's covariance, and its invariance.

    Features are normalized over the batch, without being centred. As in the authors' code for several views the
    invariance is V dim times the mean squared difference from the mean view, summed over views.

    Args:
        views: (V, N, dim).
        invariance_weight: float, weight of the squared differences.

    Returns:
        A float32 scalar: 0 where all embeddings are equal, -V log(min(N, dim)) for equal views of orthogonal features.
    """
    views = unit(ops.swapaxes(ops.cast(views, "float32"), 1, 2))  # (V, dim, N): each feature over the batch
    count, dim, _ = views.shape
    across = ops.swapaxes(views, 1, 2)
    small = dim <= (views.shape[2] or dim)
    gram = ops.matmul(views, across) if small else ops.matmul(across, views)
    spread = ops.sum(ops.log(ops.sum((gram / dim) ** 2, axis=(1, 2))))
    return spread + invariance_weight * count**2 * dim * invariance(views)


@checked("N>1 dim", "N>1 dim")
def vibcreg(z_a, z_b, *, invariance: float = 25.0, variance: float = 25.0, covariance: float = 200.0):
    """VIbCReg (Lee and Aune, arXiv 2109.00783): VICReg whose covariances are those of features of norm one.

    Args:
        z_a, z_b: (N, dim), N >= 2, embeddings of two views; row i of both is example i.
        invariance: float, weight of the mean squared difference.
        variance: float, weight of the sum of `too_narrow` of both views.
        covariance: float, weight of the squared correlations, a mean over all pairs of features, the diagonal as 0.

    Returns:
        A float32 scalar; 49.5 with the default weights where all embeddings are equal.
    """
    z_a, z_b = ops.cast(z_a, "float32"), ops.cast(z_b, "float32")
    narrow, redundant = (sum(term(z) for z in (z_a, z_b)) for term in (too_narrow, _correlation))
    return invariance * ops.mean((z_a - z_b) ** 2) + variance * narrow + covariance * redundant


def _correlation(z):
    columns = unit(ops.transpose(z - ops.mean(z, axis=0)))
    correlation = ops.matmul(columns, ops.transpose(columns))
    return ops.mean((correlation * (1 - ops.eye(z.shape[-1]))) ** 2)


@checked("V N dim")
def emp_ssl(views, *, invariance: float = 200.0, distortion: float = 0.2):
    """EMP-SSL (Tong et al., arXiv 2304.03977, equation 4): views agree with their mean, and each view fills the space.

    -invariance * mean cosine with the mean view - total coding rate, 1/2 logdet(I + dim / (N distortion) Z'Z), of each
    view. Some libraries add the coding rate, which rewards collapse.

    Args:
        views: (V, N, dim), of norm 1 in the authors' code, which the coding rate requires.
        invariance: float, weight of the cosines.
        distortion: float, epsilon^2 of the paper.

    Returns:
        A float32 scalar.
    """
    views = ops.cast(views, "float32")
    cosines = ops.sum(unit(views) * unit(ops.mean(views, axis=0)), axis=-1)
    dim, count = views.shape[-1], ops.cast(ops.shape(views)[1], "float32")
    gram = ops.matmul(ops.swapaxes(views, 1, 2), views)
    factor = ops.cholesky(ops.eye(dim) + dim / (count * distortion) * gram)
    rates = ops.sum(ops.log(ops.diagonal(factor, axis1=1, axis2=2)), axis=-1)
    return -invariance * ops.mean(cosines) - ops.mean(rates)


@checked("N dim", "N dim")
def half_distance(z_a, z_b):
    """Mean over rows and features of half the squared difference (arXiv 2011.02803, section 2, authors' code)."""
    return ops.mean((ops.cast(z_a, "float32") - ops.cast(z_b, "float32")) ** 2) / 2


@checked("N dim")
def log_sum_exp(z, *, temperature: float):
    """Distribution term of the decoupled NT-Xent (Chen, Luo and Li, arXiv 2011.02803, section 2).

    Args:
        z: (N, dim), embeddings of all views, of norm 1 in the paper. Each is compared with itself too.
        temperature: float, divides the inner products.

    Returns:
        A float32 scalar, the mean over rows minus log(dim); log(N / dim) + 1 / temperature where all are equal.
    """
    z = ops.cast(z, "float32")
    return ops.mean(ops.logsumexp(ops.matmul(z, ops.transpose(z)) / temperature, axis=1)) - math.log(z.shape[-1])


@checked("N dim", "N dim", "dim dim")
def sliced_wasserstein(z, prior, rotation):
    """Squared Wasserstein distance of embeddings from samples of a prior, along the columns of a rotation.

    Chen, Luo and Li (arXiv 2011.02803, section 2 and algorithm 1).

    Args:
        z: (N, dim).
        prior: (N, dim), samples of the prior; no gradient passes.
        rotation: (dim, dim), orthogonal.

    Returns:
        A float32 scalar, the mean over ranks and columns.
    """
    found, wanted = (
        ops.sort(ops.matmul(ops.cast(x, "float32"), rotation), axis=0) for x in (z, ops.stop_gradient(prior))
    )
    return ops.mean((found - wanted) ** 2)
