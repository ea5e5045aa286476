"""Every image a class of its own: losses over a memory of all images, and negatives made harder than those at hand."""

import math

from keras import ops


def non_parametric_softmax(z, bank, index, temperature: float):
    """Cross-entropy over all images of the data (InstDisc, arXiv 1805.01978, equations 2 and 3), mean over the batch.

    Args:
        z: embeddings (N, dim), of any norm.
        bank: the remembered embedding of every image, (images, dim), of any norm; a constant.
        index: which image each embedding is, (N,).
        temperature: divides the cosine similarities.

    Returns:
        A float32 scalar; log(images) where all are equal.
    """
    logits = ops.matmul(_unit(z), ops.transpose(ops.stop_gradient(_unit(bank)))) / temperature
    own = ops.take_along_axis(logits, ops.cast(index, "int32")[:, None], axis=1)[:, 0]
    return ops.mean(ops.logsumexp(logits, axis=1) - own)


def noise_contrastive(z, positive, noise, temperature: float, images: int, normalizer):
    """NCE in place of the full softmax (InstDisc, arXiv 1805.01978, equations 4 to 7), mean over the batch.

    An image's own class has the probability h = P / (P + m / images), P = exp(cos / temperature) / normalizer.

    Args:
        z: embeddings (N, dim), of any norm.
        positive: what is remembered of the same images, (N, dim); a constant.
        noise: what is remembered of m images drawn uniformly, (m, dim); a constant, shared by the batch.
        temperature: divides the cosine similarities.
        images: how many there are to draw from.
        normalizer: Z, the sum of exp over all images, a float32 scalar; `partition_function` estimates it.

    Returns:
        A float32 scalar: -log h of the positive, minus the log(1 - h) of the noise summed.
    """
    z, positive, noise = _unit(z), ops.stop_gradient(_unit(positive)), ops.stop_gradient(_unit(noise))
    # log P - log(m / images), whose sigmoid is h
    shift = ops.log(normalizer) + ops.log(ops.cast(ops.shape(noise)[0], "float32")) - math.log(images)
    data = ops.sum(z * positive, axis=-1) / temperature - shift
    drawn = ops.matmul(z, ops.transpose(noise)) / temperature - shift
    return ops.mean(ops.softplus(-data) + ops.sum(ops.softplus(drawn), axis=1))


def partition_function(z, noise, temperature: float, images: int):
    """Z of InstDisc (arXiv 1805.01978, equation 8), from images drawn uniformly: images times the mean of exp.

    Args:
        z, noise: embeddings (N, dim) and what is remembered of some images (m, dim), of any norm.
        temperature: divides the cosine similarities.
        images: how many there are to draw from.

    Returns:
        A float32 scalar without a gradient.
    """
    logits = ops.matmul(_unit(z), ops.transpose(_unit(noise))) / temperature
    return ops.stop_gradient(images * ops.mean(ops.exp(logits)))


def hardest_negatives(query, negatives, count: int):
    """Which negatives are nearest to each query (MoCHi, arXiv 2010.01028, section 4.1).

    Args:
        query: (N, dim), of any norm.
        negatives: (all, dim), of any norm, all >= count.
        count: how many are wanted.

    Returns:
        Rows of `negatives`, int32 (N, count), the nearest first.
    """
    return ops.top_k(ops.matmul(_unit(query), ops.transpose(_unit(negatives))), count)[1]


def mixed_negatives(a, b, share):
    """Synthetic embeddings n(share n(a) + (1 - share) n(b)) (MoCHi, arXiv 2010.01028, equations 4 and 5).

    Args:
        a, b: (..., dim), of any norm.
        share: (...), 0..1.

    Returns:
        float32 (..., dim) of norm 1, without a gradient.
    """
    share = ops.cast(share, "float32")[..., None]
    return ops.stop_gradient(_unit(share * _unit(a) + (1 - share) * _unit(b)))


def _unit(z):
    return ops.normalize(ops.cast(z, "float32"))
