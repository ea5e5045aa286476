"""Spectrum: effective rank and decay of the features' eigenvalues, without labels: RankMe, alpha-ReQ, LiDAR."""

from collections.abc import Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study
from sslzoo.evaluators.axes import principal_axes

IMAGES = 1000  # test examples of `evaluate` at most; the time grows with the square


def evaluate(study: Study) -> Iterator[Score]:
    """RankMe and alpha-ReQ of the first 1000 test examples."""
    features = study.test[:IMAGES]
    yield Score("rank", effective_rank(features), "effective rank (RankMe)", whole=True)
    yield Score("alpha_req", power_law(eigenvalues(features)), "slope of the spectrum (alpha-ReQ)")


@checked("N dim")
def effective_rank(z: np.ndarray) -> float:
    """RankMe (arXiv 2210.02885, equation 3): exp of the entropy of the singular values of z (n, dim); 1..dim."""
    with threadpool_limits(1):
        values = np.linalg.svd(np.asarray(z, "float64"), compute_uv=False)
    return _exp_entropy(values)


@checked("N dim")
def eigenvalues(features: np.ndarray) -> np.ndarray:
    """Variances (min(n - 1, dim),) of features (n, dim) along their principal axes, the largest first.

    Their logarithms are the spectrum of DirectCLR (arXiv 2110.09348, figure 1).

    Raises:
        ValueError: a single example.
    """
    if len(features) < 2:
        raise ValueError("the spectrum of a single example is not defined")
    centred = np.asarray(features, "float64") - np.mean(features, 0, dtype="float64")
    gram = centred @ centred.T if len(centred) < centred.shape[1] else centred.T @ centred
    with threadpool_limits(1):
        values = np.linalg.eigvalsh(gram)[::-1].clip(0)
    return (values / (len(centred) - 1))[: min(len(centred) - 1, centred.shape[1])]


def power_law(variances: np.ndarray, first: int = 4, last: int = 100) -> float | None:
    """alpha-ReQ (arXiv 2202.05808, section 3): alpha where the eigenvalue of rank j falls like j to the power -alpha.

    Near 1 is best: a larger alpha means few directions, a smaller one noise. A least-squares line through the
    logarithms with weights 1 / j, so that every doubling of the rank has the same weight. The ranks are 4 to 100, as in
    the authors' training code: the largest eigenvalues and the tail do not follow the law. Eigenvalues below 1e-6 of
    the largest are rounding errors and are left out.

    Args:
        variances: as of `eigenvalues`.
        first, last: ranks between which the line is fitted, counted from 1.

    Returns:
        alpha; None where fewer than 3 eigenvalues are left.
    """
    kept = variances[variances > 1e-6 * variances[0]][first - 1 : last]
    if len(kept) < 3:
        return None
    ranks = np.arange(first, first + len(kept))
    # polyfit squares its weights.
    return float(-np.polyfit(np.log(ranks), np.log(kept), 1, w=ranks**-0.5)[0])


@checked("N views dim")
def lidar(views: np.ndarray, delta: float = 1e-4, components: int = 256) -> float:
    """LiDAR (arXiv 2312.04000, equations 2 and 3): effective rank of the differences of examples relative to views.

    exp of the entropy of the eigenvalues of S_w^-1/2 S_b S_w^-1/2: S_b is the covariance of the examples' means, over
    n - 1, S_w that of an example's views around its mean, over n (q - 1), plus delta times the identity. Noise has a
    high LiDAR too: compare states of one method, next to an accuracy.

    Args:
        views: features (examples, views, dim); the more examples than dimensions, the better.
        delta: as in the paper, in squared units of the features.
        components: number of principal axes that wider features are reduced to, which bounds time and memory.

    Raises:
        ValueError: fewer than 2 examples or 2 views.
    """
    views = np.asarray(views, "float64")
    if views.ndim != 3 or min(views.shape[:2]) < 2:
        raise ValueError(f"LiDAR takes (examples, views, dim), 2 of the first two or more; these are {views.shape}")
    with threadpool_limits(1):
        views = _principal(views, components)
        means = views.mean(1)
        between = np.cov(means.T)
        apart = (views - means[:, None]).reshape(-1, views.shape[2])
        freedom = views.shape[0] * (views.shape[1] - 1)
        within = np.atleast_2d(apart.T @ apart / freedom) + delta * np.eye(views.shape[2])
        values, axes = np.linalg.eigh(within)
        whiten = axes / np.sqrt(values)
        return _exp_entropy(np.linalg.eigvalsh(whiten.T @ np.atleast_2d(between) @ whiten).clip(0), 1e-8)


def _principal(views, components):
    flat = views.reshape(-1, views.shape[2])
    if flat.shape[1] <= components:
        return views
    flat = flat - flat.mean(0)
    return (flat @ principal_axes(flat).vectors[:, :components]).reshape(*views.shape[:2], -1)


def _exp_entropy(values, epsilon: float = 1e-7) -> float:
    p = values / max(values.sum(), 1e-12) + epsilon
    return float(np.exp(-np.sum(p * np.log(p))))
