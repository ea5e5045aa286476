"""Directions of embeddings: every loss that compares angles takes embeddings of any norm and normalizes them here."""

from keras import ops

TINY = 1e-12  # squared norm up to which a vector has no direction


def unit(z):
    """Embeddings of norm one, float32: (..., dim) of any norm and type -> (..., dim).

    Vectors of a norm up to 1e-6 become zero, and no gradient passes to them. The derivative of a direction grows with
    1 / norm: a single prediction of zero, as of a hidden layer whose units are all off, would dominate every step.
    """
    z = ops.cast(z, "float32")
    squared = ops.sum(z**2, axis=-1, keepdims=True)
    none = squared <= TINY  # false for NaN, which stays NaN
    return ops.where(none, 0.0, z * ops.rsqrt(ops.where(none, 1.0, squared)))


def masked_mean(values, valid=None):
    """Mean of values over the entries where `valid` is 1, 0 without any; over all entries if None. Shapes are equal."""
    if valid is None:
        return ops.mean(values)
    valid = ops.cast(valid, "float32")
    return ops.sum(ops.cast(values, "float32") * valid) / ops.maximum(ops.sum(valid), 1.0)


def squared_distances(z):
    """Squared Euclidean distances of all pairs of rows, float32: (N, dim) -> (N, N).

    Computed from inner products of the rows minus their mean, so that rounding errors are relative to the spread of the
    rows, not to their norm.
    """
    z = ops.cast(z, "float32")
    z = z - ops.stop_gradient(ops.mean(z, axis=0))
    squared = ops.sum(z**2, axis=-1)
    return ops.relu(squared[:, None] + squared - 2 * ops.matmul(z, ops.transpose(z)))
