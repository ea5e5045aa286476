"""Data of several folders, and of a tf.data.Dataset."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from sslzoo.data import DataError, load

RNG = np.random.default_rng(0)


def folder(path, classes, count=6, side=8, mode="RGB"):
    for name in classes:
        (path / name).mkdir(parents=True)
        for number in range(count):
            pixels = RNG.integers(0, 255, (side, side, 3) if mode == "RGB" else (side, side), "uint8")
            Image.fromarray(pixels).save(path / name / f"{number}.png")
    return str(path)


def all_of(splits):
    return np.concatenate([part.examples(np.arange(len(part)))[0] for part in splits if part is not None])


def test_a_list_of_folders_is_one_dataset_and_classes_of_one_name_are_one(tmp_path):
    places = [folder(tmp_path / "a", ["cat", "dog"]), folder(tmp_path / "b", ["dog", "emu"], side=12)]
    train, test = load(places)
    assert len(train) + len(test) == 24
    assert train.class_names == ("cat", "dog", "emu") and train.shape == (12, 12, 3)
    index = np.flatnonzero([file.endswith("b/emu/0.png") for file in train.files])
    if len(index):
        image, size = train.examples(index)
        np.testing.assert_array_equal(image[0], np.array(Image.open(tmp_path / "b" / "emu" / "0.png")))
    small = next(i for i, file in enumerate(train.files) if "a/" in file)
    image, size = train.examples(np.array([small]))
    assert size.tolist() == [[8, 8]] and not image[0, 8:].any() and not image[0, :, 8:].any()


def test_folders_of_other_channels_are_refused_with_their_names(tmp_path):
    places = [folder(tmp_path / "a", ["x"]), folder(tmp_path / "b", ["x"], mode="L")]
    with pytest.raises(DataError, match="differ in their channels .*a: 3.*b: 1"):
        load(places)


IMAGES = RNG.integers(0, 255, (20, 8, 8, 1), "uint8")
LABELS = np.arange(20) % 2
FORMS = {
    "dicts": {"image": IMAGES, "label": LABELS},
    "pairs": (IMAGES, LABELS),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("batch", [None, 6])
def test_a_stream_with_labels_is_the_pair_of_arrays(form, batch):
    stream = tf.data.Dataset.from_tensor_slices(FORMS[form])
    found, expected = load(stream.batch(batch) if batch else stream), load((IMAGES, LABELS))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.arrays()[0], other.arrays()[0])
        np.testing.assert_array_equal(one.labels, other.labels)


def test_a_stream_of_images_has_no_labels_and_may_mix_sizes():
    def images():
        yield np.full((4, 6, 3), 10, "uint8")
        yield np.full((5, 3, 3), 20, "uint8")

    stream = tf.data.Dataset.from_generator(images, output_signature=tf.TensorSpec((None, None, 3), "uint8"))
    train = load(stream).train
    pixels, sizes = train.arrays()
    assert train.labels is None and train.shape == (5, 6, 3) and sizes.tolist() == [[4, 6], [5, 3]]
    assert (pixels[1, :5, :3] == 20).all() and not pixels[1, :, 3:].any()


@pytest.mark.parametrize(
    "stream, said",
    [
        (lambda: tf.data.Dataset.from_tensor_slices(IMAGES).repeat(), "infinite: leave out repeat"),
        (lambda: tf.data.Dataset.range(3), "have shape"),
        (lambda: tf.data.Dataset.from_tensor_slices({"picture": IMAGES}), 'name the image "image"'),
        (lambda: tf.data.Dataset.from_tensor_slices(IMAGES).take(0), "no elements"),
    ],
)
def test_other_streams_are_answered_in_one_line(stream, said):
    with pytest.raises(DataError, match=said) as refusal:
        load(stream())
    assert "\n" not in str(refusal.value)
