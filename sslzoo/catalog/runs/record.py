"""A run folder as it is on disk: settings, figures, state and result."""

import dataclasses
import fcntl
import json
import os
import re
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

LOCK, SETTINGS, METRICS, RESULT, TAGS = "lock", "settings.json", "metrics.jsonl", "result.json", "tags.json"
CHECKPOINTS = "checkpoints"
LARGEST = 1e300  # of numbers, above which they are as infinite
END = 1 << 16  # bytes at the end of metrics.jsonl that hold its last line
FINISHED, RUNNING, INTERRUPTED, FAILED, BROKEN = "finished", "running", "interrupted", "failed", "broken"
COUNTERS = ("epoch", "step", "time")  # of metrics.jsonl, which are no figures
BEFORE = ("untrained", "start")  # columns of the encoder before the first step


@dataclasses.dataclass(frozen=True)
class Record:
    """One run folder.

    Attributes:
        path: the folder.
        name: path of the folder below the folder that was searched.
        settings: settings.json; {} if it cannot be read.
        result: result.json, which the run writes at its start and its end; {} for runs of earlier versions.
        tags: names that `sslzoo runs tag` gave it.
        faults: what could not be read and why.
    """

    path: Path
    name: str
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    result: dict[str, Any] = dataclasses.field(default_factory=dict)
    tags: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        return str(self.settings.get("method", ""))

    @property
    def data(self) -> str:
        """Name of the training data, without their fingerprint."""
        return str(self.settings.get("data", "")).partition(", fingerprint")[0]

    @cached_property
    def _ends(self) -> tuple[dict, dict]:
        """The first and the last readable line of metrics.jsonl, read without the lines between them."""
        try:
            with open(self.path / METRICS, "rb") as file:
                first = file.readline(END)
                file.seek(max(0, os.fstat(file.fileno()).st_size - END))
                lines = file.read().splitlines()
        except OSError:
            return {}, {}
        return _line(first), next((found for line in reversed(lines) if (found := _line(line))), {})

    @property
    def start(self) -> dict[str, Any]:
        """The figures before the first step; {} if they were not recorded."""
        return self._ends[0] if self._ends[0].get("epoch") == 0 else {}

    @property
    def last(self) -> dict[str, Any]:
        """The figures of the last epoch."""
        return self._ends[1]

    @property
    def history(self) -> list[dict[str, Any]]:
        """The figures of all epochs; damaged lines are left out."""
        try:
            lines = (self.path / METRICS).read_bytes().splitlines()
        except OSError:
            return []
        return [found for line in lines if (found := _line(line))]

    @property
    def began(self) -> float:
        """Seconds since 1970: the start of the run, or the time of the oldest file that is left of it."""
        known = [self.result.get("began"), self._ends[0].get("time"), _modified(self.path / SETTINGS)]
        return next((float(time) for time in known if _is_number(time)), _modified(self.path) or 0.0)

    @property
    def when(self) -> str:
        try:
            return datetime.fromtimestamp(self.began).strftime("%Y-%m-%d %H:%M")
        except (ValueError, OverflowError, OSError):  # a damaged time
            return "?"

    @property
    def done(self) -> int:
        """Number of epochs that are recorded."""
        return int(self.last.get("epoch", 0))

    @property
    def planned(self) -> int:
        """Number of epochs of the run, over all stages; 0 if it is not known."""
        planned = self.result.get("epochs", self.settings.get("epochs"))
        return int(planned) if _is_number(planned) else 0

    @cached_property
    def state(self) -> str:
        """One of finished, running, interrupted, failed and broken."""
        if not self.settings:
            return BROKEN
        state = self.result.get("state", RUNNING)
        if state in (FINISHED, INTERRUPTED, FAILED):
            return state
        if _is_locked(self.path / LOCK):
            return RUNNING
        return FINISHED if not self.result and 0 < self.planned <= self.done else INTERRUPTED

    @property
    def verdict(self) -> str:
        """The error that ended the run, or the verdict, or what could not be read."""
        found = self.result.get("error") or self.result.get("verdict") or "; ".join(self.faults)
        return clean(found)

    @property
    def figures(self) -> dict[str, float]:
        """Name -> value: figures of the last epoch, and the final scores of the trained encoder.

        "knn" is the final score, "online_knn" the figure of the last epoch; "linear" is the probe with most labels.
        """
        found = {online(name): value for name, value in self.last.items() if name not in COUNTERS}
        final = self.scores | self.main
        return found | {key: columns["trained"] for key, columns in final.items()}

    @cached_property
    def scores(self) -> dict[str, dict[str, float]]:
        """Key -> column -> final score. Columns are "trained", "before" for the start, and the baselines."""
        found: dict[str, dict[str, float]] = {}
        rows = self.result.get("scores")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and _is_number(row.get("mean")):
                column = str(row.get("features"))
                found.setdefault(str(row.get("key")), {})["before" if column in BEFORE else column] = row["mean"]
        return {key: columns for key, columns in found.items() if "trained" in columns}

    @property
    def main(self) -> dict[str, dict[str, float]]:
        """The final scores of the table: "knn", and "linear", the probe with most labels."""
        probes = [key for key in self.scores if re.fullmatch(r"linear_\d+(\.\d+)?", key)]
        probes.sort(key=lambda key: float(key.removeprefix("linear_")))
        keys = {"knn": "knn", "linear": probes[-1] if probes else ""}
        return {name: self.scores[key] for name, key in keys.items() if key in self.scores}

    @property
    def size(self) -> int:
        """Bytes of all files of the folder."""
        files = (Path(at) / name for at, _, names in os.walk(self.path) for name in names)
        return sum(_bytes(file) for file in files)

    def as_dict(self) -> dict[str, Any]:
        """Plain values alone, ready for JSON."""
        names = ("name", "method", "data", "state", "done", "planned", "verdict")
        found = {name: getattr(self, name) for name in names} | {"path": str(self.path), "began": self.began}
        found |= {"scores": self.scores, "figures": self.figures, "start": self.start}
        return found | {"tags": list(self.tags), "faults": list(self.faults), "settings": self.settings}


def online(name: str) -> str:
    """Returns the name of a figure of metrics.jsonl; that of k-NN differs from its final score."""
    return "online_knn" if name == "knn" else name


def clean(value: Any) -> str:
    """Returns text on one line, without characters that a terminal would act on."""
    line = " ".join(str(value).split())
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _line(text: bytes) -> dict[str, Any]:
    """The finite figures of a line of metrics.jsonl; {} for a damaged line."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    figures = {name: value for name, value in found.items() if _is_number(value)} if isinstance(found, dict) else {}
    return figures if "epoch" in figures else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _is_locked(file: Path) -> bool:
    """Whether a process holds the lock of a run folder."""
    try:
        with open(file, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _modified(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _bytes(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0
