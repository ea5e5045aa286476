"""Contrastive losses that know classes: positives are images of one label."""

from keras import ops


def sup_con(z_a, z_b, labels, temperature: float):
    """Supervised contrastive loss (Khosla et al., arXiv 2004.11362, equation 2, "out"), mean over the 2N embeddings.

    Args:
        z_a, z_b: embeddings of two views, each (N, dim), of any norm; row i of both is image i.
        labels: whole numbers (N,); where all differ it is NT-Xent.
        temperature: divides the cosine similarities (and the loss is not multiplied by it, as the authors' code does).

    Returns:
        A float32 scalar; log(2N - 1) where all embeddings are equal.
    """
    logits, same, itself = _compared(z_a, z_b, labels, temperature)
    log_share = logits - ops.logsumexp(logits - 1e9 * itself, axis=1, keepdims=True)
    return -ops.mean(ops.sum(same * log_share, axis=1) / ops.sum(same, axis=1))


def class_conditional_info_nce(z_a, z_b, labels, temperature: float):
    """Finds an image's other view within its class (Chen et al., arXiv 2204.07596, section 4.1), mean over 2N.

    Args:
        z_a, z_b: embeddings of two views, each (N, dim), of any norm; row i of both is image i.
        labels: whole numbers (N,); where all differ the loss is 0, where all are equal it is NT-Xent.
        temperature: divides the cosine similarities.

    Returns:
        A float32 scalar; log(2m - 1) where the embeddings of classes of m images each are equal.
    """
    logits, same, _ = _compared(z_a, z_b, labels, temperature)
    count = ops.shape(z_a)[0]
    other_view = ops.tile(ops.eye(count, dtype="float32"), (2, 2)) - ops.eye(2 * count, dtype="float32")
    within = ops.logsumexp(logits - 1e9 * (1 - same), axis=1)
    return ops.mean(within - ops.sum(logits * other_view, axis=1))


def _compared(z_a, z_b, labels, temperature: float):
    """Cosines over temperature of all pairs; who has whose label, oneself excepted; who is oneself: (2N, 2N) each."""
    z = ops.normalize(ops.cast(ops.concatenate([z_a, z_b]), "float32"))
    itself = ops.eye(ops.shape(z)[0], dtype="float32")
    labels = ops.concatenate([labels, labels])
    same = ops.cast(labels[:, None] == labels[None, :], "float32") - itself
    return ops.matmul(z, ops.transpose(z)) / temperature, same, itself
