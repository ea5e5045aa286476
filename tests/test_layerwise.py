"""Layer-wise training: what trains in a stage, and that nothing else moves by a bit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import encoders, layerwise, methods

SIZE = 16
IMAGES = np.random.default_rng(0).uniform(size=(3, 8, SIZE, SIZE, 3)).astype("float32")
CONVOLUTIONS = [f"conv{k}" for k in range(1, 6)]
ENCODERS = {"conv6": dict(width=0.25), "mlp": dict(units=16)}


def build(name, encoder="conv6", **knobs):
    keras.utils.set_random_seed(0)
    return methods.find(name)(encoders.make(encoder, (SIZE, SIZE, 3), **ENCODERS[encoder]), **knobs)


def make(case):
    match case:
        case "simclr":
            return build("simclr", projection_dim=8, hidden_dim=16)
        case "simclr of an mlp":
            return build("simclr", "mlp", projection_dim=8, hidden_dim=16)
        case "mlp and its mirror":
            return build("autoencoder", "mlp", decoder="symmetric", latent_dim=8)
    return build(case, decoder="symmetric", latent_dim=8)


EVERY_CASE = pytest.mark.parametrize(
    "case", ["autoencoder", "parallel_autoencoder", "simclr", "simclr of an mlp", "mlp and its mirror"]
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
    model = make(case)
    stages = layerwise.stages(model)
    for name in layerwise.each(model, sgd):
        before = values(model)
        train(model)
        assert moved(model, before) == {id(weight) for weight in stages[name]}, name


@EVERY_CASE
def test_all_stages_together_train_every_weight(case):
    model = make(case)
    before = values(model)
    for _ in layerwise.each(model, sgd):
        train(model)
    assert moved(model, before) == set(before)


@EVERY_CASE
def test_afterwards_everything_is_trainable_and_norms_move_again(case):
    model = make(case)
    trainable = [weight.path for weight in model.trainable_weights]
    for _ in layerwise.each(model, sgd):
        pass
    assert [weight.path for weight in model.trainable_weights] == trainable
    model.compile(sgd())
    before = values(model)
    train(model)
    assert moved(model, before) == set(before)


def test_a_stage_is_a_block_with_its_mirror_and_the_bottleneck():
    model = build("autoencoder", decoder="symmetric", latent_dim=8)
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
    model = make("simclr")
    for name in layerwise.each(model, sgd):
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
    for _ in layerwise.each(model, sgd):
        train(model, 1)
    assert not first.trainable and np.array_equal(first, before)


def test_what_is_no_chain_is_refused_in_one_line():
    images = keras.Input((8, 8, 3))
    normed = keras.Model(images, keras.layers.Flatten()(keras.layers.BatchNormalization(name="norm")(images)), name="e")
    for encoder, words in ((encoders.make("resnet18", (8, 8, 3)), "branches at"), (normed, "e starts with norm")):
        with pytest.raises(ValueError, match=words) as raised:
            layerwise.blocks(encoder)
        assert "\n" not in str(raised.value)


def test_stages_of_two_replicas_freeze_like_those_of_one(mirrored):
    with mirrored.scope():
        model = make("autoencoder")
        for name in layerwise.each(model, sgd):
            before = values(model)
            train(model)
            assert moved(model, before) == {id(weight) for weight in layerwise.stages(model)[name]}, name
