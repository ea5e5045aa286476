"""The contract of evaluators: every file of the folder and a user's own function, and what the check catches."""

import inspect

import numpy as np
import pytest
from families import spread

from sslzoo.evaluation import judging
from sslzoo.evaluators import Score, Study, WrongOption, linear
from sslzoo.evaluators.judge import EVALUATORS, find, judge, names
from sslzoo.testing.evaluators import check_evaluator, study_of

OWN = {
    "attentive": {"rotation": False, "tolerance": 0.2},  # of noise it learns the noise
    "calibration": {"tolerance": 0.5},  # the strength of the probe, chosen among ties, decides its confidence
    "linear": {"rotation": False, "fractions": (0.1, 1.0)},  # it standardizes the features
    "softmax": {"rotation": False, "epochs": 30, "learning_rate": 0.05},
}


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("name", spread(names(), set(names()) - {"attentive", "softmax"}))
def test_every_evaluator_keeps_the_contract(name):
    check_evaluator(name, **OWN.get(name, {}))


def accuracy(study, *, sign=1):
    """Nearest class mean, or the farthest with sign -1."""
    labels, test_labels = study.labels
    means = np.stack([study.train[labels == one].mean(0) for one in np.unique(labels)])
    distances = ((study.test[:, None] - means) ** 2).sum(2)
    right = np.unique(labels)[(sign * distances).argmin(1)] == test_labels
    yield Score("nearest_mean", float(right.mean()), "nearest class mean", percent=True, answers=right)


def spoilt(**changes):
    def evaluate(study):
        yield next(accuracy(study))._replace(**changes)

    return evaluate


def unequal(study):
    yield Score("unequal", float(np.random.random()), "unequal")


def of_order(study):
    yield Score("order", float(study.test[0, 0]), "of the first image")


def lengths(study):
    yield Score("lengths", 0.5, "lengths", answers=np.full(int(100 * abs(study.test.mean())) + 1, 0.5))


def test_an_own_evaluator_keeps_it_and_is_judged_next_to_others():
    check_evaluator(accuracy)
    study, noise = study_of(2.0), study_of(0.0)
    columns = {"trained": [(study.train, study.test)], "untrained": [(noise.train, noise.test)]}
    scores, _ = judge(columns, *study.labels, evaluators=["knn", accuracy], k=3)
    assert [row.key for row in scores] == ["knn", "nearest_mean"] * 2
    assert scores[0].metric == "k-NN, 3 neighbours" and scores[1].gains["untrained"].low > 0


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda study: iter(()), "no score"),
        (spoilt(mean=1.5), "no share"),
        (spoilt(mean=0.25), "another mean"),
        (spoilt(key="nearest mean"), "no identifier"),
        (spoilt(title=""), "title is missing"),
        (lambda study: [*accuracy(study)] * 2, "comes twice"),
        (unequal, "differs between two calls"),
        (of_order, "depends on the order"),
        (lengths, "number of answers"),
        (lambda study: accuracy(study, sign=-1), "does not prefer separable classes"),
    ],
)
def test_the_check_catches(broken, told):
    with pytest.raises(AssertionError, match=told):
        check_evaluator(broken)


def test_an_evaluator_is_a_file_with_evaluate_and_helpers_are_none():
    assert {
        *EVALUATORS,
        "anomaly",
        "attentive",
        "few_shot",
        "mlp",
        "retrieval",
        "calibration",
        "softmax",
        "spectrum",
    } == set(names())
    assert find(accuracy) is accuracy


def test_defaults_of_evaluate_are_those_of_the_evaluators():
    given = {name: one.default for name, one in inspect.signature(judging.evaluate).parameters.items()}
    assert (given["fractions"], given["seeds"], given["evaluators"]) == (linear.FRACTIONS, linear.SEEDS, EVALUATORS)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"evaluators": "knn"}, r"give a list, such as \['knn'\]"),
        ({"evaluators": ()}, "give a list"),
        ({"evaluators": ["nearest"]}, "no evaluator is called nearest"),
        ({"kk": 3}, "no option kk: these evaluators have clusters, fractions, k, seeds, temperature"),
        ({"k": 0}, "must be positive"),
        ({"temperature": float("nan")}, "must be positive"),
        ({"fractions": (0,)}, "above 0 and at most 1"),
        ({"seeds": 0}, "at least one draw"),
        ({"clusters": 1}, "at least 2 clusters"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_and_not_left_out(options, told):
    with pytest.raises(WrongOption, match=told):
        judge({"trained": [study_of(2.0)]}, **options)


def test_what_the_data_do_not_allow_is_left_out_and_named():
    study = study_of(2.0)
    broken = study.test.copy()
    broken[0, 0] = np.nan
    columns = {"trained": [study], "broken": [(study.train, broken)], "few": [Study(study.train[:3], study.test[:3])]}
    scores, _ = judge(columns, evaluators=("knn", "spectrum"), known={"known": [[]]})
    assert {row.features for row in scores} == {"trained", "few"}
    assert scores.notes == (
        "left out of broken: the features hold NaN or infinity; look at the encoder that made them",
        "left out of few: knn: labels of the training and the test examples are required",
    )


def test_with_few_images_all_labels_have_one_key():
    study = study_of(2.0)
    rows = [int(np.flatnonzero(study.train_labels == one)[0]) for one in range(4)]
    small = Study(study.train[rows], study.test, study.train_labels[rows], study.test_labels)
    (score,) = find("linear")(small)
    assert (score.key, score.title) == ("linear_1", "linear probe, all 4 labels")
