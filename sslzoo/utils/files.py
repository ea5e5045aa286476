"""Writing without half-written results: beside first, then renamed."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write a file or folder at; it takes the place of `path` if the block succeeds.

    What stood at `path` stays there until then, and for good if the block fails.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        yield beside
        _swap(beside, path)
    finally:
        remove(beside)


def writable(path: str | Path) -> bool:
    """Whether a file or folder may be made at `path`, or be replaced there."""
    above = Path(path).absolute().parent
    while not above.exists():
        above = above.parent
    effective = os.access in os.supports_effective_ids
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK, effective_ids=effective)


def reason(error: Exception) -> str:
    """The first line of what Python or TensorFlow says of an error."""
    return getattr(error, "message", str(error)).strip().split("\n")[0]


def refuse_pattern(path: str | Path) -> None:
    """Raises the line for a folder of weights that TensorFlow would not find: it takes the path for a pattern."""
    if found := set("[\\") & set(str(path)):
        raise ValueError(f"TensorFlow finds no weights in {path}: choose a path without {' and '.join(sorted(found))}")


def remove(path: Path) -> None:
    """Removes a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _swap(beside: Path, path: Path) -> None:
    if not path.is_dir():
        os.replace(beside, path)
        return
    # A folder cannot be renamed over another one: the old one steps aside first.
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    os.rename(path, old)
    os.rename(beside, path)
    remove(old)
