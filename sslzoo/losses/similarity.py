"""How near the embeddings of two views are, and how evenly all of them fill the sphere."""

from keras import ops


def align(z_a, z_b, alpha: float = 2.0):
    """Mean distance of positive pairs to the power alpha (Wang and Isola, arXiv 2005.10242, section 4.1).

    z_a and z_b are (N, dim), of any norm.
    """
    difference = ops.normalize(ops.cast(z_a, "float32")) - ops.normalize(ops.cast(z_b, "float32"))
    # The constant keeps the gradient of the root finite where two embeddings coincide.
    return ops.mean((ops.sum(difference**2, axis=-1) + 1e-12) ** (alpha / 2))


def uniformity(z, t: float = 2.0):
    """Log of the mean Gaussian potential over all pairs i < j (Wang and Isola, arXiv 2005.10242, section 4.1).

    z is (N, dim) with N >= 2, of any norm.
    """
    z = ops.normalize(ops.cast(z, "float32"))
    count = ops.shape(z)[0]
    potential = ops.exp(2 * t * (ops.matmul(z, ops.transpose(z)) - 1))
    itself = ops.sum(potential * ops.eye(count, dtype="float32"))
    pairs = ops.cast(count * (count - 1), "float32")
    return ops.log((ops.sum(potential) - itself) / pairs)


def negative_cosine(p, z):
    """-cos(p, z), mean over the batch (SimSiam, arXiv 2011.10566, equation 1); -1..1.

    Args:
        p, z: prediction and target, each (N, dim), of any norm; whoever calls stops the gradient of z.
    """
    p, z = (ops.normalize(ops.cast(x, "float32")) for x in (p, z))
    return -ops.mean(ops.sum(p * z, axis=-1))
