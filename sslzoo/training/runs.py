"""The run folder: who owns it, what it holds, what is resumed."""

import fcntl
import json
from collections.abc import Collection
from pathlib import Path

from sslzoo.catalog import resolved
from sslzoo.utils.files import refuse_pattern, remove, replacing


class Run:
    """runs/<name>/ with settings.json, metrics.jsonl, events, views.png and checkpoints/, owned by one process.

    Used as a context manager; leaving it frees the folder, as does the end of the process, however it comes.

    Args:
        path: the folder; made where there is none.
        settings: what the run is; JSON. Resuming with other settings is refused.
        resume: go on with the run that the folder holds.
        overwrite: remove what the folder holds.
        free: settings that may be others than before in a resumed run; None for all.
        before: other values of settings that are equal to those of `settings`, as earlier versions wrote them.

    Raises:
        ValueError: the folder is in use, or holds a run already, or one with other settings.
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
        with replacing(settings) as beside:
            beside.write_text(json.dumps(self.settings, indent=2) + "\n", "utf-8")

    def _compare(self, before: dict) -> None:
        before = resolved.upgraded(before, self.settings)
        # "given" only says who chose the values, which are compared themselves.
        names = sorted((before.keys() | self.settings.keys()) - {"given"})
        free = names if self.free is None else self.free
        now = self.settings
        changed = [n for n in names if before.get(n) not in (now.get(n), self.before.get(n, now.get(n)))]
        lines = [f"{n} was {before.get(n)!r}, is {now.get(n)!r}" for n in changed if n not in free]
        if lines:
            raise ValueError(
                f"{self.path} cannot be resumed with other settings: {'; '.join(lines)}; change=True accepts them"
            )
