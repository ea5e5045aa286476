"""A sweep: one run after the other over a grid of knobs, a line of figures for each, going on where it was stopped."""

import csv
import inspect
import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from sslzoo.evaluators.report import Row, grid
from sslzoo.exports.card import write_card
from sslzoo.exports.savedmodel import read_facts
from sslzoo.training.pretraining import Result
from sslzoo.training.runs import Run
from sslzoo.training.tracking import MLflow
from sslzoo.utils.files import refuse_path, replacing
from sslzoo.utils.log import log

SEEDS = 3  # runs of each setting from which on a sweep states an effect


class Sweep:
    """The folder of a sweep: settings.json, results.csv, and a run folder for each of its runs.

    A context manager; with `mlflow`, the runs within are nested under it.

    Args:
        name: of the sweep and its folder.
        settings: what the sweep is; resuming with other ones is refused.
        runs: folder of the sweep's folder.
        resume, overwrite, mlflow: as for `sslzoo.pretrain`.

    Raises:
        ValueError: the folder holds another sweep, or is in use.
    """

    def __init__(self, name: str, settings: dict, runs: str, resume: bool, overwrite: bool, mlflow: bool = False):
        refuse_path(name)
        self.folder, self.mlflow = Path(runs) / name, mlflow
        self._run = Run(self.folder, settings, resume, overwrite)
        self._tracker = MLflow(self.folder, name, settings) if mlflow else None
        self.rows: list[dict[str, Any]] = []

    def __enter__(self) -> "Sweep":
        self._stack = ExitStack()
        self._stack.enter_context(self._run)
        if self._tracker:
            self._stack.enter_context(self._tracker)
        kept = self.folder / "results.json"
        self.rows = json.loads(kept.read_text("utf-8")) if kept.exists() else []
        return self

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)

    def run(self, knobs: dict[str, Any], measure: Callable[..., dict[str, float]]) -> dict[str, Any]:
        """The line of one run: kept from before, or knobs and what `measure(knobs, name, resume)` gives, called now.

        Args:
            knobs: name -> value; what tells this run from the others.
            measure: trains and judges, as run `name` in this folder; resumes what it left there where `resume` is true.
        """
        done = next((row for row in self.rows if knobs.items() <= row.items()), None)
        if done is not None:
            return done
        name = "_".join(f"{key}-{value}" for key, value in knobs.items()).replace("/", "-")
        log.info(f"--- {self.folder.name}: {', '.join(f'{key} {value}' for key, value in knobs.items())}")
        self.rows.append(knobs | measure(knobs, name, (self.folder / name).exists()))
        with replacing(self.folder / "results.json") as beside:
            beside.write_text(json.dumps(self.rows, indent=2) + "\n", "utf-8")
        self._write_table()
        return self.rows[-1]

    def add(
        self,
        result: Result,
        figures: dict[str, float],
        baselines: dict[str, dict[str, float]],
        series: dict[str, list[float]] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        """Adds to a run what was measured after it: to its card, and with the pictures in its folder to MLflow.

        Args:
            result: of `sslzoo.pretrain`.
            figures: of the trained encoder, by their names.
            baselines: name of a baseline, such as "untrained" -> the same figures of it.
            series: name -> values that MLflow gets as the steps 1, 2, ... of a metric.
            parameters: of the run, beside those that `sslzoo.pretrain` has logged.
        """
        if result.exported:
            columns = {"trained": figures} | baselines
            lines = [[name, *(spread([column.get(name)]) for column in columns.values())] for name in figures]
            rows = [Row(metric, name, value) for name, column in columns.items() for metric, value in column.items()]
            added = {"scores": [row.as_dict() for row in rows]}
            added["scores_markdown"] = grid(["figure", *columns], lines)
            write_card(result.exported, read_facts(result.exported) | added)
        if self.mlflow:
            with MLflow(result.run, result.run.name, parameters or {}, result.exported) as tracker:
                tracker.log(figures)
                for name, values in (series or {}).items():
                    for step, value in enumerate(values, start=1):
                        tracker.log({name: value}, step)

    def write_journal(self, text: str) -> None:
        """journal.md, and on the screen."""
        with replacing(self.folder / "journal.md") as beside:
            beside.write_text(text, "utf-8")
        log.info(f"{text}\nwritten to {self.folder / 'journal.md'}")

    def _write_table(self) -> None:
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        with replacing(self.folder / "results.csv") as beside, open(beside, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)


def command(recipe: Callable, given: dict[str, Any]) -> str:
    """The command line of a recipe with the knobs `given`, without those that stand at their defaults."""
    words = ["python", f"recipes/{recipe.__name__}.py"]
    for name, parameter in inspect.signature(recipe).parameters.items():
        if given.get(name, parameter.default) != parameter.default:
            value = ",".join(map(str, given[name])) if isinstance(given[name], tuple) else str(given[name])
            words += [f"--{name}", value]
    return shlex.join(words)


def means(rows: list[dict], by: tuple[str, ...], figures: tuple[str, ...]) -> Iterator[tuple[tuple, list[str]]]:
    """Values of the knobs `by`, and mean and deviation over all rows that have them of each figure, as text."""
    for key in dict.fromkeys(tuple(row[name] for name in by) for row in rows):
        some = [row for row in rows if tuple(row[name] for name in by) == key]
        yield key, [spread([row.get(figure) for row in some]) for figure in figures]


def effect(rows: list[dict], knob: str, figure: str, baselines: dict[str, list[float]], higher: bool = True) -> str:
    """What a sweep shows of one figure over one knob, in a sentence: an effect only where it exceeds the seeds' spread.

    The best setting is compared with each other setting and each baseline by Welch's interval of the difference of
    means over seeds (95 %), which needs three seeds or more of each setting.

    Args:
        rows: lines of the sweep, each with the knob and the figure.
        knob, figure: their names.
        baselines: name -> values of the figure, one for each seed; a single one has no spread.
        higher: whether the higher figure is the better one.
    """
    values = {key: [row[figure] for row in rows if row[knob] == key] for key in dict.fromkeys(r[knob] for r in rows)}
    fewest = min(map(len, values.values()))
    if fewest < SEEDS:
        return f"{figure}: {fewest} seed{'s' * (fewest > 1)} of each {knob}: too few to tell an effect from chance"
    sign = 1 if higher else -1
    best = max(values, key=lambda key: sign * np.mean(values[key]))
    others = {f"{knob} {key}": found for key, found in values.items() if key != best} | baselines
    beaten = [name for name, found in others.items() if sign * _margin(values[best], found, sign) > 0]
    said = f"{figure}: best at {knob} {best} ({spread(values[best])})"
    equal = [name for name in others if name not in beaten]
    if not beaten:
        return f"{said}, but no difference exceeds the spread over {fewest} seeds"
    rest = f"; not measurably better than {', '.join(equal)}" if equal else ""
    return f"{said}, measurably better than {', '.join(beaten)}{rest}"


def _margin(one: list[float], other: list[float], sign: int) -> float:
    """The end of Welch's interval of mean(one) - mean(other) that is nearer to zero where `one` is better."""
    variances = [np.var(x, ddof=1) / len(x) if len(x) > 1 else 0.0 for x in (one, other)]
    error = np.sqrt(sum(variances))
    if error == 0:
        return float(np.mean(one) - np.mean(other))
    freedom = sum(variances) ** 2 / sum(v**2 / (len(x) - 1) for v, x in zip(variances, (one, other), strict=True) if v)
    return float(np.mean(one) - np.mean(other) - sign * stats.t.ppf(0.975, freedom) * error)


def spread(values: list[float]) -> str:
    """Mean and, from two values on, sample deviation, to three digits."""
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    deviation = f" +- {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{deviation}"
