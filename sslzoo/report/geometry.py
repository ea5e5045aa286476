"""Chapter: the shape of the cloud of features, told without a label."""

import numpy as np

from sslzoo import losses
from sslzoo.evaluators import spectrum
from sslzoo.evaluators.overlap import neighbour_overlap
from sslzoo.report import charts
from sslzoo.report.study import RAW, Chapter, Picture, Study
from sslzoo.views import presets

IMAGES = 1000  # the time of a spectrum grows with the square
LIDAR_IMAGES, VIEWS = 300, 8
TEXT = (
    "No label is used here. Effective rank (RankMe) and LiDAR count the directions in use, LiDAR only those that tell "
    "images apart in spite of their views, {views} of each of {lidar} images. alpha-ReQ is the slope of the spectrum, "
    "best near 1. Alignment is the mean squared distance of two views of an image on the unit sphere (0 best), "
    "uniformity how evenly the features fill it (-4 best): a collapsed encoder has perfect alignment and uniformity 0, "
    "so read the two together. The views are SimCLR's crops and jitter, whatever the encoder was trained with. Rank "
    "and spectrum are of {images} test images, which bounds them, as does the width of the features."
)


def chapter(study: Study) -> Chapter:
    """Rank, spectrum, alignment, uniformity and overlap."""
    count = min(IMAGES, len(study.test))
    features = {name: test[:count] for name, (_, test) in study.features.items()}
    views = _views(study)
    lidar_images = len(next(iter(views.values())))
    made = Chapter("Without labels", TEXT.format(views=VIEWS, lidar=lidar_images, images=count))
    made.add("effective rank (RankMe)", _each(features, spectrum.effective_rank))
    made.add("effective rank across views (LiDAR)", _each(views, spectrum.lidar))
    variances = _each(features, spectrum.eigenvalues)
    made.add("slope of the spectrum (alpha-ReQ)", _each(variances, spectrum.power_law))
    made.add("alignment (lower is better)", _each(views, lambda v: float(losses.align(v[:, 0], v[:, 1]))))
    made.add("uniformity (lower is better)", _each(features, lambda x: float(losses.uniformity(x))))
    k = min(10, count - 1)
    overlap = {name: neighbour_overlap(x, features[RAW], k) for name, x in features.items()}
    made.add(f"neighbours shared with raw pixels (chance {100 * k / (count - 1):.1f} %)", overlap, percent=True)
    made.curves["spectrum"] = {name: [float(v) for v in values] for name, values in variances.items()}
    made.pictures.append(_spectrum(variances))
    return made


def _each(columns, function):
    return {name: function(column) for name, column in columns.items()}


def _views(study):
    """Name -> features (images, views, dim) of views of some test images, the same views for all."""
    images, _ = study.few(study.test, LIDAR_IMAGES)
    view = presets.simclr(study.size, study.channels, strength=0.5, min_scale=0.3, flip=False)[0]
    sizes = np.tile(np.int32([study.size] * 2), (len(images), 1))
    seen = [view(images, sizes, (draw, 7)).numpy() for draw in range(VIEWS)]
    return {name: np.stack([encode(x) for x in seen], axis=1) for name, encode in study.functions.items()}


def _spectrum(variances):
    series = {name: (np.arange(1, len(v) + 1), v / v.sum()) for name, v in variances.items()}
    series = {name: (x[y > 1e-9], y[y > 1e-9]) for name, (x, y) in series.items()}
    image = charts.panels(
        ["Spectrum of the features"],
        lambda axes, _: charts.lines(axes, series, log=True, markers=False),
        "rank of the principal axis (1 = most variance)",
        "share of the variance",
        width=6.4,
    )
    caption = (
        "Eigenvalues of the covariance, each as a share of their sum. A curve that falls off a cliff means dimensions "
        "that are not used."
    )
    return Picture("spectrum", "Embedding spectrum", caption, image)
