"""Chapter: clusters, outliers and near-duplicates of the training images as sheets."""

import functools

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from sslzoo.evaluation.judging import TRAINED
from sslzoo.evaluators import unit_length
from sslzoo.evaluators.outliers import near_duplicates, outliers
from sslzoo.evaluators.overlap import neighbours
from sslzoo.reports import charts
from sslzoo.reports.study import Chapter, Picture, Study
from sslzoo.utils.plots import plain

PIXELS = True
TITLE, LABELS = "Clusters, outliers, near-duplicates", False
IMAGES = 5000
CLUSTERS, EXAMPLES, STARTS = 10, 8, 3
NEIGHBOURS = 10
OUTLIERS, PAIRS = 16, 12
LETTERS = 18  # of a line under an image
TEXT = (
    "Features of {images} training images by the trained encoder, compared by cosine similarity, without labels. "
    "Outliers may be broken, mislabelled or foreign images. Near-duplicates may be copies, which should not be split "
    "between training and test part."
)


def chapter(study: Study) -> Chapter:
    """Sheets of images."""
    part = study.train
    rows = np.arange(len(part))
    if len(part) > IMAGES:
        rows = np.sort(np.random.default_rng(0).permutation(len(part))[:IMAGES])
    features = study.features[TRAINED][0][rows]
    made = study.chapter(TITLE, TEXT.format(images=len(rows)))
    near = neighbours(features, min(NEIGHBOURS, len(rows) - 1))
    found, pairs = outliers(near[1], OUTLIERS), near_duplicates(*near, PAIRS)
    name = functools.partial(_name, study)
    made.attempt("clusters", lambda: made.pictures.append(_clusters(study, rows, *clusters(features))))
    made.pictures.append(_outliers(study, rows[found.rows], found.scores))
    made.pictures.append(_duplicates(study, rows[pairs.rows], pairs.scores))
    made.curves["outliers"] = [[name(r), float(s)] for r, s in zip(rows[found.rows], found.scores, strict=True)]
    made.curves["near-duplicates"] = [
        [*map(name, pair), float(s)] for pair, s in zip(rows[pairs.rows], pairs.scores, strict=True)
    ]
    return made


def clusters(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """k-means of features of unit length: the cluster of each image (images,), and its distance to the centre.

    Clusters are numbered by size, the largest first.
    """
    unit = unit_length(features)
    with threadpool_limits(1):
        model = KMeans(max(2, min(CLUSTERS, len(unit) // EXAMPLES)), n_init=STARTS, random_state=0).fit(unit)
    order = np.argsort(-np.bincount(model.labels_, minlength=model.n_clusters), kind="stable")
    place = np.argsort(order)
    distance = np.linalg.norm(unit - model.cluster_centers_[model.labels_], axis=1)
    return place[model.labels_], distance


def _name(study, row) -> str:
    """File of a training image, or its class; "" if neither is known."""
    if study.train.files:
        return study.train.files[row]
    return str(study.names[study.train.labels[row]]) if study.names else ""


def _short(study, row) -> str:
    """The name in at most two lines: folder and file, each cut at its start."""
    parts = _name(study, row).rsplit("/", 1)
    return "\n".join(plain(part if len(part) <= LETTERS else "\u2026" + part[1 - LETTERS :]) for part in parts)


def _clusters(study, rows, cluster, distance):
    members = [np.flatnonzero(cluster == number) for number in range(cluster.max() + 1)]
    chosen = [rows[some[np.argsort(distance[some], kind="stable")[:EXAMPLES]]] for some in members]
    images = study.images(study.train, np.concatenate(chosen))
    cells = [[images[row] for row in some.tolist()] for some in chosen]
    titles = [f"cluster {number}\n{len(some)} images" for number, some in enumerate(members, 1)]
    caption = (
        f"k-means with {len(cells)} clusters: the images nearest to the centre of each, the largest cluster first."
    )
    return Picture("clusters", "Clusters", caption, charts.sheet(cells, titles, cell=0.95))


def _outliers(study, chosen, distances):
    images = study.images(study.train, chosen)
    texts = [f"{distance:.2f}\n{_short(study, row)}" for row, distance in zip(chosen, distances, strict=True)]
    caption = f"Images with the largest cosine distance (the number) to their {NEIGHBOURS}th nearest neighbour."
    drawn = _sheet([images[row] for row in chosen.tolist()], texts, 8)
    return Picture("outliers", "Outliers", caption, drawn)


def _duplicates(study, pairs, similarities):
    images = study.images(study.train, pairs.ravel())
    cells, texts = [], []
    for pair, similarity in zip(pairs.tolist(), similarities, strict=True):
        cells += [*(images[row] for row in pair), None]  # an empty cell keeps pairs apart
        texts += [*(f"{similarity:.4f}\n{_short(study, row)}" for row in pair), ""]
    drawn = _sheet(cells, texts, 9)
    caption = "Pairs of images, side by side, with the highest cosine similarity (the number)."
    return Picture("duplicates", "Near-duplicates", caption, drawn)


def _sheet(images, texts, columns):
    cells = [images[start : start + columns] for start in range(0, len(images), columns)]
    captions = {(k // columns, k % columns): (text, "black") for k, text in enumerate(texts)}
    return charts.sheet(cells, captions=captions, cell=charts.WIDTH / columns)
