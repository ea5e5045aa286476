"""Scores at the end of a training on labelled data other than the training data: of earlier, and of the probe."""

import dataclasses

import numpy as np

from sslzoo.data import Splits
from sslzoo.evaluation import judging
from sslzoo.evaluation.judging import TRAINED
from sslzoo.evaluators.scores import Scores
from sslzoo.training import probing
from sslzoo.training.plan import Plan
from sslzoo.training.result import Result
from sslzoo.utils.log import log

KEYS = {"knn": "k-NN", "linear_1": "linear probe"}
KEYS |= {probing.KEYS[key]: title for key, title in KEYS.items()}


def judge(plan: Plan, result: Result, data: Splits) -> Scores:
    """The scores of the trained encoder and of the start on the earlier data, with paired intervals."""
    columns = {TRAINED: [result.encoder], judging.before(plan.origin): [result.untrained]}
    return probing.scores(columns, data, plan.size)


def judge_earlier(plan: Plan, result: Result) -> None:
    """Adds the scores on the earlier data, and a sentence of the verdict, to the result."""
    name = plan.earlier.train.name
    result.kept = judge(plan, result, plan.earlier)
    log.info(f"on {name}:\n{result.kept}")
    told = sentence(result.kept, judging.before(plan.origin), name)
    result.verdict = f"{result.verdict}; {told}"
    log.info(f"verdict: {result.verdict}")


def judge_probe(plan: Plan, result: Result) -> None:
    """Adds the scores on the data of the probe to those of the result, under the names of the online figures."""
    name = plan.probed.train.name
    found = judge(plan, result, plan.probed)
    rows = [
        dataclasses.replace(row, key=probing.KEYS[row.key], metric=f"{row.metric}, on {name} (probe)")
        for row in found
        if row.key in probing.KEYS
    ]
    notes = [f"on {name} (probe): {note}" for note in found.notes]
    result.scores = Scores([*result.scores, *rows], [*result.scores.notes, *notes])
    result.probe = sentence(rows, judging.before(plan.origin), name)


def sentence(scores: Scores, before: str, name: str) -> str:
    """What the scores say: whether the start or the trained encoder is better on the data.

    Args:
        scores: those of `judge`.
        before: column of the start.
        name: of the data.
    """
    rows = {row.key: row for row in scores if row.features == TRAINED and row.key in KEYS and before in row.gains}
    told = ", ".join(f"{KEYS[key]} {row} ({row.gain(before)})" for key, row in rows.items())
    if not told:
        return f"on {name}: not measured"
    signs = {int(np.sign(row.gains[before].mean)) for row in rows.values() if row.gains[before].clear}
    line = {
        frozenset({-1}): "the start is better",
        frozenset({1}): "the trained encoder is better",
        frozenset({-1, 1}): "the scores disagree",
    }.get(frozenset(signs), "no measurable difference to the start")
    return f"on {name}: {line}, {told}"
