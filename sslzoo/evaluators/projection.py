"""Projections of features to fewer dimensions, for plots and clustering."""

from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import as_features


class Projection(NamedTuple):
    """Features along the directions of largest variance, and the share of the variance along each of them."""

    points: np.ndarray  # (examples, components)
    explained: np.ndarray  # (components,)


@checked("N dim")
def pca(features, components: int = 2, seed: int = 0) -> Projection:
    """Principal components of features (examples, features), in the order of their variance.

    Raises:
        ValueError: more components than features or examples, or fewer than one.
    """
    features = as_features(features)
    if not 1 <= components <= min(features.shape):
        raise ValueError(
            f"{components} principal components of {features.shape[1]} features of {len(features)} examples: "
            f"take 1 to {min(features.shape)}"
        )
    with threadpool_limits(1):
        found = PCA(components, random_state=seed)
        points = found.fit_transform(features)
    return Projection(points, found.explained_variance_ratio_)


@checked("N rows columns dim")
def pca_colours(maps) -> np.ndarray:
    """The first three principal components of features at places as red, green and blue, as in DINOv2 (2304.07193).

    Equal colours are similar features, in one image and between images. The components are those of all places of all
    images; each is scaled from its first to its 99th percentile. The largest entry of each direction is positive, so
    that colours of a training do not turn from epoch to epoch.

    Args:
        maps: (images, rows, columns, channels).

    Returns:
        (images, rows, columns, 3) in [0, 1]; with fewer than three channels or places, missing colours are 0.
    """
    places = np.reshape(maps, (-1, maps.shape[-1])).astype("float64")
    with threadpool_limits(1):
        _, _, axes = np.linalg.svd(places - places.mean(0), full_matrices=False)
    axes = axes[:3] * np.sign(axes[:3][np.arange(len(axes[:3])), np.abs(axes[:3]).argmax(1)])[:, None]
    points = (places - places.mean(0)) @ axes.T
    low, high = np.percentile(points, [1, 99], axis=0)
    scaled = ((points - low) / np.where(high > low, high - low, 1)).clip(0, 1)
    colours = np.zeros((len(places), 3), "float32")
    colours[:, : scaled.shape[1]] = scaled
    return colours.reshape(*np.shape(maps)[:3], 3)


@checked("N dim")
def tsne(features, images: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """t-SNE to two dimensions of some examples, over their first 50 principal components.

    Returns:
        Points (some, 2), and their rows of features (examples, features).

    Raises:
        ValueError: fewer than four examples.
    """
    features = as_features(features)
    if len(features) < 4:
        raise ValueError(f"t-SNE of {len(features)} examples: take four or more")
    rows = np.sort(np.random.default_rng(seed).permutation(len(features))[:images])
    reduced = pca(features[rows], min(50, *features[rows].shape), seed).points
    perplexity = min(30.0, (len(rows) - 1) / 3)
    with threadpool_limits(1):
        return TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced), rows
