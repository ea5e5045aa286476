"""Chapter: how well the classes can be told by the features, with many labels, few, or none."""

import numpy as np
from sklearn.metrics import confusion_matrix

from sslzoo.evaluators.calibration import reliability
from sslzoo.evaluators.clustering import clustering
from sslzoo.evaluators.few_shot import few_shot
from sslzoo.evaluators.knn import knn
from sslzoo.evaluators.linear import linear_probes
from sslzoo.evaluators.mlp import mlp_probe
from sslzoo.evaluators.report import CLUSTERING
from sslzoo.evaluators.retrieval import retrieval
from sslzoo.report import charts
from sslzoo.report.study import Chapter, Picture, Study

TEXT = (
    "What an encoder is worth on the test images. Training added the step from untrained to trained; an encoder worth "
    "using beats raw pixels too. Behind +-: the standard deviation over draws of the labels or, for few-shot "
    "tasks, half the 95 % interval. P@K: share of the K nearest images that have the same class; R@K: share of the "
    "images that have at least one such; mAP: mean average precision over the whole ranking."
)


def chapter(study: Study) -> Chapter:
    """Probes, k-NN, few-shot, retrieval, clustering and calibration."""
    made = Chapter("With labels", TEXT)
    train_y, test_y = study.train.labels, study.test.labels
    known = {name: study.probabilities(name, test) for name, (_, test) in study.features.items()}
    answers = {name: study.probes[name].classes_[p.argmax(1)] for name, p in known.items()}
    _probes(made, study, answers)
    made.add("k-NN, 20 neighbours", study.per_encoder(lambda x, z: knn(x, train_y, z, test_y)), percent=True)
    _few_shots(made, study)
    _grouped(made, study.per_encoder(lambda _, z: retrieval(z, test_y)), "retrieval, {}", "@mAP")
    clusters = study.per_encoder(lambda _, z: clustering(z, test_y))
    _grouped(made, clusters, "k-means, {}", "accuracy", CLUSTERING)
    _calibration(made, study, known)
    made.pictures.append(_confusion(study, answers))
    return made


def _probes(made, study, answers):
    train_y, test_y = study.train.labels, study.test.labels
    few = study.per_encoder(lambda x, z: linear_probes(x, train_y, z, test_y, (0.01,), seeds=3)[0.01])
    made.add("linear probe, 1 % of the labels", few, percent=True)
    shares = {name: float(np.mean(answer == test_y)) for name, answer in answers.items()}
    made.add(f"linear probe, all {len(train_y)} labels", shares, percent=True)
    wide = study.per_encoder(lambda x, z: mlp_probe(x, train_y, z, test_y, epochs=20))
    made.add("MLP probe, one hidden layer", wide, percent=True)


def _few_shots(made, study):
    counts = np.bincount(study.test.labels)
    for shots in (1, 5):
        ways = min(5, int(np.sum(counts >= shots + 15)))
        if ways < 2:
            made.notes.append(f"No {shots}-shot tasks: too few test images of each class.")
            continue
        scores = study.per_encoder(lambda _, z, s=shots, w=ways: few_shot(z, study.test.labels, w, s))
        made.add(f"few-shot, {ways} classes, {shots} image{'s' * (shots > 1)} each", scores, percent=True)


def _grouped(made, scores, title, percent, titles=None):
    """A row for each figure of dicts of figures."""
    for figure in next(iter(scores.values())):
        name = (titles or {}).get(figure) or title.format(figure)
        made.add(name, {who: found[figure] for who, found in scores.items()}, figure in percent or "@" in figure)


def _calibration(made, study, known):
    place = {label: column for column, label in enumerate(next(iter(study.probes.values())).classes_)}
    columns = np.array([place.get(label, -1) for label in study.test.labels])
    found = {name: reliability(p, columns, bins=10) for name, p in known.items()}
    made.add("calibration error of the probe (lower is better)", {n: r.error for n, r in found.items()}, percent=True)
    made.curves["reliability"] = {
        name: [[float(c), float(a), int(n)] for c, a, n in zip(r.confidence, r.accuracy, r.count, strict=True) if n]
        for name, r in found.items()
    }
    made.pictures.append(_reliability(found, made.curves["reliability"]))


def _reliability(found, curves):
    def draw(axes, name):
        axes.plot([0, 100], [0, 100], color=charts.GRAY, lw=1, label="perfect")
        points = np.array(curves[name])
        colour, marker, _ = charts.STYLES[name]
        sizes = 8 + 200 * points[:, 2] / points[:, 2].sum()
        axes.scatter(*100 * points[:, :2].T, s=sizes, c=colour, marker=marker, alpha=0.8, clip_on=False, zorder=3)
        axes.set(xlim=(0, 100), ylim=(0, 100))
        axes.grid(alpha=0.3)
        axes.text(5, 90, f"calibration error {100 * found[name].error:.1f} %", fontsize=9)

    image = charts.panels(list(found), draw, "confidence (%)", "accuracy (%)")
    caption = "What the linear probe says of itself against how often it is right; the larger a mark, the more images."
    return Picture("reliability", "Reliability diagram", caption, image)


def _confusion(study, answers):
    labels = np.unique(np.concatenate([study.train.labels, study.test.labels]))
    names = [study.names[label] for label in labels]

    def draw(axes, name):
        table = confusion_matrix(study.test.labels, answers[name], labels=labels)
        charts.matrix(axes, 100 * table / np.maximum(table.sum(1, keepdims=True), 1), names)

    image = charts.panels(list(answers), draw, "class found", "true class", width=4.8)
    caption = "Linear probe on the test images: per cent of each true class (a row) that was taken for each class."
    return Picture("confusion", "Confusion matrix", caption, image)
