"""Columns of tables: which are numbers and which are categories, and tables as arrays of numbers and codes.

A table is a dict of columns. A column of numbers is float64 (n,) with NaN for missing values, a column of texts is an
object array (n,) of str with None for missing values. Of a Dataset of rows, each column is described by a dict: "name";
"kind", which is "number" or "category"; and for a category "categories", a list whose order gives the codes from 0.
"""

import collections
from collections.abc import Collection, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from sslzoo.data import labels as numbers
from sslzoo.data.dataset import DataError

Table = dict[str, np.ndarray]
MOST = 100  # categories of a column
DAY = np.timedelta64(1, "D")


def column_of(values: Any, name: str) -> np.ndarray:
    """A column of a table, from values of any type.

    Integers, floats, and dates and durations in days are numbers. Strings, bools and pandas categoricals are texts, as
    is any mixture with them.

    Raises:
        DataError: the values are none of these, or infinite.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise DataError(f"column {name!r} has shape {array.shape}: give one value for each row")
    if str(getattr(values, "dtype", "")).lower().startswith("categor"):
        return _texts(array, name)
    if array.dtype.kind in "mM":
        start = np.datetime64(0, "D") if array.dtype.kind == "M" else np.timedelta64(0, "D")
        return np.where(np.isnat(array), np.nan, (array - start) / DAY)
    if array.dtype.kind == "O" and all(_is_number(value) or _is_missing(value) for value in array):
        array = np.array([np.nan if _is_missing(value) else float(value) for value in array], np.float64)
    if array.dtype.kind not in "iuf":
        return _texts(array, name)
    if np.isinf(array).any():
        raise DataError(f"column {name!r} has infinite values: give NaN for a missing value")
    return array.astype(np.float64)


def of_texts(texts: Sequence[str | None]) -> np.ndarray:
    """A column of a table, from the cells of a text file, None for missing ones: numbers if all known cells are."""
    found = [np.nan if text is None else _number(text) for text in texts]
    if all(value is not None for value in found):
        return np.array(found, np.float64)
    return np.array(texts, object)


def fitted(table: Table, categories: Collection[str] = ()) -> tuple[list[dict], list[str]]:
    """The columns of a training part.

    A column without any value, a constant one, and texts that differ in nearly every row are left out. Of more than
    MOST categories, the most frequent are kept; the others are missing values.

    Args:
        table: the training part.
        categories: names of columns of numbers that are categories.

    Returns:
        A description of each column, and lines for the user.

    Raises:
        DataError: no column is left, or one of `categories` does not exist.
    """
    if unknown := [name for name in categories if name not in table]:
        raise DataError(f"categories={','.join(unknown)!r}: there are the columns {some(list(table))}")
    columns, notes = [], []
    for name, values in table.items():
        values = spelled(values) if name in categories else values
        why = _useless(values)
        if why:
            notes.append(f"column {name!r} is left out: {why}")
        elif values.dtype.kind == "f":
            columns.append({"name": name, "kind": "number"})
        else:
            columns.append({"name": name, "kind": "category", "categories": _categories(values, name, notes)})
    if not columns:
        raise DataError(f"no column can be used: {'; '.join(notes) or 'the table has none'}")
    return columns, notes


def coded(table: Table, columns: Sequence[dict]) -> np.ndarray:
    """A table as float32 (n, columns): numbers, and codes of categories; NaN is a missing value or another category.

    Args:
        table: with all of the columns; others are not read.
        columns: descriptions, as of `fitted`.

    Raises:
        DataError: a column is missing, or a number is too large.
    """
    if missing := [column["name"] for column in columns if column["name"] not in table]:
        raise DataError(f"the table has no column {some(missing)}: its columns are {some(list(table))}")
    found = [_codes(table[column["name"]], column) for column in columns]
    if large := [column["name"] for column, x in zip(columns, found, strict=True) if np.isinf(x).any()]:
        raise DataError(f"column {large[0]!r} has numbers too large for float32: scale them")
    return np.stack(found, axis=1)


def recoded(rows: np.ndarray, columns: Sequence[dict], wanted: Sequence[dict]) -> np.ndarray:
    """Rows with some columns as rows with others, matched by name: an encoder's data on the columns of its training.

    Args:
        rows: float32 (n, columns).
        columns: theirs.
        wanted: columns of the result.
    """
    table = dict(zip((column["name"] for column in columns), rows.T.astype(np.float64), strict=True))
    for column in columns:
        if column["kind"] == "category":
            names, codes = np.array([*column["categories"], None], object), table[column["name"]]
            table[column["name"]] = names[np.where(np.isnan(codes), len(names) - 1, codes).astype(int)]
    return coded(table, wanted)


def spelled(values: np.ndarray) -> np.ndarray:
    """A column as texts: whole numbers without a decimal point, None for NaN."""
    if values.dtype.kind == "O":
        return values
    return np.array([None if np.isnan(value) else _spelled(value) for value in values], object)


def _spelled(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _codes(values: np.ndarray, column: dict) -> np.ndarray:
    if column["kind"] == "number":
        if values.dtype.kind == "O":
            values = np.array([np.nan if text is None else _number(text) for text in values], np.float64)
        with np.errstate(over="ignore"):
            return values.astype(np.float32)
    place = {name: code for code, name in enumerate(column["categories"])}
    return np.array([place.get(name, np.nan) for name in spelled(values)], np.float32)


def _number(text: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) and "_" not in text else None


def _useless(values: np.ndarray) -> str:
    """Why a column of the training part is of no use, or ""."""
    known = values[~np.isnan(values)] if values.dtype.kind == "f" else values[values != None]  # noqa: E711, elementwise
    distinct = len(set(known.tolist()))
    if not distinct:
        return "it has no value"
    if distinct == 1 and len(known) == len(values):
        return f"it is {spelled(known[:1])[0]} in all rows"
    if values.dtype.kind == "O" and distinct > max(MOST, len(known) / 2):
        line = f"{distinct} different texts in {len(known)} rows are no categories"
        odd = _among_numbers(collections.Counter(known.tolist()))
        more = f"; most are numbers, empty cells instead of texts such as {odd!r} make it one of numbers"
        return line + more * bool(odd)
    return ""


def _categories(values: np.ndarray, name: str, notes: list[str]) -> list[str]:
    """The categories of a column in order; adds what was left out of them to `notes`."""
    counts = collections.Counter(text for text in values if text is not None)
    if odd := _among_numbers(counts):
        line = f"column {name!r} has texts among its numbers, such as {odd!r}, and is read as categories"
        notes.append(f"{line}; empty cells instead of them make it a column of numbers")
    if len(counts) > MOST:
        line = f"column {name!r} has {len(counts)} categories: the {MOST} most frequent are kept"
        notes.append(f"{line}, others are missing values")
    ranked = sorted(counts, key=lambda text: (-counts[text], text))
    return list(numbers.in_order(ranked[:MOST]))


def _among_numbers(counts: collections.Counter) -> str:
    """A text of a column most of whose texts are numbers, or ""."""
    texts = [text for text in counts if _number(text) is None]
    return texts[0] if texts and sum(counts[text] for text in texts) < sum(counts.values()) / 2 else ""


def _texts(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind not in "bUSOiuf":
        raise DataError(f"column {name!r} is {array.dtype}: give numbers, texts or dates")
    found = [None if _is_missing(value) else _text(value, name) for value in array]
    return np.array([text or None for text in found], object)


def _text(value: Any, name: str) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, list | tuple | dict | set | np.ndarray):
        raise DataError(f"column {name!r} holds a {type(value).__name__} in a cell: give one value for each")
    return _spelled(float(value)) if _is_number(value) and np.isfinite(value) else str(value).strip()


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool | np.bool_)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # pandas.NA, pandas.NaT
        return True
    return isinstance(value, float) and value != value


def some(names: Sequence[str]) -> str:
    """The first of some names, for messages."""
    shown = ", ".join(repr(name) for name in names[:8])
    return f"{shown}, ..." if len(names) > 8 else shown
