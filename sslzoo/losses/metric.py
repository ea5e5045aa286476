"""Metric learning: like things near, unlike things at least a margin apart."""

from keras import ops

MINING = ("all", "semi-hard", "hard")


def contrastive_pair(x, y, same, margin: float):
    """Contrastive loss of pairs (Hadsell, Chopra and LeCun, CVPR 2006, equation 4, without its 1/2), mean over pairs.

    D^2 where a pair is one thing, max(0, margin - D)^2 where it is two, D the Euclidean distance.

    Args:
        x, y: embeddings (N, dim), compared as they are; normalized ones are at most 2 apart.
        same: (N,), 1 or true where x and y are one thing.
        margin: distance from which two things no longer repel each other.

    Returns:
        A float32 scalar.
    """
    squared = ops.sum((ops.cast(x, "float32") - ops.cast(y, "float32")) ** 2, axis=-1)
    # The constant keeps the gradient of the root finite where two embeddings coincide.
    short = ops.relu(margin - ops.sqrt(squared + 1e-12))
    same = ops.cast(same, "float32")
    return ops.mean(same * squared + (1 - same) * short**2)


def triplet(anchor, positive, negative, margin: float | None):
    """Triplet loss (FaceNet, arXiv 1503.03832, equation 3): max(0, D_positive^2 - D_negative^2 + margin), mean.

    Args:
        anchor, positive, negative: (N, dim), of any norm: distances are those of the directions.
        margin: 0.2 in the paper; None gives the soft margin log(1 + exp(difference)) (arXiv 1703.07737, section 2).

    Returns:
        A float32 scalar; the margin where all embeddings are equal.
    """
    near, far = _squared_distance(anchor, positive), _squared_distance(anchor, negative)
    return ops.mean(_hinge(near - far, margin))


def mined_triplet(z_a, z_b, margin: float | None, mining: str = "semi-hard"):
    """Triplet loss over two views: the positive is the other view, negatives are the embeddings of other images.

    Args:
        z_a, z_b: embeddings of two views, each (N, dim) with N >= 2, of any norm; row i of both is image i.
        margin: as of `triplet`.
        mining: the negatives of an anchor: "all" of them; "semi-hard", the nearest that is farther than the positive,
            or where none is the farthest (arXiv 1503.03832, section 3.2); "hard", the nearest (arXiv 1703.07737).

    Returns:
        A float32 scalar, the mean over the 2N anchors and their negatives.

    Raises:
        ValueError: another mining.
    """
    if mining not in MINING:
        raise ValueError(f"no mining {mining!r}: choose one of {', '.join(MINING)}")
    z, near = ops.concatenate([z_a, z_b]), _squared_distance(z_a, z_b)
    near = ops.concatenate([near, near])[:, None]
    far = _squared_distances(z)
    other = 1 - ops.tile(ops.eye(ops.shape(z_a)[0], dtype="float32"), (2, 2))
    if mining == "all":
        return ops.sum(other * _hinge(near - far, margin)) / ops.sum(other)
    return ops.mean(_hinge(near - mine(near, far, other, mining), margin))


def mine(near, far, other, mining: str):
    """The squared distance of the one negative that each anchor is compared with.

    Args:
        near: squared distance of the positive, (anchors, 1).
        far: squared distances of all candidates, (anchors, candidates).
        other: 1 where a candidate is a negative, the same shape.
        mining: "semi-hard" or "hard", as in `mined_triplet`.

    Returns:
        float32 (anchors, 1).
    """
    nobody = 1e9  # far beyond any distance of directions
    if mining == "hard":
        return ops.min(far + nobody * (1 - other), axis=1, keepdims=True)
    farther = other * ops.cast(far > near, "float32")
    nearest = ops.min(far + nobody * (1 - farther), axis=1, keepdims=True)
    farthest = ops.max(far - nobody * (1 - other), axis=1, keepdims=True)
    return ops.where(ops.any(farther > 0, axis=1, keepdims=True), nearest, farthest)


def _hinge(difference, margin: float | None):
    return ops.softplus(difference) if margin is None else ops.relu(difference + margin)


def _squared_distance(x, y):
    """Of the directions, row by row: 2 x (N, dim) -> (N,)."""
    return ops.sum((_unit(x) - _unit(y)) ** 2, axis=-1)


def _squared_distances(z):
    """Of the directions of all pairs: (N, dim) -> (N, N)."""
    z = _unit(z)
    return 2 - 2 * ops.matmul(z, ops.transpose(z))


def _unit(z):
    return ops.normalize(ops.cast(z, "float32"))
