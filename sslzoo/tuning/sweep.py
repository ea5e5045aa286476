"""A sweep: runs over a grid of knobs, with a row of figures for each run; an interrupted sweep can be resumed."""

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

SEEDS = 3  # minimum number of runs of each setting for a statement about an effect


class Sweep:
    """The folder of a sweep: settings.json, results.csv, and a run folder for each of its runs.

    Use it as a context manager. With `mlflow`, runs inside it are nested under the sweep.

    Args:
        name: name of the sweep and of its folder.
        settings: settings of the sweep; it cannot be resumed with others.
        runs: parent folder of the sweep's folder.
        resume, overwrite, mlflow: as for `sslzoo.pretrain`.

    Raises:
        ValueError: if the folder holds another sweep, or is in use.
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
        """Returns the row of a run, which is measured unless the sweep already has it.

        Args:
            knobs: name -> value; these identify the run.
            measure: function `(knobs, name, resume)` that trains and evaluates as run `name` in the folder of the sweep
                and returns figures by name; it resumes an interrupted run if `resume` is true.

        Returns:
            The knobs and the figures of the run.
        """
        done = next((row for row in self.rows if knobs.items() <= row.items()), None)
        if done is not None:
            return done
        name = "_".join(f"{key}-{value}" for key, value in knobs.items()).replace("/", "-")
        log.info(f"--- {self.folder.name}: {', '.join(f'{key} {value}' for key, value in knobs.items())}")
        self.rows.append(knobs | measure(knobs, name, (self.folder / name).exists()))
        with replacing(self.folder / "results.json") as temporary:
            temporary.write_text(json.dumps(self.rows, indent=2) + "\n", "utf-8")
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
        """Adds figures that were measured after a run to its card, and with the pictures of its folder to MLflow.

        Args:
            result: result of `sslzoo.pretrain`.
            figures: figures of the trained encoder, by name.
            baselines: name of a baseline, such as "untrained" -> its figures, by name.
            series: name -> values that are logged to MLflow as steps 1, 2, ... of a metric.
            parameters: parameters of the run in addition to those that `sslzoo.pretrain` logged.
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
        """Writes journal.md and logs its text."""
        with replacing(self.folder / "journal.md") as temporary:
            temporary.write_text(text, "utf-8")
        log.info(f"{text}\nwritten to {self.folder / 'journal.md'}")

    def _write_table(self) -> None:
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        with (
            replacing(self.folder / "results.csv") as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)


def command(recipe: Callable, given: dict[str, Any]) -> str:
    """Returns the command line of a recipe with the knobs `given`, without those that equal their defaults."""
    words = ["python", f"recipes/{recipe.__name__}.py"]
    for name, parameter in inspect.signature(recipe).parameters.items():
        if given.get(name, parameter.default) != parameter.default:
            value = ",".join(map(str, given[name])) if isinstance(given[name], tuple) else str(given[name])
            words += [f"--{name}", value]
    return shlex.join(words)


def means(rows: list[dict], by: tuple[str, ...], figures: tuple[str, ...]) -> Iterator[tuple[tuple, list[str]]]:
    """Yields the values of the knobs `by`, with mean and deviation of each figure over their rows, as text."""
    for key in dict.fromkeys(tuple(row[name] for name in by) for row in rows):
        some = [row for row in rows if tuple(row[name] for name in by) == key]
        yield key, [spread([row.get(figure) for row in some]) for figure in figures]


def effect(rows: list[dict], knob: str, figure: str, baselines: dict[str, list[float]], higher: bool = True) -> str:
    """Describes the effect of one knob on one figure in a sentence.

    The best setting is compared with every other setting and every baseline by Welch's 95 % interval of the difference
    of means over seeds. This requires at least three seeds of each setting.

    Args:
        rows: rows of the sweep, each with the knob and the figure.
        knob, figure: names of the knob and the figure.
        baselines: name -> values of the figure, one for each seed; a single value has no spread.
        higher: whether a higher figure is better.

    Returns:
        One sentence. It states an effect only if the effect exceeds the spread over seeds.
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
    """Returns the bound of Welch's interval of mean(one) - mean(other) that is nearer to zero if `one` is better."""
    variances = [np.var(x, ddof=1) / len(x) if len(x) > 1 else 0.0 for x in (one, other)]
    error = np.sqrt(sum(variances))
    if error == 0:
        return float(np.mean(one) - np.mean(other))
    freedom = sum(variances) ** 2 / sum(v**2 / (len(x) - 1) for v, x in zip(variances, (one, other), strict=True) if v)
    return float(np.mean(one) - np.mean(other) - sign * stats.t.ppf(0.975, freedom) * error)


def spread(values: list[float]) -> str:
    """Formats the mean with three digits, and the sample deviation if there are two or more values."""
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    deviation = f" +- {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{deviation}"
