"""Losses of frames of episodes: contrast of places, predicted latents, and values as distances to a goal."""

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import masked_mean, unit

NONE = -1e9  # logit of what is left out


@checked("N places dim", "N places dim", "N")
def place_info_nce(predictions, targets, valid=None):
    """InfoNCE of one direction at each place: the candidates are the vectors of all frames at this place.

    ST-DIM, arXiv 1906.08226, equations 1 and 2. Logits are inner products without normalization or temperature.

    Args:
        predictions: (N, places, dim), of the vector at each place.
        targets: (N, places, dim), row i has the targets of row i of the predictions.
        valid: (N,), 1 for predictions that count and 0 for others, whose targets remain negatives; None if all count.

    Returns:
        A float32 scalar, the mean over valid predictions and places; log(N) where all targets are equal.
    """
    predictions, targets = (ops.cast(one, "float32") for one in (predictions, targets))
    logits = ops.einsum("npd,mpd->pnm", predictions, targets)
    hits = ops.einsum("npd,npd->pn", predictions, targets)
    return masked_mean(ops.mean(ops.logsumexp(logits, axis=-1) - hits, axis=0), valid)


@checked("N steps dim", "N steps dim", "N steps")
def latent_prediction(predictions, targets, valid=None):
    """Squared distance 2 - 2 cos of predicted latents, summed over steps (SPR, arXiv 2007.05929, equation 5).

    EfficientZero's consistency, -2 cos, has the same gradient.

    Args:
        predictions: (N, steps, dim), of any norm.
        targets: (N, steps, dim), of any norm; the caller stops the gradient.
        valid: (N, steps), 0 for steps after the end of an episode, which count as predicted; None if there are none.

    Returns:
        A float32 scalar in 0..4 * steps, the mean over the batch; 2 * steps for orthogonal latents.
    """
    distances = 2 - 2 * ops.sum(unit(predictions) * unit(targets), axis=-1)
    distances = distances if valid is None else distances * ops.cast(valid, "float32")
    return ops.mean(ops.sum(distances, axis=-1))


@checked("N steps dim", "N steps dim", "N")
def latent_error(predictions, targets, valid=None):
    """Mean squared error of predicted embeddings of the next frames (LeWM, arXiv 2603.19312).

    Args:
        predictions, targets: (N, steps, dim), not normalized. The gradient passes to both.
        valid: (N,), 1 for rows that count and 0 for others; None if all count.

    Returns:
        A float32 scalar, the mean over valid rows, steps and features; 1 on average for targets of unit variance that
        are predicted as their mean.
    """
    predictions, targets = (ops.cast(one, "float32") for one in (predictions, targets))
    return masked_mean(ops.mean((predictions - targets) ** 2, axis=(1, 2)), valid)


@checked("*axes dim", "*axes dim")
def distance(a, b):
    """Euclidean distances of rows, float32, of a finite gradient where they are equal: (..., dim) -> (...)."""
    a, b = (ops.cast(one, "float32") for one in (a, b))
    return ops.sqrt(ops.sum((a - b) ** 2, axis=-1) + 1e-12)


@checked("N dim", "N dim", "N dim", "N dim", "N", "negatives N")
def vip(start, goal, before, after, valid=None, orders=None, *, discount: float):
    """Value-implicit pre-training (Ma et al., arXiv 2210.00030, equation 11), with V(x) = -|x - goal| and reward -1.

    Args:
        start, goal: (N, dim), embeddings of two frames of an episode, the goal later than the start.
        before, after: (N, dim), of two successive frames between them.
        valid: (N,), 1 for rows that count and 0 for others; None if all count.
        orders: int (negatives, N), permutations; the frames `before` and `after` of other rows are negatives of each
            goal. None for no negatives, as in the paper; the authors train with 3.
        discount: float in 0..1, gamma.

    Returns:
        A float32 scalar; 1 where all embeddings are equal, 2 with negatives.
    """
    valid = ops.ones_like(start[:, 0]) if valid is None else valid
    loss = (1 - discount) * masked_mean(distance(start, goal), valid)
    loss += _log_mean_exp(_td_error(before, after, goal, discount), valid)
    if orders is None:
        return loss
    errors, counted = [], []
    for order in ops.unstack(orders, axis=0):
        others = (ops.take(frames, order, axis=0) for frames in (before, after))
        errors.append(_td_error(*others, goal, discount))
        counted.append(valid * ops.take(valid, order, axis=0))
    return loss + _log_mean_exp(ops.concatenate(errors), ops.concatenate(counted))


def _td_error(before, after, goal, discount: float):
    """-(r + discount * V(after) - V(before)) with r = -1."""
    return 1 + discount * distance(after, goal) - distance(before, goal)


def _log_mean_exp(values, valid):
    """Log of the mean of exp over valid entries; 0 without any."""
    valid = ops.cast(valid, "float32")
    count = ops.sum(valid)
    found = ops.logsumexp(ops.where(valid > 0, values, NONE)) - ops.log(ops.maximum(count, 1.0))
    return ops.where(count > 0, found, 0.0)


@checked("N dim", "N dim", "N dim", "negatives N", "N")
def time_contrast(earlier, between, later, orders, valid=None):
    """Time-contrastive loss of three frames in order (R3M, Nair et al., arXiv 2203.12601, equation 1).

    From the last and from the first frame, the one between is closer than the one at the other end, and than frames of
    other episodes. The similarity is minus the Euclidean distance.

    Args:
        earlier, between, later: (N, dim), embeddings of three frames of an episode, in order.
        orders: int (negatives, N), permutations; the frames of other rows are negatives.
        valid: (N,), 1 for rows that count and 0 for others; None if all count.

    Returns:
        A float32 scalar; log(2 + negatives) where all embeddings are equal.
    """
    valid = ops.ones_like(between[:, 0]) if valid is None else ops.cast(valid, "float32")
    total = 0.0
    for end, other in ((later, earlier), (earlier, later)):
        logits = [-distance(end, between), -distance(end, other)]
        for order in ops.unstack(orders, axis=0):
            there = ops.take(valid, order, axis=0) > 0
            logits.append(ops.where(there, -distance(end, ops.take(end, order, axis=0)), NONE))
        logits = ops.stack(logits, axis=1)
        total += masked_mean(ops.logsumexp(logits, axis=1) - logits[:, 0], valid) / 2
    return total


@checked("N terms", "N terms", "N terms negatives", "N", "N")
def language_contrast(ahead, behind, others, told=None, valid=None):
    """Contrast of scores of pairs of frames for a sentence (R3M, Nair et al., arXiv 2203.12601, equation 2).

    Args:
        ahead: (N, terms), scores of the clip's pairs that show progress towards what the sentence says.
        behind: (N, terms), of its pairs that show less progress.
        others: (N, terms, negatives), of pairs of other clips with the same sentence.
        told: (N,), 1 for rows with a sentence; others count as 0 and stay in the mean. None if all have one.
        valid: (N,), 1 for rows that count and 0 for others; None if all count.

    Returns:
        A float32 scalar, the mean over valid rows and terms; log(2 + negatives) where all scores are equal.
    """
    ahead, behind, others = (ops.cast(one, "float32") for one in (ahead, behind, others))
    logits = ops.concatenate([ahead[..., None], behind[..., None], others], axis=-1)
    each = ops.mean(ops.logsumexp(logits, axis=-1) - ahead, axis=1)
    return masked_mean(each if told is None else each * ops.cast(told, "float32"), valid)


@checked("N dim", "N")
def size_penalty(z, valid=None, *, l1_weight: float, l2_weight: float):
    """Mean norms of embeddings, weighted: l1_weight |z|_1 + l2_weight |z|_2; z (N, dim), valid (N,)."""
    z = ops.cast(z, "float32")
    manhattan, euclidean = ops.sum(ops.abs(z), axis=-1), distance(z, ops.zeros_like(z))
    return masked_mean(l1_weight * manhattan + l2_weight * euclidean, valid)
