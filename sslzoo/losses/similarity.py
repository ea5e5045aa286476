"""Alignment of two views, and uniformity of all embeddings on the sphere."""

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import squared_distances, unit


@checked("N dim", "N dim")
def align(z_a, z_b, *, alpha: float = 2.0):
    """Mean distance of positive pairs to the power alpha (Wang and Isola, arXiv 2005.10242, section 4.1).

    Args:
        z_a, z_b: (N, dim), embeddings of two views, of any norm; row i of both is example i.
        alpha: float, above 0.

    Returns:
        A float32 scalar in 0..2^alpha.
    """
    difference = unit(z_a) - unit(z_b)
    # The constant keeps the gradient of the root finite where two embeddings coincide.
    return ops.mean((ops.sum(difference**2, axis=-1) + 1e-12) ** (alpha / 2))


@checked("N>1 dim")
def uniformity(z, *, t: float = 2.0):
    """Log of the mean Gaussian potential over all pairs (Wang and Isola, arXiv 2005.10242, section 4.1).

    Args:
        z: (N, dim), N >= 2, of any norm.
        t: float, above 0.

    Returns:
        A float32 scalar in -4t..0; lower is more uniform.
    """
    count = ops.shape(z)[0]
    potential = ops.exp(-t * squared_distances(unit(z)))
    itself = ops.sum(potential * ops.eye(count, dtype="float32"))
    pairs = ops.cast(count * (count - 1), "float32")
    return ops.log((ops.sum(potential) - itself) / pairs)


@checked("*axes dim", "*axes dim")
def negative_cosine(p, z):
    """-cos(p, z), mean over the batch (SimSiam, arXiv 2011.10566, equation 1).

    Args:
        p: (..., dim), predictions, of any norm.
        z: (..., dim), targets, of any norm; the caller stops the gradient.

    Returns:
        A float32 scalar in -1..1.
    """
    p, z = (unit(x) for x in (p, z))
    return -ops.mean(ops.sum(p * z, axis=-1))
