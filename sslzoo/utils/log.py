"""Messages of the library: the logger "sslzoo", which the command line shows and Python users configure."""

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
    """Shows the messages of the library on standard output, as the command line does."""
    if not any(isinstance(handler, Terminal) for handler in log.handlers):
        log.addHandler(Terminal())
    log.setLevel(logging.INFO)
    log.propagate = False


@contextlib.contextmanager
def to_file(path: Path) -> Iterator[None]:
    """Appends the messages and the standard output of the block to a file, and shows them nowhere else."""
    before = log.handlers[:], log.propagate, log.level
    with open(path, "a", encoding="utf-8", buffering=1) as file, contextlib.redirect_stdout(file):
        log.handlers[:], log.propagate = [logging.StreamHandler(file)], False
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            log.handlers[:], log.propagate, level = before
            log.setLevel(level)
