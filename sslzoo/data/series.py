"""Time series: arrays, .ts, .npz and .npy files, and the UCR and UEA archives as the package aeon has them."""

import difflib
import importlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sslzoo.data import labels as numbers
from sslzoo.data.dataset import DataError, Dataset
from sslzoo.data.made import in_memory
from sslzoo.data.ts_format import read_ts

ARCHIVES = ("ucr:", "uea:")
GIVE = "give (n, steps), (n, steps, channels), or a list of arrays (steps, channels)"
PARTS = ("train", "test")
INSTALL = "pip install --no-deps aeon"


def parts(data: Any) -> dict[str, Dataset]:
    """The parts of time series.

    Args:
        data: "ucr:NAME" or "uea:NAME"; the path of a .ts file, whose name may end in _TRAIN or _TEST, of an .npz with x
            and y, or x_train, y_train, x_test and y_test, or of an .npy; an array (n, steps) or (n, steps, channels),
            or a list of arrays (steps, channels); a pair (series, labels); or two such pairs for training and testing.

    Returns:
        "train", and where the data has one "test" -> datasets on one canvas.

    Raises:
        DataError: a line that says what is wrong and what to do.
    """
    if isinstance(data, str) and data.startswith(ARCHIVES):
        name = data.split(":", 1)[1]
        return of_arrays(_archive(name), name)
    if isinstance(data, str | os.PathLike):
        path = Path(data).expanduser()
        if path.suffix.lower() not in READERS:
            raise DataError(f"{path} is no file of series: give one that ends in {', '.join(READERS)}, or ucr:NAME")
        if not path.is_file():
            raise DataError(f"there is no file {path}")
        return of_arrays(READERS[path.suffix.lower()](path), path.stem.removesuffix("_TRAIN").removesuffix("_TEST"))
    pair = isinstance(data, tuple) and len(data) == 2
    if pair and all(isinstance(one, tuple) and len(one) == 2 for one in data):
        return of_arrays(dict(zip(PARTS, data, strict=True)), "array")
    return of_arrays({"train": data if pair else (data, None)}, "array")


def of_arrays(given: dict[str, tuple[Any, Any]], name: str) -> dict[str, Dataset]:
    """Datasets of arrays: name of a part -> series, and labels or None."""
    arrays = {part: _series(x) for part, (x, _) in given.items()}
    if len({x.shape[-1] for x, _ in arrays.values()}) > 1:
        counts = " and ".join(str(x.shape[-1]) for x, _ in arrays.values())
        raise DataError(f"training and test series have {counts} channels: give both alike")
    steps = max(x.shape[1] for x, _ in arrays.values())
    labels, classes, lines = numbers.of_arrays([y for _, y in given.values()], [len(x) for x, _ in arrays.values()])
    lines += _said([*arrays.values()], steps)
    return {
        part: in_memory(
            name, _padded(x, steps), sizes, kind="series", labels=y, class_names=classes, notes=tuple(lines)
        )
        for (part, (x, sizes)), y in zip(arrays.items(), labels, strict=True)
    }


def _series(x: Any) -> tuple[np.ndarray, np.ndarray]:
    """Series (n, steps, channels) float32 and their lengths (n, 1).

    Steps without any value at the end are padding.
    """
    array = _stacked(x)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in array.shape:
        raise DataError(f"series have shape {array.shape}: {GIVE}")
    if array.shape[1] < 2:
        raise DataError(f"series of shape {array.shape} have a single step: {GIVE}")
    array = array.astype(np.float32)
    known = np.isfinite(array)
    if np.isinf(array).any():
        row = int(np.flatnonzero(np.isinf(array).any(axis=(1, 2)))[0])
        raise DataError(f"infinite values, the first of them in series {row}: give NaN for a missing value")
    some = known.any(axis=2)
    if not some.any(axis=1).all():
        empty = np.flatnonzero(~some.any(axis=1))
        raise DataError(f"{len(empty)} of {len(array)} series have no value at all, such as {empty[0]}: leave them out")
    lengths = array.shape[1] - np.argmax(some[:, ::-1], axis=1)
    for row in np.flatnonzero(lengths < array.shape[1]):
        array[row, lengths[row] :] = 0
    return array[:, : lengths.max()], lengths[:, None].astype(np.int32)


def _stacked(x: Any) -> np.ndarray:
    """Numbers of one shape; shorter series are padded with NaN."""
    try:
        array = np.asarray(x)
    except ValueError:  # several lengths
        array = np.empty(0, object)
    if array.dtype.kind in "biuf":
        return array
    rows = [] if isinstance(x, str | bytes | dict) or not np.iterable(x) else [*x]
    try:
        rows = [np.asarray(row, np.float64) for row in rows]
    except (TypeError, ValueError):
        rows = []
    rows = [row[:, None] if row.ndim == 1 else row for row in rows]
    if not rows or {row.ndim for row in rows} != {2} or len({row.shape[1] for row in rows}) != 1:
        raise DataError(f"data is a {type(x).__name__}, which holds no series: {GIVE}")
    out = np.full((len(rows), max(map(len, rows)), rows[0].shape[1]), np.nan)
    for place, row in zip(out, rows, strict=True):
        place[: len(row)] = row
    return out


def _padded(x: np.ndarray, steps: int) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, steps - x.shape[1]), (0, 0)))


def _said(arrays: Sequence[tuple[np.ndarray, np.ndarray]], steps: int) -> list[str]:
    """Lines on what was understood of the series."""
    channels = arrays[0][0].shape[-1]
    lines = []
    if channels > steps:
        lines.append(f"{steps} steps of {channels} channels: for (n, channels, steps) give x.transpose(0, 2, 1)")
    shortest = min(int(sizes.min()) for _, sizes in arrays)
    if shortest < steps:
        lines.append(f"series of {shortest} to {steps} steps: encoders see them stretched to one length")
    missing = sum(int(np.isnan(x).any(axis=(1, 2)).sum()) for x, _ in arrays)
    if missing:
        total = sum(len(x) for x, _ in arrays)
        lines.append(
            f"{missing} of {total} series have missing values: each becomes the mean of its channel in its series"
        )
    return lines


def _from_ts(path: Path) -> dict[str, tuple]:
    """The series of a .ts file; NAME_TRAIN.ts and NAME_TEST.ts next to each other are two parts."""
    stem = path.stem.removesuffix("_TRAIN").removesuffix("_TEST")
    found = [path.with_name(f"{stem}_{part.upper()}{path.suffix}") for part in PARTS]
    if path in found and all(one.is_file() for one in found):
        return {part: read_ts(one) for part, one in zip(PARTS, found, strict=True)}
    return {"train": read_ts(path)}


def _from_npz(path: Path) -> dict[str, tuple]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name.lower(): file[name] for name in file.files}
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read as arrays of numbers: {error}") from error
    for suffixes in (("",), ("_train", "_test")):
        found = [part for part in suffixes if f"x{part}" in arrays]
        if found:
            pairs = [(arrays[f"x{part}"], arrays.get(f"y{part}")) for part in found]
            return dict(zip(PARTS, pairs, strict=False))
    raise DataError(f"{path} has {', '.join(arrays)}: name the series x, or x_train and x_test, and the labels y")


def _from_npy(path: Path) -> dict[str, tuple]:
    try:
        return {"train": (np.load(path, allow_pickle=False), None)}
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read as an array of numbers: {error}") from error


READERS = {".ts": _from_ts, ".npz": _from_npz, ".npy": _from_npy}


def _archive(name: str) -> dict[str, tuple]:
    """A set of the UCR or UEA archive: one of those inside the package aeon, or else what its loader downloads."""
    spec = importlib.util.find_spec("aeon")
    if spec is None:
        raise DataError(f"ucr: and uea: need the package aeon, which has 8 of the sets inside: {INSTALL}")
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "data"
    files = {part: folder / name / f"{name}_{part.upper()}.ts" for part in PARTS}
    if all(file.is_file() for file in files.values()):
        return {part: read_ts(file) for part, file in files.items()}
    here = sorted(path.name.removesuffix("_TRAIN.ts") for path in folder.glob("*/*_TRAIN.ts"))
    try:
        loader = importlib.import_module("aeon.datasets").load_classification
        return {part: _channels_last(*loader(name, split=part)) for part in PARTS}
    except Exception as error:  # a missing dependency, no network, no such name: aeon raises many kinds of errors
        close = difflib.get_close_matches(name, here, 3, 0.6) or here
        line = str(error).strip().split("\n")[0] or type(error).__name__
        raise DataError(
            f"no set {name!r} inside aeon, and aeon could not download it ({line}): inside are {', '.join(close)}"
        ) from None


def _channels_last(x: Any, y: Any) -> tuple:
    """aeon's series are (n, channels, steps)."""
    return [np.asarray(row).T for row in x], y
