"""Atomic writing of files and folders: a temporary path is written, then renamed."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path next to `path`, which replaces `path` if the block succeeds.

    If the block fails, `path` is unchanged.

    Args:
        path: path of the file or folder to write.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        _swap(temporary, path)
    finally:
        remove(temporary)


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
    os.rename(path, old)
    os.rename(temporary, path)
    remove(old)
