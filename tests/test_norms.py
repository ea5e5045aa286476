"""BatchNorm statistics as means over given batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from families import spread

from sslzoo import catalog
from sslzoo.catalog import options
from sslzoo.layers.norms import Calibration
from sslzoo.testing.miniatures import TOKENS, batch, build, residual
from sslzoo.utils.keras_internals import norms

RNG = np.random.default_rng(0)


def chain(momentum=0.9):
    stack = [keras.Input((5,)), keras.layers.Dense(4), keras.layers.BatchNormalization(momentum=momentum)]
    return keras.Sequential([*stack, keras.layers.ReLU(), keras.layers.BatchNormalization(momentum=momentum)])


def batches(count=3):
    return [(3 + RNG.normal(size=(8, 5))).astype("float32") for _ in range(count)]


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99])
def test_statistics_are_the_means_of_those_of_the_batches(momentum):
    model, data = chain(momentum), batches()
    Calibration(model).calibrate(data)
    first, second = norms(model)
    rows = [np.asarray(model.layers[0](x)) for x in data]
    np.testing.assert_allclose(first.moving_mean, np.mean([x.mean(0) for x in rows], 0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(first.moving_variance, np.mean([x.var(0) for x in rows], 0), rtol=1e-3)
    hidden = [np.maximum((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), 0) for x in rows]
    np.testing.assert_allclose(second.moving_mean, np.mean([x.mean(0) for x in hidden], 0), rtol=1e-3, atol=1e-4)


def test_several_calls_in_a_pass_count_alike():
    model, (a, b) = chain(0.99), batches(2)
    Calibration(model, lambda pair: [model(x, training=True) for x in pair]).calibrate([(a, b)])
    rows = [np.asarray(model.layers[0](x)) for x in (a, b)]
    found = norms(model)[0].moving_mean
    np.testing.assert_allclose(found, np.mean([x.mean(0) for x in rows], 0), rtol=0.01, atol=1e-3)


def test_layers_that_a_pass_does_not_train_keep_their_statistics():
    model, other = chain(), chain()
    both = keras.Sequential([model, keras.layers.Dense(5), other])
    model.trainable = False
    norms(other)[0].momentum = 1.0  # which keeps them in training, too
    Calibration(both).calibrate(batches())
    kept = [*norms(model), norms(other)[0]]
    for norm in kept:
        assert np.all(np.asarray(norm.moving_mean) == 0) and np.all(np.asarray(norm.moving_variance) == 1)
    assert np.all(np.asarray(norms(other)[1].moving_variance) != 1)


def test_everything_else_stays_bitwise_and_a_context_gives_the_statistics_back():
    model = keras.Sequential([chain(), keras.layers.Dropout(0.5)])
    Calibration(model).calibrate(batches())
    calibration, before = Calibration(model), [np.array(v) for v in model.variables]
    with calibration.calibrated(batches()):
        assert any(not np.array_equal(v, old) for v, old in zip(model.variables, before, strict=True))
    assert all(np.array_equal(v, old) for v, old in zip(model.variables, before, strict=True))


def test_a_network_without_batchnorm_is_left_alone():
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4)])
    assert not Calibration(model)
    Calibration(model).calibrate(iter([object()]))


@pytest.mark.long
@pytest.mark.parametrize("name", spread(name for name in catalog.methods() if "image" in options.kinds_of(name)))
def test_every_method_is_calibrated_alike_on_one_and_two_replicas(name, mirrored):
    def statistics():
        model = build(name)
        data = tf.nest.map_structure(tf.convert_to_tensor, batch(model))
        Calibration(model).calibrate([data, data])
        return [np.array(value) for norm in norms(model) for value in (norm.moving_mean, norm.moving_variance)]

    one = statistics()
    with mirrored.scope():
        two = statistics()
    assert len(one) >= 2 * len(norms(residual())) or name in TOKENS
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
