"""Losses of images and texts: row i of the images belongs to row i of the texts, and to texts equal to that."""

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import unit


@checked("N dim", "N dim", "N N")
def image_text_softmax(images, texts, same=None, *, scale: float, label_smoothing: float = 0.0):
    """CLIP's loss (Radford et al., arXiv 2103.00020, figure 3): cross-entropies of both directions, averaged.

    The texts equal to that of an image share its target: T = same / row sums. A caption that occurs twice in a batch is
    then no negative of its images. With label_smoothing 0.1 it is ALIGN's loss (arXiv 2102.05918, section 4.2).

    Args:
        images: (N, dim), embeddings of the images, of any norm.
        texts: (N, dim), embeddings of their texts, of any norm.
        same: bool (N, N), symmetric, which texts are equal; None where all differ.
        scale: float, multiplies the cosine similarities; 1 / temperature.
        label_smoothing: float in 0..1, share of each target that is spread evenly over the batch.

    Returns:
        A float32 scalar; log(N) where all embeddings are equal, 0 for a batch of one.
    """
    logits = scale * ops.matmul(unit(images), ops.transpose(unit(texts)))
    evenly = 1 / ops.cast(ops.shape(logits)[0], "float32")
    targets = (1 - label_smoothing) * _targets(same, logits) + label_smoothing * evenly
    both = (_cross_entropy(targets, one) for one in (logits, ops.transpose(logits)))
    return sum(both) / 2


@checked("N dim", "N dim", "N N")
def image_text_sigmoid(images, texts, same=None, *, scale: float, offset: float):
    """SigLIP's loss (Zhai et al., arXiv 2303.15343, algorithm 1): each pair is a binary decision of its own.

    - sum over i, j of log sigmoid(y_ij (scale cos_ij - offset)) / N, with y = 1 for pairs and -1 for all others.

    Args:
        images: (N, dim), embeddings of the images, of any norm.
        texts: (N, dim), embeddings of their texts, of any norm.
        same: bool (N, N), symmetric, which texts are equal; None where all differ.
        scale: float, multiplies the cosine similarities.
        offset: float, subtracted from them, since most pairs do not belong together; minus the paper's bias.

    Returns:
        A float32 scalar; N log(2) where scale cos is the offset everywhere.
    """
    logits = scale * ops.matmul(unit(images), ops.transpose(unit(texts))) - offset
    belongs = _targets(same, logits) > 0
    return ops.mean(ops.sum(ops.softplus(ops.where(belongs, -logits, logits)), axis=1))


def _targets(same, logits):
    """Rows of sum 1: equal shares of the texts that belong to an image."""
    same = ops.eye(ops.shape(logits)[0], dtype="float32") if same is None else ops.cast(same, "float32")
    return same / ops.sum(same, axis=1, keepdims=True)


def _cross_entropy(targets, logits):
    return -ops.mean(ops.sum(targets * ops.log_softmax(logits, axis=1), axis=1))
