"""Chapter: accuracies of probes, neighbours, few-shot tasks, retrieval and clusters on the frozen features."""

import numpy as np
from sklearn.metrics import confusion_matrix

from sslzoo.evaluation import judging
from sslzoo.evaluators.calibration import reliability
from sslzoo.evaluators.few_shot import few_shot_episodes
from sslzoo.evaluators.mlp import mlp_answers
from sslzoo.evaluators.report import note
from sslzoo.evaluators.retrieval import retrieval_answers
from sslzoo.reports import charts
from sslzoo.reports.study import Chapter, Picture, Study

TITLE, LABELS = "With labels", True
MLP_IMAGES, MLP_EPOCHS = 5000, 20  # training images of the MLP probe at most
TEXT = (
    "Accuracies on the test images, computed from frozen features. Linear probe, k-NN and k-means are the scores of "
    "the encoder's card. The step from untrained to trained is what training added; a useful encoder beats raw pixels "
    "too. After +-: the standard deviation over draws of the labels or over untrained encoders; for few-shot tasks of "
    "one encoder, half the 95 % interval. The MLP probe is fitted to {mlp} training images. P@K: share of the K "
    "nearest images that have the class of the query; R@K: share of queries with at least one such image among the "
    "first K; mAP: mean average precision of the whole ranking. No interval is given for Davies-Bouldin and "
    "calibration error, which are not means over images."
)


def chapter(study: Study) -> Chapter:
    """Probes, k-NN, few-shot, retrieval, clustering and calibration."""
    made = study.chapter(TITLE, TEXT.format(mlp=min(len(study.train), MLP_IMAGES)))
    made.under_table = note(study.train.labels, study.test.labels)
    made.rows += judging.scores_of(study.encoder_features, study.data, study.size)
    _mlp(made, study)
    _few_shots(made, study)
    _retrieval(made, study)
    known = {name: study.probabilities(name, test) for name, (_, test) in study.features.items()}
    _calibration(made, study, known)
    answers = {name: study.probes[name].classes_[known[name].argmax(1)] for name in study.shown}
    made.pictures.append(_confusion(study, answers))
    return made


def _mlp(made, study):
    rows = np.arange(len(study.train))
    if len(rows) > MLP_IMAGES:
        rows = np.sort(np.random.default_rng(0).permutation(len(rows))[:MLP_IMAGES])
    labels = study.train.labels[rows], study.test.labels
    answers = study.per_encoder(lambda x, z: mlp_answers(x[rows], labels[0], z, labels[1], epochs=MLP_EPOCHS))
    made.add("MLP probe, one hidden layer", answers, percent=True)


def _few_shots(made, study):
    counts = np.bincount(study.test.labels)
    for shots in (1, 5):
        ways = min(5, int(np.sum(counts >= shots + 15)))
        if ways < 2:
            made.notes.append(f"No {shots}-shot tasks: too few test images of each class.")
            continue
        tasks = study.per_encoder(lambda _, z, s=shots, w=ways: few_shot_episodes(z, study.test.labels, w, s))
        scores = {
            name: (found, 1.96 * float(np.std(found, ddof=1)) / len(found) ** 0.5) for name, found in tasks.items()
        }
        made.add(f"few-shot, {ways} classes, {shots} image{'s' * (shots > 1)} each", scores, percent=True)


def _retrieval(made, study):
    found = study.per_encoder(lambda _, z: retrieval_answers(z, study.test.labels))
    for figure in next(iter(found.values())):
        made.add(f"retrieval, {figure}", {name: values[figure] for name, values in found.items()}, percent=True)


def _calibration(made, study, known):
    place = {label: column for column, label in enumerate(next(iter(study.probes.values())).classes_)}
    columns = np.array([place.get(label, -1) for label in study.test.labels])
    found = {name: reliability(p, columns, bins=10) for name, p in known.items()}
    made.add("calibration error of the probe (lower is better)", {n: r.error for n, r in found.items()}, percent=True)
    made.curves["reliability"] = {
        name: [[float(c), float(a), int(n)] for c, a, n in zip(r.confidence, r.accuracy, r.count, strict=True) if n]
        for name, r in found.items()
    }
    made.pictures.append(_reliability({name: found[name] for name in study.shown}, made.curves["reliability"]))


def _reliability(found, curves):
    def draw(axes, name):
        axes.plot([0, 100], [0, 100], color=charts.GRAY, lw=1, label="perfect")
        points = np.array(curves[name])
        colour, marker, _ = charts.style(name)
        sizes = 8 + 200 * points[:, 2] / points[:, 2].sum()
        axes.scatter(*100 * points[:, :2].T, s=sizes, c=colour, marker=marker, alpha=0.8, clip_on=False, zorder=3)
        axes.set(xlim=(0, 100), ylim=(0, 100))
        axes.grid(alpha=0.3)
        axes.text(5, 90, f"calibration error {100 * found[name].error:.1f} %", fontsize=9)

    image = charts.panels(list(found), draw, "confidence (%)", "accuracy (%)")
    caption = "Confidence of the linear probe and its accuracy, in ten bins; larger marks stand for more images."
    return Picture("reliability", "Reliability diagram", caption, image)


def _confusion(study, answers):
    labels = np.unique(np.concatenate([study.train.labels, study.test.labels]))
    names = [study.names[label] for label in labels]

    def draw(axes, name):
        table = confusion_matrix(study.test.labels, answers[name], labels=labels)
        charts.matrix(axes, 100 * table / np.maximum(table.sum(1, keepdims=True), 1), names)

    image = charts.panels(list(answers), draw, "predicted class", "true class", width=charts.matrix_width(names))
    caption = (
        "Linear probe on the test images: percentage of each true class (a row) that is assigned to each class (a "
        "column); shares of 1 % and more are written."
    )
    return Picture("confusion", "Confusion matrix", caption, image)
