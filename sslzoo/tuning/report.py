"""The table and the plot of a search."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from sslzoo.evaluators.bootstrap import paired_difference
from sslzoo.tuning.hypermodel import OBJECTIVES, HyperModel
from sslzoo.tuning.space import spelt
from sslzoo.utils import plots
from sslzoo.utils.files import replacing


def rows(oracle: keras_tuner.Oracle, model: HyperModel) -> list[dict[str, Any]]:
    """Returns a dict for each started trial, in order: trial, status, objective, seconds, knobs, run and message."""
    return [_row(oracle.trials[trial], model) for trial in sorted(oracle.trials, key=int)]


def _row(trial: Trial, model: HyperModel) -> dict[str, Any]:
    timed = trial.metrics.exists("seconds")
    return {
        "trial": int(trial.trial_id),
        "status": trial.status.lower(),
        model.objective: None if trial.score is None else float(trial.score),
        "at_start": at_start(Path(model.runs) / model.run_name(trial.trial_id), model.objective),
        "seconds": trial.metrics.get_best_value("seconds") if timed else None,
        **model.values(trial.hyperparameters),
        "run": model.run_name(trial.trial_id),
        "message": reason(trial.message),
    }


def at_start(run: Path, figure: str) -> float | None:
    """Returns the objective before the first step of a trial, or None if it was not recorded."""
    file = run / "metrics.jsonl"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    first = json.loads(lines[0]) if lines else {}
    return first.get(figure) if first.get("epoch") == 0 else None


def best_of(table: list[dict[str, Any]], objective: str) -> dict[str, Any]:
    """Returns the completed trial with the highest score, the first one of equal scores."""
    return max((row for row in table if row["status"] == "completed"), key=lambda row: (row[objective], -row["trial"]))


def ties(table: list[dict[str, Any]], model: HyperModel) -> list[int] | None:
    """Finds the trials that are not measurably worse than the best one.

    The 95 % interval of their paired difference from the best trial includes zero.

    Returns:
        The numbers of these trials without the best one; None if trials have no answers to pair, as for "rank".
    """
    best = best_of(table, model.objective)
    answers = {row["trial"]: _answers(model, row["run"]) for row in table if row["status"] == "completed"}
    if answers[best["trial"]] is None:
        return None
    one = answers.pop(best["trial"])
    others = {trial: other for trial, other in answers.items() if other is not None and len(other) == len(one)}
    return [trial for trial, other in others.items() if not paired_difference(one, other).clear]


def _answers(model: HyperModel, run: str) -> np.ndarray | None:
    file = Path(model.runs) / run / "answers.npz"
    if not file.exists():
        return None
    with np.load(file) as kept:
        return kept.get(model.objective)


def reason(message: str | None) -> str:
    """Returns the reason why a trial failed, from the traceback that KerasTuner keeps."""
    lines = (message or "").strip().split("\n")
    return lines[-1].split("FailedTrialError: ")[-1]


def write_table(table: list[dict[str, Any]], path: Path) -> None:
    """Writes trials.csv, a row for each trial."""
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


def draw(table: list[dict[str, Any]], model: HyperModel, command: str, path: Path) -> None:
    """Writes trials.png: the objective over each knob, with a numbered dot for each trial."""
    knobs = [knob for knob in table[0] if knob in model.space or knob == "epochs"]
    columns = min(3, len(knobs))
    lines = math.ceil(len(knobs) / columns)
    figure = Figure(figsize=(max(6, 4 * columns), 3.5 * lines + 0.8), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    for knob, axes in zip(knobs, panels, strict=False):
        _panel(axes, table, knob, model)
    for axes in panels[len(knobs) :]:
        axes.set_visible(False)
    failed = sum(row["status"] == "failed" for row in table)
    equal = ties(table, model)
    suffix = f"; not measurably worse than the best: {', '.join(map(str, equal))}" if equal else ""
    figure.suptitle(f"{len(table)} trials" + (f", {failed} failed" if failed else "") + suffix, fontsize=10)
    figure.supylabel(OBJECTIVES[model.objective], fontsize=9)
    if model.objective != "rank":
        panels[0].yaxis.set_major_formatter(PercentFormatter(1))
        panels[0].set_ylim(*widened(*panels[0].get_ylim()))
    plots.save(figure, path, command)


def widened(low: float, high: float, least: float = 0.05) -> tuple[float, float]:
    """Widens an axis of accuracies to at least 5 points, so that a difference of one image stays small."""
    missing = max(0.0, least - (high - low)) / 2
    return low - missing, high + missing


def _panel(axes, table: list[dict[str, Any]], knob: str, model: HyperModel) -> None:
    good = [row for row in table if row["status"] == "completed"]
    best = best_of(good, model.objective)
    choices = model.space.get(knob)
    ticks = {str(value): place for place, value in enumerate(choices)} if isinstance(choices, list) else None
    for row in good:
        x, y = ticks[str(row[knob])] if ticks else row[knob], row[model.objective]
        mark = dict(marker="*", s=160, color=plots.ORANGE) if row is best else dict(marker="o", s=30, color=plots.BLUE)
        axes.scatter(x, y, edgecolor="black", linewidth=0.5, **mark)
        axes.annotate(row["trial"], (x, y), textcoords="offset points", xytext=(5, 5), fontsize=7)
    starts = [row["at_start"] for row in good if row["at_start"] is not None]
    if starts:
        axes.axhline(np.mean(starts), color=plots.GRAY, ls="--", lw=1.2, label="untrained, mean of the trials")
        axes.legend(fontsize=7)
    if ticks:
        axes.set_xticks(list(ticks.values()), list(ticks))
        axes.set_xlim(-0.5, len(ticks) - 0.5)
    elif choices:
        axes.set_xscale("log" if choices[2:] else "linear")
        axes.set_xlim(*choices[:2])
    axes.set_xlabel(knob)
    axes.grid(alpha=0.3)
    axes.set_title(f"best (star): {spelt({knob: best[knob]})}", fontsize=9)
