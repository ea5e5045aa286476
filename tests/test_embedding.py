"""Features on disk: every format holds the same, whatever the files are called, and no more than a batch in memory."""

import csv
import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import sslzoo
from sslzoo import encoders
from sslzoo.data import Splits, from_array, load
from sslzoo.data.made import of_images
from sslzoo.evaluation.embedding import FORMATS, embed
from sslzoo.exports.savedmodel import export
from sslzoo.views.inputs import encode

ODD = 'a, "b"\'s\nküche'
LATIN = os.fsdecode(b"latin\xe9.png")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("exports") / "model"
    images = np.zeros((1, 8, 8, 1), np.float32)
    export(encoders.make("mlp", (8, 8, 1), units=512), path, images, {"name": "model"})
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for i in range(11):
        path = root / (ODD, "plain")[i % 2] / (LATIN if i == 4 else f"{i} {ODD}.png")
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (8, 8), np.uint8)).save(path)
    return root


def read(path: Path) -> dict[str, np.ndarray | list]:
    """What a file of features holds, as its format's own readers tell."""
    match path.suffix:
        case ".npz":
            with np.load(path) as file:
                return {name: file[name] for name in file.files}
        case ".csv":
            with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
                head, *rows = csv.reader(file)
            columns = dict(zip(head, zip(*rows, strict=True), strict=True))
            numbers = [columns.pop(name) for name in head if name.startswith("feature_")]
            return columns | {"features": np.array(numbers, np.float32).T, "label": [*map(int, columns["label"])]}
        case ".parquet":
            return pytest.importorskip("pyarrow.parquet").read_table(path).to_pydict()
        case ".tfrecord":
            text, number = tf.io.FixedLenFeature([], tf.string), tf.io.FixedLenFeature([], tf.int64)
            keys = {
                "split": text,
                "path": text,
                "class": text,
                "label": number,
                "features": tf.io.FixedLenFeature([512], tf.float32),
            }
            rows = tf.data.TFRecordDataset(str(path)).map(lambda record: tf.io.parse_single_example(record, keys))
            found = {name: [row[name] for row in rows.as_numpy_iterator()] for name in keys}
            return found | {name: [*map(os.fsdecode, found[name])] for name in ("split", "path", "class")}


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_holds_features_splits_labels_and_paths(suffix, exported, pictures, tmp_path):
    out = embed(exported, str(pictures), str(tmp_path / f"out{suffix}"), batch_size=4)
    found, parts = read(out), load(pictures)
    model = sslzoo.load_encoder(exported)
    np.testing.assert_array_equal(
        np.asarray(found["features"], np.float32), np.concatenate([encode(model, part, 8, 4) for part in parts])
    )
    assert list(found["split"]) == ["train"] * len(parts.train) + ["test"] * len(parts.test)
    assert list(found["label"]) == [*parts.train.labels, *parts.test.labels]
    files = [*parts.train.files, *parts.test.files]
    expected = [file.replace("\udce9", "\\udce9") for file in files] if suffix == ".parquet" else files
    assert list(found["path"]) == expected and any("latin" in file for file in files)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    labels = [*parts.train.labels, *parts.test.labels]
    assert list(found["class"]) == [(ODD, "plain")[label] for label in labels]
    if suffix == ".npz":
        assert found["class_names"].tolist() == [ODD, "plain"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_all_images_of_all_splits_are_there(suffix, exported, tmp_path, capsys):
    names = ["train/a/1", "train/b/2", "test/a/3", "val/b/4", "extra/5", "6", "other/7", "train/8"]
    rng = np.random.default_rng(0)
    for name in [*names, *(f"train/{c}/{i}" for c in "ab" for i in range(10, 15))]:
        path = tmp_path / "data" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(path)
    out = embed(exported, str(tmp_path / "data"), str(tmp_path / f"out{suffix}"))
    found = read(out)
    rows = {path: (split, label, name) for path, split, label, name in
            zip(*(list(found[key]) for key in ("path", "split", "label", "class")), strict=True)}  # fmt: skip
    assert len(rows) == 18 and len(found["features"]) == 18
    assert rows["train/b/2.png"] == ("train", 1, "b") and rows["test/a/3.png"] == ("test", 0, "a")
    assert rows["val/b/4.png"] == ("validation", 1, "b") and rows["extra/5.png"] == ("unlabelled", -1, "")
    assert rows["6.png"] == rows["other/7.png"] == rows["train/8.png"] == ("other", -1, "")
    said = "18 x 512 features, float32, of train 12, test 1, validation 1, unlabelled 1, other 3; columns split, label,"
    assert said in capsys.readouterr().out


def test_lines_of_a_csv_end_as_unix_tools_expect(exported, pictures, tmp_path):
    data = embed(exported, "digits", str(tmp_path / "o.csv")).read_bytes()
    assert b"\r" not in data and data.count(b"\n") == 1798
    assert b"\r\n" not in embed(exported, str(pictures), str(tmp_path / "p.csv")).read_bytes()


def test_gray_images_are_repeated_for_an_encoder_of_colour_and_others_refused(exported, tmp_path):
    export(encoders.make("mlp", (8, 8, 3), units=4), tmp_path / "rgb", np.zeros((1, 8, 8, 3), np.float32), {})
    gray = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    with np.load(embed(str(tmp_path / "rgb"), gray, str(tmp_path / "gray.npz"))) as one:
        with np.load(embed(str(tmp_path / "rgb"), gray.repeat(3, -1), str(tmp_path / "rgb.npz"))) as two:
            np.testing.assert_array_equal(one["features"], two["features"])
    with pytest.raises(ValueError, match="takes images of 1 channels, array has 3: data=images.mean"):
        embed(exported, gray.repeat(3, -1), str(tmp_path / "o.npz"))


@pytest.mark.parametrize("suffix", FORMATS)
def test_only_a_file_of_features_is_replaced(suffix, exported, tmp_path):
    out = tmp_path / f"mine{suffix}"
    out.mkdir()
    (out / "kept").write_text("kept")
    with pytest.raises(ValueError, match=f"is a folder: give a file, such as .*/features{suffix}"):
        embed(exported, "digits", str(out))
    assert (out / "kept").read_text() == "kept"
    other = tmp_path / f"other{suffix}"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="exists and is no file of features: give another name"):
        embed(exported, "digits", str(other))
    assert other.read_text() == "a,b\n1,2\n"
    small = np.full((3, 8, 8), 200, np.uint8)
    for _ in range(2):
        assert embed(exported, small, str(tmp_path / f"own{suffix}")).stat().st_size > 3 * 512 * 4 // 8


def test_what_one_split_alone_has_is_empty_in_the_other(exported, tmp_path):
    pixels = np.zeros((3, 8, 8), np.uint8)
    embed(exported, Splits(from_array(pixels, np.arange(3)), from_array(pixels)), str(tmp_path / "o.npz"))
    with np.load(tmp_path / "o.npz") as found:
        assert found["label"].tolist() == [0, 1, 2, -1, -1, -1] and "path" not in found


@pytest.mark.long
@pytest.mark.parametrize("suffix", FORMATS)
def test_no_more_than_a_few_batches_are_in_memory(suffix, exported, tmp_path):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")

    def pixels(index):
        return np.broadcast_to((index % 256).astype(np.uint8)[:, None, None, None], (len(index), 8, 8, 1)), np.full(
            (len(index), 2), 8, np.int32
        )

    endless = of_images("endless", pixels, 2000, (8, 8, 1), np.dtype(np.uint8))
    embed(exported, endless.take(slice(50)), str(tmp_path / f"warm{suffix}"))

    def peak(count, turn):
        tracemalloc.start()
        try:
            embed(exported, endless.take(slice(count)), str(tmp_path / f"{count}-{turn}{suffix}"), batch_size=50)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # The lowest of several turns: garbage of loading the encoder, 1 MB, is collected at any time.
    peaks = {count: min(peak(count, turn) for turn in range(4)) for count in (100, len(endless))}
    assert peaks[2000] < peaks[100] + 1e6, peaks  # all features take 4 MB


def test_another_suffix_or_no_pyarrow_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"'out\.h5': end --out with one of \.npz, \.parquet, \.tfrecord, \.csv"):
        embed("nowhere", "nothing", str(tmp_path / "out.h5"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"Parquet needs pyarrow: pip install 'sslzoo\[parquet\]'"):
        embed("nowhere", "nothing", str(tmp_path / "out.parquet"))


def test_a_fault_keeps_the_file_of_before(exported, tmp_path):
    out = embed(exported, np.full((3, 8, 8), 200, np.uint8), str(tmp_path / "out.npz"))
    before = out.read_bytes()

    def fail(index):
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        embed(exported, of_images("broken", fail, 9, (8, 8, 1), np.dtype(np.uint8)), str(out))
    assert out.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == ["out.npz"]
