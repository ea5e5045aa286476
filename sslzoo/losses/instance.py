"""Instance discrimination: each example is a class, represented by its row in a memory bank; harder negatives."""

import math

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import unit


@checked("N dim", "examples dim", "N")
def non_parametric_softmax(z, bank, index, *, temperature: float):
    """Cross-entropy over all examples of the data (InstDisc, arXiv 1805.01978, equations 2 and 3).

    Args:
        z: (N, dim), of any norm.
        bank: (examples, dim), the stored embedding of every example, of any norm; no gradient passes.
        index: int (N,), the example of each embedding.
        temperature: float, divides the cosine similarities.

    Returns:
        A float32 scalar, the mean over the batch; log(examples) where all are equal.
    """
    logits = ops.matmul(unit(z), ops.transpose(ops.stop_gradient(unit(bank)))) / temperature
    own = ops.take_along_axis(logits, ops.cast(index, "int32")[:, None], axis=1)[:, 0]
    return ops.mean(ops.logsumexp(logits, axis=1) - own)


@checked("N dim", "N dim", "m dim")
def noise_contrastive(z, positive, noise, *, temperature: float, images: int, normalizer):
    """NCE in place of the full softmax (InstDisc, arXiv 1805.01978, equations 4 to 7).

    The probability that an embedding belongs to its example is h = P / (P + m / images), P = exp(cos / temperature) /
    normalizer.

    Args:
        z: (N, dim), of any norm.
        positive: (N, dim), the stored embeddings of the same examples; no gradient passes.
        noise: (m, dim), stored embeddings of examples drawn uniformly, shared by the batch; no gradient passes.
        temperature: float, divides the cosine similarities.
        images: int, number of examples in the data.
        normalizer: float32 scalar, Z, the sum of exp over all examples; `partition_function` estimates it.

    Returns:
        A float32 scalar, the mean over the batch of -log(h) of the positive minus the sum of log(1 - h) of the noise.
    """
    z, positive, noise = unit(z), ops.stop_gradient(unit(positive)), ops.stop_gradient(unit(noise))
    # data and drawn are log P - log(m / images), whose sigmoid is h
    shift = ops.log(normalizer) + ops.log(ops.cast(ops.shape(noise)[0], "float32")) - math.log(images)
    data = ops.sum(z * positive, axis=-1) / temperature - shift
    drawn = ops.matmul(z, ops.transpose(noise)) / temperature - shift
    return ops.mean(ops.softplus(-data) + ops.sum(ops.softplus(drawn), axis=1))


@checked("N dim", "m dim")
def partition_function(z, noise, *, temperature: float, images: int):
    """Z of InstDisc (arXiv 1805.01978, equation 8), estimated from examples drawn uniformly.

    Args:
        z: (N, dim), of any norm.
        noise: (m, dim), stored embeddings of the drawn examples, of any norm.
        temperature: float, divides the cosine similarities.
        images: int, number of examples in the data.

    Returns:
        A float32 scalar, images times the mean of exp, without a gradient.
    """
    logits = ops.matmul(unit(z), ops.transpose(unit(noise))) / temperature
    return ops.stop_gradient(images * ops.mean(ops.exp(logits)))


@checked("N dim", "all dim")
def hardest_negatives(query, negatives, *, count: int):
    """The negatives nearest to each query (MoCHi, arXiv 2010.01028, section 4.1).

    Args:
        query: (N, dim), of any norm.
        negatives: (all, dim), of any norm.
        count: int, how many to return, at most `all`.

    Returns:
        int32 (N, count), rows of `negatives`, nearest first.
    """
    return ops.top_k(ops.matmul(unit(query), ops.transpose(unit(negatives))), count)[1]


def mixed_negatives(a, b, *, share):
    """Synthetic embeddings n(share n(a) + (1 - share) n(b)) (MoCHi, arXiv 2010.01028, equations 4 and 5).

    Args:
        a, b: (..., dim), of any norm.
        share: (...), in 0..1.

    Returns:
        float32 (..., dim), of norm 1, without a gradient.
    """
    share = ops.cast(share, "float32")[..., None]
    return ops.stop_gradient(unit(share * unit(a) + (1 - share) * unit(b)))
