"""Labels: of arrays, of folders and of CSV files, as numbers from 0, with -1 for images that have none."""

import collections
import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sslzoo.data.dataset import DataError

UNLABELLED = -1
LARGEST = 2**16  # numbers of classes from here on are renumbered: memory is taken for every number below the largest
FEW = 12  # classes that are listed with their counts; of more, the first and the last


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of classes in the order of their labels: as numbers if all are whole numbers, else as text."""
    names = set(names)
    if all(name.isascii() and name.isdecimal() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def by_name(names: Sequence[str | None]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels (n,) int32 and class names of the class names of n images; None and "" give -1."""
    classes = in_order(set(names) - {None, ""})
    number = {name: label for label, name in enumerate(classes)}
    return np.array([number.get(name, UNLABELLED) for name in names], np.int32), classes


def checked(labels: np.ndarray, count: int) -> np.ndarray:
    """Labels as they were given, (n,) integers from -1.

    Raises:
        DataError: they are no integers, not one for each image, or below -1.
    """
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"labels are {labels.dtype} of shape {labels.shape}: give one integer for each image{_way(labels)}"
        )
    if len(labels) != count:
        raise DataError(f"{count} images and {len(labels)} labels: give one label for each image")
    if len(labels) and labels.min() < UNLABELLED:
        raise DataError(
            f"labels go down to {labels.min()}: number classes from 0, and give -1 to images without a class"
        )
    return labels


def _way(labels: np.ndarray) -> str:
    if labels.ndim == 2 and labels.dtype.kind in "iufb":
        return ", such as labels.argmax(axis=1)"
    if labels.ndim == 1 and labels.dtype.kind in "fb":
        return ", such as labels.astype(int)"
    if labels.ndim > 2:
        return "; for two sets of images give ((images, labels), (images, labels)) or Splits of two datasets"
    return ", such as numpy.unique(labels, return_inverse=True)[1]" if labels.dtype.kind in "USO" else ""


def numbered(parts: Sequence[np.ndarray | None]) -> tuple[list[np.ndarray | None], tuple[str, ...] | None, list[str]]:
    """Labels of some parts as int32; where numbers are very large, those of all parts are renumbered from 0.

    Returns:
        The labels; the old numbers as class names, or None where nothing changed; lines for the user.
    """
    known = [part for part in parts if part is not None]
    if not known or max(int(part.max(initial=0)) for part in known) < LARGEST:
        return [None if part is None else part.astype(np.int32) for part in parts], None, []
    values = np.unique(np.concatenate([part[part != UNLABELLED] for part in known]))
    place = [p if p is None else np.where(p == UNLABELLED, UNLABELLED, np.searchsorted(values, p)) for p in parts]
    line = (
        f"labels go up to {values[-1]} and have {len(values)} values: renumbered 0 to {len(values) - 1} in their order"
    )
    return [p if p is None else p.astype(np.int32) for p in place], tuple(map(str, values)), [line]


def of_arrays(given: Sequence, counts: Sequence[int]) -> tuple[list, tuple[str, ...] | None, list[str]]:
    """Labels of each part, class names and lines; texts are numbered in their order.

    Args:
        given: labels of each part, numbers or texts; None for a part without labels.
        counts: number of examples of each part.
    """
    given = [None if y is None else np.asarray(y) for y in given]
    if any(y is not None and y.dtype.kind in "USO" for y in given):
        every = [name for y in given if y is not None for name in map(str, y)]
        classes = in_order(every)
        place = {name: label for label, name in enumerate(classes)}
        found = [None if y is None else np.array([place[str(name)] for name in y], np.int32) for y in given]
        return [y if y is None else checked(y, n) for y, n in zip(found, counts, strict=True)], classes, []
    found = [y if y is None else checked(y, n) for y, n in zip(given, counts, strict=True)]
    return numbered([None if y is None or np.all(y == UNLABELLED) else y for y in found])


def with_groups(
    path: str | Path, files: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...], list[str] | None, list[str]]:
    """As `from_csv`, of rows FILE,CLASS,GROUP: labels, class names, the group of each file and lines for the user.

    The groups, such as speakers, are None if the third column is missing or does not name one for every file.
    """
    labels, classes, lines = from_csv(path, files)
    keys, groups = file_keys(files), [""] * len(files)
    for row in _rows(Path(path).expanduser()):
        index = keys.get(row[0].strip().removeprefix("./"))
        if index is not None and len(row) > 2:
            groups[index] = row[2].strip()
    return labels, classes, groups if all(groups) else None, lines


def from_csv(path: str | Path, files: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """Labels of files from a CSV file: one row for each image, its name, then its class.

    The name is the path within the folder, or the file's name with or without its suffix where these are unique. A
    first row that names no image is a header; with one, the column of classes is that called label, class or category.

    Returns:
        Labels, class names, and lines for the user.

    Raises:
        DataError: the file cannot be read, or names no image, or an image twice with different classes.
    """
    rows = _rows(Path(path).expanduser())
    keys = file_keys(files)
    column = 1
    if rows and rows[0][0] not in keys:
        head = [cell.strip().lower() for cell in rows.pop(0)]
        column = next((head.index(word) for word in ("label", "class", "category") if word in head[1:]), 1)
    names: list[str | None] = [None] * len(files)
    unknown = [row[0] for row in rows if not _entered(names, keys, row, column, path)]
    if not any(names):
        raise DataError(f"labels={str(path)!r} names none of the images: its rows are FILE,CLASS, as {files[0]},cat")
    labels, classes = by_name([None if name == str(UNLABELLED) else name for name in names])
    return labels, classes, _left(path, int((labels < 0).sum()), unknown)


def _rows(path: Path) -> list[list[str]]:
    try:
        with open(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            return [row for row in csv.reader(file) if row]
    except (OSError, csv.Error) as error:
        raise DataError(f"labels={str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def file_keys(files: Sequence[str]) -> dict[str, int]:
    """Path, name and stem -> index, the last two where they are unique."""
    keys: dict[str, int] = {}
    for short in (lambda file: os.path.splitext(os.path.basename(file))[0], os.path.basename):
        counts = collections.Counter(map(short, files))
        keys |= {short(file): i for i, file in enumerate(files) if counts[short(file)] == 1}
    return keys | {file: i for i, file in enumerate(files)}


def _entered(names: list[str | None], keys: dict[str, int], row: list[str], column: int, path: str | Path) -> bool:
    """Enters a row's class at its image; False if there is no such image."""
    index = keys.get(row[0].strip().removeprefix("./"))
    if index is None:
        return False
    name = row[column].strip() if len(row) > column else ""
    if names[index] not in (None, name):
        raise DataError(f"labels={str(path)!r} gives {row[0]!r} two classes, {names[index]!r} and {name!r}: keep one")
    names[index] = name
    return True


def _left(path: str | Path, without: int, unknown: list[str]) -> list[str]:
    lines = [f"{without} images have no label in {path}"] if without else []
    return lines + ([f"{len(unknown)} rows of {path} name no image here, as {unknown[0]!r}"] if unknown else [])


def counts(labels: np.ndarray, class_names: Sequence[str] | None) -> str:
    """Classes with their numbers of images, such as "2 classes: cat 6, dog 7"; of many, the first and the last."""
    known, number = np.unique(labels[labels >= 0], return_counts=True)
    names = [class_names[label] if class_names and label < len(class_names) else str(label) for label in known]
    named = [f"{' '.join(name.split())} {count}" for name, count in zip(names, number, strict=True)]
    if len(named) <= FEW:
        return f"{len(named)} classes: {', '.join(named)}"
    return f"{len(named)} classes of {number.min()} to {number.max()} images: {', '.join(named[:3])}, ..., {named[-1]}"
