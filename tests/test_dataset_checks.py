"""check_dataset: every source passes, and a dataset that breaks a promise is told so."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from sslzoo.data.made import in_memory
from sslzoo.testing import check_dataset

IMAGES = np.random.default_rng(0).integers(0, 255, (20, 6, 6, 3), "uint8")
LABELS = np.arange(20) % 2


@pytest.mark.parametrize(
    "data", [IMAGES, (IMAGES, LABELS), "digits", tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))]
)
def test_sources_pass(data):
    check_dataset(data)


def broken(**changes):
    return dataclasses.replace(in_memory("mine", IMAGES, labels=LABELS.astype(np.int32)), **changes)


def noisy(index):
    return {"image": np.random.default_rng().integers(0, 255, (len(index), 6, 6, 3), "uint8"), "size": sizes(index)}


def sizes(index):
    return np.full((len(index), 2), 6, np.int32)


@pytest.mark.parametrize(
    "changes, said",
    [
        (dict(read=noisy), "'image' differs when it is read again"),
        (dict(read=lambda i: {"image": IMAGES[i]}), "the spec names"),
        (dict(read=lambda i: {"image": IMAGES[i].astype("float32"), "size": sizes(i)}), "is float32, the spec says"),
        (dict(read=lambda i: {"image": IMAGES[i][:, :5], "size": sizes(i)}), "the spec says .20, 6, 6, 3|has shape"),
        (dict(labels=np.zeros(3, np.int32)), "3 labels of 20 examples"),
    ],
)
def test_a_broken_promise_is_named(changes, said):
    with pytest.raises(AssertionError, match=said):
        check_dataset(broken(**changes))
