"""Chapter: projections of the features to a plane, and nearest neighbours as sheets of examples."""

import importlib

import numpy as np

from sslzoo.evaluation.judging import TRAINED
from sslzoo.evaluators.overlap import nearest
from sslzoo.evaluators.projection import pca, tsne
from sslzoo.reports import charts
from sslzoo.reports.groups import clusters
from sslzoo.reports.study import Chapter, Picture, Study
from sslzoo.utils.plots import COLOURS, plain

TITLE, LABELS = "Projections and neighbours", False
IMAGES = 1000
QUERIES, NEIGHBOURS = 8, 5
TEXT = (
    "Projections of {images} {part} examples, coloured by {colour}. Classes were not used to compute them. In t-SNE "
    "and UMAP, distances between groups have no meaning."
)


def chapter(study: Study) -> Chapter:
    """PCA, t-SNE, UMAP if it is installed, nearest neighbours."""
    count = min(IMAGES, len(study.test))
    features = {name: study.features[name][1][:count] for name in study.shown}
    part = "training" if study.test is study.train else "test"
    colour = "class" if study.labelled else "the cluster of the trained encoder's features"
    made = study.chapter(TITLE, TEXT.format(images=count, part=part, colour=colour))
    groups = _groups(study, features[TRAINED])
    made.attempt("PCA", lambda: made.pictures.append(_pca(features, *groups)))
    made.attempt("t-SNE", lambda: made.pictures.append(_tsne(features, *groups)))
    made.attempt("UMAP", lambda: _add_umap(made, features, groups))
    if study.kind.pixels:
        made.attempt("neighbours", lambda: made.pictures.append(_neighbours(study)))
    return made


def _tsne(features, labels, names):
    points = {name: tsne(x, len(x))[0] for name, x in features.items()}
    return _plane("t-SNE", "Perplexity 30, after 50 principal components.", points, labels, names)


def _add_umap(made, features, groups):
    if points := _umap(features):
        made.pictures.append(_plane("UMAP", "15 neighbours, cosine distance.", points, *groups))
    else:
        made.notes.append("UMAP is not installed: `pip install 'sslzoo[umap]'` adds its picture.")


def _groups(study, features):
    """Number of the class or cluster of each example, and the names of all of them."""
    if study.labelled:
        return study.test.labels[: len(features)], study.names
    found, _ = clusters(features)
    return found, [f"cluster {number + 1}" for number in range(found.max() + 1)]


def _pca(features, labels, names):
    found = {name: pca(x) for name, x in features.items()}

    def draw(axes, name):
        charts.classes(axes, found[name].points, labels, names, legend=name == TRAINED)
        first, second = 100 * found[name].explained
        axes.set(xlabel=f"component 1 ({first:.0f} % of the variance)", ylabel=f"component 2 ({second:.0f} %)")

    caption = "The two directions of largest variance, in the units of the features."
    return Picture("pca", "Principal components", caption, charts.panels(list(features), draw, height=3.5))


def _plane(title, how, points, labels, names):
    def draw(axes, name):
        charts.classes(axes, points[name], labels, names, legend=name == TRAINED)
        axes.set(xticks=[], yticks=[])

    drawn = charts.panels(list(points), draw, f"{title} 1 (no unit)", f"{title} 2 (no unit)", height=3.5)
    return Picture(title.lower().replace("-", ""), title, how, drawn)


def _umap(features):
    try:
        umap = importlib.import_module("umap")
    except ImportError:
        return {}
    return {n: umap.UMAP(metric="cosine", random_state=0, n_jobs=1).fit_transform(x) for n, x in features.items()}


def _neighbours(study):
    images, labels = study.few(study.test, IMAGES)
    rows = _queries(labels if study.labelled else np.arange(len(images)))
    found = {
        n: nearest(study.functions[n](images), min(NEIGHBOURS, len(images) - 1), rows) for n in (TRAINED, study.raw)
    }
    cells, captions = [], {}
    for line, query in enumerate(rows):
        shown = [query, *found[TRAINED][line], None, *found[study.raw][line]]
        cells.append([None if k is None else images[k] for k in shown])
        for column, k in enumerate(shown if study.labelled else ()):
            if k is not None:
                colour = "black" if column == 0 else COLOURS[0] if labels[k] == labels[query] else COLOURS[3]
                captions[line, column] = (plain(study.names[labels[k]], 14), colour)
    counts = range(1, found[TRAINED].shape[1] + 1)
    titles = ["query", *(f"{TRAINED} {k}" for k in counts), "", *(f"pixels {k}" for k in counts)]
    caption = (
        f"Examples and their nearest neighbours by cosine similarity among {len(images)}: by the encoder's features on "
        "the left, by raw pixels on the right."
    ) + " Blue: the class of the query; orange: another class." * study.labelled
    return Picture("neighbours", "Nearest neighbours", caption, charts.sheet(cells, (), titles, captions, cell=0.8))


def _queries(labels):
    """Rows of the first examples of some labels."""
    first = np.unique(labels, return_index=True)[1]
    return first[np.linspace(0, len(first) - 1, min(QUERIES, len(first))).astype(int)]
