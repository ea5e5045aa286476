"""Supervised contrastive losses: positives are examples of the same label."""

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import unit


@checked("N dim", "N dim", "N")
def sup_con(z_a, z_b, labels, *, temperature: float, positives_in_denominator: bool = True):
    """Supervised contrastive loss L_out (Khosla et al., arXiv 2004.11362, equation 2).

    Not multiplied by the temperature, unlike in the authors' code.

    Without `positives_in_denominator` it is L_attract of Thanos' code (Chen et al., arXiv 2204.07596): the denominator
    of a positive contains that positive and the embeddings of other labels, but no other positive.

    Args:
        z_a, z_b: (N, dim), embeddings of two views, of any norm; row i of both is example i.
        labels: int (N,); NT-Xent where all differ.
        temperature: float, divides the cosine similarities.
        positives_in_denominator: bool, whether positives compete with each other.

    Returns:
        A float32 scalar, the mean over the 2N embeddings. Where all embeddings are equal it is log(2N - 1), or with one
        positive in each denominator log(1 + the number of embeddings of other labels).
    """
    logits, same, itself = _compared(z_a, z_b, labels, temperature)
    excluded = itself if positives_in_denominator else itself + same
    total = ops.logsumexp(logits - 1e9 * excluded, axis=1, keepdims=True)
    log_share = logits - (total if positives_in_denominator else ops.logaddexp(logits, total))
    return -ops.mean(ops.sum(same * log_share, axis=1) / ops.sum(same, axis=1))


@checked("N dim", "N dim", "N")
def class_conditional_info_nce(z_a, z_b, labels, *, temperature: float):
    """InfoNCE within a class: negatives are the other examples of it (Chen et al., arXiv 2204.07596, section 4.1).

    Args:
        z_a, z_b: (N, dim), embeddings of two views, of any norm; row i of both is example i.
        labels: int (N,); the loss is 0 where all differ, and NT-Xent where all are equal.
        temperature: float, divides the cosine similarities.

    Returns:
        A float32 scalar, the mean over the 2N embeddings; log(2m - 1) where the embeddings of classes of m examples are
        equal.
    """
    logits, same, _ = _compared(z_a, z_b, labels, temperature)
    count = ops.shape(z_a)[0]
    other_view = ops.tile(ops.eye(count, dtype="float32"), (2, 2)) - ops.eye(2 * count, dtype="float32")
    within = ops.logsumexp(logits - 1e9 * (1 - same), axis=1)
    return ops.mean(within - ops.sum(logits * other_view, axis=1))


def _compared(z_a, z_b, labels, temperature: float):
    """Cosines over temperature, equal labels except on the diagonal, the diagonal: float32 (2N, 2N) each."""
    z = unit(ops.concatenate([z_a, z_b]))
    itself = ops.eye(ops.shape(z)[0], dtype="float32")
    labels = ops.concatenate([labels, labels])
    same = ops.cast(labels[:, None] == labels[None, :], "float32") - itself
    return ops.matmul(z, ops.transpose(z)) / temperature, same, itself
