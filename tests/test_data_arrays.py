"""Arrays and ranges: each misuse gets one line, and doing what the line says works."""

import dataclasses
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sslzoo.data import DataError, Splits, cached, folder, from_array, load, named, pack
from sslzoo.data.made import of_images
from sslzoo.data.ranges import to_range

RNG = np.random.default_rng(0)
UNIT = RNG.random((6, 9, 9, 3))


def refusal(data, **options) -> str:
    with pytest.raises(DataError) as caught:
        load(data, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def followed(line: str, images: np.ndarray) -> Splits:
    """Data loaded as the first advice of a refusal says."""
    text = re.search(r"value_range=\([^)]*\)|images\.\w+\([^)]*\)|numpy\.\w+\(images[^)]*\)", line)[0]
    if text.startswith("value_range"):
        return load(images, value_range=eval(text.partition("=")[2]))
    return load(eval(text, {"images": images, "numpy": np}))


# Shapes


@pytest.mark.parametrize("shape", [(20, 3, 32, 32), (20, 1, 8, 8), (9, 3, 20, 30), (9, 4, 16, 16), (9, 2, 12, 12)])
def test_channels_first_is_refused_with_the_transpose_to_do(shape):
    line = refusal(np.zeros(shape, np.uint8) + 200)
    assert "with the channels first: give images.transpose(0, 2, 3, 1)" in line
    assert followed(line, np.zeros(shape, np.uint8) + 200).train.shape == (*shape[2:], shape[1])


@pytest.mark.parametrize(
    "shape", [(5, 4, 6, 13), (5, 3, 3, 8), (5, 1, 1, 3), (5, 32, 32, 3), (5, 4, 4, 4), (5, 12, 12)]
)
def test_other_shapes_are_not_questioned(shape):
    assert load(np.zeros(shape, np.uint8) + 200).train.shape == (*shape[1:], *([1] if len(shape) == 3 else []))


@pytest.mark.parametrize("shape", [(32, 40, 3), (9, 9, 3), (224, 224, 4)])
def test_one_image_is_no_set_of_images(shape):
    assert "which is one image: give several" in refusal(np.zeros(shape, np.uint8))


def test_training_and_test_images_have_the_same_channels():
    assert "give both alike" in refusal(((UNIT, np.arange(6)), (UNIT[..., :1], np.arange(6))))


# Ranges


def test_rounding_beyond_the_range_is_clipped():
    images = UNIT.copy()
    images[0, 0, 0, 0], images[0, 0, 0, 1] = 1.0000001, -1e-7
    pixels = load(images).train.arrays()[0]
    assert pixels.min() == 0 and pixels.max() == 1
    np.testing.assert_allclose(pixels, images, atol=2e-7)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda x: x * 255, r"floats from \S+ to 25\S+: scale them .* value_range=\(0, 255\)"),
        (lambda x: x * 60000, r"value_range=\(0, 65535\)"),
        (lambda x: x * 2 - 1, r"floats from -0\.99\S+ to 0\.99\S+: .*value_range=\(-1, 1\)"),
        (lambda x: x * 1.1, r"floats from \S+ to 1\.09\S+: give numpy\.clip\(images, 0, 1\)"),
        (lambda x: x * 1.0005 / x.max(), r"floats from \S+ to 1\.0005: give numpy\.clip"),
        (lambda x: x * 3e5 - 1e3, r"value_range=\(-\d+\.\d+, \d+\.\d+\)"),
        (lambda x: (x * 255).astype(np.int64), r"images are int64: convert them, images\.astype\('uint8'\)"),
        (lambda x: (x * 4000).astype(np.int32), r"images are int32: convert them, images\.astype\('uint16'\)"),
        (lambda x: (x * 1e6 - 5e5).astype(np.int32), r"they go from -\d+ to \d+: give value_range=\(-"),
        (lambda x: (x * 100).astype(np.int8), r"images are int8: convert them"),
        (lambda x: x > 0.5, r"images are bool: convert them to floats, images\.astype\('float32'\)"),
    ],
)
def test_every_range_gets_advice_that_works(change, words):
    images = change(UNIT)
    line = refusal(images)
    assert re.search(words, line), line
    pixels = followed(line, images).train.arrays()[0]
    assert pixels.min() >= 0 and (pixels.max() <= 1 or pixels.dtype.kind == "u")


def test_values_that_are_no_numbers_are_named_with_their_image():
    images = UNIT.copy()
    images[3, 2, 2, 1] = images[4, 0, 0, 0] = np.nan
    line = refusal(images)
    assert line.startswith("NaN pixels in 2 of 6 images, the first of them images[3]: ")
    assert len(followed(line, images).train) == 6
    images[3:5] = np.inf
    assert refusal(images).startswith("infinite pixels in 2 of 6 images, the first of them images[3]")


@pytest.mark.parametrize(
    "dtype, low, high", [(np.uint8, 0, 16), (np.uint16, 100, 4095), (np.float32, -3, 9), (np.int32, 0, 70000)]
)
def test_the_given_range_fills_that_of_the_type(dtype, low, high):
    values = np.linspace(low, high, 40).astype(dtype).reshape(1, 5, 8, 1)
    train = load(values, value_range=(low, high)).train
    pixels, most = train.arrays()[0], 1 if train.dtype == np.float32 else np.iinfo(train.dtype).max
    assert pixels.min() == 0 and pixels.max() == most
    expected = (values.astype(float) - low) / (high - low) * most
    np.testing.assert_allclose(pixels, expected, atol=0.51 if most > 1 else 1e-6)
    assert train.dtype == (dtype if dtype in (np.uint8, np.uint16) else np.float32)


@pytest.mark.parametrize("wrong", [(5, 5), (9, 2), 7, "black", (1, 2, 3), (0, np.nan), (0, np.inf), ("a", "b")])
def test_a_range_that_is_none_is_refused(wrong):
    assert "give the values of black and white, such as (0, 4095)" in refusal("digits", value_range=wrong)


def deep_folder(root: Path, most: int = 4095) -> Path:
    root.mkdir()
    for i, (height, width) in enumerate([(9, 5), (7, 7), (5, 9)]):
        pixels = RNG.integers(0, most, (height, width)).astype(np.uint16)
        pixels[0, :2] = 0, most
        Image.fromarray(pixels).save(root / f"{i}.png")
    return root


@pytest.mark.parametrize("lazy", [False, True])
def test_twelve_bits_in_sixteen_get_a_note_whose_advice_works(lazy, tmp_path, monkeypatch):
    if lazy:
        monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    root = deep_folder(tmp_path / "deep")
    plain = load(root).train
    note = next(note for note in plain.notes if "a small part of the range" in note)
    assert "pixel values reach 4095 of 65535" in note
    train = load(root, value_range=eval(re.search(r"value_range=(\(.*\))", note)[1])).train
    assert not any("small part" in note for note in train.notes)
    images, sizes = train.arrays()
    np.testing.assert_array_equal(images, to_range(plain.arrays()[0], (0, 4095)))
    assert images.max() == 65535 and sizes.tolist() == [[9, 5], [7, 7], [5, 9]] and not images[0, :, 5:].any()
    assert train.fingerprint() != plain.fingerprint()
    packed = load(pack(train, tmp_path / "packed")).train
    np.testing.assert_array_equal(packed.arrays()[0], images)
    np.testing.assert_array_equal(cached(train, tmp_path / "cache").arrays()[0], images)


def test_values_below_black_do_not_light_up_what_is_outside_an_image(tmp_path):
    images, sizes = load(deep_folder(tmp_path / "deep"), value_range=(-4095, 4095)).train.arrays()
    assert images[0, :, :5].min() > 30000 and not images[0, :, sizes[0, 1] :].any()


def test_a_full_range_gets_no_note_and_black_images_do():
    assert load(UNIT).train.notes == ()
    assert "all pixels are 0" in load(np.zeros((4, 9, 9), np.uint8)).train.notes[0]
    (note,) = load(np.full((4, 9, 9), 16, np.uint8)).train.notes
    assert note.startswith("pixel values reach 16 of 255") and "value_range=(0, 31)" in note


# What is no array


class Frame:
    __module__ = "pandas.core.frame"


@pytest.mark.parametrize(
    "data, words",
    [
        (["a", "b"], r"has no 'a'"),
        ((Path("a"), Path("b")), r"a tuple of 2 paths: give one folder"),
        ([np.zeros((4, 4)), np.zeros((5, 4))], "a list of arrays of several shapes"),
        (None, "data is a NoneType: give"),
        ({"images": 3}, "column 'images' has shape"),
        (np.array(["a", "b"]), "data is a ndarray: give"),
        (7, r"images have shape \(\)"),
        (iter([1]), "data is a list_iterator: give"),
        (Frame(), r"a pandas Frame: give an array, data.to_numpy\(\)"),
        ((np.zeros((4, 4, 4)), Frame()), "labels are object"),
        ((np.zeros((4, 9, 9)), np.zeros((4, 9, 9))), "for two sets of images"),
        ((np.zeros((4, 9, 9)), np.zeros(4, int), 5), "of several shapes"),
    ],
)
def test_what_is_no_array_is_answered_in_one_line(data, words):
    assert re.search(words, refusal(data))


# Names and folders


def test_a_folder_with_a_built_in_name_is_questioned_and_both_names_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path("digits", name).mkdir(parents=True)
        Image.fromarray(RNG.integers(0, 256, (9, 9), np.uint8)).save(f"digits/{name}/1.png")
    line = refusal("digits")
    there, built_in = re.search(r"give '(.*)' for the folder, or '(.*)'", line).groups()
    assert len(load(there).train.class_names) == 2 and load(Path("digits")).train.shape == (9, 9, 1)
    assert len(load(built_in).train) == 1437
    monkeypatch.chdir(tmp_path / "digits")
    assert len(load("digits").train) == 1437


def test_a_folder_with_the_name_of_a_prepared_dataset_is_questioned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("cifar10")
    monkeypatch.setattr(named, "is_prepared", lambda name: name == "cifar10")
    assert "give './cifar10' for the folder, or 'tfds:cifar10'" in refusal("cifar10")


# Fingerprints


@pytest.mark.parametrize("lazy", [False, True])
def test_the_fingerprint_changes_with_any_one_image(lazy, tmp_path, monkeypatch):
    if lazy:
        monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    images = RNG.integers(0, 256, (300, 8, 8), np.uint8)
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{i:03}.png")
    folders, arrays = load(tmp_path).train, from_array(images.copy())
    assert folders.fingerprint() == load(tmp_path).train.fingerprint()
    images[101, 3, 3] ^= 1
    Image.fromarray(images[101]).save(tmp_path / "101.png")
    changed = load(tmp_path).train
    assert changed.fingerprint() != folders.fingerprint()
    assert changed.sampled_fingerprint() == folders.sampled_fingerprint(), "the image is not one of the 64"
    other = from_array(images)
    assert other.fingerprint() != arrays.fingerprint() and other.sampled_fingerprint() == arrays.sampled_fingerprint()
    assert other.take(slice(100)).fingerprint() == arrays.take(slice(100)).fingerprint()


def test_the_fingerprints_of_older_exports_are_known():
    """sslzoo 0.1 wrote these into the recipes of its exports."""
    assert load("digits").train.sampled_fingerprint() == "42188af68ea34f1e"


def test_a_fingerprint_is_that_of_the_data_wherever_they_are(tmp_path, monkeypatch):
    root = deep_folder(tmp_path / "deep")
    held = load(root).train
    monkeypatch.setattr(folder, "MEMORY_SHARE", 0)
    lazy = load(root).train
    prints = [held, lazy, load(pack(root, tmp_path / "packed")).train, cached(lazy, tmp_path / "cache")]
    assert len({part.fingerprint() for part in prints}) == 1
    own = of_images("own", lazy.examples, 3, lazy.shape, lazy.dtype, in_memory=False)
    assert own.fingerprint() == cached(own, tmp_path / "other").fingerprint()
    assert own.fingerprint() != dataclasses.replace(own, count=2).fingerprint()
