"""Time series as data: sources, unequal lengths, missing values, and what is refused in one line."""

import dataclasses
import importlib.util

import numpy as np
import pytest

from sslzoo.data import DataError, load, load_parts
from sslzoo.data import series as module
from sslzoo.evaluators.kernels import random_kernels, statistics
from sslzoo.testing import check_dataset
from sslzoo.views import of_series

AEON = pytest.mark.skipif(importlib.util.find_spec("aeon") is None, reason="aeon is not installed")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 20, 2)).astype("float32")
Y = np.arange(12) % 3
TS = """# a comment
@problemName small
@univariate false
@classLabel true walk run
@data
1,2,3:4,5,6:run
7,?:8,9:walk
"""


def test_a_ts_file_has_channels_missing_values_and_names_of_classes(tmp_path):
    for part in ("TRAIN", "TEST"):
        (tmp_path / f"small_{part}.ts").write_text(TS)
    splits = load(tmp_path / "small_TRAIN.ts")
    series, sizes = splits.train.arrays()
    np.testing.assert_array_equal(series[0], [[1, 4], [2, 5], [3, 6]])
    np.testing.assert_array_equal(series[1], [[7, 8], [np.nan, 9], [0, 0]])
    assert sizes.tolist() == [[3], [2]] and splits.train.class_names == ("run", "walk")
    assert splits.train.labels.tolist() == [0, 1] and len(splits.test) == 2
    assert any("is read as series (kind='series')" in note for note in splits.train.notes)
    assert any("series of 2 to 3 steps" in note for note in splits.train.notes)
    assert any("have missing values" in note for note in splits.train.notes)


def test_arrays_pairs_and_files_of_arrays_are_the_same_data(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    np.savez(tmp_path / "b.npz", X_train=X, y_train=Y, X_test=X[:4], y_test=Y[:4])
    np.save(tmp_path / "c.npy", X)
    parts = load_parts(tmp_path / "a.npz"), load_parts((X, Y), kind="series")
    for one in parts:
        whole = np.concatenate([one["train"].arrays()[0], one["test"].arrays()[0]])
        assert sorted(whole.sum((1, 2))) == pytest.approx(sorted(X.sum((1, 2))), rel=1e-5)
    given = load(tmp_path / "b.npz")
    assert np.array_equal(given.test.arrays()[0], X[:4]) and np.array_equal(given.train.labels, Y)
    both = load(((X, Y), (X[:4], Y[:4])), kind="series")
    assert both.train.fingerprint() == dataclasses.replace(given.train, name="array").fingerprint()
    assert load(tmp_path / "c.npy", kind="series").train.shape == (20, 2)
    assert load(X[..., 0], kind="series").train.shape == (20, 1)
    check_dataset((X, Y), kind="series")


def test_an_array_is_images_unless_a_kind_is_given_and_the_error_names_it():
    with pytest.raises(DataError, match="for time series .* give kind='series'"):
        load(X)


def test_shorter_series_and_steps_of_nan_at_the_end_are_padding():
    short = [X[0, :7], X[1, :20]]
    padded = X[:2].copy()
    padded[0, 7:] = np.nan
    for data in (short, padded):
        series, sizes = load(data, kind="series").train.arrays()
        assert sizes.tolist() == [[7], [20]] and (series[0, 7:] == 0).all()
    batch = next(iter(load(short, kind="series").train.batches(2)))
    assert batch["series"].shape == (2, 20, 2) and batch["size"].shape == (2, 1)


def holes(rows):
    x = X.copy()
    x[rows] = np.nan
    return x


@pytest.mark.parametrize(
    "data, words",
    [
        (holes([2, 5]), r"2 of 12 series have no value at all, such as 2: leave them out"),
        (np.where(np.arange(20)[None, :, None] == 4, np.inf, X), "infinite values, the first of them in series 0"),
        (np.zeros(5), r"series have shape \(5,\): give \(n, steps\)"),
        (np.zeros((4, 5, 2, 2)), r"series have shape \(4, 5, 2, 2\)"),
        (np.zeros((4, 1)), "have a single step"),
        (np.zeros((0, 5)), r"series have shape \(0, 5, 1\)"),
        ([X[0], X[1, :, :1]], "data is a list, which holds no series"),
        ({"x": X}, "data is a dict, which holds no series"),
        ((X, Y[:3]), "12 images and 3 labels|12 series and 3 labels"),
        (((X, Y), (X[..., :1], Y)), "training and test series have 2 and 1 channels"),
        ("nothing.ts", "there is no file nothing.ts"),
        ("folder", "folder is no file of series"),
    ],
)
def test_what_is_no_series_is_refused_in_one_line(data, words):
    with pytest.raises(DataError, match=words) as caught:
        load(data, kind="series")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("a.ts", "1,2:a", "has no line @data"),
        ("a.ts", "@timestamps true\n@data\n(0,1):a", "has time stamps"),
        ("a.ts", "@classLabel true a\n@data\n1,x:a", "has a line that is no series"),
        ("a.npz", "nothing", "cannot be read as arrays of numbers"),
        ("a.npy", "nothing", "cannot be read as an array of numbers"),
    ],
)
def test_a_file_of_another_content_is_refused_in_one_line(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        load(tmp_path / name, kind="series")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", [{"max_size": 3}, {"value_range": (0, 9)}, {"splits": "none"}, {"labels": "x.csv"}])
def test_options_of_images_are_refused_for_series(option):
    with pytest.raises(DataError, match=f"^{next(iter(option))}=...: for images, the data are series"):
        load(X, kind="series", **option)


def test_without_aeon_the_way_to_get_it_is_said(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install --no-deps aeon"):
        load("ucr:GunPoint")


@AEON
@pytest.mark.parametrize(
    "name, counts, nearest",
    [("GunPoint", (50, 150), 0.913), ("ItalyPowerDemand", (67, 1029), 0.955), ("ArrowHead", (36, 175), 0.800)],
)
def test_the_archives_are_read_as_published(name, counts, nearest):
    """1-NN on raw values has the accuracy of the archive's site for Euclidean distance."""
    train, test = load(f"ucr:{name}")
    assert (len(train), len(test)) == counts
    x, z = train.arrays()[0][..., 0], test.arrays()[0][..., 0]
    found = train.labels[np.argmin(((z[:, None] - x[None]) ** 2).sum(2), axis=1)]
    assert np.mean(found == test.labels) == pytest.approx(nearest, abs=5e-4)


@AEON
def test_a_set_of_several_channels_and_one_of_unequal_lengths():
    assert load("uea:BasicMotions").train.shape == (100, 6)
    train = load("uea:JapaneseVowels").train
    sizes = train.arrays()[1]
    assert train.shape == (29, 12) and (sizes.min(), sizes.max()) == (7, 26)  # the longest is a test series


def test_the_schema_is_mean_and_deviation_of_the_known_steps():
    x = (X * [2, 30] + [1, -5]).astype("float32")
    x[3, 4:6, 0] = np.nan
    found = of_series.schema(load([x[0, :9], *x[1:]], kind="series").train)
    known = [np.concatenate([x[0, :9, c], x[1:, :, c].ravel()]) for c in (0, 1)]
    np.testing.assert_allclose(found["mean"], [np.nanmean(one) for one in known], rtol=1e-4)
    np.testing.assert_allclose(found["deviation"], [np.nanstd(one) for one in known], rtol=1e-4)


def test_random_kernels_are_dilated_convolutions_and_statistics_are_five():
    found = random_kernels(X, 40)
    assert found.shape == (12, 80) and np.array_equal(found, random_kernels(X.copy(), 40))
    assert ((0 <= found[:, 1::2]) & (found[:, 1::2] <= 1)).all()
    np.testing.assert_allclose(random_kernels(5 * X + 3, 40), found, atol=2e-3)  # each series is normalized
    assert random_kernels(X[:, :4], 5).shape == (12, 10)
    np.testing.assert_allclose(statistics(X)[:, [0, 2, 6]], np.stack([X[..., 0].mean(1), X[..., 0].std(1), X[..., 0].max(1)], 1), atol=1e-5)  # fmt: skip  # noqa: E501
