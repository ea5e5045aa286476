"""result.json of a run folder: state, verdict, scores and the arguments of the run."""

import contextlib
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from sslzoo.catalog.runs.record import FAILED, FINISHED, INTERRUPTED, RESULT, RUNNING
from sslzoo.training.experiment import Experiment, RunOptions
from sslzoo.utils import provenance
from sslzoo.utils.files import replacing

ACTIONS = {"resume", "extend", "change", "overwrite", "preview", "callbacks"}  # of one call, not of the run


class Outcome:
    """Writes result.json: at the start, when results are noted, and at the end, however the run ends.

    A context manager. A resumed run keeps the start and, if its number of epochs is the same, the results of before.

    Args:
        folder: of the run.
        facts: of the run, such as its arguments; "epochs" is the number of epochs of all stages.
    """

    def __init__(self, folder: Path, **facts):
        self.path, self.facts = Path(folder) / RESULT, facts

    def __enter__(self) -> "Outcome":
        before = _read(self.path)
        same = before.get("epochs") == self.facts.get("epochs")
        kept = before if same else {name: before[name] for name in ("began",) if name in before}
        self.facts = {"began": round(time.time(), 3)} | kept | self.facts | {"state": RUNNING}
        self.facts.pop("error", None)
        self._write()
        return self

    def note(self, **facts) -> None:
        """Adds results, which replace those of the same names."""
        self.facts |= facts
        self._write()

    def __exit__(self, kind: type | None, error: BaseException | None, _) -> None:
        stopped = kind is not None and issubclass(kind, KeyboardInterrupt)
        self.facts["state"] = FINISHED if kind is None else INTERRUPTED if stopped else FAILED
        self.facts["ended"] = round(time.time(), 3)
        if error is not None:
            self.facts["error"] = str(error).strip().split("\n")[0] or kind.__name__
        with contextlib.suppress(OSError) if kind else contextlib.nullcontext():  # a full disk ended the run
            self._write()

    def _write(self) -> None:
        with replacing(self.path) as temporary:
            temporary.write_text(json.dumps(self.facts, indent=1) + "\n", "utf-8")


def origin_of(experiment: Experiment, run: RunOptions, name: str) -> dict[str, Any]:
    """Returns how a run was called: its command, its arguments, and the names of those that are objects of Python.

    Args:
        experiment, run: as the user gave them.
        name: of the run.
    """
    given = {n: getattr(experiment, n) for n in ("method", "data", "encoder", *experiment.given) if _has(experiment, n)}
    given |= experiment.knobs | {"name": name, "runs": run.runs, "export_to": run.export_to}
    for field in dataclasses.fields(run):
        value = getattr(run, field.name)
        if field.name not in ACTIONS and not (isinstance(value, type(field.default)) and value == field.default):
            given[field.name] = value
    plain = {n: str(value) if isinstance(value, Path) else value for n, value in given.items() if _is_plain(value)}
    return {"command": provenance.command(), "arguments": plain, "objects": sorted(given.keys() - plain.keys())}


def _has(experiment: Experiment, name: str) -> bool:
    return name not in experiment.knobs and hasattr(experiment, name)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(one) for one in value)
    return value is None or isinstance(value, str | int | float | Path)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
