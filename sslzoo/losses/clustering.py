"""Clustering losses: views of an image agree on clusters of the sphere, and the clusters stay in use."""

import keras
from keras import ops

from sslzoo.losses.distillation import soft_cross_entropy

TINY = 1e-30  # the smallest probability that a logarithm meets
BLOCK = 32768  # rows that are compared with all centroids at once: 400 MB for 3000 centroids


def sinkhorn(scores, epsilon: float = 0.05, iterations: int = 3):
    """SwAV's codes (Caron et al., arXiv 2006.09882, equation 4, by Sinkhorn and Knopp): soft clusters of equal mass.

    Each iteration gives all prototypes the same sum over images, then all images the sum one. In logarithms, which a
    small epsilon cannot make overflow. No gradient passes.

    Args:
        scores: (N, K), cosine similarities of images and prototypes.
        epsilon: what the scores are divided by; smaller is closer to one prototype for each image.
        iterations: 3 in the paper.

    Returns:
        float32 (N, K): rows of sum one, columns of sum N/K approximately.
    """
    logs = ops.stop_gradient(ops.cast(scores, "float32")) / epsilon
    for _ in range(iterations):
        logs = logs - ops.logsumexp(logs, axis=0, keepdims=True)
        logs = logs - ops.logsumexp(logs, axis=1, keepdims=True)
    return ops.exp(logs)


def swapped_prediction(scores_a, scores_b, temperature: float = 0.1, epsilon: float = 0.05, iterations: int = 3):
    """SwAV's loss of two views (Caron et al., arXiv 2006.09882, equations 1 and 2): each predicts the other's codes.

    Args:
        scores_a, scores_b: (N, K), cosine similarities of two views and the prototypes; row i of both is image i.
        temperature: divides the scores of the prediction.
        epsilon, iterations: of `sinkhorn`.

    Returns:
        A float32 scalar, the mean of both directions; log(K) where all scores are equal.
    """
    codes_a, codes_b = (sinkhorn(scores, epsilon, iterations) for scores in (scores_a, scores_b))
    scores_a, scores_b = (ops.cast(scores, "float32") / temperature for scores in (scores_a, scores_b))
    return (soft_cross_entropy(codes_a, scores_b) + soft_cross_entropy(codes_b, scores_a)) / 2


def cluster_cross_entropy(scores, labels, temperature: float = 0.1):
    """DeepCluster-v2's loss (Caron et al., arXiv 2006.09882, appendix): classify each view as its image's cluster.

    Args:
        scores: (N, V, K), cosine similarities of views and centroids.
        labels: (N,) cluster of each image; a negative one leaves the image out.
        temperature: divides the scores.

    Returns:
        A float32 scalar, mean over the images that count; 0 where there are none.
    """
    logits = ops.cast(scores, "float32") / temperature
    known = ops.cast(labels >= 0, "float32")
    targets = ops.broadcast_to(ops.maximum(labels, 0)[:, None], ops.shape(logits)[:2])
    losses = ops.mean(keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True), axis=1)
    return ops.sum(losses * known) / ops.maximum(ops.sum(known), 1)


def nearest(rows, centroids):
    """The centroid (K, dim) of largest cosine similarity for each of the rows (N, dim): (N,) int32."""
    rows, across = ops.cast(rows, "float32"), ops.transpose(ops.normalize(ops.cast(centroids, "float32")))
    count = rows.shape[0] or 0
    parts = [rows] if count <= BLOCK else [rows[start : start + BLOCK] for start in range(0, count, BLOCK)]
    found = [ops.argmax(ops.matmul(part, across), axis=-1) for part in parts]
    return ops.cast(ops.concatenate(found), "int32")


def kmeans_step(rows, centroids, weights=None):
    """One step of spherical k-means (DeepCluster-v2, arXiv 2006.09882, appendix): assign, then the normalized mean.

    Args:
        rows: (N, dim), normalized here.
        centroids: (K, dim) of norm one.
        weights: (N,), what each row counts; all alike by default.

    Returns:
        (K, dim) of norm one; a centroid that no row is nearest to stays.
    """
    rows = ops.normalize(ops.cast(rows, "float32"))
    labels = nearest(rows, centroids)
    rows = rows if weights is None else rows * weights[:, None]
    sums = ops.segment_sum(rows, labels, num_segments=centroids.shape[0])
    return ops.where(ops.norm(sums, axis=1, keepdims=True) > 1e-6, ops.normalize(sums), centroids)


def spherical_kmeans(rows, centroids, iterations: int = 10, weights=None):
    """So many of `kmeans_step`; the mean over rows of the largest cosine similarity never falls."""
    return ops.fori_loop(0, iterations, lambda _, found: kmeans_step(rows, found, weights), centroids)


def update_groups(groups, z, rate: float = 0.01):
    """SMoG's momentum grouping (Pang et al., arXiv 2207.06167, equation 4): groups move towards the images they gain.

    Args:
        groups: (K, dim).
        z: (N, dim), normalized here; each moves the group nearest to it, and its gradient passes through.
        rate: the fraction that a group moves towards the mean of its images: one minus the paper's beta.

    Returns:
        float32 (K, dim), of norm one at most if `groups` are; a group without images stays.
    """
    groups, z = ops.cast(groups, "float32"), ops.normalize(ops.cast(z, "float32"))
    members = ops.one_hot(nearest(ops.stop_gradient(z), groups), groups.shape[0], dtype="float32")
    counts = ops.sum(members, axis=0)[:, None]
    means = ops.matmul(ops.transpose(members), z) / ops.maximum(counts, 1)
    return groups + ops.where(counts > 0, rate, 0.0) * (means - groups)


def group_cross_entropy(p, groups, labels, temperature: float = 0.1):
    """SMoG's loss (Pang et al., arXiv 2207.06167, equation 5): classify a prediction as the other view's group.

    Args:
        p: (N, dim) predictions, of any norm.
        groups: (K, dim), of any norm.
        labels: (N,), groups of the other views.
        temperature: divides the cosine similarities.
    """
    p, groups = (ops.normalize(ops.cast(x, "float32")) for x in (p, groups))
    logits = ops.matmul(p, ops.transpose(groups)) / temperature
    return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))


def sharpen(probabilities, temperature: float = 0.25):
    """Rows p^(1 / temperature), of sum one again (MSN, arXiv 2204.07141, section 3); (..., K), float32."""
    return ops.softmax(ops.log(ops.maximum(ops.cast(probabilities, "float32"), TINY)) / temperature)


def me_max(probabilities):
    """MSN's mean entropy maximization (arXiv 2204.07141, section 3): log K minus the entropy of the mean row.

    Args:
        probabilities: (N, K), rows of sum one.

    Returns:
        A float32 scalar: 0 where the mean row is uniform, log K where it is one-hot.
    """
    return prior_divergence(probabilities, exponent=0.0)


def prior_divergence(probabilities, exponent: float = 0.25, reverse: bool = False):
    """Divergence of the mean row from a power law: PMSN (Assran et al., arXiv 2210.07277, section 4).

    KL(mean row || prior), the prior k^-exponent for the k-th of the K columns, of sum one; exponent 0 is `me_max`.

    Args:
        probabilities: (N, K), rows of sum one.
        exponent: of the power law, 0 or more; the paper's tau.
        reverse: KL(prior || mean row) instead.
    """
    mean = ops.log(ops.maximum(ops.mean(ops.cast(probabilities, "float32"), axis=0), TINY))
    prior = log_power_law(mean.shape[0], exponent)
    mean, prior = (prior, mean) if reverse else (mean, prior)
    return ops.sum(ops.exp(mean) * (mean - prior))


def log_power_law(count: int, exponent: float):
    """Logarithms of k^-exponent / sum, k = 1..count; (count,) float32."""
    return ops.log_softmax(-exponent * ops.log(ops.arange(1, count + 1, dtype="float32")))


def msn(
    anchors,
    targets,
    temperature: float = 0.1,
    sharpening: float = 0.25,
    sinkhorn_iterations: int = 3,
    me_max_weight: float = 1.0,
    prior_exponent: float = 0.0,
):
    """MSN (Assran et al., arXiv 2204.07141, equations 1 and 2): anchors follow the target's sharpened clusters.

    Args:
        anchors: (N, A, K), cosine similarities of the anchor views and the prototypes.
        targets: (N, K), those of the target views; no gradient reaches them.
        temperature: divides both.
        sharpening: temperature of `sharpen` for the targets.
        sinkhorn_iterations: how often the sharpened targets are balanced as in `sinkhorn`; 0 is not at all.
        me_max_weight: of `prior_divergence` of the anchors' probabilities.
        prior_exponent: 0 is MSN's uniform prior; above, PMSN's power law.

    Returns:
        A float32 scalar; log(K) where all similarities are equal.
    """
    anchors, targets = (ops.cast(x, "float32") / temperature for x in (anchors, targets))
    logs = ops.log(ops.maximum(sharpen(ops.softmax(targets), sharpening), TINY))
    codes = ops.stop_gradient(sinkhorn(logs, 1.0, sinkhorn_iterations))[:, None]
    cross_entropy = -ops.mean(ops.sum(codes * ops.log_softmax(anchors), axis=-1))
    probabilities = ops.reshape(ops.softmax(anchors), (-1, anchors.shape[-1]))
    return cross_entropy + me_max_weight * prior_divergence(probabilities, prior_exponent)
