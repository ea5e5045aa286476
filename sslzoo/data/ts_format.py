"""The .ts format of aeon and sktime: comments, a header, a series a line with channels divided by colons."""

from pathlib import Path

import numpy as np

from sslzoo.data.dataset import DataError


def read_ts(path: Path) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Series of a .ts file, each (steps, channels), and the names of their classes; None without classes.

    A question mark or NaN is a missing value. Channels of different lengths are padded with NaN.

    Raises:
        DataError: the file cannot be read, has time stamps, or a line is no series.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    lines = [line.strip() for line in lines]
    lines = [line for line in lines if line and not line.startswith("#")]
    start = next((number for number, line in enumerate(lines) if line.lower() == "@data"), None)
    if start is None:
        raise DataError(f"{path} has no line @data: is it a file of the .ts format?")
    header = {line.split()[0].lower(): line.split()[1:] for line in lines[:start] if line.startswith("@")}
    if (header.get("@timestamps") or ["false"])[0].lower() == "true":
        raise DataError(f"{path} has time stamps, which are not supported: write the values alone")
    labelled = (header.get("@classlabel") or ["false"])[0].lower() == "true"
    target = (header.get("@targetlabel") or ["false"])[0].lower() == "true"
    rows = [line.split(":") for line in lines[start + 1 :]]
    names = np.array([row.pop().strip() for row in rows]) if labelled or target else None
    try:
        series = [_channels(row) for row in rows]
    except ValueError as error:
        raise DataError(f"{path} has a line that is no series: {error}") from None
    return series, names if labelled else None


def _channels(row: list[str]) -> np.ndarray:
    """A series (steps, channels) from the text of each channel."""
    channels = [[np.nan if word.strip() == "?" else float(word) for word in text.split(",")] for text in row]
    steps = max(map(len, channels))
    return np.array([channel + [np.nan] * (steps - len(channel)) for channel in channels]).T
