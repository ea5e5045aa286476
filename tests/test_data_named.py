"""Datasets by name: what is local, what TFDS has prepared, and what is said when neither is there."""

import gzip
import hashlib
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from sslzoo.data import DataError, builders, describe, load, named


def rows(batches: tf.data.Dataset) -> list[dict[str, np.ndarray]]:
    return list(batches.as_numpy_iterator())


# Names


def test_digits_are_scaled_and_split_by_class():
    train, test = load("digits")
    assert describe(train) == "digits: 1437 images 8x8x1 uint8, 10 classes"
    assert len(test) == 360 and np.bincount(test.labels).min() >= 34
    assert (train.arrays()[0].min(), train.arrays()[0].max()) == (0, 255)


def test_a_misspelt_name_is_answered_with_the_nearest_ones():
    with pytest.raises(DataError, match="'cifra10' is neither a folder nor .*; nearest names: cifar10"):
        load("cifra10")
    with pytest.raises(DataError, match="nearest names: digits"):
        load("digit")
    with pytest.raises(DataError, match="tensorflow.org/datasets"):
        load("xqzw")
    with pytest.raises(DataError, match="empty"):
        load("")


def test_a_dataset_that_cannot_be_downloaded_fails_fast_with_the_ways_out(tmp_path, monkeypatch):
    def unreachable(*_args):
        raise OSError("no route to host")

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(builders.socket, "create_connection", unreachable)
    monkeypatch.setattr(named, "FASHION_MNIST", tmp_path / "absent")
    for name in ("cifar10", "fashion_mnist"):
        began = time.monotonic()
        with pytest.raises(DataError, match=f"{name} is not on this machine and .* cannot be reached: ") as error:
            load(name)
        assert f"(tfds build {name}) and point TFDS_DATA_DIR at" in str(error.value)
        assert ("dataset-fashion-mnist" in str(error.value)) == (name == "fashion_mnist")
        assert time.monotonic() - began < 10


def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(builders, "PROBE_SECONDS", 0.1)
    monkeypatch.setattr(builders.socket, "create_connection", lambda *_args: threading.Event().wait())
    began = time.monotonic()
    assert not builders._reachable("https://example.org/file")
    assert time.monotonic() - began < 0.8


def test_a_proxy_is_probed_in_place_of_the_host(monkeypatch):
    probed = []

    def connect(address, _seconds):
        probed.append(address)
        raise OSError("refused")

    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    monkeypatch.setattr(builders.socket, "create_connection", connect)
    builders._reachable("https://example.org/file")
    monkeypatch.setenv("no_proxy", "example.org")
    builders._reachable("https://example.org/file")
    assert probed == [("127.0.0.1", 3128), ("example.org", 443)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cifar10:9.9.9", "cannot be loaded at version 9.9.9, only: "),
        ("stl10/foo", "BuilderConfig foo not found"),
        ("cifar10[:10%", r"is not of the form name\[part\], such as cifar10\[:10%\]"),
        ("imdb_reviews", "no feature 'image', only text, label"),
    ],
)
def test_a_tfds_name_that_cannot_be_used_is_answered_in_one_line(name, words, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match=words) as error:
        load(name)
    assert "\n" not in str(error.value)


# TFDS builders


@pytest.fixture(scope="module", params=["tfrecord", "array_record"])
def prepared(request, tmp_path_factory) -> Path:
    """A TFDS folder with two datasets, made by a genuine builder that is forgotten afterwards."""
    import tensorflow_datasets as tfds

    class SslzooTiny(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="fixed"), tfds.core.BuilderConfig(name="mixed")]

        def _info(self):
            side = 8 if self.builder_config.name == "fixed" else None
            features = {
                "image": tfds.features.Image(shape=(side, side, 3)),
                "label": tfds.features.ClassLabel(names=["even", "odd"]),
                "mask": tfds.features.Image(shape=(None, None, 1)),
            }
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {name: self._generate_examples(name) for name in ("train", "test", "validation")}

        def _generate_examples(self, split):
            for i in range({"train": 20, "test": 4, "validation": 6}[split]):
                height = 8 if self.builder_config.name == "fixed" else 4 + i
                label = -1 if split == "test" else i % 2  # as in challenges that keep the test labels
                mask = np.zeros((2, 2, 1), np.uint8)
                yield i, {"image": np.full((height, 8, 3), i, np.uint8), "label": label, "mask": mask}

    folder = tmp_path_factory.mktemp(request.param)
    for config in ("fixed", "mixed"):
        builder = SslzooTiny(config=config, data_dir=folder, file_format=request.param)
        builder.download_and_prepare()
    tfds.core.registered._DATASET_REGISTRY.pop("sslzoo_tiny")
    return folder


def test_a_prepared_tfds_dataset_loads_by_name_without_its_code(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    train, test = load("sslzoo_tiny/fixed:1.0.0")
    assert describe(train) == "sslzoo_tiny/fixed:1.0.0: 20 images 8x8x3 uint8, 2 classes"
    pixels = train.arrays()[0]
    assert sorted(pixels[:, 0, 0, 0]) == list(range(20)) and (pixels == pixels[:, :1, :1]).all()
    assert (train.labels == pixels[:, 0, 0, 0] % 2).all() and train.class_names == ("even", "odd")
    assert len(test) == 6  # the labels of its test split are secret, so the validation split judges


def test_a_tfds_dataset_of_mixed_sizes_goes_onto_a_canvas(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    train, _ = load("sslzoo_tiny/mixed")
    pixels, sizes = train.arrays()
    assert train.shape == (23, 23, 3)
    np.testing.assert_array_equal(sizes, [[4 + number, 8] for number in pixels[:, 0, 0, 0]])
    small, _ = load("sslzoo_tiny/mixed", max_size=10)
    assert small.shape == (10, 10, 3) and small.arrays()[1].max() == 10


def test_a_part_of_a_tfds_dataset_is_named_in_brackets(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    whole, _ = load("sslzoo_tiny/fixed")
    part, test = load("sslzoo_tiny/fixed[:25%]")
    np.testing.assert_array_equal(part.arrays()[0], whole.arrays()[0][:5])
    assert len(test) == 6
    unlabelled, test = load("tfds:sslzoo_tiny/fixed[test]")
    assert len(unlabelled) == 4 and unlabelled.labels is None
    with pytest.raises(DataError, match="no images in 'nope': choose from .*train"):
        load("sslzoo_tiny/fixed[nope]")


def test_a_tfds_dataset_too_large_for_memory_is_read_by_index_or_refused_with_the_ways_out(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    held, _ = load("sslzoo_tiny/fixed")
    monkeypatch.setattr(builders, "MEMORY_SHARE", 0)
    if prepared.name.startswith("tfrecord"):
        with pytest.raises(
            DataError, match=r"over half of this machine's memory: .* sslzoo_tiny/fixed\[:10%\].*array_record"
        ):
            load("sslzoo_tiny/fixed")
        return
    lazy, _ = load("sslzoo_tiny/fixed")
    assert not lazy.in_memory
    for ours, theirs in zip(*(rows(part.batches(5, seed=2, stop=9)) for part in (held, lazy)), strict=True):
        np.testing.assert_array_equal(ours["image"], theirs["image"])
        np.testing.assert_array_equal(ours["label"], theirs["label"])


# Fashion-MNIST

debian = pytest.mark.skipif(
    not named.FASHION_MNIST.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)


@debian
def test_fashion_mnist_has_its_shapes_and_classes():
    train, test = load("fashion_mnist")
    assert describe(train) == "fashion_mnist: 60000 images 28x28x1 uint8, 10 classes"
    assert np.bincount(train.labels).tolist() == [6000] * 10 and np.bincount(test.labels).tolist() == [1000] * 10
    assert train.class_names[9] == "Ankle boot"


@debian
@pytest.mark.parametrize("name", ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"])
def test_debians_fashion_mnist_is_that_of_tfds(name):
    """Debian took name and time of the files out of their gzip headers; with these put back, the checksums agree."""
    import tensorflow_datasets as tfds

    packed = (named.FASHION_MNIST / f"{name}-ubyte.gz").read_bytes()
    made = 1504176606 if name.startswith("train") else 1504176627  # seconds since 1970, found by trying
    header = b"\x1f\x8b\x08\x08" + made.to_bytes(4, "little") + packed[8:10] + f"{name}-ubyte\0".encode()
    checksums = {Path(url).name: info.checksum for url, info in tfds.builder("fashion_mnist").url_infos.items()}
    assert hashlib.sha256(header + packed[10:]).hexdigest() == checksums[f"{name}-ubyte.gz"]


@pytest.mark.parametrize("damage", ["cut", "not gzip", "wrong length", "absent"])
def test_a_damaged_fashion_mnist_file_is_named(damage, tmp_path, monkeypatch):
    monkeypatch.setattr(named, "FASHION_MNIST", tmp_path)
    good = gzip.compress(b"\0\0\x08\x03" + np.array([1, 28, 28], ">i4").tobytes() + bytes(784))
    contents = {"cut": good[:-12], "not gzip": b"hello", "wrong length": gzip.compress(b"\0\0\x08\x03" + bytes(20))}
    if damage in contents:
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(contents[damage])
    with pytest.raises(DataError, match="train-images-idx3-ubyte.gz cannot be read"):
        load("fashion_mnist")
