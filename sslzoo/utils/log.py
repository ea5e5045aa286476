"""The logger "sslzoo" of the library, which the command line shows and Python users configure."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from tqdm.auto import tqdm

log = logging.getLogger("sslzoo")


class Terminal(logging.Handler):
    """Writes messages to standard output, above any progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stdout)
        sys.stdout.flush()


def show() -> None:
    """Writes the messages of the library to standard output, as the command line does."""
    if not any(isinstance(handler, Terminal) for handler in log.handlers):
        log.addHandler(Terminal())
    log.setLevel(logging.INFO)
    log.propagate = False


@contextlib.contextmanager
def to_file(path: Path) -> Iterator[None]:
    """Redirects the messages and the standard output of a block to a file, which is appended to."""
    before = log.handlers[:], log.propagate, log.level
    with open(path, "a", encoding="utf-8", buffering=1) as file, contextlib.redirect_stdout(file):
        log.handlers[:], log.propagate = [logging.StreamHandler(file)], False
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            log.handlers[:], log.propagate, level = before
            log.setLevel(level)
