"""Packed data and cached pixels: the very batches of the data they were made of, and no silent damage."""

import copy
import dataclasses
import json
import os
import resource
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import sslzoo
from sslzoo.__main__ import main
from sslzoo.data import DataError, Dataset, Splits, cached, folder, from_array, load, pack, packed, packing

ODD = 'a "b"\'s\nküche %s'


def messy(root: Path) -> Path:
    """Images of two classes, many sizes, depths and formats, under names that are hard to write."""
    rng = np.random.default_rng(0)
    for i, (height, width) in enumerate(rng.integers(3, 40, (16, 2))):
        pixels = rng.integers(0, 256, (height, width, rng.integers(1, 5)), np.uint8)
        path = root / (ODD, "plain")[i % 2] / f"{i} 'x'{('.png', '.jpg')[i % 3 == 0]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 0] if pixels.shape[2] in (1, 2) else pixels).convert("RGB").save(path)
    Image.fromarray(rng.integers(0, 65536, (9, 5), np.uint16)).save(root / ODD / os.fsdecode(b"deep\xe9.png"))
    return root


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(packing, "SHARD_BYTES", 4000)


@pytest.fixture
def lazy(monkeypatch):
    """Nothing is held in memory."""
    monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    monkeypatch.setattr(packed, "MEMORY_SHARE", 0)


def assert_same(ours: Dataset | None, theirs: Dataset | None):
    assert (ours is None) == (theirs is None)
    if ours is None:
        return
    for field in ("name", "count", "shape", "dtype", "class_names", "files"):
        assert getattr(ours, field) == getattr(theirs, field), field
    assert ours.fingerprint() == theirs.fingerprint()
    for mine, other in zip(
        *(part.batches(3, seed=4, start=2, stop=14).as_numpy_iterator() for part in (ours, theirs)), strict=True
    ):
        assert mine.keys() == other.keys()
        for name in mine:
            assert mine[name].dtype == other[name].dtype
            np.testing.assert_array_equal(mine[name], other[name], err_msg=name)


@pytest.mark.parametrize("held", [True, False])
def test_a_packed_folder_gives_the_same_images_sizes_labels_and_order(held, tmp_path, request):
    if not held:
        request.getfixturevalue("lazy")
    source = messy(tmp_path / "source")
    out = pack(source, tmp_path / "out", max_size=30)
    parts = load(str(out))
    assert parts.train.in_memory == held and len(list(out.glob("train-*.tfrecord"))) > 2
    for ours, theirs in zip(parts, load(source, max_size=30), strict=True):
        assert_same(ours, theirs)
    for ours, theirs in zip(load(out, max_size=11), load(source, max_size=11), strict=True):
        np.testing.assert_array_equal(ours.arrays()[0], theirs.arrays()[0])


@pytest.mark.parametrize(
    "shape, dtype",
    [
        ((7, 5, 1), np.uint8),
        ((6, 6, 3), np.uint8),
        ((4, 9, 2), np.uint8),  # no picture file has two channels
        ((6, 6, 3), np.uint16),
        ((5, 5, 13), np.uint16),
        ((7, 5, 1), np.float32),
        ((4, 9, 2), np.float32),
    ],
)
def test_arrays_of_any_kind_are_packed_without_loss(shape, dtype, tmp_path, lazy):
    rng = np.random.default_rng(1)
    pixels = rng.random((9, *shape)) * (1 if dtype == np.float32 else np.iinfo(dtype).max)
    train = from_array(pixels.astype(dtype))
    source = Splits(train, dataclasses.replace(train.take(slice(4)), labels=np.arange(4, dtype=np.int32) % 3))
    pack(source, tmp_path / "out")
    for ours, theirs in zip(load(tmp_path / "out"), source, strict=True):
        assert_same(ours, theirs)


def test_files_are_kept_byte_for_byte_and_other_tools_read_them(tmp_path):
    source = messy(tmp_path / "source")
    out = pack(source, tmp_path / "out")
    files = sorted(map(str, out.glob("*.tfrecord")))
    keys = {name: tf.io.FixedLenFeature([], tf.string) for name in ("image/encoded", "image/format", "image/filename")}
    keys |= {"image/class/label": tf.io.FixedLenFeature([], tf.int64)}
    keys |= {"image/class/text": tf.io.FixedLenFeature([], tf.string)}
    count = 0
    for record in tf.data.TFRecordDataset(files):
        example = tf.io.parse_single_example(record, keys)
        name = os.fsdecode(example["image/filename"].numpy())
        assert example["image/encoded"].numpy() == (source / name).read_bytes()
        assert (
            example["image/class/text"].numpy().decode()
            == Path(name).parent.name
            == (ODD, "plain")[example["image/class/label"]]
        )
        assert example["image/format"] == ("jpeg" if name.endswith("jpg") else "png")
        count += 1
    assert count == 17


def test_packed_data_are_packed_again_byte_for_byte(tmp_path):
    first = pack(messy(tmp_path / "source"), tmp_path / "first")
    second = pack(first, tmp_path / "second")
    for file in sorted(first.iterdir()):
        assert file.read_bytes() == (second / file.name).read_bytes()


def test_the_command_packs_and_refuses_what_exists(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    messy(tmp_path / "source")
    main(["pack", "source", "out"])
    assert "wrote out" in capsys.readouterr().out
    before = (tmp_path / "out" / packed.INDEX).stat().st_ino
    for words, said in ((["source", "out"], "out exists: --overwrite"), (["out", "source"], "it is not packed data")):
        with pytest.raises(SystemExit):
            main(["pack", *words])
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    with pytest.raises(SystemExit):
        main(["pack", "out", "source", "--overwrite"])
    assert (tmp_path / "source" / "plain").is_dir() and (tmp_path / "out" / packed.INDEX).stat().st_ino == before
    main(["pack", "source", "out", "--overwrite", "--max-size", "8"])
    assert load("out").train.shape == (8, 8, 3) and sorted(p.name for p in tmp_path.iterdir()) == ["out", "source"]


def test_a_full_disk_leaves_nothing_of_a_packing(tmp_path):
    source = from_array(np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))
    try:
        with pytest.raises(OSError, match="out cannot be written: .*nothing of it is left") as caught:
            pack(source, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("harm", ["cut", "longer", "missing"])
def test_a_shard_that_is_not_whole_is_named_before_the_start(harm, tmp_path):
    out = pack(from_array(np.zeros((9, 30, 30), np.uint8)), tmp_path / "out")
    shard = out / "train-00000.tfrecord"
    match harm:
        case "cut":
            shard.write_bytes(shard.read_bytes()[:-7])
        case "longer":
            shard.write_bytes(shard.read_bytes() + b"more")
        case "missing":
            shard.unlink()
    with pytest.raises(DataError, match=r"train-00000\.tfrecord (is|cannot)") as caught:
        load(out)
    assert "\n" not in str(caught.value)


def test_a_record_that_has_changed_is_refused_when_it_is_read(tmp_path, lazy):
    out = pack(from_array(np.random.default_rng(0).integers(0, 256, (9, 30, 30), np.uint8)), tmp_path / "out")
    train = load(out).train
    shard = out / "train-00000.tfrecord"
    data = bytearray(shard.read_bytes())
    data[200] ^= 1
    shard.write_bytes(data)
    with pytest.raises(DataError, match=r"train-00000\.tfrecord: image 0 cannot be read \(its bytes have changed\)"):
        train.arrays()


def test_a_record_that_cannot_be_decoded_is_named_in_a_graph(tmp_path, lazy):
    """Its checksum is right: it was written like this."""
    out = pack(from_array(np.random.default_rng(0).integers(0, 256, (9, 30, 30), np.uint8)), tmp_path / "out")
    shard, index = out / "train-00000.tfrecord", json.loads((out / packed.INDEX).read_text())
    told = index["splits"]["train"]["shards"][0]
    data = bytearray(shard.read_bytes())
    start = sum(told["lengths"][:2]) + 2 * packed.AROUND + packed.BEFORE
    length = told["lengths"][2]
    at = data.index(b"IDAT", start)
    assert at + 60 < start + length
    data[at + 10 : at + 50] = bytes(40)
    shard.write_bytes(data)
    told["sums"][2] = zlib.crc32(data[start : start + length])
    (out / packed.INDEX).write_text(json.dumps(index))
    train = packed.from_packed(out).train  # `load` looks at some images
    assert train.graph
    for read in (train.arrays, lambda: list(train.batches(3))):
        with pytest.raises((DataError, tf.errors.OpError)) as caught:
            read()
        lines = [line for line in str(caught.value).splitlines() if "image 2 cannot be read (" in line]
        assert lines and all("train-00000.tfrecord: " in line for line in lines)


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1, "splits": {"train": {}}}', '{"format": 2}'])
def test_a_damaged_index_is_named(text, tmp_path):
    (tmp_path / packed.INDEX).write_text(text)
    with pytest.raises(DataError, match=r"packed\.json (is damaged|has format 2).*pack again") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def damages() -> dict:
    """Name -> what changes the index of 9 images, 30x30x1 uint8, with labels and class names."""

    def at(*keys, value):
        def change(index):
            for key in keys[:-1]:
                index = index[key]
            index[keys[-1]] = value

        return change

    def split(name, value):
        return at("splits", "train", name, value=value)

    def shard(name, value):
        return at("splits", "train", "shards", 0, name, value=value)

    values = {
        "count": [-1, 0, 8, 10, 9.0, "9", None, True, 10**18],
        "shape": [[30, 30], [30, 30, 3, 1], [0, 30, 1], [-30, 30, 1], [29, 30, 1], [30, 30.5, 1], "30x30", None,
                  [10**9] * 3],
        "dtype": ["int64", "object", "uint7", None, 8, "float32", "uint16"],
        "labels": [[0] * 8, [0] * 10, [7] * 9, [-2] * 9, ["a"] * 9, "0" * 9, {}, [0.5] * 9, [2**40] * 9],
        "class_names": ["ab", [1, 2], {}, ["a"]],
        "files": [["a"] * 8, [1] * 9, "a" * 9],
        "digests": ["00", "g" * 144, 7],
        "name": [None, 7, ["a"]],
        "shards": [[], None, {}, [7], "a"],
    }  # fmt: skip
    inside = {
        "file": ["../train-00000.tfrecord", "/etc/passwd", "a/b", "", ".", "..", None, 7, "nul\0", "absent.tfrecord"],
        "lengths": [[], [1] * 9, None, "1" * 9, [-1] * 9, [2.5] * 9],
        "sums": [[], [0] * 8, None, [-1] * 9, ["a"] * 9, [2**32] * 9],
    }
    found = {f"{name} {i}": split(name, value) for name, some in values.items() for i, value in enumerate(some)}
    found |= {f"{name} {i}": shard(name, value) for name, some in inside.items() for i, value in enumerate(some)}
    whole = {
        "none": {},
        "test alone": {"test": {}},
        "list": [],
        "text": "a",
        "more": {"train": {}, "extra": {}},
        "empty": {"train": 7},
    }
    found |= {f"splits {name}": at("splits", value=value) for name, value in whole.items()}
    return found | {f"format {value}": at("format", value=value) for value in (0, 2, "1", None)}


DAMAGES = damages()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A whole packed folder, and its index."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 30, 30), np.uint8)
    train = dataclasses.replace(from_array(pixels, np.arange(9) % 2), class_names=("a", "b"))
    out = pack(Splits(train), tmp_path_factory.mktemp("whole") / "out")
    return out, json.loads((out / packed.INDEX).read_text())


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_of_an_index_is_one_line_that_names_a_file(damage, whole, tmp_path):
    out, index = whole
    assert load(out).train.class_names == ("a", "b")
    index = copy.deepcopy(index)
    DAMAGES[damage](index)
    for shard in out.glob("*.tfrecord"):
        os.link(shard, tmp_path / shard.name)
    (tmp_path / packed.INDEX).write_text(json.dumps(index))
    with pytest.raises(DataError, match=r"(packed\.json|tfrecord)\b.*(pack again|copy it anew)") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_an_index_of_version_01_without_digests_is_read(whole, tmp_path):
    out, index = whole
    index = copy.deepcopy(index)
    del index["splits"]["train"]["digests"]
    for shard in out.glob("*.tfrecord"):
        os.link(shard, tmp_path / shard.name)
    (tmp_path / packed.INDEX).write_text(json.dumps(index))
    old, new = load(tmp_path).train, load(out).train
    assert old.sampled_fingerprint() == new.sampled_fingerprint()
    np.testing.assert_array_equal(old.arrays()[0], new.arrays()[0])


def test_a_packing_keeps_how_the_data_were_read(tmp_path):
    source = messy(tmp_path / "source")
    how = dict(labels="none", value_range="10,200", max_size=20)
    assert_same(load(pack(source, tmp_path / "out", **how)).train, load(source, **how).train)


def test_packing_replaces_nothing_but_packed_data(tmp_path):
    source = from_array(np.full((3, 9, 9), 200, np.uint8))
    out = pack(source, tmp_path / "out")
    (out / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(DataError, match="it holds 'thesis.txt', which is no packed data"):
            pack(source, out, overwrite=overwrite)
    assert (out / "thesis.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    os.symlink(tmp_path / "nowhere", tmp_path / "link")
    for name in ("file", "link"):
        with pytest.raises(DataError, match="it is not packed data"):
            pack(source, tmp_path / name, overwrite=True)


# The cache of decoded pixels


@pytest.fixture
def reads():
    """Counts what is read of a dataset."""

    def count(dataset: Dataset) -> tuple[Dataset, list]:
        seen = []
        return dataset.with_images(lambda i: (seen.extend(i), dataset.examples(i))[1]), seen

    return count


def test_cached_pixels_give_the_same_batches_and_decode_once(tmp_path, lazy, reads, monkeypatch):
    monkeypatch.setattr("sslzoo.data.cache.BLOCK_BYTES", 30 * 30 * 3 * 4)
    train, seen = reads(load(messy(tmp_path / "source"), max_size=30).train)
    assert_same(cached(train, tmp_path / "cache"), train)
    seen.clear()
    again = cached(train, tmp_path / "cache")
    assert len(seen) == len(train), "for the fingerprint, which reads up to 64 images"
    list(again.batches(3, seed=0, stop=20))
    again.take([3, 1]).arrays()
    assert len(seen) == len(train)
    assert isinstance(again.read.main.images, np.memmap)
    assert not isinstance(again.examples(np.array([0]))[0], np.memmap)


def test_data_in_memory_need_no_cache(tmp_path):
    train = load("digits").train
    assert cached(train, tmp_path / "cache") is train and list(tmp_path.iterdir()) == []


def test_other_content_gets_another_cache(tmp_path, lazy):
    source = messy(tmp_path / "source")
    for max_size in (30, 20):
        cached(load(source, max_size=max_size).train, tmp_path / "cache")
    for path in (source / "plain").iterdir():
        os.utime(path, ns=(1, 1))
    cached(load(source, max_size=20).train, tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_a_damaged_cache_is_made_anew(tmp_path, lazy):
    train = load(messy(tmp_path / "source"), max_size=30).train
    cached(train, tmp_path / "cache")
    (file,) = (tmp_path / "cache").glob("*/images.npy")
    file.write_bytes(file.read_bytes()[:-100])
    assert_same(cached(train, tmp_path / "cache"), train)


def test_a_cache_that_does_not_fit_is_refused_and_a_full_disk_leaves_nothing(tmp_path, lazy, monkeypatch):
    train = load(messy(tmp_path / "source"), max_size=30).train
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            cached(train, tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "cache").iterdir()) == []
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 100}))
    with pytest.raises(DataError, match="a cache of source takes 0.0 GB, .* has 0.0 GB free: give another folder"):
        cached(train, tmp_path / "cache")


@pytest.mark.long
def test_a_training_from_cached_pixels_is_the_same_run(tmp_path, lazy):
    source = messy(tmp_path / "source")
    knobs = dict(units=8, hidden_dim=8, projection_dim=4, batch_size=4, image_size=8, epochs=1, runs=str(tmp_path))
    knobs |= dict(export_to=None, evaluate=False, preset="crop_flip")
    plain = sslzoo.pretrain("simclr", str(source), "mlp", name="plain", **knobs)
    other = sslzoo.pretrain("simclr", str(source), "mlp", name="cached", cache=str(tmp_path / "cache"), **knobs)
    assert other.plan.train_set.in_memory and other.plan.settings == plain.plan.settings
    for one, two in zip(plain.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
