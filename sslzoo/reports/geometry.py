"""Chapter: rank, spectrum, alignment and uniformity of the features, which need no labels."""

import numpy as np

from sslzoo import losses
from sslzoo.evaluators import spectrum, unit_length
from sslzoo.evaluators.judge import judge
from sslzoo.evaluators.overlap import neighbour_overlap
from sslzoo.reports import charts
from sslzoo.reports.study import Chapter, Picture, Study
from sslzoo.views.inputs import mild_views

TITLE, LABELS = "Without labels", False
IMAGES = spectrum.IMAGES
LIDAR, UNIFORMITY = "effective rank across views (LiDAR)", "uniformity (lower is better)"
LIDAR_IMAGES, VIEWS = 300, 8
TEXT = (
    "These scores use no labels. RankMe and LiDAR are effective ranks: the number of directions in use, for LiDAR of "
    "those that distinguish examples across their views ({views} views of each of {lidar} examples). alpha-ReQ is the "
    "slope of the spectrum, best near 1. Alignment is the mean squared distance of two views of an example on the unit "
    "sphere (0 is best); uniformity is the log of the mean Gaussian potential of all pairs (-4 is best). A collapsed "
    "encoder has alignment 0 and uniformity 0: read the two together. The views are mild ones of the kind of data (of "
    "images SimCLR's, halved in strength), whatever the encoder was trained with. Rank and spectrum are "
    "computed from {images} {part} examples; this number and the width of the features are their upper bounds. Of "
    "these scores, alignment alone is a mean over examples and has an interval."
)


def chapter(study: Study) -> Chapter:
    """Rank, spectrum, alignment, uniformity and overlap."""
    count = min(IMAGES, len(study.test))
    features = {name: test[:count] for name, (_, test) in study.features.items()}
    views = _views(study)
    part = "training" if study.test is study.train else "test"
    text = TEXT.format(views=VIEWS, lidar=len(next(iter(views.values()))), images=count, part=part)
    made = study.chapter(TITLE, text)
    made.attempt("spectrum", lambda: _add_spectrum(made, study, features))
    made.attempt("LiDAR", lambda: made.add("lidar", LIDAR, _each(views, spectrum.lidar), whole=True))
    made.attempt("alignment", lambda: made.add("alignment", "alignment (lower is better)", _each(views, _distances)))
    made.attempt("uniformity", lambda: made.add("uniformity", UNIFORMITY, _each(features, _uniformity)))
    made.attempt("shared neighbours", lambda: _overlap(made, study.raw, features, min(10, count - 1)))
    return made


def _add_spectrum(made, study, features):
    made.take(judge(study.studies_of(study.columns), evaluators=["spectrum"])[0])
    variances = _each(features, spectrum.eigenvalues)
    made.curves["spectrum"] = {name: [float(v) for v in values] for name, values in variances.items()}
    made.pictures.append(_spectrum({name: variances[name] for name in study.shown}))


def _uniformity(features):
    if len(features) < 2:
        raise ValueError("two test examples or more are needed")
    return float(losses.uniformity(features))


def _overlap(made, raw, features, k):
    shared = {name: neighbour_overlap(x, features[raw], k) for name, x in features.items()}
    chance = 100 * k / (len(features[raw]) - 1)
    made.add("overlap", f"neighbours shared with {raw} (chance {chance:.1f} %)", shared, percent=True)


def _each(columns, function):
    return {name: function(column) for name, column in columns.items()}


def _distances(views):
    """Squared distance of the first two views of each example on the unit sphere (examples,)."""
    one, other = (unit_length(views[:, k].astype("float64")) for k in (0, 1))
    return ((one - other) ** 2).sum(1)


def _views(study):
    """Name -> features (examples, views, dim) of views of some test examples, the same views for all."""
    images, _ = study.few(study.test, LIDAR_IMAGES)
    seen = mild_views(images, study.train, study.size, VIEWS)
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
        height=4.6,
    )
    caption = "Eigenvalues of the covariance as shares of their sum. A steep drop means unused dimensions."
    return Picture("spectrum", "Embedding spectrum", caption, image)
