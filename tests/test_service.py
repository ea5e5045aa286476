"""A data service: the very batches, made by another process."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import sslzoo
from sslzoo.data import DataError, load
from sslzoo.data.service import served
from sslzoo.views import Views, presets


@pytest.fixture(scope="module")
def address():
    """A server of the digits in a process of its own."""
    words = [sys.executable, "-m", "sslzoo", "serve-data", "digits", "--port", "0", "--max-images", "300"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        assert line.startswith(
            "serving digits: 300 images 8x8x1 uint8, 10 classes; address of the data service: grpc://"
        )
        yield line.split()[-1]
        process.kill()


def digits():
    return sslzoo.data.restrict(load("digits"), max_images=300).train


@pytest.mark.long
@pytest.mark.parametrize("in_memory", [True, False])
def test_batches_and_views_are_those_made_here_bitwise_from_any_step_on(address, in_memory):
    here = dataclasses.replace(digits(), in_memory=in_memory)
    there = served(here, address)
    views = Views(presets.simclr(8, channels=1), batch_size=32, seed=5)
    for start, stop in ((0, 40), (13, 40)):
        ours = here.batches(32, seed=3, start=start, stop=stop).map(views)
        theirs = there.offload(there.batches(32, seed=3, start=start, stop=stop).map(views))
        pairs = list(zip(ours.as_numpy_iterator(), theirs.as_numpy_iterator(), strict=True))
        assert len(pairs) == stop - start
        for mine, other in pairs:
            tf.nest.map_structure(np.testing.assert_array_equal, mine, other)


@pytest.mark.long
def test_a_training_is_the_same_with_and_without(address, tmp_path):
    knobs = dict(units=8, hidden_dim=8, projection_dim=4, batch_size=64, max_images=300, preset="digits", epochs=2)
    knobs |= dict(runs=str(tmp_path), export_to=None, evaluate=False, optimizer="adam", learning_rate=1e-3)
    alone = sslzoo.pretrain("simclr", "digits", "mlp", name="alone", **knobs)
    helped = sslzoo.pretrain("simclr", "digits", "mlp", name="helped", data_service=address, **knobs)
    for one, two in zip(alone.model.get_weights(), helped.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_service_of_other_data_is_refused(address):
    with pytest.raises(DataError, match="has other data, digits: 300 images .*, than digits: 1437 images") as caught:
        served(load("digits").train, address)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["grpc://localhost:1", "localhost:5050", "grpc://localhost", "grpc://localhost:port"])
def test_where_nothing_answers_the_way_to_start_one_is_named(wrong):
    with pytest.raises(DataError, match="no data service answers at .*sslzoo serve-data DATA --port"):
        served(digits(), wrong)
