"""Losses of series: representations of time steps compared with those of other steps and of other series."""

from keras import ops

from sslzoo.catalog.checked import checked

FAR = 1e9  # subtracted from logits that do not count


@checked("N steps dim", "N steps dim")
def hierarchical_contrast(z_a, z_b, length=None, *, instance_weight: float = 0.5):
    """TS2Vec's loss (Yue et al., arXiv 2106.10466, equations 1 to 3 and algorithm 1).

    A step is contrasted with the same step of other series, and with other steps of its series, in both views. This is
    repeated after each halving of the steps by their maximum, down to one step. Logits are inner products without
    normalization or temperature.

    Args:
        z_a, z_b: (N, steps, dim), representations of two views; step i of both is the same time.
        length: int scalar, how many of the steps count, in 1..steps; all if None.
        instance_weight: float in 0..1, weight of the contrast of series; that of steps has 1 - it.

    Returns:
        A float32 scalar, the mean over the scales. Equal representations give log(2N - 1) for series, and log(2l - 1)
        for l steps.
    """
    length = ops.cast(z_a.shape[1] if length is None else length, "int32")
    total, scales = 0.0, 0.0
    while True:
        counts = ops.cast(ops.arange(z_a.shape[1]) < length, "float32")
        total += instance_weight * instance_contrast(z_a, z_b, counts)
        total += (1 - instance_weight) * step_contrast(z_a, z_b, counts)
        scales += ops.cast(length > 0, "float32")
        if z_a.shape[1] == 1:
            return total / scales
        z_a, z_b, length = _halved(z_a), _halved(z_b), length // 2


@checked("N steps dim", "N steps dim", "steps")
def instance_contrast(z_a, z_b, weights):
    """At each step, the same series of the other view among all series of both (TS2Vec, equation 2).

    Args:
        z_a, z_b: (N, steps, dim).
        weights: (steps,), weight of each step in the mean.

    Returns:
        A float32 scalar; 0 for a single series or without weight.
    """
    z_a, z_b = ops.cast(z_a, "float32"), ops.cast(z_b, "float32")
    z = ops.transpose(ops.concatenate([z_a, z_b]), (1, 0, 2))
    logits = ops.matmul(z, ops.transpose(z, (0, 2, 1))) - FAR * ops.eye(z.shape[1] or ops.shape(z)[1])
    surprise = ops.mean(ops.logsumexp(logits, axis=-1), axis=1) - ops.mean(ops.sum(z_a * z_b, axis=-1), axis=0)
    return ops.sum(weights * surprise) / ops.maximum(ops.sum(weights), 1.0)


@checked("N steps dim", "N steps dim", "steps")
def step_contrast(z_a, z_b, weights):
    """In each series, the same step of the other view among all steps of both (TS2Vec, equation 1).

    Args:
        z_a, z_b: (N, steps, dim).
        weights: (steps,), 1 for steps that count, 0 for others.

    Returns:
        A float32 scalar; 0 for a single step or without weight.
    """
    z_a, z_b = ops.cast(z_a, "float32"), ops.cast(z_b, "float32")
    z, both = ops.concatenate([z_a, z_b], axis=1), ops.concatenate([weights, weights])
    logits = ops.matmul(z, ops.transpose(z, (0, 2, 1))) - FAR * ops.maximum(ops.eye(z.shape[1]), 1 - both)
    surprise = ops.logsumexp(logits, axis=-1) - ops.tile(ops.sum(z_a * z_b, axis=-1), (1, 2))
    return ops.sum(ops.mean(surprise, axis=0) * both) / ops.maximum(ops.sum(both), 1.0)


@checked("N horizon dim", "N horizon dim")
def cross_view_prediction(predictions, targets):
    """TS-TCC's temporal contrast (Eldele et al., arXiv 2106.14112, equations 1 and 2), of one direction.

    A step of the other view is contrasted with the predictions of all series. Logits are inner products.

    Args:
        predictions: (N, horizon, dim), of the next steps, from the context of one view.
        targets: (N, horizon, dim), these steps of the other view; the gradient passes to them too.

    Returns:
        A float32 scalar, the mean over steps and series; log(N) where all predictions, or all targets, are zero.
    """
    predictions, targets = ops.cast(predictions, "float32"), ops.cast(targets, "float32")
    logits = ops.einsum("ikd,jkd->kij", targets, predictions)
    return ops.mean(ops.logsumexp(logits, axis=2)) - ops.mean(ops.sum(targets * predictions, axis=-1))


def _halved(z):
    """The larger of two steps each, without an odd last one."""
    pairs = z.shape[1] // 2
    return ops.max(ops.reshape(z[:, : 2 * pairs], (-1, pairs, 2, z.shape[-1])), axis=2)
