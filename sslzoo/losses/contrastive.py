"""Contrastive losses: the embedding of the other view is distinguished from those of other examples."""

import math

import keras
from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import masked_mean, unit


@checked("N dim", "N dim")
def nt_xent(z_a, z_b, *, temperature: float):
    """Normalized temperature-scaled cross-entropy (SimCLR, arXiv 2002.05709, equation 1).

    Args:
        z_a, z_b: (N, dim), embeddings of two views, of any norm; row i of both is example i.
        temperature: float, divides the cosine similarities.

    Returns:
        A float32 scalar, the mean over the 2N embeddings; log(2N - 1) where all embeddings are equal.
    """
    z = unit(ops.concatenate([z_a, z_b]))
    count = ops.shape(z_a)[0]
    itself = ops.eye(2 * count, dtype="float32")
    logits = ops.matmul(z, ops.transpose(z)) / temperature - 1e9 * itself
    other_view = (ops.arange(2 * count) + count) % (2 * count)
    return ops.mean(keras.losses.sparse_categorical_crossentropy(other_view, logits, from_logits=True))


@checked()
def nt_xent_baseline(count: int, dim: int, *, temperature: float) -> float:
    """NT-Xent of `count` pairs of random directions: log(2N - 1) + 1 / (2 dim temperature^2).

    The second term is the mean of exp over cosines of variance 1/dim. Losses of different widths and temperatures are
    comparable after this value is subtracted. It overestimates where dim * temperature^2 is below about 1.

    Args:
        count: int, N, number of pairs.
        dim: int, width of the embeddings.
        temperature: float, divides the cosine similarities.

    Returns:
        A float.
    """
    return math.log(2 * count - 1) + 1 / (2 * dim * temperature**2)


@checked("N dim", "N dim", "count>-1 dim", "N own>-1 dim")
def info_nce(query, positive, negatives, own_negatives=None, *, temperature: float):
    """InfoNCE with given negatives (MoCo, arXiv 1911.05722, equation 1).

    Args:
        query: (N, dim), of any norm.
        positive: (N, dim), the key of each query, of any norm; the caller stops the gradient where the paper does.
        negatives: (count, dim), keys of other examples, shared by all queries.
        own_negatives: (N, own count, dim), further negatives of each query, such as MoCHi's, or None.
        temperature: float, divides the cosine similarities.

    Returns:
        A float32 scalar, the mean over the queries; log(count + 1) where all embeddings are equal, 0 without negatives.
    """
    query, positive, negatives = unit(query), unit(positive), unit(negatives)
    hit = ops.sum(query * positive, axis=-1, keepdims=True)
    logits = [hit, ops.matmul(query, ops.transpose(negatives))]
    if own_negatives is not None:
        logits.append(ops.einsum("nd,nkd->nk", query, unit(own_negatives)))
    logits = ops.concatenate(logits, axis=1) / temperature
    return ops.mean(ops.logsumexp(logits, axis=1) - logits[:, 0])


@checked("N dim", "N dim")
def cross_view_info_nce(z_a, z_b, *, temperature: float):
    """InfoNCE of one direction (CPC, arXiv 1807.03748, equation 4): row i of z_a is matched with row i of z_b.

    Args:
        z_a: (N, dim), queries, of any norm.
        z_b: (N, dim), keys, of any norm. Each query has N logits, none of them within its own view.
        temperature: float, divides the cosine similarities.

    Returns:
        A float32 scalar, the mean over the queries; log(N) where all embeddings are equal.
    """
    logits = ops.matmul(unit(z_a), ops.transpose(unit(z_b))) / temperature
    return ops.mean(ops.logsumexp(logits, axis=1) - ops.diagonal(logits))


@checked("N dim", "N dim", "N dim")
def mixup_nt_xent(z_mixed, z_a, z_b, *, share, temperature: float):
    """MNT-Xent: NT-Xent of mixed examples, with soft targets (Wickstrom et al., arXiv 2203.09270, section 3.2).

    Args:
        z_mixed: (N, dim), embeddings of share x_a + (1 - share) x_b, of any norm.
        z_a, z_b: (N, dim), embeddings of the two examples that were mixed, of any norm. Each mixture has 2N logits.
        share: float32 scalar in 0..1, the target of the first example; the second has 1 - share.
        temperature: float, divides the cosine similarities.

    Returns:
        A float32 scalar, the mean over the mixtures; log(2N) where all embeddings are equal, at least the entropy of
        the share if no example is mixed with itself.
    """
    mixed, count = unit(z_mixed), ops.shape(z_a)[0]
    logits = ops.matmul(mixed, ops.transpose(unit(ops.concatenate([z_a, z_b])))) / temperature
    hit_a, hit_b = ops.diagonal(logits[:, :count]), ops.diagonal(logits[:, count:])
    return ops.mean(ops.logsumexp(logits, axis=1) - share * hit_a - (1 - share) * hit_b)


@checked("N dim", "N dim", "dim dim", "N")
def bilinear_info_nce(z_a, z_b, weight, valid=None):
    """InfoNCE of one direction with the similarity z_a W z_b (CURL, arXiv 2004.04136, equation 4).

    Args:
        z_a: (N, dim), anchors; they are not normalized, and there is no temperature.
        z_b: (N, dim), row i is the positive of row i of z_a, the other rows are its negatives.
        weight: (dim, dim), W.
        valid: (N,), 1 for anchors that count and 0 for others, whose row of z_b remains a negative; None if all count.

    Returns:
        A float32 scalar, the mean over the valid anchors; log(N) where all embeddings are equal, 0 without any.
    """
    z_a, z_b, weight = (ops.cast(one, "float32") for one in (z_a, z_b, weight))
    logits = ops.matmul(z_a, ops.matmul(weight, ops.transpose(z_b)))
    return masked_mean(ops.logsumexp(logits, axis=1) - ops.diagonal(logits), valid)


@checked("N h w offsets dim", "N h w dim")
def cpc(predictions, targets, *, rows):
    """InfoNCE of patches predicted from the rows above (CPC, arXiv 1807.03748, section 3.3, equation 4).

    The candidates of a prediction are the patches at all places of all examples. Logits are inner products without
    normalization or temperature.

    Args:
        predictions: (N, h, w, offsets, dim), predicted from the context at each place, one for each offset.
        targets: (N, h, w, dim), embeddings of the patches.
        rows: sequence of int, how many rows below the context each offset predicts, in 1..h - 1.

    Returns:
        A float32 scalar, the mean over offsets of the mean over predictions; log(N h w) where all targets are equal.
    """
    targets = ops.cast(targets, "float32")
    height, dim = targets.shape[1], targets.shape[-1]
    candidates = ops.reshape(targets, (-1, dim))
    total = 0.0
    for offset, below in enumerate(rows):
        expected = ops.reshape(ops.cast(predictions[:, : height - below, :, offset], "float32"), (-1, dim))
        hit = ops.sum(expected * ops.reshape(targets[:, below:], (-1, dim)), axis=-1)
        total += ops.mean(ops.logsumexp(ops.matmul(expected, ops.transpose(candidates)), axis=1) - hit)
    return total / len(rows)


@checked("N>1 dim", "N>1 dim")
def macl(z_a, z_b, *, temperature: float, alpha: float = 0.5, threshold: float = 0.0):
    """Model-aware contrastive loss (Huang et al., arXiv 2207.07874, equations 8 and 12).

    NT-Xent whose temperature grows with the alignment A, the mean cosine of positives: temperature (1 + alpha (A -
    threshold)). Each embedding is weighted by 1 / (1 - probability of its positive), which undoes the small gradient of
    easy ones. No gradient passes through A and the weights.

    Args:
        z_a, z_b: (N, dim), N >= 2, embeddings of two views, of any norm; row i of both is example i.
        temperature: float, tau_0 of the paper.
        alpha: float in 0..1, how much the temperature changes.
        threshold: float in 0..1, A_0 of the paper.

    Returns:
        A float32 scalar, the mean over the 2N embeddings.
    """
    z = unit(ops.concatenate([z_a, z_b]))
    count = ops.shape(z_a)[0]
    cosines = ops.matmul(z, ops.transpose(z))
    positive = ops.tile(ops.eye(count, dtype="float32"), (2, 2)) - ops.eye(2 * count, dtype="float32")
    hit = ops.sum(cosines * positive, axis=1)
    temperature = temperature * (1 + alpha * (ops.stop_gradient(ops.mean(hit)) - threshold))
    logits = cosines / temperature - 1e9 * ops.eye(2 * count, dtype="float32")
    surprise = ops.logsumexp(logits, axis=1) - hit / temperature
    return ops.mean(surprise / ops.stop_gradient(1 - ops.exp(-surprise) + 1e-8))


@checked("N>1 dim", "N>1 dim")
def dcl(z_a, z_b, *, temperature: float):
    """Decoupled contrastive loss (Yeh et al., arXiv 2110.06848, equation 6, unweighted).

    NT-Xent whose denominator does not contain the positive.

    Args:
        z_a, z_b: (N, dim), N >= 2, embeddings of two views, of any norm; row i of both is example i.
        temperature: float, divides the cosine similarities.

    Returns:
        A float32 scalar, possibly negative, the mean over both views; log(2N - 2) where all embeddings are equal.
    """
    return _decoupled(z_a, z_b, temperature, 1.0)


@checked("N>1 dim", "N>1 dim")
def dclw(z_a, z_b, *, temperature: float, sigma: float = 0.5):
    """DCL with weighted positives (Yeh et al., arXiv 2110.06848, equation 6): distant positives count more.

    Example i has the weight 2 - N softmax_i(cos_i / sigma), whose mean is 1. No gradient passes through the weights.

    Args:
        z_a, z_b: (N, dim), N >= 2, embeddings of two views, of any norm; row i of both is example i.
        temperature: float, divides the cosine similarities.
        sigma: float, concentration of the von Mises-Fisher weights; DCL in the limit of large values.

    Returns:
        A float32 scalar.
    """
    cosines = ops.sum(unit(z_a) * unit(z_b), axis=-1)
    count = ops.cast(ops.shape(z_a)[0], "float32")
    return _decoupled(z_a, z_b, temperature, ops.stop_gradient(2 - count * ops.softmax(cosines / sigma)))


def _decoupled(z_a, z_b, temperature: float, weights):
    a, b = unit(z_a), unit(z_b)
    itself = ops.tile(ops.eye(ops.shape(a)[0], dtype="float32"), (1, 2))  # within the view, and the positive
    both = ops.transpose(ops.concatenate([a, b]))
    repelled = sum(ops.mean(ops.logsumexp(ops.matmul(z, both) / temperature - 1e9 * itself, axis=1)) for z in (a, b))
    return repelled / 2 - ops.mean(weights * ops.sum(a * b, axis=-1)) / temperature
