"""Contracts that every method of the folder keeps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import catalog, encoders, methods
from sslzoo.testing.miniatures import COUNT, SIZE, arguments, batch, batches, build, flat, losses_of, views
from sslzoo.training.checkpoints import Checkpoints

A_FAMILY_EACH = ("simclr", "moco", "byol", "swav", "dino", "parallel_autoencoder")
EVERY_METHOD = pytest.mark.parametrize("name", catalog.methods())


def losses_and_weights(name):
    """Losses of four steps of SGD, which does not hide a wrong scale as Adam does; weights before and after."""
    model = build(name, optimizer=keras.optimizers.SGD(0.05))
    before = flat(model)
    return losses_of(model, 4), before, flat(model)


@EVERY_METHOD
def test_learns_to_tell_images_apart(name):
    model = build(name, optimizer=keras.optimizers.Adam(1e-3))
    losses = losses_of(model, 30)
    # Before its queue is full, a method tells embeddings from random directions, which is easy.
    assert losses[-1] < 0.8 * max(losses[:3])
    outputs = model(batch(model), training=False)
    z_a, z_b = (keras.ops.normalize(outputs[key]) for key in ("z_a", "z_b"))
    found = np.argmax(np.array(z_a) @ np.array(z_b).T, axis=1)
    assert np.mean(found == np.arange(COUNT)) > 0.25, "chance is 1/32"


@EVERY_METHOD
def test_gradients_reach_every_trainable_weight_and_no_frozen_one(name):
    model = build(name)
    first = model.encoder.trainable_weights[0]
    first.trainable = False
    # Adam's steps are as large for a gradient of 1e-6; eagerly, three of them take no tracing.
    model.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
    before = {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights}
    frozen = keras.ops.convert_to_numpy(first)
    model.fit(batches(model, 3), verbose=0)
    unmoved = [w.path for w in model.trainable_weights if np.array_equal(before[w.path], w)]
    assert not unmoved
    assert np.array_equal(frozen, first)


@EVERY_METHOD
def test_two_replicas_train_like_one(name, mirrored):
    losses, before, after = losses_and_weights(name)
    with mirrored.scope():
        losses_of_two, before_of_two, after_of_two = losses_and_weights(name)
    np.testing.assert_array_equal(before_of_two, before)
    np.testing.assert_allclose(losses_of_two, losses, rtol=2e-5, atol=1e-7)  # a mean of cosines starts near 0
    # Not weight by weight: where rounding puts one unit on the other side of a ReLU's kink, one weight moves apart.
    assert np.linalg.norm(after_of_two - after) < 1e-3 * np.linalg.norm(after - before)


@EVERY_METHOD
def test_saves_and_loads_through_keras(name, tmp_path):
    model = build(name)
    model.run_eagerly = True
    model.fit(batches(model, 2), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config().keys() == model.get_config().keys()
    for one, two in zip(model.weights, loaded.weights, strict=True):
        assert np.array_equal(one, two), one.path
    assert int(loaded.optimizer.iterations) == 2
    loaded.run_eagerly = True
    again, onward = (one.fit(batches(one, 1), verbose=0).history["loss"] for one in (loaded, model))
    np.testing.assert_allclose(again, onward, rtol=1e-6)  # threads may add in another order


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "name",
    [name if name in A_FAMILY_EACH else pytest.param(name, marks=pytest.mark.slow) for name in catalog.methods()],
)
def test_stays_finite_in_mixed_precision_for_a_hundred_steps(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = build(name)
    finally:
        keras.config.set_dtype_policy("float32")
    losses = []
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: losses.append(logs["loss"]))
    model.fit(batches(model, 100), verbose=0, callbacks=[note])
    assert len(losses) == 100 and np.isfinite(losses).all() and np.isfinite(flat(model)).all()
    outputs = model(batch(model), training=False)
    assert all(value.dtype == "float32" for key, value in outputs.items() if key.startswith(("z", "p")))


@EVERY_METHOD
def test_a_checkpoint_holds_every_variable(name, tmp_path):
    model, again = build(name), build(name)
    for variable in model.variables + model.optimizer.variables:
        variable.assign(variable + 1)
    Checkpoints(model, tmp_path).save()
    tensorflows = tf.train.Checkpoint(model=model).write(str(tmp_path / "tensorflow"))

    def in_ours():
        assert Checkpoints(again, tmp_path).restore() == 1

    def in_tensorflows():
        for variable in again.variables + again.optimizer.variables:
            variable.assign(variable + 1)
        tf.train.Checkpoint(model=again).read(tensorflows)

    for read in (in_ours, in_tensorflows):
        read()
        variables = zip(model.variables, again.variables, strict=True)
        for one, two in (*variables, *zip(model.optimizer.variables, again.optimizer.variables, strict=True)):
            assert np.array_equal(one, two), one.path


@EVERY_METHOD
def test_names_its_paper_and_its_views(name):
    cls = methods.find(name)
    assert cls.paper.startswith("https://")
    assert cls.views in catalog.presets()
    assert getattr(methods, cls.__name__) is cls


@EVERY_METHOD
def test_constructor_arguments_are_the_config(name):
    model = build(name)
    assert set(model.get_config()) == {"encoder", "name", *arguments(name)}


def test_a_misspelt_method_gets_the_nearest():
    with pytest.raises(ValueError, match="did you mean simclr"):
        methods.find("simclir")


def test_simclr_compares_with_the_whole_global_batch(mirrored):
    """Collapsed embeddings show how many images were compared: log(2N - 1) with the global N."""
    with mirrored.scope():
        model = build("simclr", encoder=lambda: encoders.make("mlp", (SIZE, SIZE, 3)))
        for weight in model.projector.trainable_weights:
            weight.assign(weight * 0)
    assert losses_of(model, 1)[0] == pytest.approx(np.log(2 * COUNT - 1), rel=1e-5)


def test_views_seen_together_share_batchnorm_statistics():
    model = build("simclr")
    a, b = views(model)
    dark = {"views": (a, b * 0)}
    outputs = model(dark, training=True)
    joined = model.projector(model.encoder(np.concatenate([a, b * 0]), training=True), training=True)
    np.testing.assert_allclose(np.concatenate([outputs["z_a"], outputs["z_b"]]), joined, atol=2e-4)
