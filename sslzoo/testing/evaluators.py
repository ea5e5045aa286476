"""A public check for evaluators: those of the package and those of users."""

from collections.abc import Callable

import numpy as np

from sslzoo.evaluators import Score, Study
from sslzoo.evaluators.judge import STATISTICS, Evaluator, find

CLASSES, WIDTH = 4, 16
TRAIN, TEST = 240, 120  # images
TOP = 0.8  # of a share for separable classes, from a single label of each class on


def check_evaluator(evaluator: Evaluator, tolerance: float = 0.1, rotation: bool = True, **options) -> None:
    """Checks what tables, intervals and users rely on.

    Scores are finite, shares lie in [0, 1], keys and titles are unique and the same for all features. Equal features
    have equal scores, which are those of the `answers`. Scores do not depend on the order of the images nor, if
    `rotation`, on a rotation of the features. Scores that use labels are higher for separable classes than for noise,
    unless lower is better, and noise is at the level of permuted labels. Data without a score raise ValueError.

    Args:
        evaluator: name of an evaluator, or a function: Study, and options as keywords -> scores.
        tolerance: of the comparisons that draws of labels or starts may change, relative for scores above 1.
        rotation: whether the scores are invariant to a rotation of the features.
        options: keywords of the evaluator.

    Raises:
        AssertionError: what is wrong.
    """

    def run(study: Study) -> dict[str, Score]:
        scores = list(find(evaluator)(study, **options))
        assert scores, "no score"
        return _checked(scores)

    easy, noise = study_of(4.0, seed=0), study_of(0.0, seed=1)
    found = run(easy)
    _check_equal(found, run(easy))
    _check_invariance(run, easy, found, tolerance, rotation)
    _check_pairing(found, run(noise))
    _check_labels(run, easy, noise, tolerance)
    _check_small(run)


def study_of(distance: float, seed: int = 0) -> Study:
    """Gaussian features of four classes, with the same labels for all seeds; at distance 0 they are independent."""
    random, labels = np.random.default_rng(seed), np.random.default_rng(7).permutation(TRAIN + TEST) % CLASSES
    x = 2 * distance * np.eye(CLASSES, WIDTH)[labels] + random.normal(size=(len(labels), WIDTH))
    return _study(x[:TRAIN], x[TRAIN:], labels[:TRAIN], labels[TRAIN:])


def _study(train: np.ndarray, test: np.ndarray, *labels: np.ndarray) -> Study:
    """Features and labels, with three tokens for each image: multiples of its features."""
    parts = {"train": train, "test": test}
    return Study(train, test, *labels, tokens=lambda part, rows: iter([parts[part][rows, None] * [[1], [0.5], [2]]]))


def _checked(scores: list[Score]) -> dict[str, Score]:
    """The scores by key, each checked by itself."""
    for name in ("key", "title"):
        values = [getattr(score, name) for score in scores]
        assert len(set(values)) == len(values), f"a {name} comes twice: {values}"
        assert all(isinstance(value, str) and value for value in values), f"a {name} is missing: {values}"
    for score in scores:
        assert " " not in score.key, f"{score.key!r} is no identifier"
        assert score.mean is None or np.isfinite(score.mean), f"{score.key} is not finite"
        assert not score.percent or score.mean is None or 0 <= score.mean <= 1, f"{score.key} is no share: {score.mean}"
        _check_answers(score)
    return {score.key: score for score in scores}


def _check_answers(score: Score) -> None:
    """The mean or statistic of the answers is the score."""
    if score.answers is None:
        assert not score.statistic, f"{score.key} has a statistic and no answers"
        return
    function = STATISTICS[score.statistic] if score.statistic else np.mean
    assert np.isclose(function(score.answers), score.mean, atol=1e-5), f"the answers of {score.key} have another mean"


def _check_equal(one: dict[str, Score], two: dict[str, Score]) -> None:
    assert one.keys() == two.keys(), "the same features have other keys"
    for key, score in one.items():
        assert score.mean == two[key].mean, f"{key} differs between two calls: {score.mean}, {two[key].mean}"


def _check_invariance(run: Callable, study: Study, found: dict, tolerance: float, rotation: bool) -> None:
    random = np.random.default_rng(2)
    turn = np.linalg.qr(random.normal(size=(WIDTH, WIDTH)))[0].astype("float32")
    train, test = random.permutation(TRAIN), random.permutation(TEST)
    order = study.train[train], study.test[test], study.labels[0][train], study.labels[1][test]
    others = {"order": _study(*order)}
    if rotation:
        others["rotation"] = _study(study.train @ turn, study.test @ turn, *study.labels)
    for what, other in others.items():
        for key, score in run(other).items():
            expected = found[key].mean
            close = np.isclose(score.mean, expected, atol=tolerance, rtol=tolerance)
            assert close, f"{key} depends on the {what}: {expected} and {score.mean}"


def _check_pairing(one: dict[str, Score], two: dict[str, Score]) -> None:
    """Two sets of features of the same images can be compared answer by answer."""
    assert one.keys() == two.keys(), f"keys depend on the features: {sorted(one)} and {sorted(two)}"
    for key in one:
        assert one[key].title == two[key].title, f"the title of {key} depends on the features"
        shapes = [np.shape(score.answers) for score in (one[key], two[key])]
        assert shapes[0] == shapes[1], f"the number of answers of {key} depends on the features: {shapes}"


def _check_labels(run: Callable, easy: Study, noise: Study, tolerance: float) -> None:
    """For scores that change with the labels, if higher is better."""
    best, low = run(easy), run(noise)
    permuted, chance = run(_permuted(easy)), run(_permuted(noise))
    for key in [key for key in best if best[key].mean != permuted[key].mean]:
        if "lower is better" in best[key].title:
            continue
        assert best[key].mean > low[key].mean, f"{key} does not prefer separable classes to noise"
        assert not best[key].percent or best[key].mean > TOP, f"{key} of separable classes is {best[key].mean}"
        near = np.isclose(low[key].mean, chance[key].mean, atol=tolerance)
        assert near, f"{key} of noise is {low[key].mean}, with permuted labels {chance[key].mean}"


def _permuted(study: Study) -> Study:
    random = np.random.default_rng(3)
    return _study(study.train, study.test, *(random.permutation(labels) for labels in study.labels))


def _check_small(run: Callable) -> None:
    """Few images, a single class or no labels give scores or a ValueError with one line."""
    one, zeros = np.eye(3, 5), np.zeros(3, int)
    for study in (_study(one, one[:1], zeros, zeros[:1]), _study(one, one, [0, 1, 2], [0, 1, 2]), Study(one, one)):
        try:
            run(study)
        except ValueError as error:
            assert str(error), "an error without words"
