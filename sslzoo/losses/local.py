"""Losses between feature maps: places of two views that correspond by their features or by their location."""

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import unit
from sslzoo.losses.redundancy import redundancy, too_narrow


def matches(distances, *, count: int):
    """The places of one map whose nearest partners in the other map are closest.

    Args:
        distances: (N, places, places of the other map).
        count: int, number of places; all of them if there are fewer.

    Returns:
        Two int32 tensors (N, count): the places in ascending order, and the partner of each.
    """
    partners = ops.argmin(distances, axis=-1)
    kept = ops.sort(ops.argsort(ops.min(distances, axis=-1), axis=-1)[:, : min(count, distances.shape[1])], axis=-1)
    return ops.cast(kept, "int32"), ops.cast(ops.take_along_axis(partners, kept, axis=-1), "int32")


@checked("N p channels", "N q channels")
def correspondence(a, b):
    """The most similar place of the other map, for each place (DenseCL, arXiv 2011.09157, section 3.4).

    Args:
        a, b: (N, p, channels) and (N, q, channels), features of the places, of any norm.

    Returns:
        int32 (N, p), in 0..q - 1, by cosine similarity; the first of equal ones. No gradient passes.
    """
    a, b = (unit(ops.stop_gradient(x)) for x in (a, b))
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
    map_a, map_b, distances, *, count: int, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
):
    """VICReg's criterion between places of one map and their partners (VICRegL, arXiv 2210.01571, equation 4).

    Variances and covariances are computed over the batch for each match. The covariance terms of both sides are
    averaged, as in the authors' code of VICRegL; VICReg adds them.

    Args:
        map_a, map_b: (N, p, dim) and (N, q, dim), N >= 2, embeddings of the places; gradients pass to both.
        distances: (N, p, q), which determine the partners.
        count: int, number of closest pairs to compare.
        invariance, variance, covariance: float, weights of the three terms, as of `vicreg`.

    Returns:
        A float32 scalar.
    """
    places, partners = matches(distances, count=count)
    z_a, z_b = (
        ops.take_along_axis(ops.cast(z, "float32"), where[:, :, None], axis=1)
        for z, where in ((map_a, places), (map_b, partners))
    )
    narrow, redundant = ((term(z_a) + term(z_b)) / 2 for term in (too_narrow, redundancy))
    return invariance * ops.mean((z_a - z_b) ** 2) + variance * narrow + covariance * redundant


@checked("N>1 p dim", "N>1 q dim", "N>1 p two", "N>1 q two")
def vicreg_local(
    map_a,
    map_b,
    position_a,
    position_b,
    *,
    matches: tuple[int, int] = (20, 4),
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
):
    """VICRegL's local criterion of two views (arXiv 2210.01571, equation 6).

    The sum of two criteria, each the mean of both directions. The first matches every place with the place of the
    closest embedding, as in the authors' code; the second matches the places that are closest in the image.

    Args:
        map_a, map_b: (N, p, dim) and (N, q, dim), N >= 2, embeddings of the places.
        position_a, position_b: (N, p, 2) and (N, q, 2), positions in the image.
        matches: two ints, pairs by location from a to b and from b to a; all pairs if there are fewer.
        invariance, variance, covariance: float, weights of the three terms, as of `vicreg`.

    Returns:
        A float32 scalar.
    """
    weights = dict(invariance=invariance, variance=variance, covariance=covariance)
    total = 0.0
    for distances, counts in (
        (embedding_distances(map_a, map_b), (map_a.shape[1], map_b.shape[1])),
        (location_distances(position_a, position_b), matches),
    ):
        there = vicreg_matched(map_a, map_b, distances, count=counts[0], **weights)
        back = vicreg_matched(map_b, map_a, ops.swapaxes(distances, 1, 2), count=counts[1], **weights)
        total += (there + back) / 2
    return total
