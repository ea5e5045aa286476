"""AUC and balanced accuracy of two classes of unequal size, next to the accuracy of probes and of boosting."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from sslzoo.evaluators import Study, boosting
from sslzoo.evaluators.judge import STATISTICS, judge
from sslzoo.evaluators.linear import linear_answers, linear_predictions
from sslzoo.evaluators.two_class import auc_of, balanced_of, scores, unequal

RNG = np.random.default_rng(0)
LABELS = (RNG.uniform(size=500) < 0.2).astype(int)
X = (RNG.normal(size=(500, 6)) + 0.7 * LABELS[:, None] * np.eye(1, 6)).astype("float32")
TRAIN, TEST = slice(0, 300), slice(300, 500)
STUDY = Study(X[TRAIN], X[TEST], LABELS[TRAIN], LABELS[TEST])


def auc_in_loops(positive, margins):
    pairs = [(a > b) + 0.5 * (a == b) for a in margins[positive] for b in margins[~positive]]
    return np.mean(pairs)


@pytest.mark.parametrize("ties", [False, True])
def test_the_area_is_the_share_of_ordered_pairs(ties):
    positive, margins = LABELS > 0, X[:, 0].round(0 if ties else 6)
    found = auc_of(np.stack([positive, margins], axis=1))
    assert found == pytest.approx(auc_in_loops(positive, margins)) == pytest.approx(roc_auc_score(positive, margins))
    assert auc_of(np.stack([positive, -margins], axis=1)) == pytest.approx(1 - found)
    assert auc_of(np.stack([positive, np.exp(margins)], axis=1)) == pytest.approx(found, abs=1e-6)
    assert auc_of(np.stack([positive, 0 * margins], axis=1)) == 0.5
    assert auc_of(np.ones((3, 2))) == 0.5


def test_several_draws_are_averaged_and_their_spread_is_reported():
    margins = RNG.normal(size=(3, 500)) + LABELS
    auc, balanced = scores("1", "a probe", LABELS > 0, margins)
    areas = [roc_auc_score(LABELS, one) for one in margins]
    recalls = [balanced_accuracy_score(LABELS, one > 0) for one in margins]
    assert (auc.key, auc.title, auc.percent) == ("auc_1", "AUC, a probe", False)
    assert (balanced.key, balanced.title, balanced.percent) == ("balanced_1", "balanced accuracy, a probe", True)
    for score, values in ((auc, areas), (balanced, recalls)):
        assert score.mean == pytest.approx(np.mean(values)) and score.std == pytest.approx(np.std(values, ddof=1))
        assert STATISTICS[score.statistic](score.answers) == pytest.approx(score.mean)


def test_a_constant_prediction_has_the_balanced_accuracy_of_chance():
    positive = LABELS > 0
    assert balanced_of(np.stack([positive, ~positive], axis=1)) == 0.5 and (~positive).mean() > 0.75


@pytest.mark.parametrize(
    ("labels", "test_labels", "expected"),
    [
        ([0, 0, 0, 1, 1], [0, 1], True),
        ([0, 0, 1, 1], [0, 1], False),
        ([4, 7, 7, 7], [7, 4], True),
        ([0, 0, 0, 1, 2], [0, 1], False),
        ([0, 0, 0, 1], [0, 0], False),
    ],
)
def test_they_are_for_two_unequal_classes(labels, test_labels, expected):
    assert unequal(np.array(labels), np.array(test_labels)) == expected


def test_the_linear_probe_and_boosting_have_them_for_each_share_of_the_labels():
    study, rows = {"trained": [STUDY]}, Study(boosting.filled(X[TRAIN]), X[TEST], LABELS[TRAIN], LABELS[TEST])
    known = {"boosting": [list(boosting.evaluate_boosted(rows, fractions=(0.1, 1.0), seeds=2))]}
    found, _ = judge(study, *STUDY.labels, evaluators=("linear",), known=known, fractions=(0.1, 1.0), seeds=2)
    keys = ["linear_0.1", "auc_0.1", "balanced_0.1", "linear_1", "auc_1", "balanced_1"]
    assert [row.key for row in found if row.features == "trained"] == keys
    assert [row.key for row in found if row.features == "boosting"] == keys
    auc = next(row for row in found if row.key == "auc_1")
    margins = linear_predictions(STUDY.train, LABELS[TRAIN], STUDY.test).margins[0]
    assert auc.mean == pytest.approx(roc_auc_score(LABELS[TEST], margins)) and auc.mean > 0.6
    gain = auc.gains["boosting"]
    assert gain.low < gain.mean < gain.high
    assert gain.mean == pytest.approx(auc.mean - next(r.mean for r in found[6:] if r.key == "auc_1"))


def test_three_classes_have_the_accuracy_alone():
    labels = np.arange(500) % 3
    found, _ = judge({"trained": [(X[TRAIN], X[TEST])]}, labels[TRAIN], labels[TEST], evaluators=("linear",))
    assert {row.key.split("_")[0] for row in found} == {"linear"}


def test_margins_above_zero_are_the_second_class():
    found = linear_predictions(STUDY.train, 3 + 2 * LABELS[TRAIN], STUDY.test, 0.5, seeds=2)
    assert found.margins.shape == found.labels.shape == (2, 200)
    np.testing.assert_array_equal(found.labels, np.where(found.margins > 0, 5, 3))
    right = linear_answers(STUDY.train, LABELS[TRAIN], STUDY.test, LABELS[TEST], 0.5, seeds=2)
    np.testing.assert_array_equal((found.labels == 5) == LABELS[TEST], right)
