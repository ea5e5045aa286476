"""A recipe as KerasTuner wants it."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
from keras_tuner.errors import FailedTrialError, FatalError, FatalValueError

from sslzoo.catalog.knobs import nearest
from sslzoo.evaluators import Study
from sslzoo.evaluators.judge import run
from sslzoo.tuning import space as spaces
from sslzoo.utils.files import replacing
from sslzoo.utils.log import to_file
from sslzoo.views import inputs

OBJECTIVES = {
    "knn": "leave-one-out k-NN accuracy on training images",
    "linear": "linear probe accuracy on held-out training images",
    "rank": "RankMe (1 to the dimension of the embedding)",
}
HELD_OUT = 5000  # training images at most for the linear objective; a fifth of them is held out


class HyperModel(keras_tuner.HyperModel):
    """A recipe for a tuner of yours: `RandomSearch(model, objective=keras_tuner.Objective("knn", "max"))`.

    A trial calls the recipe, which trains and leaves a run folder. The trained encoder is in that folder's checkpoints:
    what `build` returns only stands for a model, and `get_best_models` gives no weights. Hyperband's later rounds train
    anew with more epochs, since a learning rate that falls by a cosine over all of a run cannot be continued.

    Args:
        train: a recipe, or any function of knobs that calls `sslzoo.pretrain` and returns its result.
        space: knob -> [choices], (low, high) or (low, high, "log"); see `sslzoo.tuning.space`.
        objective: "knn", "linear" or "rank", at the end of a trial.
        name: of the run folders, NAME-trial-000 and so on.
        runs: folder of the run folders and of a log for each.
        fixed: knobs that are the same in all trials.

    Raises:
        ValueError: for a space or an objective that cannot be searched.
    """

    def __init__(
        self,
        train: Callable,
        space: spaces.Space,
        objective: str = "knn",
        name: str = "search",
        runs: str = "runs",
        **fixed,
    ):
        super().__init__(name)
        spaces.check(space, name)
        check_objective(objective)
        self.train, self.space, self.objective, self.runs, self.fixed = train, space, objective, runs, fixed
        self.done = set()

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Draws the knobs."""
        self.values(hp)
        return _Placeholder()

    def values(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """The knobs of a trial: those that are drawn, and the epochs that Hyperband gives."""
        drawn = {knob: spaces.draw(hp, knob, choice) for knob, choice in self.space.items()}
        epochs = hp.values.get("tuner/epochs")
        return drawn | ({"epochs": epochs} if epochs else {})

    def run_name(self, trial_id: str) -> str:
        return f"{self.name}-trial-{int(trial_id):03d}"

    def fit(self, hp: keras_tuner.HyperParameters, model, callbacks=(), **_) -> dict[str, float]:
        """Runs a trial, or goes on with one that was interrupted; returns its score and `seconds`."""
        trial = next((callback.trial.trial_id for callback in callbacks if hasattr(callback, "trial")), len(self.done))
        name, began = self.run_name(trial), time.perf_counter()
        if name in self.done:
            raise FatalValueError("the trials of a recipe have one seed: executions_per_trial must be 1")
        score = self.score(name, self.runs, self.values(hp))
        self.done.add(name)
        return {self.objective: score, "seconds": time.perf_counter() - began}

    def score(self, name: str, runs: str, knobs: dict) -> float:
        """Trains with these knobs, as run NAME, and reads the objective; whatever is printed goes to NAME.log.

        Raises:
            FailedTrialError: the training failed; the search goes on.
            FatalError: no trial can be judged; the search ends.
        """
        folder = Path(runs) / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        places = dict(name=name, runs=runs, export_to=None, evaluate=False, resume=folder.exists())
        with to_file(Path(f"{folder}.log")):
            try:
                result = self.train(**self.fixed | knobs | places)
                return _linear(result) if self.objective == "linear" else _last(result.run, self.objective)
            except (FatalError, FailedTrialError):
                raise
            except Exception as error:  # memory, a batch larger than the data: an end of this trial alone
                line = str(error).split("\n")[0]
                raise FailedTrialError(line or type(error).__name__) from error


class _Placeholder(keras.Model):
    """Stands for the model that a recipe builds by itself."""

    def build_from_config(self, config):
        """Nothing: Hyperband wants the model of an earlier round."""

    def load_weights(self, *_, **__):
        """Nothing, as above."""


def check_objective(objective: str) -> None:
    """Raises the one line for an objective that does not exist or does not compare."""
    if "loss" in objective:
        raise ValueError(
            "the loss is no objective: its scale changes with temperature, batch and views, and it falls where "
            f"features get no better; there are {', '.join(OBJECTIVES)}"
        )
    if objective not in OBJECTIVES:
        raise ValueError(nearest("objective", objective, OBJECTIVES))


def _last(run: Path, figure: str) -> float:
    """A figure of the last epoch."""
    figures = json.loads((run / "metrics.jsonl").read_text("utf-8").splitlines()[-1])
    if figure not in figures:
        _refuse(figure)
    if figures[figure] is None or not math.isfinite(figures[figure]):
        raise FailedTrialError(f"{figure} is not finite at the end")
    return figures[figure]


def _linear(result) -> float:
    """Accuracy on a fifth of the training images of a linear probe that learns from the others."""
    plan = result.plan
    if plan.train_set.labels is None:
        _refuse("linear")
    labelled = plan.train_set.labelled()
    order = np.random.default_rng(0).permutation(len(labelled))[:HELD_OUT]
    some, known = labelled.take(order), len(order) * 4 // 5
    features = inputs.encode(result.encoder, some, plan.size)
    study = Study(features[:known], features[known:], some.labels[:known], some.labels[known:])
    (score,) = run("linear", study, fractions=(1.0,))
    with np.load(result.run / "answers.npz") as kept:
        answers = dict(kept)
    with replacing(result.run / "answers.npz") as beside, open(beside, "wb") as file:
        np.savez(file, **answers, linear=score.answers[0])
    return score.mean


def _refuse(objective: str) -> None:
    raise FatalValueError(f"objective {objective} requires labels; the data has none: objective='rank' needs none")
