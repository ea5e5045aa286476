"""A recipe as a KerasTuner hypermodel."""

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
    "features_found": "how often features find the other mild view of a training image",
    "rank": "RankMe (1 to the dimension of the embedding)",
}
HELD_OUT = 5000  # maximum number of training images for the linear objective; a fifth of them is held out


class HyperModel(keras_tuner.HyperModel):
    """A recipe as a hypermodel for any tuner of KerasTuner.

    Use it as `RandomSearch(model, objective=keras_tuner.Objective("knn", "max"))`. A trial calls the recipe, which
    trains and writes a run folder. The checkpoints of that folder hold the trained encoder: `build` returns a
    placeholder, and `get_best_models` returns no weights. The later rounds of Hyperband train from the start with more
    epochs, since the cosine schedule of the learning rate depends on the number of epochs.

    Args:
        train: a recipe, or any function of knobs that calls `sslzoo.pretrain` and returns its result.
        space: knob -> [choices], (low, high) or (low, high, "log"); see `sslzoo.tuning.space`.
        objective: "knn", "linear", "features_found" or "rank", measured at the end of a trial.
        name: name of the run folders, which are NAME-trial-000 and so on.
        runs: folder of the run folders and of their logs.
        fixed: knobs that are equal in all trials.

    Raises:
        ValueError: if the space or the objective cannot be searched.
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
        """Draws the knobs and returns a placeholder."""
        self.values(hp)
        return _Placeholder()

    def values(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Returns the knobs of a trial: the drawn ones, and the number of epochs if Hyperband sets it."""
        drawn = {knob: spaces.draw(hp, knob, choice) for knob, choice in self.space.items()}
        epochs = hp.values.get("tuner/epochs")
        return drawn | ({"epochs": epochs} if epochs else {})

    def run_name(self, trial_id: str) -> str:
        return f"{self.name}-trial-{int(trial_id):03d}"

    def fit(self, hp: keras_tuner.HyperParameters, model, callbacks=(), **_) -> dict[str, float]:
        """Runs a trial or continues an interrupted one; returns its score and `seconds`."""
        trial = next((callback.trial.trial_id for callback in callbacks if hasattr(callback, "trial")), len(self.done))
        name, began = self.run_name(trial), time.perf_counter()
        if name in self.done:
            raise FatalValueError("the trials of a recipe have one seed: executions_per_trial must be 1")
        score = self.score(name, self.runs, self.values(hp))
        self.done.add(name)
        return {self.objective: score, "seconds": time.perf_counter() - began}

    def score(self, name: str, runs: str, knobs: dict) -> float:
        """Trains with these knobs as run `name` and returns the objective; output is written to NAME.log.

        Raises:
            FailedTrialError: if the training fails; the search continues.
            FatalError: if no trial can be evaluated; the search ends.
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
            except Exception as error:  # such as a lack of memory: only this trial fails
                line = str(error).split("\n")[0]
                raise FailedTrialError(line or type(error).__name__) from error


class _Placeholder(keras.Model):
    """A placeholder, since a recipe builds its own model."""

    def build_from_config(self, config):
        """Does nothing; Hyperband would load the model of an earlier round."""

    def load_weights(self, *_, **__):
        """Does nothing, for the same reason."""


def check_objective(objective: str) -> None:
    """Raises ValueError if the objective is unknown or is a loss, which does not compare trials."""
    if "loss" in objective:
        raise ValueError(
            "the loss is no objective: its scale changes with temperature, batch and views, and a lower loss does not "
            f"mean better features; choose from {', '.join(OBJECTIVES)}"
        )
    if objective not in OBJECTIVES:
        raise ValueError(nearest("objective", objective, OBJECTIVES))


def _last(run: Path, figure: str) -> float:
    """Returns a figure of the last epoch."""
    figures = json.loads((run / "metrics.jsonl").read_text("utf-8").splitlines()[-1])
    if figure not in figures:
        _refuse(figure)
    if figures[figure] is None or not math.isfinite(figures[figure]):
        raise FailedTrialError(f"{figure} is not finite at the end")
    return figures[figure]


def _linear(result) -> float:
    """Returns the accuracy of a linear probe on a fifth of the training images; it is trained on the others."""
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
    raise FatalValueError(
        f"objective {objective} requires labels, which the data lacks: objective='features_found' does not"
    )
