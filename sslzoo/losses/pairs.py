"""Losses of labelled pairs (deep metric learning) within a batch and a memory of earlier embeddings.

Keys are the batch and the memory. A positive of an anchor is another key of its label, a negative is a key of another
label. Keys of the label -1 are neither.
"""

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import unit
from sslzoo.losses.metric import hinge, mined

NEVER = 1e9  # added to logits and distances of pairs that are left out


@checked("N dim", "N", "M>-1 dim", "M>-1")
def multi_similarity(
    z,
    labels,
    memory=None,
    memory_labels=None,
    *,
    positive_scale: float = 2.0,
    negative_scale: float = 50.0,
    base: float = 0.5,
    epsilon: float = 0.1,
):
    """Multi-similarity loss with its mining of pairs (Wang et al., arXiv 1904.06627, equations 13 to 15).

    A negative counts if it is more similar than the least similar positive minus epsilon, a positive if it is less
    similar than the most similar negative plus epsilon.

    Args:
        z: (N, dim), embeddings of the batch, of any norm.
        labels: int (N,).
        memory, memory_labels: (M, dim) and int (M,), embeddings of earlier batches and their labels, or None.
        positive_scale, negative_scale: float, alpha and beta of the paper, factors of the cosines.
        base: float, lambda of the paper, the cosine that pairs are compared with.
        epsilon: float, tolerance of the mining.

    Returns:
        A float32 scalar, the mean over anchors; an anchor without positives or negatives contributes 0.
    """
    anchors, keys, same, other = _pairs(z, labels, memory, memory_labels)
    cosines = ops.matmul(anchors, ops.transpose(keys))
    farthest = ops.min(cosines + NEVER * (1 - same), axis=1, keepdims=True)
    nearest = ops.max(cosines - NEVER * (1 - other), axis=1, keepdims=True)
    far = same * ops.cast(cosines < nearest + epsilon, "float32")
    near = other * ops.cast(cosines > farthest - epsilon, "float32")
    pull = ops.softplus(_log_sum(-positive_scale * (cosines - base), far)) / positive_scale
    push = ops.softplus(_log_sum(negative_scale * (cosines - base), near)) / negative_scale
    return ops.mean(pull + push)


@checked("N dim", "N", "M>-1 dim", "M>-1")
def circle(z, labels, memory=None, memory_labels=None, *, margin: float = 0.4, scale: float = 80.0):
    """Circle loss of labelled pairs (Sun et al., arXiv 2002.10857, equations 4 to 6 and section 3.2).

    A cosine is weighted by its distance from its optimum, 1 + margin or -margin; no gradient passes through weights.

    Args:
        z: (N, dim), embeddings of the batch, of any norm.
        labels: int (N,).
        memory, memory_labels: (M, dim) and int (M,), embeddings of earlier batches and their labels, or None.
        margin: float, m of the paper: 0.4 for image retrieval, 0.25 for faces.
        scale: float, gamma of the paper: 80 for image retrieval, 256 for faces.

    Returns:
        A float32 scalar, the mean over anchors; an anchor without positives or negatives contributes 0.
    """
    anchors, keys, same, other = _pairs(z, labels, memory, memory_labels)
    cosines = ops.matmul(anchors, ops.transpose(keys))
    pull = ops.stop_gradient(ops.relu(1 + margin - cosines)) * (cosines - (1 - margin))
    push = ops.stop_gradient(ops.relu(cosines + margin)) * (cosines - margin)
    return ops.mean(ops.softplus(_log_sum(-scale * pull, same) + _log_sum(scale * push, other)))


@checked("N dim", "N", "M>-1 dim", "M>-1")
def lifted_structure(z, labels, memory=None, memory_labels=None, *, margin: float = 1.0):
    """Smooth bound of the lifted structured loss (Oh Song et al., arXiv 1511.06452, equation 4).

    Distances are Euclidean and, unlike in the paper, of normalized embeddings. The negatives of a key in the memory are
    those of the batch.

    Args:
        z: (N, dim), embeddings of the batch, of any norm.
        labels: int (N,).
        memory, memory_labels: (M, dim) and int (M,), embeddings of earlier batches and their labels, or None.
        margin: float, alpha of the paper.

    Returns:
        A float32 scalar, half of the mean over positive pairs; 0 if there are none.
    """
    anchors, keys, same, other = _pairs(z, labels, memory, memory_labels)
    # The constant keeps the gradient of the root finite where two embeddings coincide.
    distances = ops.sqrt(ops.relu(2 - 2 * ops.matmul(anchors, ops.transpose(keys))) + 1e-8)
    of_anchor, of_key = (_log_sum(margin - distances, other, axis=axis) for axis in (1, 0))
    bound = ops.relu(ops.logaddexp(of_anchor, of_key) + distances)
    return _mean(bound**2, same) / 2


@checked("N dim", "N", "M>-1 dim", "M>-1")
def soft_nearest_neighbour(z, labels, memory=None, memory_labels=None, *, temperature: float = 1.0):
    """Soft nearest neighbour loss (Frosst et al., arXiv 1902.01889, equation 1), of normalized embeddings.

    Args:
        z: (N, dim), embeddings of the batch, of any norm.
        labels: int (N,).
        memory, memory_labels: (M, dim) and int (M,), embeddings of earlier batches and their labels, or None.
        temperature: float, divides the squared distances. The paper learns it.

    Returns:
        A float32 scalar, the mean over anchors that have positives; 0 if there are none.
    """
    anchors, keys, same, other = _pairs(z, labels, memory, memory_labels)
    logits = (2 * ops.matmul(anchors, ops.transpose(keys)) - 2) / temperature
    return _mean(_log_sum(logits, same + other) - _log_sum(logits, same), ops.max(same, axis=1, keepdims=True))


@checked("N dim", "N", "M>-1 dim", "M>-1")
def positive_negative(z, labels, memory=None, memory_labels=None, *, margin: float | None = None):
    """PN loss (Ivis, Szubert et al., Sci Rep 9, 8914, 2019), with the mining of TensorFlow Similarity.

    A triplet loss of cosine distances in which the negative must be far from both the anchor and its positive. The
    positive is the most distant one; the negative the nearest beyond it, or the most distant if there is none.

    Args:
        z: (N, dim), embeddings of the batch, of any norm.
        labels: int (N,).
        memory, memory_labels: (M, dim) and int (M,), embeddings of earlier batches and their labels, or None.
        margin: float; None for the soft margin log(1 + exp(difference)).

    Returns:
        A float32 scalar, the mean over anchors that have positives and negatives; 0 if there are none.
    """
    anchors, keys, same, other = _pairs(z, labels, memory, memory_labels)
    distances = 1 - ops.matmul(anchors, ops.transpose(keys))
    hardest = ops.argmax(distances - NEVER * (1 - same), axis=1)
    positive = ops.take_along_axis(distances, hardest[:, None], axis=1)
    found = mined(positive, distances, other, mining="semi-hard")
    negative = ops.take_along_axis(distances, found[:, None], axis=1)
    between = 1 - ops.sum(ops.take(keys, hardest, axis=0) * ops.take(keys, found, axis=0), axis=1, keepdims=True)
    both = ops.max(same, axis=1, keepdims=True) * ops.max(other, axis=1, keepdims=True)
    return _mean(hinge(positive - ops.minimum(negative, between), margin), both)


def _pairs(z, labels, memory, memory_labels):
    """Directions of anchors (N, dim) and keys (N + M, dim), and which pairs are positive and negative, (N, N + M)."""
    anchors, labels = unit(z), ops.cast(labels, "int32")
    keys, key_labels = anchors, labels
    if memory is not None:
        keys = ops.concatenate([anchors, unit(memory)])
        key_labels = ops.concatenate([labels, ops.cast(memory_labels, "int32")])
    known = ops.cast((labels[:, None] >= 0) & (key_labels >= 0), "float32")
    equal = ops.cast(labels[:, None] == key_labels, "float32")
    itself = ops.eye(ops.shape(anchors)[0], ops.shape(keys)[0], dtype="float32")
    return anchors, keys, known * equal * (1 - itself), known * (1 - equal)


def _log_sum(logits, mask, axis: int = 1):
    """The logarithm of a sum of exponentials, of the pairs of a mask; about -1e9 for an empty mask."""
    return ops.logsumexp(logits - NEVER * (1 - mask), axis=axis, keepdims=True)


def _mean(values, mask):
    """The mean of the values of a mask, 0 if it is empty."""
    return ops.sum(values * mask) / ops.maximum(ops.sum(mask), 1.0)
