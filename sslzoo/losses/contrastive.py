"""Contrastive losses: tell the other view of an image from the other images."""

import math

import keras
from keras import ops


def nt_xent(z_a, z_b, temperature: float):
    """Normalized temperature-scaled cross-entropy (SimCLR, arXiv 2002.05709, equation 1), mean over the 2N embeddings.

    Args:
        z_a, z_b: embeddings of two views, each (N, dim), of any norm; row i of both is image i.
        temperature: divides the cosine similarities.

    Returns:
        A float32 scalar; log(2N - 1) where all embeddings are equal.
    """
    z = ops.normalize(ops.cast(ops.concatenate([z_a, z_b]), "float32"))
    count = ops.shape(z_a)[0]
    itself = ops.eye(2 * count, dtype="float32")
    logits = ops.matmul(z, ops.transpose(z)) / temperature - 1e9 * itself
    other_view = (ops.arange(2 * count) + count) % (2 * count)
    return ops.mean(keras.losses.sparse_categorical_crossentropy(other_view, logits, from_logits=True))


def nt_xent_baseline(count: int, dim: int, temperature: float) -> float:
    """NT-Xent of `count` pairs of random directions in `dim` dimensions: log(2N - 1) + 1 / (2 dim temperature^2).

    The second term is the mean of exp over cosines of variance 1/dim; losses of different widths and temperatures
    can be compared only after subtracting it. It overestimates where dim * temperature^2 is below about 1.
    """
    return math.log(2 * count - 1) + 1 / (2 * dim * temperature**2)


def info_nce(query, positive, negatives, temperature: float, own_negatives=None):
    """InfoNCE with given negatives (MoCo, arXiv 1911.05722, equation 1), mean over the queries.

    Args:
        query: (N, dim), of any norm.
        positive: the key of each query, (N, dim); whoever calls stops the gradient where a paper has none.
        negatives: keys that no query matches, (count, dim); the loss is 0 where count is.
        temperature: divides the cosine similarities.
        own_negatives: further negatives of each query alone, (N, own count, dim), such as MoCHi's.

    Returns:
        A float32 scalar; log(count + 1) where all embeddings are equal.
    """
    query, positive, negatives = _unit(query), _unit(positive), _unit(negatives)
    hit = ops.sum(query * positive, axis=-1, keepdims=True)
    logits = [hit, ops.matmul(query, ops.transpose(negatives))]
    if own_negatives is not None:
        logits.append(ops.einsum("nd,nkd->nk", query, _unit(own_negatives)))
    logits = ops.concatenate(logits, axis=1) / temperature
    return ops.mean(ops.logsumexp(logits, axis=1) - logits[:, 0])


def cross_view_info_nce(z_a, z_b, temperature: float):
    """InfoNCE of one direction (CPC, arXiv 1807.03748, equation 4): row i of z_a tells row i of z_b from its others.

    Args:
        z_a: what asks, (N, dim), of any norm.
        z_b: what is searched, (N, dim): N logits, none of them within a view.
        temperature: divides the cosine similarities.

    Returns:
        A float32 scalar, the mean over the rows of z_a; log N where all embeddings are equal.
    """
    logits = ops.matmul(_unit(z_a), ops.transpose(_unit(z_b))) / temperature
    return ops.mean(ops.logsumexp(logits, axis=1) - ops.diagonal(logits))


def cpc(predictions, targets, rows):
    """InfoNCE of patches predicted from rows above (CPC, arXiv 1807.03748, section 3.3, equation 4).

    A prediction has to find its patch among those of all places of all images. Inner products, neither normalized nor
    divided: the predictor scales them.

    Args:
        predictions: (N, h, w, offsets, dim): what the context at each place expects so many rows below.
        targets: (N, h, w, dim), embeddings of the patches.
        rows: how far below each of the offsets looks, each 1..h - 1.

    Returns:
        A float32 scalar, mean over the offsets of the mean over predictions; log(N h w) where all targets are equal.
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


def dcl(z_a, z_b, temperature: float):
    """Decoupled contrastive loss (Yeh et al., arXiv 2110.06848, equation 6 unweighted): no positive among negatives.

    Args:
        z_a, z_b: embeddings of two views, each (N, dim) with N >= 2, of any norm; row i of both is image i.
        temperature: divides the cosine similarities.

    Returns:
        A float32 scalar, the mean over both views, which may be negative; log(2N - 2) where all embeddings are equal.
    """
    return _decoupled(z_a, z_b, temperature, 1.0)


def dclw(z_a, z_b, temperature: float, sigma: float = 0.5):
    """DCL that weighs positives (Yeh et al., arXiv 2110.06848, equation 6): far ones count more.

    Image i has the weight 2 - N softmax_i(cos_i / sigma), whose mean is 1 and through which no gradient flows.

    Args:
        z_a, z_b: embeddings of two views, each (N, dim) with N >= 2, of any norm; row i of both is image i.
        temperature: divides the cosine similarities.
        sigma: concentration of the von Mises-Fisher weights; large, it is DCL.

    Returns:
        A float32 scalar.
    """
    cosines = ops.sum(_unit(z_a) * _unit(z_b), axis=-1)
    count = ops.cast(ops.shape(z_a)[0], "float32")
    return _decoupled(z_a, z_b, temperature, ops.stop_gradient(2 - count * ops.softmax(cosines / sigma)))


def _decoupled(z_a, z_b, temperature: float, weights):
    a, b = _unit(z_a), _unit(z_b)
    itself = ops.tile(ops.eye(ops.shape(a)[0], dtype="float32"), (1, 2))  # within the view, and the positive
    both = ops.transpose(ops.concatenate([a, b]))
    repelled = sum(ops.mean(ops.logsumexp(ops.matmul(z, both) / temperature - 1e9 * itself, axis=1)) for z in (a, b))
    return repelled / 2 - ops.mean(weights * ops.sum(a * b, axis=-1)) / temperature


def _unit(z):
    return ops.normalize(ops.cast(z, "float32"))
