"""The run folder: its owner, its files, and the conditions to resume it."""

import fcntl
import json
import os
from collections.abc import Collection
from pathlib import Path

from sslzoo.catalog import resolved
from sslzoo.utils.files import refuse_pattern, remove, replacing

LOCK, SETTINGS = "lock", "settings.json"


class Run:
    """runs/<name>/ with settings.json, metrics.jsonl, events, views.png and checkpoints/, owned by one process.

    Use it as a context manager. The folder is released at the end of the context or of the process.

    Args:
        path: the folder; it is created if it does not exist.
        settings: settings of the run, as JSON values. A run cannot be resumed with other settings.
        resume: continue the run in the folder.
        overwrite: replace the run in the folder; it is restored if the new one fails before a checkpoint.
        free: names of the settings that may change when a run is resumed; None means all.
        before: values of earlier versions that are equivalent to those of `settings`, by name.

    Raises:
        ValueError: if the folder is in use, holds a run already or one with other settings, or files of no run.
    """

    def __init__(
        self,
        path: str | Path,
        settings: dict,
        resume: bool = False,
        overwrite: bool = False,
        free: Collection[str] | None = (),
        before: dict[str, str] | None = None,
    ):
        self.path = Path(path)
        self.settings = json.loads(json.dumps(settings, default=str))
        self.resume = resume
        self.overwrite = overwrite
        self.free = free
        self.before = before or {}
        # What the run replaces, in a folder next to it; of the second name while it is moved.
        self.aside = self.path.with_name(f".{self.path.name}.before")
        self.part = self.path.with_name(f".{self.path.name}.before.part")

    def __enter__(self) -> "Run":
        refuse_pattern(self.path)
        self._refuse_foreign()
        self.path.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.path / LOCK, "a")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._settle(failed=True)  # of a process that was killed
            self._claim()
        except BlockingIOError:
            self.lock.close()
            raise ValueError(f"{self.path} is in use by another run: wait for it, or give another name=...") from None
        except ValueError:
            self.lock.close()
            raise
        return self

    def __exit__(self, kind: type | None, *error) -> None:
        self._settle(failed=kind is not None)
        self.lock.close()

    def _refuse_foreign(self) -> None:
        """Raises ValueError for a folder of files that no run wrote."""
        names = {file.name for file in self.path.iterdir()} if self.path.is_dir() else set()
        mine = sorted(name for name in names if name != LOCK and not name.startswith("."))
        known = _settings(self.path / SETTINGS)
        is_run = known is not None and (LOCK in names or bool(self.resume and known))
        if mine and not is_run and not self.aside.exists() and not self.part.exists():
            raise ValueError(f"{self.path} holds {mine[0]!r} and no run: give another name=... or runs=...")

    def _content(self) -> list[Path]:
        return [file for file in self.path.iterdir() if file.name != LOCK]

    def _set_aside(self) -> None:
        """Moves what the folder holds into a folder next to it."""
        self.part.mkdir()
        for old in self._content():
            os.rename(old, self.part / old.name)
        os.rename(self.part, self.aside)

    def _settle(self, failed: bool) -> None:
        """Removes what was set aside, or brings it back if the new run failed and has no checkpoint."""
        begun = any(True for file in self._content() for _ in (file.rglob("step-*") if file.is_dir() else ()))
        if self.aside.is_dir() and failed and not begun:
            for new in self._content():
                remove(new)
            os.rename(self.aside, self.part)
        for old in self.part.iterdir() if self.part.is_dir() else ():
            os.rename(old, self.path / old.name)
        remove(self.part)
        remove(self.aside)

    def _claim(self) -> None:
        settings = self.path / SETTINGS
        if settings.exists() and self.resume:
            self._compare(json.loads(settings.read_text("utf-8")))
        elif settings.exists() and not self.overwrite:
            ways = "resume=True continues it, overwrite=True starts over, name=... names another"
            raise ValueError(f"{self.path} holds a run already: {ways}")
        elif settings.exists():
            self._set_aside()
        with replacing(settings) as beside:
            beside.write_text(json.dumps(self.settings, indent=2) + "\n", "utf-8")

    def _compare(self, before: dict) -> None:
        before = resolved.upgraded(before, self.settings)
        # "given" lists which values the user chose; the values themselves are compared.
        names = sorted((before.keys() | self.settings.keys()) - {"given"})
        free = names if self.free is None else self.free
        now = self.settings
        changed = [n for n in names if before.get(n) not in (now.get(n), self.before.get(n, now.get(n)))]
        lines = [f"{n} was {before.get(n)!r}, is {now.get(n)!r}" for n in changed if n not in free]
        if lines:
            raise ValueError(
                f"{self.path} cannot be resumed with other settings: {'; '.join(lines)}; change=True accepts them"
            )


def _settings(file: Path) -> dict | None:
    """The settings in a file; None if it holds none."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
