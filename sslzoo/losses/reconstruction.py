"""Distances of pairs, row by row: images and their reconstructions, or the embeddings of two views.

Each gives one float32 number for each row, so that replicas gather those numbers rather than images; the loss is their
mean.
"""

from keras import ops


def mse(a, b):
    """Mean squared error over all but the first axis (Vincent et al., JMLR 11, 2010, 2.2): 2 x (N, ...) -> (N,)."""
    return _row_means((ops.cast(a, "float32") - ops.cast(b, "float32")) ** 2)


def l1(a, b):
    """Mean absolute error over all but the first axis: 2 x (N, ...) -> (N,); its gradient is 0 where a equals b."""
    return _row_means(ops.abs(ops.cast(a, "float32") - ops.cast(b, "float32")))


def cosine(a, b):
    """1 - cosine of the angle between rows, 0..2: 2 x (N, dim), of any norm -> (N,).

    Computed as half the squared distance of the directions, which is exactly 0 for equal rows, zero vectors too.
    """
    difference = ops.normalize(ops.cast(a, "float32")) - ops.normalize(ops.cast(b, "float32"))
    return ops.sum(difference**2, axis=-1) / 2


def _row_means(errors):
    return ops.mean(errors, axis=tuple(range(1, len(errors.shape))))
