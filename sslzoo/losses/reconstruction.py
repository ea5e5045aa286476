"""Distances of predictions and targets, one for each row: images and reconstructions, or embeddings of two views.

The loss is their mean. One number for each row lets replicas gather numbers instead of images.
"""

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import unit


@checked("N *axes", "N *axes")
def mse(predictions, targets):
    """Mean squared error of each row (Vincent et al., JMLR 11, 2010, section 2.2).

    Args:
        predictions, targets: (N, ...), of one shape.

    Returns:
        float32 (N,).
    """
    return _row_means((ops.cast(predictions, "float32") - ops.cast(targets, "float32")) ** 2)


@checked("N *axes", "N *axes")
def l1(predictions, targets):
    """Mean absolute error of each row; its gradient is 0 where both are equal.

    Args:
        predictions, targets: (N, ...), of one shape.

    Returns:
        float32 (N,).
    """
    return _row_means(ops.abs(ops.cast(predictions, "float32") - ops.cast(targets, "float32")))


@checked("N dim", "N dim")
def cosine(predictions, targets):
    """1 - cosine of the angle between rows.

    Computed as half the squared distance of the directions, which is exactly 0 for equal rows, zero vectors included.

    Args:
        predictions, targets: (N, dim), of any norm.

    Returns:
        float32 (N,), in 0..2.
    """
    difference = unit(predictions) - unit(targets)
    return ops.sum(difference**2, axis=-1) / 2


@checked("N dim", "N dim", "N dim")
def swap_entropy(predictions, originals, corrupted):
    """Cross-entropy of the cells that a corruption changed (VIME, NeurIPS 2020, equation 4).

    A cell that was swapped for an equal one is not changed; missing values are equal.

    Args:
        predictions: (N, dim), logits; above 0 where a cell is taken for changed.
        originals, corrupted: (N, dim), raw columns before and after the corruption, NaN for missing values.

    Returns:
        float32 (N,), the mean over the columns; log 2 where the predictions are 0.
    """
    logits, one, other = (ops.cast(x, "float32") for x in (predictions, originals, corrupted))
    same = ops.logical_or(ops.equal(one, other), ops.logical_and(ops.isnan(one), ops.isnan(other)))
    changed = 1.0 - ops.cast(same, "float32")
    return _row_means(ops.maximum(logits, 0.0) - logits * changed + ops.log1p(ops.exp(-ops.abs(logits))))


def _row_means(errors):
    return ops.mean(errors, axis=tuple(range(1, len(errors.shape))))
