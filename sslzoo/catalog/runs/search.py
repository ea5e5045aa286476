"""Finds run folders and reads them; a damaged one is a record that says so."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sslzoo.catalog.knobs import nearest
from sslzoo.catalog.runs.record import CHECKPOINTS, FINISHED, LOCK, METRICS, RESULT, SETTINGS, TAGS, Record, clean

EXPORT = "recipe.json"  # of an exported encoder
EMPTY = "the folder is empty"

PARTS = {CHECKPOINTS, "events", "plugins", "pictures", "keras_tuner"}  # sub-folders that hold no runs
DEPTH = 4  # levels of folders below the first one


def find(folder: str | Path) -> list[Record]:
    """Returns the runs in a folder and its sub-folders, in the order of their names; searches and sweeps are searched.

    Raises:
        ValueError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}: `sslzoo train` writes its runs to the folder runs=...")
    return list(_found(folder, folder, DEPTH, set()))


def named(run: str | Path, runs: str | Path) -> Record:
    """Returns the run of a name in the folder `runs`, or the run in the folder `run`.

    Raises:
        ValueError: there is none; the text names the nearest.
    """
    for path in (Path(runs) / run, Path(run)):
        if str(run) and path.is_dir() and (record := read(path, str(run))):
            return record
    known = [record.name for record in find(runs)] if Path(runs).is_dir() else []
    if known:
        raise ValueError(nearest(f"run in {runs}", str(run), known))
    raise ValueError(f"no run {str(run)!r}: the folder {runs} holds none, runs=... names another")


def read(path: Path, name: str) -> Record | None:
    """Returns the run in a folder; None if it is no run folder, or that of a search or a sweep."""
    try:
        files = set(os.listdir(path))
    except OSError as error:
        return Record(path, name, faults=(f"cannot be read: {error.strerror}",))
    if EXPORT in files or files and not files & {SETTINGS, METRICS, LOCK}:
        return None
    if SETTINGS not in files:
        return Record(path, name, faults=(f"{SETTINGS} is missing" if files else EMPTY,))
    settings, fault = _json(path / SETTINGS, dict)
    if not fault and "method" not in settings:
        return None if METRICS not in files else Record(path, name, faults=(f"{SETTINGS} names no method",))
    result, wrong = _json(path / RESULT, dict) if RESULT in files else (_of_export(path, settings), "")
    tags, bad = _json(path / TAGS, list) if TAGS in files else ([], "")
    faults = tuple(filter(None, (fault, wrong, bad)))
    return Record(path, name, settings, result, tuple(map(str, tags)), faults)


def _found(folder: Path, above: Path, depth: int, seen: set[str]) -> Iterator[Record]:
    if (real := os.path.realpath(folder)) in seen:
        return
    seen.add(real)
    name = clean(folder.name or folder.resolve().name if folder == above else folder.relative_to(above).as_posix())
    record = read(folder, name) if folder != above or any(folder.iterdir()) else None
    if record and (record.faults != (EMPTY,) or depth == DEPTH - 1):  # deeper, an empty folder may be anything
        yield record
    if depth == 0 or record and record.settings or os.path.exists(folder / EXPORT):
        return
    for path in _folders(folder):
        yield from _found(path, above, depth - 1, seen)


def _folders(folder: Path) -> list[Path]:
    """The sub-folders that may hold runs; links come last, so that a run has the name of its own folder."""
    try:
        entries = [entry for entry in os.scandir(folder) if entry.is_dir()]
    except OSError:
        return []
    entries = [entry for entry in entries if entry.name not in PARTS and not entry.name.startswith(".")]
    return [Path(entry.path) for entry in sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))]


def _json(file: Path, kind: type) -> tuple[Any, str]:
    """Returns the content of a JSON file and "", or an empty value and why it cannot be read."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except OSError as error:
        return kind(), f"{file.name} cannot be read: {error.strerror}"
    except ValueError:
        return kind(), f"{file.name} is no JSON, or cut short"
    return (found, "") if isinstance(found, kind) else (kind(), f"{file.name} holds no {kind.__name__}")


def _of_export(path: Path, settings: dict) -> dict[str, Any]:
    """The result of a run of an earlier version, from the card of its export; {} without one of the same settings."""
    exported = path.parent.parent / "exported_models" / path.name
    facts, _ = _json(exported / EXPORT, dict)
    if facts.get("knobs") != settings:
        return {}
    found = {name: facts[name] for name in ("verdict", "scores", "command", "ancestry") if name in facts}
    return found | {"state": FINISHED, "exported": str(exported)}
