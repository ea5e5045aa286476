"""Contrast of regions: those of one object in two views agree, and differ from all other regions of the batch."""

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import unit


@checked("N M dim", "N M dim", "N M dim", "N M dim", "N M", "N M")
def det_con(z_a, z_b, target_a, target_b, ids_a, ids_b, *, temperature: float = 0.1):
    """DetCon's loss (Henaff et al., arXiv 2103.10957, equations 1 and 2), both directions added.

    Each sampled region is contrasted with all regions of the other view, and with those of its own view that are not of
    the same object. Regions of the same object in the other view are its positives, with equal shares of the label.
    A region counts 1 / the number of samples of its object in its view, and 0 without a positive.

    Args:
        z_a, z_b: (N, M, dim), predictions of M regions of two views, of any norm.
        target_a, target_b: (N, M, dim), their targets, of any norm; the caller stops the gradient where the paper does.
        ids_a, ids_b: int (N, M), the object of each region; equal ids of one image are one object.
        temperature: float, divides the cosine similarities.

    Returns:
        A float32 scalar. With one region of one object each and targets equal to predictions it is twice NT-Xent.
    """
    there = _direction(z_a, target_a, target_b, ids_a, ids_b, temperature)
    return there + _direction(z_b, target_b, target_a, ids_b, ids_a, temperature)


def _direction(z, own, other, own_ids, other_ids, temperature: float):
    z, own, other = unit(z), unit(own), unit(other)
    within, positive = _same_object(own_ids, own_ids), _same_object(own_ids, other_ids)
    across = ops.einsum("nmd,kld->nmkl", z, other) / temperature
    inside = ops.einsum("nmd,kld->nmkl", z, own) / temperature - 1e9 * _of_batch(within)
    logits = ops.concatenate([across, inside], axis=2)
    matches = ops.sum(positive, axis=2)
    hit = ops.sum(across * _of_batch(positive), axis=(2, 3)) / ops.maximum(matches, 1)
    weight = ops.cast(matches > 0, "float32") / ops.sum(within, axis=2)
    return ops.mean(weight * (ops.logsumexp(logits, axis=(2, 3)) - hit))


def _same_object(ids, others):
    """1 where the ids of an image are equal: (N, M), (N, L) -> float32 (N, M, L)."""
    return ops.cast(ids[:, :, None] == others[:, None], "float32")


def _of_batch(pairs):
    """Pairs within an image, (N, M, L), among all pairs of the batch: (N, M, N, L), 0 for other images."""
    return pairs[:, :, None] * ops.eye(ops.shape(pairs)[0], dtype="float32")[:, None, :, None]
