"""Chapter: the features to look at: projections to a plane, and the images that lie near each other."""

import importlib

import numpy as np

from sslzoo.evaluators.overlap import nearest
from sslzoo.evaluators.projection import pca, tsne
from sslzoo.plots import COLOURS
from sslzoo.report import charts
from sslzoo.report.study import RAW, TRAINED, Chapter, Picture, Study

IMAGES = 1000
QUERIES, NEIGHBOURS = 8, 6
TEXT = (
    "Projections of {images} test images, coloured by class, which the projections have not seen. Distances between "
    "groups in t-SNE and UMAP mean nothing; whether a group is of one class does."
)


def chapter(study: Study) -> Chapter:
    """PCA, t-SNE, UMAP where it is installed, nearest neighbours."""
    count = min(IMAGES, len(study.test))
    features = {name: test[:count] for name, (_, test) in study.features.items()}
    made = Chapter("To look at", TEXT.format(images=count))
    labels = study.test.labels[:count]
    made.pictures.append(_pca(features, labels, study.names))
    points = {name: tsne(x, count)[0] for name, x in features.items()}
    made.pictures.append(_plane("t-SNE", "Perplexity 30, after 50 principal components.", points, labels, study.names))
    umap = _umap(features)
    if umap:
        made.pictures.append(_plane("UMAP", "15 neighbours, cosine distance.", umap, labels, study.names))
    else:
        made.notes.append("UMAP is not installed: pip install -e '.[umap]' adds its picture.")
    made.pictures.append(_neighbours(study))
    return made


def _pca(features, labels, names):
    found = {name: pca(x) for name, x in features.items()}

    def draw(axes, name):
        charts.classes(axes, found[name].points, labels, names, legend=name == TRAINED)
        first, second = 100 * found[name].explained
        axes.set(xlabel=f"component 1 ({first:.0f} % of the variance)", ylabel=f"component 2 ({second:.0f} %)")

    caption = "The two directions of most variance, in the units of the features."
    return Picture("pca", "Principal components", caption, charts.panels(list(features), draw, width=4.6))


def _plane(title, how, points, labels, names):
    def draw(axes, name):
        charts.classes(axes, points[name], labels, names, legend=name == TRAINED)
        axes.set(xticks=[], yticks=[])

    drawn = charts.panels(list(points), draw, f"{title} 1 (no unit)", f"{title} 2 (no unit)", width=4.6)
    return Picture(title.lower().replace("-", ""), title, how, drawn)


def _umap(features):
    try:
        umap = importlib.import_module("umap")
    except ImportError:
        return {}
    return {n: umap.UMAP(metric="cosine", random_state=0, n_jobs=1).fit_transform(x) for n, x in features.items()}


def _neighbours(study):
    images, labels = study.few(study.test, IMAGES)
    rows = _one_a_class(labels)
    found = {n: nearest(study.functions[n](images), min(NEIGHBOURS, len(images) - 1), rows) for n in (TRAINED, RAW)}
    cells, captions = [], {}
    for line, query in enumerate(rows):
        shown = [query, *found[TRAINED][line], None, *found[RAW][line]]
        cells.append([None if k is None else images[k] for k in shown])
        for column, k in enumerate(shown):
            if k is not None:
                same = labels[k] == labels[query]
                colour = "black" if column == 0 else COLOURS[0] if same else COLOURS[3]
                captions[line, column] = (str(study.names[labels[k]])[:12], colour)
    counts = range(1, found[TRAINED].shape[1] + 1)
    titles = ["query", *(f"{TRAINED} {k}" for k in counts), "", *(f"pixels {k}" for k in counts)]
    drawn = charts.sheet(cells, (), titles, captions)
    caption = (
        f"Test images and those nearest to them by cosine similarity, among {len(images)}: left by the encoder's "
        "features, right by raw pixels. Blue: the same class; orange: another one."
    )
    return Picture("neighbours", "Nearest neighbours", caption, drawn)


def _one_a_class(labels):
    first = np.unique(labels, return_index=True)[1]
    return first[np.linspace(0, len(first) - 1, min(QUERIES, len(first))).astype(int)]
