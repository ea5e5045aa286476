"""Runs the trials of KerasTuner with a log line for each, a table, a plot and an estimate of the duration."""

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.errors import FailedTrialError

from sslzoo.tuning import report
from sslzoo.tuning import space as spaces
from sslzoo.tuning.hypermodel import HyperModel
from sslzoo.utils.log import log

TUNERS = {
    "random": keras_tuner.RandomSearch,
    "bayesian": keras_tuner.BayesianOptimization,
    "hyperband": keras_tuner.Hyperband,
}
PROBED = 5  # if trials have at least this number of epochs, two epochs are run beforehand to estimate the duration
PATIENCE = 3  # a search ends after this number of failures in a row, whose cause is then not the drawn knobs


class Searcher:
    """Runs the trials of a HyperModel, and logs and plots them.

    Args:
        model: the hypermodel; its folder of runs also holds the files of the search.
        tuner: a name of TUNERS.
        trials: maximum number of trials.
        seed: seed of the draws.
        epochs: epochs of a trial, the maximum for Hyperband; None if the space contains them.
        command: command line that the plot shows.
    """

    def __init__(self, model: HyperModel, tuner: str, trials: int, seed: int, epochs: int | None, command: str):
        self.model, self.epochs, self.command = model, epochs, command
        self.folder = Path(model.runs)
        self.trials = int(min(trials, spaces.size(model.space)))
        self.tuner = _announcing(TUNERS[tuner], self)(
            model,
            objective=keras_tuner.Objective(model.objective, "max"),
            seed=seed + 1,  # KerasTuner reads 0 as no seed
            directory=str(self.folder),
            project_name="keras_tuner",
            **(dict(max_epochs=epochs, hyperband_iterations=None) if tuner == "hyperband" else {}),
        )
        self.oracle = self.tuner.oracle
        self.oracle.max_trials = self.trials
        self.oracle.max_consecutive_failed_trials = None  # counted in `ended`, where the state is saved
        count = max(self.trials, len(self.oracle.trials))
        self.plan = _hyperband_epochs(self.oracle, count) if tuner == "hyperband" else [epochs or 1] * count

    def run(self) -> Trial:
        """Runs the missing trials and returns the best of all trials.

        Raises:
            ValueError: if no trial succeeds, or several in a row fail.
        """
        log.info(f"{self.trials} trials, {len(self._done())} of them done, over {', '.join(self.model.space)}")
        log.info(f"time: {self._outlook()}")
        self.tuner.search(verbose=0)
        table = self._table()
        if not any(row["status"] == "completed" for row in table):
            raise ValueError(f"none of {len(table)} trials succeeded, the last one: {table[-1]['message']}")
        report.draw(table, self.model, self.command, self.folder / "trials.png")
        log.info(f"all trials: {self.folder / 'trials.csv'}, {self.folder / 'trials.png'}")
        best = report.best_of(table, self.model.objective)
        trial = next(trial for trial in self.oracle.trials.values() if int(trial.trial_id) == best["trial"])
        knobs = spaces.spelt(self.model.values(trial.hyperparameters))
        log.info(f"best: trial {best['trial']}, {self._shown(best)}, {knobs}")
        log.info(self._certainty(table))
        return trial

    def _shown(self, row: dict[str, Any]) -> str:
        start = "" if row["at_start"] is None else f" ({row['at_start']:.4g} before training)"
        return f"{self.model.objective} {row[self.model.objective]:.4g}{start}"

    def _certainty(self, table: list[dict[str, Any]]) -> str:
        """Returns a line that compares the best trial with the others."""
        equal = report.ties(table, self.model)
        others = sum(row["status"] == "completed" for row in table) - 1
        if equal is None:
            return f"{self.model.objective} has no interval: small differences between trials may be chance"
        if not equal:
            return f"it is measurably better than the other {others} (paired 95 % intervals, one seed)"
        names = ", ".join(map(str, sorted(equal)))
        return f"not measurably worse: trials {names} (their paired 95 % interval includes zero): treat them as ties"

    def began(self, trial: Trial) -> None:
        knobs = spaces.spelt(self.model.values(trial.hyperparameters))
        log.info(f"trial {int(trial.trial_id)} ({len(self.oracle.trials)} of {self.trials}): {knobs}")

    def ended(self, trial: Trial) -> None:
        """Logs the result of a trial and updates the table.

        Raises:
            ValueError: if several trials in a row have failed.
        """
        table = self._table()
        row = next(row for row in table if row["trial"] == int(trial.trial_id))
        if row["status"] == "failed":
            log.info(f"  failed: {row['message']}")
        else:
            log.info(
                f"  {self.model.objective} {row[self.model.objective]:.4g}, {_clock(row['seconds'])}; {self._outlook()}"
            )
        last = self._done()[-PATIENCE:]
        if len(last) == PATIENCE and all(trial.status == "FAILED" for trial in last):
            raise ValueError(f"{PATIENCE} trials in a row failed, the last one: {row['message']}")

    def _table(self) -> list[dict[str, Any]]:
        table = report.rows(self.oracle, self.model)
        report.write_table(table, self.folder / "trials.csv")
        return table

    def _done(self) -> list[Trial]:
        return [self.oracle.trials[trial] for trial in self.oracle.end_order]

    def _outlook(self) -> str:
        """Returns an estimate of the duration of the remaining trials, as text."""
        timed = [trial for trial in self._done() if trial.metrics.exists("seconds")]
        left = self.plan[len(self._done()) :]
        if not left:
            return "nothing to go"
        if timed:
            seconds = sum(trial.metrics.get_best_value("seconds") for trial in timed)
            epochs = sum(self.plan[int(trial.trial_id)] for trial in timed)
            return f"about {_clock(seconds / epochs * sum(left))} to go"
        if (self.epochs or 0) < PROBED or self._done():
            return "not known before the first trial is done"
        start, pace = self._probe()
        return f"about {_clock(sum(start + pace * epochs for epochs in left))}, judged by two epochs at default knobs"

    def _probe(self) -> tuple[float, float]:
        """Measures the seconds of the start and evaluation of a trial, and the seconds of an epoch."""
        quick = {"epochs": 2} | dict.fromkeys({"mlflow"} & self.model.fixed.keys(), False)
        began = time.time()
        with tempfile.TemporaryDirectory() as folder:
            with contextlib.suppress(FailedTrialError):  # the trials will report the failure
                self.model.score("probe", folder, quick)
            whole = time.time() - began
            written = sorted(file.stat().st_mtime for file in Path(folder).glob("probe/checkpoints/step-*"))
        pace = written[-1] - written[-2] if len(written) > 1 else whole / 2
        return max(0.0, whole - 2 * pace), pace


def _announcing(base: type, searcher: Searcher) -> type:
    """Returns a subclass of a tuner that calls the searcher at the begin and the end of each trial."""

    class Tuner(base):
        def on_trial_begin(self, trial):
            super().on_trial_begin(trial)
            searcher.began(trial)

        def on_trial_end(self, trial):
            super().on_trial_end(trial)
            searcher.ended(trial)

    return Tuner


def _hyperband_epochs(oracle: keras_tuner.oracles.HyperbandOracle, trials: int) -> list[int]:
    """Returns the epochs of the trials of Hyperband, in order; the bracket with the fewest epochs is first."""
    epochs = []
    while len(epochs) < trials:
        for bracket in reversed(range(oracle._get_num_brackets())):
            for turn in range(bracket + 1):
                epochs += [oracle._get_epochs(bracket, turn)] * oracle._get_size(bracket, turn)
    return epochs[:trials]


def _clock(seconds: float) -> str:
    for limit, unit, length in ((100, "s", 1), (6000, "min", 60)):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 3600:.1f} h"
