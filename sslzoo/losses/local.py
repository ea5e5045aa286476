"""Losses between feature maps: places of two views that show the same, by what is there or by where it is."""

from keras import ops

from sslzoo.losses.redundancy import redundancy, too_narrow


def nearest(distances, count: int):
    """The places of one map that have the nearest partner in the other, in their own order, and those partners.

    Args:
        distances: (N, places, places of the other map).
        count: how many places to keep; at most all of them.

    Returns:
        Two int32 tensors (N, count): places, and the partner of each.
    """
    partners = ops.argmin(distances, axis=-1)
    kept = ops.sort(ops.argsort(ops.min(distances, axis=-1), axis=-1)[:, : min(count, distances.shape[1])], axis=-1)
    return ops.cast(kept, "int32"), ops.cast(ops.take_along_axis(partners, kept, axis=-1), "int32")


def correspondence(a, b):
    """For each place of one map the place of the other that is most alike (DenseCL, arXiv 2011.09157, section 3.4).

    Args:
        a, b: features of the places, (N, p, channels) and (N, q, channels), of any norm.

    Returns:
        int32 (N, p), 0..q - 1, by the cosine; the first of equals.
    """
    a, b = (ops.normalize(ops.stop_gradient(ops.cast(x, "float32"))) for x in (a, b))
    return ops.cast(ops.argmax(ops.matmul(a, ops.swapaxes(b, 1, 2)), axis=-1), "int32")


def embedding_distances(a, b):
    """Squared distances of embeddings, (N, p, dim) and (N, q, dim) -> float32 (N, p, q), without a gradient."""
    a, b = (ops.stop_gradient(ops.cast(x, "float32")) for x in (a, b))
    products = ops.matmul(a, ops.swapaxes(b, 1, 2))
    return ops.sum(a**2, axis=-1)[:, :, None] - 2 * products + ops.sum(b**2, axis=-1)[:, None]


def location_distances(a, b):
    """Squared distances of positions, (N, p, 2) and (N, q, 2) -> (N, p, q); exactly 0 where they coincide."""
    return ops.sum((a[:, :, None] - b[:, None]) ** 2, axis=-1)


def vicreg_matched(
    map_a, map_b, distances, count: int, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
):
    """VICReg's criterion between places of one map and their partners (VICRegL, arXiv 2210.01571, equation 4).

    Variances and covariances are over the batch, one for each match. The covariance terms of both sides are averaged,
    as in the authors' code of VICRegL, while VICReg adds them.

    Args:
        map_a, map_b: embeddings of the places, (N, p, dim) and (N, q, dim), N >= 2; gradients reach both.
        distances: (N, p, q), which decide who is whose partner.
        count: so many of the nearest pairs count.
        invariance, variance, covariance: weights of the three terms, as in `vicreg`.

    Returns:
        A float32 scalar.
    """
    places, partners = nearest(distances, count)
    z_a, z_b = (
        ops.take_along_axis(ops.cast(z, "float32"), where[:, :, None], axis=1)
        for z, where in ((map_a, places), (map_b, partners))
    )
    narrow, redundant = ((term(z_a) + term(z_b)) / 2 for term in (too_narrow, redundancy))
    return invariance * ops.mean((z_a - z_b) ** 2) + variance * narrow + covariance * redundant


def vicreg_local(
    map_a,
    map_b,
    position_a,
    position_b,
    matches: tuple[int, int] = (20, 4),
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
):
    """VICRegL's local criterion for two views (arXiv 2210.01571, equation 6): matched by embedding, and by location.

    Each is the mean of both directions, and the two are added. By embedding every place finds its partner, as in the
    authors' code; by location the nearest pairs alone count.

    Args:
        map_a, map_b: embeddings of the places, (N, p, dim) and (N, q, dim), N >= 2.
        position_a, position_b: where in the image they are, (N, p, 2) and (N, q, 2).
        matches: pairs by location, from a to b and from b to a; as many as there are where there are fewer.
        invariance, variance, covariance: weights of the three terms, as in `vicreg`.

    Returns:
        A float32 scalar.
    """
    weights = (invariance, variance, covariance)
    total = 0.0
    for distances, counts in (
        (embedding_distances(map_a, map_b), (map_a.shape[1], map_b.shape[1])),
        (location_distances(position_a, position_b), matches),
    ):
        there = vicreg_matched(map_a, map_b, distances, counts[0], *weights)
        back = vicreg_matched(map_b, map_a, ops.swapaxes(distances, 1, 2), counts[1], *weights)
        total += (there + back) / 2
    return total
