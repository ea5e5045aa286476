"""Layer-wise training: what trains in a stage, and that nothing else moves by a bit."""

import json
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from families import spread

import sslzoo
from sslzoo import encoders, methods
from sslzoo.training import layerwise, runner

SIZE = 16
IMAGES = np.random.default_rng(0).uniform(size=(3, 8, SIZE, SIZE, 3)).astype("float32")
CONVOLUTIONS = [f"conv{k}" for k in range(1, 6)]
ENCODERS = {"conv6": dict(width=0.25), "mlp": dict(units=16)}


def encoder_of(case):
    keras.utils.set_random_seed(0)
    name = "mlp" if "mlp" in case else "conv6"
    return encoders.make(name, (SIZE, SIZE, 3), **ENCODERS[name])


def method_of(case):
    """A function from an encoder to the method."""
    if "simclr" in case:
        return lambda encoder: methods.SimCLR(encoder, projection_dim=8, hidden_dim=16)
    method = methods.find("autoencoder" if "mlp" in case else case)
    return lambda encoder: method(encoder, decoder="symmetric", latent_dim=8)


def make(case):
    return method_of(case)(encoder_of(case))


def grown(case):
    """Name and compiled model of each stage."""
    before = None
    for name, encoder in layerwise.grow(encoder_of(case)):
        model = method_of(case)(encoder)
        if before:
            layerwise.inherit(model, before)
        with layerwise.train_only(model, layerwise.stages(model)[name]):
            model.compile(sgd())
            yield name, model
        before = model


EVERY_CASE = pytest.mark.parametrize(
    "case",
    spread(
        ["autoencoder", "parallel_autoencoder", "simclr", "simclr of an mlp", "mlp and its mirror"],
        ("simclr of an mlp", "mlp and its mirror"),
    ),
)


def sgd():
    return keras.optimizers.Adam(1e-2)


def train(model, steps=2):
    views = tuple(IMAGES[: 2 if type(model).views == "simclr" else 3])
    model.fit(tf.data.Dataset.from_tensors({"views": views}).repeat(steps), verbose=0)


def values(model):
    return {id(weight): np.array(weight) for weight in model.weights}


def moved(model, before):
    """Ids of the weights of which some bit is another one than before."""
    return {key for key, value in values(model).items() if value.tobytes() != before[key].tobytes()}


@EVERY_CASE
def test_a_stage_moves_all_of_its_own_weights_and_no_bit_of_any_other(case):
    for name, model in grown(case):
        own = {id(weight) for weight in layerwise.stages(model)[name]}
        before = values(model)
        train(model)
        assert moved(model, before) == own, name


@EVERY_CASE
def test_a_stage_goes_on_with_what_the_stages_before_have_trained(case):
    kept = {}
    for _, model in grown(case):
        own = [layer for block in layerwise.blocks(model.encoder).values() for layer in block]
        own += [layer for layer in model._flatten_layers() if layer.name.startswith("mirror_") and layer.weights]
        assert kept.keys() < {layer.name for layer in own}
        for layer in own:
            assert all(map(np.array_equal, kept.get(layer.name, []), layer.get_weights())), layer.name
        train(model)
        kept = {layer.name: layer.get_weights() for layer in own}


@pytest.mark.long
@EVERY_CASE
def test_the_last_stage_has_the_whole_encoder_and_afterwards_everything_trains_again(case):
    for _, last in grown(case):
        train(last)
    assert last.encoder.name == encoder_of(case).name
    last.compile(sgd())
    before = values(last)
    train(last)
    assert moved(last, before) == set(before)


def test_wide_maps_are_averaged_until_they_are_no_wider_than_the_encoder():
    encoder = encoder_of("simclr")
    dim = encoder.output_shape[-1]
    for name, part in layerwise.grow(encoder):
        small = layerwise.pooled(part, dim)
        assert small.output_shape[-1] <= dim, name
    first = next(part for _, part in layerwise.grow(encoder))
    maps = first.layers[-1].input
    whole = np.array(keras.Model(first.input, maps)(IMAGES[0])).mean((1, 2))
    by_channel = np.array(layerwise.pooled(first, dim)(IMAGES[0])).reshape(8, -1, maps.shape[-1]).mean(1)
    np.testing.assert_allclose(by_channel, whole, atol=1e-5)


def test_a_stage_is_a_block_with_its_mirror_and_the_bottleneck():
    model = make("autoencoder")
    stages = layerwise.stages(model)
    assert list(stages) == CONVOLUTIONS
    layer = {layer.name: layer for layer in model._flatten_layers()}
    for name, weights in stages.items():
        expected = [name, f"mirror_{name}", "bottleneck", "unbottleneck"]
        assert {id(w) for w in weights} == {id(w) for part in expected for w in layer[part].weights}


def test_the_projector_of_simclr_trains_in_every_stage():
    model = make("simclr")
    projector = {id(weight) for weight in model.projector.weights}
    assert all(projector < {id(weight) for weight in weights} for weights in layerwise.stages(model).values())


def test_a_norm_belongs_to_the_block_before_it():
    encoder = encoders.make("mlp", (4, 4, 1), units=8)
    found = {name: [layer.name for layer in block] for name, block in layerwise.blocks(encoder).items()}
    assert found == {"dense1": ["dense1", "norm1"], "dense2": ["dense2", "norm2"]}


def test_an_optimizer_has_slots_for_the_weights_of_its_stage_alone():
    for name, model in grown("simclr"):
        trained = {id(weight) for weight in model.optimizer._trainable_variables}
        assert trained == {id(weight) for weight in layerwise.stages(model)[name] if weight.trainable}


def test_a_stage_that_fails_leaves_everything_trainable():
    model = make("simclr of an mlp")
    weights, momenta = len(model.trainable_weights), [norm.momentum for norm in norms(model)]
    with pytest.raises(RuntimeError), layerwise.train_only(model, []):
        assert not model.trainable_weights and {norm.momentum for norm in norms(model)} == {1.0}
        raise RuntimeError
    assert len(model.trainable_weights) == weights
    assert [norm.momentum for norm in norms(model)] == momenta


def norms(model):
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]


def test_a_weight_frozen_before_stays_frozen():
    model = make("simclr")
    first = model.encoder.get_layer("conv1").kernel
    first.trainable = False
    before = np.array(first)
    with layerwise.train_only(model, layerwise.stages(model)["conv1"]):
        model.compile(sgd())
        train(model, 1)
    assert not first.trainable and np.array_equal(first, before)


def test_what_is_no_chain_is_refused_in_one_line():
    images = keras.Input((8, 8, 3))
    normed = keras.Model(images, keras.layers.Flatten()(keras.layers.BatchNormalization(name="norm")(images)), name="e")
    for encoder, words in ((encoders.make("resnet18", (8, 8, 3)), "branches at"), (normed, "e starts with norm")):
        with pytest.raises(ValueError, match=words) as raised:
            layerwise.blocks(encoder)
        assert "\n" not in str(raised.value)


@pytest.mark.long
def test_stages_of_two_replicas_freeze_like_those_of_one(mirrored):
    with mirrored.scope():
        for name, model in grown("autoencoder"):
            before = values(model)
            train(model)
            assert moved(model, before) == {id(weight) for weight in layerwise.stages(model)[name]}, name


class Stop(keras.callbacks.Callback):
    """Ctrl-C after so many steps of all stages together."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def watch(self, batches):
        return batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.long
def test_a_run_stopped_in_each_stage_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    data = (np.random.default_rng(0).uniform(size=(48, 12, 12, 1)).astype("float32"), np.arange(48) % 3)
    knobs = dict(encoder="mlp", units=8, epochs=1, batch_size=19, optimizer="adam", learning_rate=1e-2)
    knobs |= dict(layerwise=True, export_to=None, evaluate=False, latent_dim=4, preset="notebook")
    straight = sslzoo.pretrain("autoencoder", data, runs=str(tmp_path), name="straight", **knobs)
    for stop, resume in ((Stop(1), False), (Stop(2), True)):  # in each of two stages of two steps
        with monkeypatch.context() as patched:
            patched.setattr(runner, "Throughput", lambda *_, stop=stop: stop)
            with pytest.raises(KeyboardInterrupt):
                sslzoo.pretrain("autoencoder", data, runs=str(tmp_path), name="stopped", resume=resume, **knobs)
    resumed = sslzoo.pretrain("autoencoder", data, runs=str(tmp_path), name="stopped", resume=True, **knobs)
    for one, two in zip(straight.model.weights, resumed.model.weights, strict=True):
        assert np.array_equal(one, two), one.path
    epochs = [json.loads(line)["epoch"] for line in (tmp_path / "stopped" / "metrics.jsonl").read_text().splitlines()]
    assert epochs == [0, 1, 2], "two blocks of an epoch each, each of them once"
