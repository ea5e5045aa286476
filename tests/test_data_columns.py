"""Columns: a dataset deals whatever its spec names, and a change of the images leaves the others alone."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from sslzoo.data.dataset import Dataset
from sslzoo.data.made import in_memory

IMAGES = np.random.default_rng(0).integers(0, 255, (12, 4, 4, 1), "uint8")
CAPTIONS = np.arange(12 * 3, dtype=np.int32).reshape(12, 3)


def with_captions():
    images = in_memory("captioned", IMAGES)
    spec = images.spec | {"caption": tf.TensorSpec((3,), tf.int32)}
    return dataclasses.replace(images, spec=spec, read=lambda i: images.read(i) | {"caption": CAPTIONS[i]})


@pytest.mark.parametrize("lazy", [False, True])
def test_every_column_of_the_spec_is_dealt_with_the_rows_of_its_example(lazy):
    dataset = dataclasses.replace(with_captions(), in_memory=not lazy)
    batches = list(dataset.batches(4, seed=3, stop=6))
    assert {index for batch in batches[:3] for index in batch["index"].numpy()} == set(range(12))
    for batch in batches:
        index = batch["index"].numpy()
        np.testing.assert_array_equal(batch["image"], IMAGES[index])
        np.testing.assert_array_equal(batch["caption"], CAPTIONS[index])
        assert batch["caption"].shape == (4, 3)


def test_columns_follow_a_part_and_stay_when_the_images_change():
    part = with_captions().take([5, 2])
    np.testing.assert_array_equal(part.read(np.arange(2))["caption"], CAPTIONS[[5, 2]])
    dark = part.with_images(lambda i: (part.examples(i)[0] // 2, part.examples(i)[1]))
    found = dark.read(np.arange(2))
    np.testing.assert_array_equal(found["image"], IMAGES[[5, 2]] // 2)
    np.testing.assert_array_equal(found["caption"], CAPTIONS[[5, 2]])


def test_a_dataset_need_not_be_of_images():
    rows = np.random.default_rng(0).normal(size=(10, 6)).astype("float32")
    table = Dataset("rows", lambda i: {"table": rows[i]}, 10, {"table": tf.TensorSpec((6,))}, kind="table")
    assert table.shape == (6,) and table.dtype == np.float32
    batch = next(iter(table.batches(5, seed=0)))
    assert "image" not in batch
    np.testing.assert_array_equal(batch["table"], rows[batch["index"].numpy()])
