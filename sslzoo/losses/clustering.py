"""Clustering losses: the views of an example agree on clusters of the sphere, and all clusters stay in use."""

import keras
from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import unit
from sslzoo.losses.distillation import soft_cross_entropy

ABSENT = -1e9  # logarithm of the weight of an example that does not count
TINY = 1e-30  # lower bound of probabilities before a logarithm
BLOCK = 32768  # rows compared with all centroids at once: 400 MB for 3000 centroids


@checked("N ... K")
def sinkhorn(scores, *, epsilon: float = 0.05, iterations: int = 3, weights=None):
    """SwAV's codes: soft assignments to clusters of equal size (Caron et al., arXiv 2006.09882, equation 4).

    Sinkhorn-Knopp iterations: each normalizes the sums of all prototypes, then the sums of all examples. Computed with
    logarithms, which do not overflow for a small epsilon. No gradient passes.

    Args:
        scores: (N, K), cosine similarities of examples and prototypes; or (N, places, K), balanced over the examples at
            each place on its own, as in CAPI (arXiv 2502.08769, section 3.2).
        epsilon: float, divides the scores; a smaller value gives sharper assignments.
        iterations: int, 3 in the paper.
        weights: bool or 0 and 1, (N,) or (N, places), which examples the prototypes are balanced over; all if None.

    Returns:
        float32 as `scores`, rows of sum 1, columns of sum N/K approximately.
    """
    logs = ops.stop_gradient(ops.cast(scores, "float32")) / epsilon
    absent = 0.0 if weights is None else ops.where(ops.cast(weights, "bool"), 0.0, ABSENT)[..., None]
    for _ in range(iterations):
        logs = logs - ops.logsumexp(logs + absent, axis=0, keepdims=True)
        logs = logs - ops.logsumexp(logs, axis=-1, keepdims=True)
    return ops.exp(logs)


@checked("N K", "N K")
def swapped_prediction(scores_a, scores_b, *, temperature: float = 0.1, epsilon: float = 0.05, iterations: int = 3):
    """SwAV's loss of two views: each predicts the codes of the other (arXiv 2006.09882, equations 1 and 2).

    Args:
        scores_a, scores_b: (N, K), cosine similarities of two views and the prototypes; row i of both is example i.
        temperature: float, divides the scores of the prediction.
        epsilon, iterations: as of `sinkhorn`.

    Returns:
        A float32 scalar, the mean of both directions; log(K) where all scores are equal.
    """
    codes_a, codes_b = (sinkhorn(scores, epsilon=epsilon, iterations=iterations) for scores in (scores_a, scores_b))
    scores_a, scores_b = (ops.cast(scores, "float32") / temperature for scores in (scores_a, scores_b))
    return (soft_cross_entropy(scores_b, codes_a) + soft_cross_entropy(scores_a, codes_b)) / 2


@checked("N V K", "N")
def cluster_cross_entropy(scores, labels, *, temperature: float = 0.1):
    """DeepCluster-v2's loss: classifies each view as the cluster of its example (arXiv 2006.09882, appendix).

    Args:
        scores: (N, V, K), cosine similarities of views and centroids.
        labels: int (N,), cluster of each example; examples with a negative label are ignored.
        temperature: float, divides the scores.

    Returns:
        A float32 scalar, the mean over examples that are not ignored; 0 if there are none.
    """
    logits = ops.cast(scores, "float32") / temperature
    known = ops.cast(labels >= 0, "float32")
    targets = ops.broadcast_to(ops.maximum(labels, 0)[:, None], ops.shape(logits)[:2])
    losses = ops.mean(keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True), axis=1)
    return ops.sum(losses * known) / ops.maximum(ops.sum(known), 1)


@checked("N dim", "K dim")
def nearest_centroid(rows, centroids):
    """The centroid of largest cosine similarity for each row.

    Args:
        rows: (N, dim), of any norm.
        centroids: (K, dim), of any norm.

    Returns:
        int32 (N,), in 0..K - 1.
    """
    rows, across = ops.cast(rows, "float32"), ops.transpose(unit(centroids))
    count = rows.shape[0] or 0
    parts = [rows] if count <= BLOCK else [rows[start : start + BLOCK] for start in range(0, count, BLOCK)]
    found = [ops.argmax(ops.matmul(part, across), axis=-1) for part in parts]
    return ops.cast(ops.concatenate(found), "int32")


@checked("N dim", "K dim")
def kmeans_step(rows, centroids, *, weights=None):
    """One step of spherical k-means: assignment, then the normalized mean (arXiv 2006.09882, appendix).

    Args:
        rows: (N, dim), of any norm.
        centroids: (K, dim), of norm 1.
        weights: (N,), weight of each row in the means; equal if None.

    Returns:
        (K, dim), of norm 1. A centroid without rows is returned unchanged.
    """
    rows = unit(rows)
    labels = nearest_centroid(rows, centroids)
    rows = rows if weights is None else rows * weights[:, None]
    sums = ops.segment_sum(rows, labels, num_segments=centroids.shape[0])
    return ops.where(ops.norm(sums, axis=1, keepdims=True) > 1e-6, ops.normalize(sums), centroids)


@checked("N dim", "K dim")
def spherical_kmeans(rows, centroids, *, iterations: int = 10, weights=None):
    """Spherical k-means, which never decreases the mean cosine similarity of rows and their centroids.

    Args:
        rows, centroids, weights: as of `kmeans_step`; `centroids` are the initial ones.
        iterations: int, number of steps.

    Returns:
        (K, dim), of norm 1.
    """
    return ops.fori_loop(0, iterations, lambda _, found: kmeans_step(rows, found, weights=weights), centroids)


@checked("K dim", "N dim")
def update_groups(groups, z, *, rate: float = 0.01):
    """SMoG's momentum grouping (Pang et al., arXiv 2207.06167, equation 4): groups move towards their examples.

    Args:
        groups: (K, dim).
        z: (N, dim), of any norm. Each moves the nearest group; gradients pass through.
        rate: float in 0..1, share that a group moves towards the mean of its examples: 1 - beta of the paper.

    Returns:
        float32 (K, dim), of norm at most 1 if that holds for `groups`. A group without examples is returned unchanged.
    """
    groups, z = ops.cast(groups, "float32"), unit(z)
    members = ops.one_hot(nearest_centroid(ops.stop_gradient(z), groups), groups.shape[0], dtype="float32")
    counts = ops.sum(members, axis=0)[:, None]
    means = ops.matmul(ops.transpose(members), z) / ops.maximum(counts, 1)
    return groups + ops.where(counts > 0, rate, 0.0) * (means - groups)


@checked("N dim", "N", "K dim")
def group_cross_entropy(p, labels, groups, *, temperature: float = 0.1):
    """SMoG's loss: classifies a prediction as the group of the other view (arXiv 2207.06167, equation 5).

    Args:
        p: (N, dim), predictions, of any norm.
        labels: int (N,), groups of the other views.
        groups: (K, dim), of any norm.
        temperature: float, divides the cosine similarities.

    Returns:
        A float32 scalar, the mean over the batch.
    """
    p, groups = (unit(x) for x in (p, groups))
    logits = ops.matmul(p, ops.transpose(groups)) / temperature
    return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))


@checked("... K")
def sharpen(probabilities, *, temperature: float = 0.25):
    """Probabilities proportional to p^(1 / temperature) (MSN, arXiv 2204.07141, section 3).

    Args:
        probabilities: (..., K), of sum 1.
        temperature: float, below 1 to sharpen.

    Returns:
        float32 (..., K), of sum 1.
    """
    return ops.softmax(ops.log(ops.maximum(ops.cast(probabilities, "float32"), TINY)) / temperature)


def me_max(probabilities):
    """Mean entropy maximization: log(K) minus the entropy of the mean row (MSN, arXiv 2204.07141, section 3).

    Args:
        probabilities: (N, K), rows of sum 1.

    Returns:
        A float32 scalar in 0..log(K): 0 where the mean row is uniform, log(K) where it is one-hot.
    """
    return prior_divergence(probabilities, exponent=0.0)


@checked("N K")
def prior_divergence(probabilities, *, exponent: float = 0.25, reverse: bool = False):
    """KL divergence of the mean row from a power law: PMSN (Assran et al., arXiv 2210.07277, section 4).

    KL(mean row || prior), where the prior of the k-th column is proportional to k^-exponent. Exponent 0 gives `me_max`.

    Args:
        probabilities: (N, K), rows of sum 1.
        exponent: float, 0 or more; tau of the paper.
        reverse: bool, computes KL(prior || mean row) instead.

    Returns:
        A float32 scalar, 0 or more.
    """
    mean = ops.log(ops.maximum(ops.mean(ops.cast(probabilities, "float32"), axis=0), TINY))
    return _divergence(mean, exponent, reverse)


def _divergence(log_mean, exponent: float, reverse: bool):
    """KL divergence of a distribution, given its logarithms (K,), from a power law, or the other way round."""
    prior = log_power_law(log_mean.shape[0], exponent)
    first, second = (prior, log_mean) if reverse else (log_mean, prior)
    return ops.sum(ops.exp(first) * (first - second))


def log_power_law(count: int, exponent: float):
    """Logarithms of k^-exponent / sum, k = 1..count; float32 (count,)."""
    return ops.log_softmax(-exponent * ops.log(ops.arange(1, count + 1, dtype="float32")))


@checked("N A K", "N K")
def msn(
    anchors,
    targets,
    *,
    temperature: float = 0.1,
    sharpening: float = 0.25,
    sinkhorn_iterations: int = 3,
    me_max_weight: float = 1.0,
    prior_exponent: float = 0.0,
    prior_reverse: bool = False,
):
    """MSN's loss: anchors predict the target's sharpened clusters (arXiv 2204.07141, equations 1 and 2).

    Args:
        anchors: (N, A, K), cosine similarities of the anchor views and the prototypes.
        targets: (N, K), those of the target views; no gradient passes.
        temperature: float, divides both.
        sharpening: float, temperature of `sharpen` for the targets.
        sinkhorn_iterations: int, iterations of `sinkhorn` on the sharpened targets; 0 for none.
        me_max_weight: float, weight of `prior_divergence` of the anchors' probabilities.
        prior_exponent: float, 0 for MSN's uniform prior, above 0 for PMSN's power law.
        prior_reverse: bool, takes the divergence of the prior from the mean row, not of the mean row from the prior.

    Returns:
        A float32 scalar; log(K) where all similarities are equal.
    """
    # In logarithms throughout: the rarest of sharp probabilities are below the smallest float32.
    targets = ops.log_softmax(ops.cast(targets, "float32") / temperature / sharpening)  # sharpening is a power
    codes = ops.stop_gradient(sinkhorn(targets, epsilon=1.0, iterations=sinkhorn_iterations))[:, None]
    logs = ops.log_softmax(ops.cast(anchors, "float32") / temperature)
    rows = ops.reshape(logs, (-1, logs.shape[-1]))
    log_mean = ops.logsumexp(rows, axis=0) - ops.log(ops.cast(ops.shape(rows)[0], "float32"))
    cross_entropy = -ops.mean(ops.sum(codes * logs, axis=-1))
    return cross_entropy + me_max_weight * _divergence(log_mean, prior_exponent, prior_reverse)
