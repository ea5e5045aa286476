"""The run folder: its owner, its files, and the conditions to resume it."""

import fcntl
import json
from collections.abc import Collection
from pathlib import Path

from sslzoo.catalog import resolved
from sslzoo.utils.files import refuse_pattern, remove, replacing


class Run:
    """runs/<name>/ with settings.json, metrics.jsonl, events, views.png and checkpoints/, owned by one process.

    Use it as a context manager. The folder is released at the end of the context or of the process.

    Args:
        path: the folder; it is created if it does not exist.
        settings: settings of the run, as JSON values. A run cannot be resumed with other settings.
        resume: continue the run in the folder.
        overwrite: remove the contents of the folder.
        free: names of the settings that may change when a run is resumed; None means all.
        before: values of earlier versions that are equivalent to those of `settings`, by name.

    Raises:
        ValueError: if the folder is in use, already holds a run, or holds a run with other settings.
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

    def __enter__(self) -> "Run":
        refuse_pattern(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.path / "lock", "a")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._claim()
        except BlockingIOError:
            self.lock.close()
            raise ValueError(f"{self.path} is in use by another run: wait for it, or give another name=...") from None
        except ValueError:
            self.lock.close()
            raise
        return self

    def __exit__(self, *error) -> None:
        self.lock.close()

    def _claim(self) -> None:
        settings = self.path / "settings.json"
        if settings.exists() and self.resume:
            self._compare(json.loads(settings.read_text("utf-8")))
        elif settings.exists() and not self.overwrite:
            ways = "resume=True continues it, overwrite=True starts over, name=... names another"
            raise ValueError(f"{self.path} holds a run already: {ways}")
        elif settings.exists():
            for old in self.path.iterdir():
                if old.name != "lock":
                    remove(old)
        with replacing(settings) as temporary:
            temporary.write_text(json.dumps(self.settings, indent=2) + "\n", "utf-8")

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
