"""Judge: runs evaluators on several sets of features, with paired intervals of what training gained."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from sslzoo.evaluators import Score, Study, WrongOption
from sslzoo.evaluators.agreement import adjusted_rand, mutual_information
from sslzoo.evaluators.anomaly import one_class
from sslzoo.evaluators.bootstrap import Difference, difference_of, paired_difference
from sslzoo.evaluators.dense import iou_of
from sslzoo.evaluators.report import Row
from sslzoo.evaluators.scores import Scores
from sslzoo.evaluators.two_class import auc_of, balanced_of
from sslzoo.utils.bars import bar

EVALUATORS = ("linear", "knn", "clustering")  # those of a card
TRAINED = "trained"
STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    "ari": adjusted_rand,
    "nmi": mutual_information,
    "iou": iou_of,
    "auc": auc_of,
    "balanced": balanced_of,
    "one_class": one_class,
}

Evaluator = str | Callable[..., Iterator[Score]]
Features = Study | tuple  # of one encoder: a study, features (train, test), or (train, test, tokens) as of a study
Judged = dict[str, list[list[Score]]]  # name of a set of features -> scores of each of its encoders


def names() -> list[str]:
    """Names of the evaluators: the files of this folder that define `evaluate`."""
    files = sorted(Path(__file__).parent.glob("[a-z]*.py"))
    return [file.stem for file in files if re.search(r"^def evaluate\(", file.read_text("utf-8"), re.M)]


def find(evaluator: Evaluator) -> Callable[..., Iterator[Score]]:
    """The function of an evaluator.

    Args:
        evaluator: one of `names()`, or a function: Study, and options as keywords -> scores.

    Raises:
        WrongOption: no evaluator has this name.
    """
    if callable(evaluator):
        return evaluator
    if evaluator not in names():
        raise WrongOption(f"no evaluator is called {evaluator}; choose from {', '.join(names())}, or pass a function")
    return import_module(f"sslzoo.evaluators.{evaluator}").evaluate


def title(evaluator: Evaluator) -> str:
    """What messages call an evaluator."""
    return evaluator if isinstance(evaluator, str) else getattr(evaluator, "__name__", type(evaluator).__name__)


def run(evaluator: Evaluator, study: Study, **options) -> Iterator[Score]:
    """The scores of one evaluator; it gets those of the options that it has."""
    function = find(evaluator)
    return function(study, **{name: value for name, value in options.items() if name in _options(function)})


def judge(
    columns: Mapping[str, Sequence[Features]],
    train_y=None,
    test_y=None,
    *,
    evaluators: Sequence[Evaluator] = EVALUATORS,
    known: Judged | None = None,
    **options,
) -> tuple[Scores, Judged]:
    """Scores of several sets of features, with paired intervals of what "trained" gains over each other set.

    What an evaluator cannot compute is left out; the notes of the result say what and why.

    Args:
        columns: name, such as "trained" or "untrained" -> features of one or more encoders. Several encoders differ in
            their seed; mean and deviation of their scores are taken.
        train_y, test_y: labels of the examples, or None.
        evaluators: names of evaluators, or functions as in `find`.
        known: sets of features whose scores were computed before, which are then not in `columns`.
        options: of the evaluators, such as `k`, `fractions` or `clusters`; each goes to all evaluators that have it.

    Returns:
        Rows with notes, and the scores of each encoder.

    Raises:
        WrongOption: an unknown evaluator or option, or a value that makes no sense.
        ValueError: no evaluator can be computed.
    """
    check(evaluators, **options)
    omitted: dict[str, list[str]] = {}
    with bar(None, "scores", sum(map(len, columns.values()))) as steps:

        def scores_of(name: str, features: Features) -> list[Score]:
            steps.update()
            return list(_scored(name, features, (train_y, test_y), evaluators, options, omitted))

        found = {name: [scores_of(name, one) for one in encoders] for name, encoders in columns.items()}
    notes = _notes(omitted, columns)
    if notes and not any(scores for encoders in found.values() for scores in encoders):
        raise ValueError(f"nothing can be computed: {'; '.join(notes)}")
    found |= known or {}
    return Scores(rows_of(found), notes), found


def check(evaluators: Sequence[Evaluator] = EVALUATORS, **options) -> None:
    """Checks that evaluators and options exist.

    Raises:
        WrongOption: an evaluator does not exist, or none of them has an option.
    """
    if isinstance(evaluators, str) or not evaluators:
        raise WrongOption(f"evaluators={evaluators!r}: give a list, such as ['knn']")
    known = options_of(evaluators)
    if unknown := options.keys() - known:
        raise WrongOption(f"no option {', '.join(sorted(unknown))}: these evaluators have {', '.join(sorted(known))}")


def options_of(evaluators: Sequence[Evaluator]) -> set[str]:
    """Names of the options that some evaluators have."""
    return {name for evaluator in evaluators for name in _options(find(evaluator))}


def rows_of(scores: Judged) -> list[Row]:
    """Rows of the table of `judge`: name of a set of features -> the scores of each of its encoders.

    A score that "trained" does not have, because the encoder does not allow it, has no row.
    """
    by_key = {name: _together(encoders) for name, encoders in scores.items()}
    own = by_key.get(TRAINED)
    return [
        _row(name, same, _gains(key, same, by_key) if name == TRAINED else {})
        for name, found in by_key.items()
        for key, same in found.items()
        if not own or key in own
    ]


def _options(function: Callable) -> list[str]:
    """Names of the arguments after the study."""
    return [*inspect.signature(function).parameters][1:]


def _scored(name, features, labels, evaluators, options, omitted: dict[str, list[str]]) -> Iterator[Score]:
    """The scores of one encoder; fills `omitted`: why something is left out -> names of the sets of features."""
    try:
        study = features if isinstance(features, Study) else Study(*features[:2], *labels, *features[2:])
    except ValueError as error:
        omitted.setdefault(str(error), []).append(name)
        return
    for evaluator in evaluators:
        try:
            yield from run(evaluator, study, **options)
        except WrongOption:
            raise
        except ValueError as error:
            line = str(error).split("\n")[0]
            omitted.setdefault(f"{title(evaluator)}: {line}", []).append(name)


def _notes(omitted: Mapping[str, Sequence[str]], columns: Mapping) -> list[str]:
    """What was left out and why; the sets of features are named where others are not concerned."""
    found = {why: list(dict.fromkeys(names)) for why, names in omitted.items()}
    of = {why: "" if len(names) == len(columns) else f" of {', '.join(names)}" for why, names in found.items()}
    return [f"left out{of[why]}: {why}" for why in found]


def _together(encoders: Sequence[Sequence[Score]]) -> dict[str, list[Score]]:
    """Key -> the score of each encoder; keys that all encoders have."""
    by_key = [{score.key: score for score in scores} for scores in encoders]
    return {key: [one[key] for one in by_key] for key in by_key[0] if all(key in one for one in by_key)}


def _row(name: str, same: Sequence[Score], gains: dict[str, Difference]) -> Row:
    first = same[0]
    mean, std = first.mean, first.std
    if len(same) > 1:
        means = [one.mean for one in same if one.mean is not None]
        mean, std = (float(np.mean(means)), float(np.std(means, ddof=1))) if len(means) > 1 else (None, None)
    return Row(first.title, name, mean, std, first.percent, first.key, first.whole, gains)


def _gains(key: str, same: Sequence[Score], by_key: Mapping[str, Mapping]) -> dict[str, Difference]:
    others = {name: found[key] for name, found in by_key.items() if name != TRAINED and key in found}
    gains = {name: difference(same[0], found) for name, found in others.items()}
    return {name: gain for name, gain in gains.items() if gain is not None}


def difference(one: Score, others: Sequence[Score]) -> Difference | None:
    """What a score has over the mean of others of the same key; None for a score without interval."""
    answers = [score.answers for score in (one, *others)]
    if any(some is None for some in answers):
        return None
    if one.statistic:
        return difference_of(STATISTICS[one.statistic], answers[0], answers[1:])
    return paired_difference(answers[0], np.mean(answers[1:], axis=0))
