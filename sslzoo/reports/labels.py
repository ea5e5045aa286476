"""Chapter: accuracies of probes, neighbours, few-shot tasks, retrieval and clusters on the frozen features."""

import numpy as np
from sklearn.metrics import confusion_matrix

from sslzoo.catalog.kinds import KINDS
from sslzoo.evaluation import judging
from sslzoo.evaluators import mlp
from sslzoo.evaluators.calibration import probe_reliability
from sslzoo.evaluators.judge import judge
from sslzoo.evaluators.report import note
from sslzoo.reports import charts
from sslzoo.reports.study import Chapter, Picture, Study

TITLE, LABELS = "With labels", True
FURTHER = ("mlp", "attentive", "few_shot", "retrieval", "calibration")  # in addition to those of a card
TEXT = (
    "Accuracies on the test examples, computed from frozen features. Linear probe, k-NN and k-means are the scores of "
    "the encoder's card. The step from untrained to trained is what training added; a useful encoder beats raw pixels "
    "too. After +-: the standard deviation over draws of the labels or over untrained encoders; for few-shot tasks of "
    "one encoder, half the 95 % interval. MLP and attentive probe are fitted to {mlp} training examples; the second "
    "weighs tokens of a transformer or places of the last map (of raw pixels, patches of 4 x 4) before a linear layer. "
    "P@K: share of the K nearest examples that have the class of the query; R@K: share of queries with at least one "
    "such example among the first K; mAP: mean average precision of the whole ranking. No interval is given for "
    "Davies-Bouldin and calibration error, which are not means over examples."
)


def chapter(study: Study) -> Chapter:
    """Probes, k-NN, few-shot, retrieval, clustering and calibration."""
    made = study.chapter(TITLE, TEXT.format(mlp=min(len(study.train), mlp.IMAGES)))
    made.under_table = note(study.train.labels, study.test.labels, KINDS[study.train.kind].noun)
    made.attempt("card", lambda: made.take(judging.scores_of(study.encoder_features, study.data, study.size)))
    columns = study.studies_of(study.columns)
    made.attempt("further scores", lambda: made.take(judge(columns, evaluators=FURTHER)[0]))
    made.attempt("reliability diagram", lambda: _calibration(made, study))
    made.attempt("confusion matrix", lambda: made.pictures.append(_confusion(study)))
    return made


def _calibration(made, study):
    found = {name: probe_reliability(one) for name, one in study.studies.items()}
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
    caption = "Confidence of the linear probe and its accuracy, in ten bins; larger marks have more examples."
    return Picture("reliability", "Reliability diagram", caption, image)


def _confusion(study):
    answers = {name: study.answers(name, study.features[name][1]) for name in study.shown}
    labels = np.unique(np.concatenate([study.train.labels, study.test.labels]))
    names = [study.names[label] for label in labels]

    def draw(axes, name):
        table = confusion_matrix(study.test.labels, answers[name], labels=labels)
        charts.matrix(axes, 100 * table / np.maximum(table.sum(1, keepdims=True), 1), names)

    image = charts.panels(list(answers), draw, "predicted class", "true class", width=charts.matrix_width(names))
    caption = (
        "Linear probe on the test examples: percentage of each true class (a row) that is assigned to each class (a "
        "column); shares of 1 % and more are written."
    )
    return Picture("confusion", "Confusion matrix", caption, image)
