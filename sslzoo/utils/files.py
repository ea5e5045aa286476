"""Atomic writing of files and folders: a temporary path is written, then renamed."""

import contextlib
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; the text says what is left and how to continue."""


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path next to `path`, which replaces `path` if the block succeeds.

    What stood at `path` stays there until then, and for good if the block fails or is interrupted.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    with terminable(), going_on(f"{path} was not changed, the same call starts again"):
        try:
            yield beside
            _swap(beside, path)
        finally:
            remove(beside)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Makes SIGTERM raise KeyboardInterrupt in the block, as Ctrl-C does, unless the program has a handler for it."""
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, frame) -> None:
    stop = KeyboardInterrupt()
    stop.status = 128 + number
    raise stop


@contextlib.contextmanager
def going_on(line: str) -> Iterator[None]:
    """Gives an interruption of the block a line on what is left and how to continue; the outermost one counts."""
    try:
        yield
    except KeyboardInterrupt as error:
        if str(error) and not isinstance(error, Interrupted):
            raise
        stop = Interrupted(f"interrupted: {line}")
        stop.status = getattr(error, "status", 128 + signal.SIGINT)
        raise stop from None


def refuse_path(name: str | None) -> None:
    """Raises ValueError for a name of a run that is a path, which would be written elsewhere."""
    if name is not None and (not name or Path(name).name != name or name.startswith(".")):
        line = "give a name without slashes that does not start with a dot"
        raise ValueError(f"name={name!r} is a path: {line}; runs=... and export_to=... are the folders")


def writable(path: str | Path) -> bool:
    """Returns whether a file or folder can be created or replaced at `path`."""
    above = Path(path).absolute().parent
    while not above.exists():
        above = above.parent
    effective = os.access in os.supports_effective_ids
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK, effective_ids=effective)


def reason(error: Exception) -> str:
    """Returns the first line of the message of an error of Python or TensorFlow."""
    return getattr(error, "message", str(error)).strip().split("\n")[0]


def refuse_pattern(path: str | Path) -> None:
    """Raises ValueError for a path that TensorFlow would read as a pattern, so that it would find no weights."""
    if found := set("[\\") & set(str(path)):
        raise ValueError(f"TensorFlow finds no weights in {path}: choose a path without {' and '.join(sorted(found))}")


def remove(path: Path) -> None:
    """Removes a file or a folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _swap(temporary: Path, path: Path) -> None:
    if not path.is_dir():
        os.replace(temporary, path)
        return
    # A folder cannot be renamed over another folder: the old one is renamed first.
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        os.rename(path, old)
        os.rename(temporary, path)
    except BaseException:
        if old.exists() and not path.exists():
            os.rename(old, path)
        raise
    remove(old)
