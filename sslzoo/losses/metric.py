"""Metric learning: embeddings of one example close to each other, those of different examples a margin apart."""

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import squared_distances, unit

MINING = ("all", "semi-hard", "hard")


@checked("N dim", "N dim", "N")
def contrastive_pair(x, y, same, *, margin: float):
    """Contrastive loss of pairs (Hadsell, Chopra and LeCun, CVPR 2006, equation 4, without its factor 1/2).

    D^2 for a pair of one example, max(0, margin - D)^2 for a pair of two, D the Euclidean distance.

    Args:
        x, y: (N, dim), compared without normalization; normalized ones are at most 2 apart.
        same: (N,), 1 or true where x and y are of one example.
        margin: float, distance from which pairs of two examples do not contribute.

    Returns:
        A float32 scalar, the mean over pairs.
    """
    squared = ops.sum((ops.cast(x, "float32") - ops.cast(y, "float32")) ** 2, axis=-1)
    # The constant keeps the gradient of the root finite where two embeddings coincide.
    short = ops.relu(margin - ops.sqrt(squared + 1e-12))
    same = ops.cast(same, "float32")
    return ops.mean(same * squared + (1 - same) * short**2)


@checked("N dim", "N dim", "N dim")
def triplet(anchor, positive, negative, *, margin: float | None):
    """Triplet loss max(0, D_positive^2 - D_negative^2 + margin) (FaceNet, arXiv 1503.03832, equation 3).

    Args:
        anchor, positive, negative: (N, dim), of any norm; distances are those of the directions.
        margin: float, 0.2 in the paper; None for the soft margin log(1 + exp(difference)) (arXiv 1703.07737, section
            2).

    Returns:
        A float32 scalar, the mean over anchors; the margin where all embeddings are equal.
    """
    near, far = _squared_distance(anchor, positive), _squared_distance(anchor, negative)
    return ops.mean(hinge(near - far, margin))


@checked("N>1 dim", "N>1 dim")
def mined_triplet(z_a, z_b, *, margin: float | None, mining: str = "semi-hard"):
    """Triplet loss of two views: positives are other views, negatives are embeddings of other examples.

    Args:
        z_a, z_b: (N, dim), N >= 2, embeddings of two views, of any norm; row i of both is example i.
        margin: as of `triplet`.
        mining: "all" negatives; "semi-hard", the nearest that is farther than the positive, or the farthest of all if
            there is none (arXiv 1503.03832, section 3.2); "hard", the nearest (arXiv 1703.07737).

    Returns:
        A float32 scalar, the mean over the 2N anchors and their negatives.

    Raises:
        ValueError: if `mining` is unknown.
    """
    if mining not in MINING:
        raise ValueError(f"no mining {mining!r}: choose one of {', '.join(MINING)}")
    z, near = ops.concatenate([z_a, z_b]), _squared_distance(z_a, z_b)
    near = ops.concatenate([near, near])[:, None]
    far = squared_distances(unit(z))
    other = 1 - ops.tile(ops.eye(ops.shape(z_a)[0], dtype="float32"), (2, 2))
    if mining == "all":
        return ops.sum(other * hinge(near - far, margin)) / ops.sum(other)
    chosen = mined(near, far, other, mining=mining)[:, None]
    return ops.mean(hinge(near - ops.take_along_axis(far, chosen, axis=1), margin))


def mined(near, far, other, *, mining: str):
    """The negative that each anchor is compared with.

    Args:
        near: (anchors, 1), distance of the positive.
        far: (anchors, candidates), distances of all candidates.
        other: (anchors, candidates), 1 where a candidate is a negative, else 0.
        mining: "semi-hard" or "hard", as of `mined_triplet`.

    Returns:
        int (anchors,), the number of a candidate.
    """
    nobody = 1e9  # larger than any distance of directions
    if mining == "hard":
        return ops.argmin(far + nobody * (1 - other), axis=1)
    farther = other * ops.cast(far > near, "float32")
    closest = ops.argmin(far + nobody * (1 - farther), axis=1)
    farthest = ops.argmax(far - nobody * (1 - other), axis=1)
    return ops.where(ops.any(farther > 0, axis=1), closest, farthest)


def hinge(difference, margin: float | None):
    """max(0, difference + margin), or the soft margin log(1 + exp(difference)) where it is None."""
    return ops.softplus(difference) if margin is None else ops.relu(difference + margin)


def _squared_distance(x, y):
    """Squared distances of the directions of rows, 2 x (N, dim) -> (N,)."""
    return ops.sum((unit(x) - unit(y)) ** 2, axis=-1)
