"""Micro-batches: the gradient of the whole batch from parts of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from families import spread

import sslzoo
from sslzoo.layers.microbatch import MicroBatches
from sslzoo.testing import miniatures

ROWS = 8
# One of each kind: views together, views apart, a target network, a queue, several crops, Sinkhorn, feature statistics.
METHODS = ("simclr", "byol", "moco", "barlow_twins", "swav", "vicreg", "nnclr")


def plain():
    """An encoder without BatchNorm, with state: a seed and Dropout that never drops."""
    layers = [keras.layers.Conv2D(8, 3, 2, activation="gelu"), keras.layers.Conv2D(16, 3, 2, activation="gelu")]
    return keras.Sequential([keras.Input((miniatures.SIZE, miniatures.SIZE, 3)), *layers, keras.layers.Flatten()])


def trained(name, rows=None, encoder=plain, steps=3):
    model = miniatures.build(name, encoder=encoder, optimizer=keras.optimizers.SGD(0.05))
    model.micro_batch = rows
    losses = miniatures.losses_of(model, steps)
    return np.array(losses), miniatures.flat(model)


@pytest.mark.parametrize("name", spread(METHODS, ("simclr", "byol", "nnclr")))
def test_a_step_in_parts_is_the_plain_step(name):
    losses, weights = trained(name)
    losses_in_parts, weights_in_parts = trained(name, ROWS)
    np.testing.assert_allclose(losses_in_parts, losses, rtol=1e-5)
    np.testing.assert_allclose(weights_in_parts, weights, rtol=1e-3, atol=1e-5)


def test_two_replicas_in_parts_train_like_one_that_is_whole(mirrored):
    losses, weights = trained("simclr")
    with mirrored.scope():
        losses_of_two, weights_of_two = trained("simclr", ROWS)
    np.testing.assert_allclose(losses_of_two, losses, rtol=1e-5)
    np.testing.assert_allclose(weights_of_two, weights, rtol=1e-3, atol=1e-5)


def test_batchnorm_sees_a_part_and_moves_once_for_each():
    def encoder():
        return keras.Sequential(
            [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.BatchNormalization(momentum=0.9)]
        )

    parts, whole = encoder(), encoder()
    images = np.random.default_rng(0).uniform(size=(4 * ROWS, 16, 16, 3)).astype("float32")
    found = tf.function(lambda x: MicroBatches(parts, ROWS)(x, training=True))(tf.constant(images))
    expected = [whole(some, training=True) for some in np.split(images, 4)]
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-4)
    for one, two in zip(parts.weights, whole.weights, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)


def test_dropout_drops_the_same_again_for_the_gradient():
    layers = [keras.layers.Flatten(), keras.layers.Dense(4, use_bias=False), keras.layers.Dropout(0.5, seed=1)]
    encoder = keras.Sequential([keras.Input((4, 4, 1)), *layers])

    @tf.function
    def gradient(images):
        with tf.GradientTape() as tape:
            features = MicroBatches(encoder, 2)(images, training=True)
            loss = tf.reduce_sum(features)
        return features, tape.gradient(loss, encoder.trainable_variables)[0]

    images = tf.random.stateless_uniform((6, 4, 4, 1), (0, 1), 0.1, 1)
    features, found = gradient(images)
    kept = tf.cast(features != 0, "float32") * 2
    assert 0 < np.mean(kept) < 2
    np.testing.assert_allclose(found, tf.reshape(images, (6, 16)).numpy().T @ kept.numpy(), rtol=1e-5)


def test_nothing_changes_where_it_does_not_train_and_odd_parts_are_refused():
    encoder = plain()
    images = np.zeros((12, 16, 16, 3), "float32")
    expected = encoder(images, training=False).numpy()
    in_parts = MicroBatches(encoder, ROWS)
    np.testing.assert_array_equal(in_parts(images, training=False), expected)
    assert not in_parts.weights
    with pytest.raises(ValueError, match="micro_batch=8 does not divide 12 images"):
        in_parts(images, training=True)


@pytest.mark.long
def test_pretraining_takes_it_and_refuses_what_cannot_be(tmp_path, capsys):
    places = dict(data="digits", encoder="mlp", epochs=1, batch_size=64, max_images=128, runs=str(tmp_path))
    places |= dict(export_to=None, evaluate=False)
    sslzoo.pretrain("simclr", micro_batch=16, name="parts", optimizer="adam", **places)
    assert "takes 16 images at a time" in capsys.readouterr().out
    with pytest.raises(ValueError, match="a micro-batch of 48 does not divide the 64 images"):
        sslzoo.pretrain("simclr", micro_batch=48, **places)
    with pytest.raises(ValueError, match="vicreg_l reads inside its encoder"):
        sslzoo.pretrain("vicreg_l", micro_batch=16, **places)


def test_encode_divides_the_batch_in_training_mode_only(monkeypatch):
    model, seen = miniatures.build("simclr"), []
    model.micro_batch = ROWS
    call = model.encoder.stateless_call

    def noted(weights, state, images, **kwargs):
        seen.append(images.shape[0])
        return call(weights, state, images, **kwargs)

    monkeypatch.setattr(model.encoder, "stateless_call", noted)
    model(miniatures.batch(model), training=False)
    assert not seen
    model(miniatures.batch(model), training=True)
    assert seen and set(seen) == {ROWS}
