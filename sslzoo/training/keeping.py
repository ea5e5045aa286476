"""What a training changes on data of earlier: k-NN and linear probe of the start and of the trained encoder on them."""

from typing import Any

import numpy as np

from sslzoo.catalog.kinds import Kind, kind_of
from sslzoo.data import Splits
from sslzoo.evaluation import judging, sources
from sslzoo.evaluation.judging import TRAINED
from sslzoo.evaluators.scores import Scores
from sslzoo.exports.inputs import accepted_splits
from sslzoo.training.plan import Plan
from sslzoo.training.result import Result
from sslzoo.utils.log import log

EVALUATORS = ("linear", "knn")
KEYS = {"knn": "k-NN", "linear_1": "linear probe"}


def read(data: Any, kind: Kind) -> Splits:
    """The earlier data, at most 10 000 training and 5000 test examples of them.

    Args:
        data: as for `pretrain`, with labels.
        kind: that of the training data.

    Raises:
        ValueError: they have no labels, or are of another kind; one line.
    """
    if (found := kind_of(data)) != kind.name and isinstance(data, str):
        raise ValueError(f"keep={data!r} is of the kind {found!r}, the training data are {kind.noun}")
    return judging.judged(sources.labelled(data, kind=kind.name), {})


def judge(plan: Plan, result: Result, data: Splits) -> Scores:
    """The scores of the trained encoder and of the start on the earlier data, with paired intervals."""
    splits = accepted_splits(data, result.encoder)
    columns = {TRAINED: [result.encoder], judging.before(plan.origin): [result.untrained]}
    options = dict(raw_pixels=False, evaluators=EVALUATORS, fractions=(1.0,))
    found = judging.score(columns, splits, plan.size, **options)
    log.info(f"on {data.train.name}:\n{found}")
    return found


def sentence(scores: Scores, before: str, name: str) -> str:
    """What the scores say: whether the start or the trained encoder is better on the earlier data.

    Args:
        scores: those of `judge`.
        before: column of the start.
        name: of the earlier data.
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
