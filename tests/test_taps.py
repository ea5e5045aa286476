"""Taps after every stage, fine-tuning and its rates: the right tensors, the right steps, the encoder untouched."""

import keras
import numpy as np
import pytest

from sslzoo import catalog, encoders
from sslzoo.evaluators import finetuning
from sslzoo.layers import heads, taps

IMAGES = np.random.default_rng(0).uniform(size=(6, 16, 16, 3)).astype("float32")
ENDS = {
    "conv6": ["tanh1", "pool2", "tanh3", "pool4", "features"],
    "resnet18": ["stem_relu", *(f"stage{s}_block{b}" for s in (1, 2, 3, 4) for b in (1, 2))][:-1] + ["features"],
    "vit_tiny": ["tokens", "block1_add1", "block1", "block2_add1", "features"],
    "mlp": ["relu1", "features"],
}
KNOBS = {"conv6": dict(width=0.25), "resnet18": dict(width=0.125), "vit_tiny": dict(depth=2), "mlp": dict(units=16)}
POOLED = {  # features (6, dim) from the output of a stage, in NumPy
    "conv6": lambda x: x.reshape(6, -1),
    "resnet18": lambda x: x.mean(axis=(1, 2)) if x.ndim == 4 else x,
    "vit_tiny": lambda x: x[:, 0] if x.ndim == 3 else x,
    "mlp": lambda x: x,
}

MOBILE = "keras.applications:MobileNetV2"


def make(name):
    return encoders.make(name, (16, 16, 3), **KNOBS[name])


@pytest.mark.parametrize("name", ENDS)
def test_a_stage_ends_where_all_information_passes(name):
    encoder = make(name)
    assert list(taps.stages(encoder, 64)) == ENDS[name]
    assert taps.stages(encoder)["features"] is encoder.output


@pytest.mark.parametrize("name", ENDS)
def test_what_comes_after_a_tap_needs_nothing_else(name):
    encoder = make(name)
    tensors = list(taps.stages(encoder, 64).values())
    for tensor in tensors[:-1]:
        rest = keras.Model(tensor, encoder.output)
        before = keras.Model(encoder.input, tensor)(IMAGES)
        np.testing.assert_allclose(rest(before), encoder(IMAGES), rtol=1e-4, atol=1e-5)


def test_the_stages_of_a_transformer_do_not_depend_on_its_pooling():
    knobs = dict(depth=2, width=0.5)
    encoder = encoders.make("vit_tiny", (16, 16, 3), pool="grid", **knobs)
    assert list(taps.stages(encoder, 64)) == ENDS["vit_tiny"]
    other = encoders.make("vit_tiny", (16, 16, 3), pool="mean", **knobs)
    shares = [[share for _, share in taps.decayed(one, 0.5)] for one in (encoder, other)]
    assert shares[0] == shares[1] and len(set(shares[0])) > 2


@pytest.mark.parametrize("name, stage", [(name, stage) for name, ends in ENDS.items() for stage in ends])
def test_an_encoder_up_to_a_stage_has_the_pooling_of_the_encoder_and_shares_its_weights(name, stage):
    encoder = make(name)
    part = taps.upto(encoder, stage)
    tensor = keras.Model(encoder.input, taps.stages(encoder, 64)[stage])(IMAGES)
    np.testing.assert_allclose(part(IMAGES), POOLED[name](np.asarray(tensor)), rtol=1e-4, atol=1e-5)
    assert {id(weight) for weight in part.weights} <= {id(weight) for weight in encoder.weights}
    assert taps.upto(encoder, None) is encoder


def test_a_stage_of_a_transformer_is_pooled_in_its_grid():
    encoder = encoders.make("vit_tiny", (16, 16, 3), pool="grid", depth=2, patch_size=4)
    tokens = keras.Model(encoder.input, encoder.get_layer("block1").output)(IMAGES)
    found = taps.upto(encoder, "block1")(IMAGES)
    np.testing.assert_allclose(found, np.reshape(tokens[:, 1:], (6, -1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name, knobs, size",
    [("vit_tiny", dict(pool="grid", depth=2), 16), (MOBILE, {}, 32), ("convnext_atto", dict(width=0.2), 32)],
)
def test_every_stage_has_features_also_within_a_nested_model(name, knobs, size):
    encoder = encoders.make(name, (size, size, 3), **knobs)
    names = list(taps.stages(encoder, None))
    assert len(names) > 4
    for stage in names:
        assert len(taps.upto(encoder, stage).output.shape) == 2, stage


@pytest.mark.parametrize("kind, shape", {"series": (64, 2), "rows": (7,), "text": (9,), "audio": (8000, 1)}.items())
def test_encoders_of_other_kinds_have_stages_with_features(kind, shape):
    for name in catalog.encoders(kind):
        encoder = encoders.make(name, shape)
        names = list(taps.stages(encoder, None))
        assert len(names) > 1, name
        for stage in names:
            assert len(taps.upto(encoder, stage).output.shape) == 2, (name, stage)


def test_a_stage_of_a_text_is_the_mean_over_its_tokens():
    encoder = encoders.make("text_transformer", (9,), dim=8, depth=2, heads=2)
    assert list(taps.stages(encoder, None)) == ["dropout", "block1_add1", "block1", "block2_add1", "features"]
    texts = np.where(np.arange(9) < [[9], [4], [1], [0]], np.arange(4, 13), 0)
    whole = np.asarray(keras.Model(encoder.input, encoder.get_layer("block1").output)(texts))
    wanted = [tokens[row > 0].mean(0) if row.any() else 0 * tokens[0] for row, tokens in zip(texts, whole, strict=True)]
    np.testing.assert_allclose(taps.upto(encoder, "block1")(texts), wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(taps.tapped(encoder, [texts])["block1"], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "name, shape, knobs, stage, pool",
    [
        ("ft_transformer", (5,), dict(dim=8, depth=2, heads=2), "block1", lambda x: x[:, 0]),
        ("conv_rl", (21, 21, 9), {}, "relu3", lambda x: x.reshape(2, -1)),
    ],
)
def test_layers_after_the_pooling_do_not_change_that_of_a_stage(name, shape, knobs, stage, pool):
    encoder = encoders.make(name, shape, **knobs)
    inputs = np.random.default_rng(0).uniform(size=(2, *shape)).astype("float32")
    whole = np.asarray(keras.Model(encoder.input, taps.stages(encoder, None)[stage])(inputs))
    np.testing.assert_allclose(taps.upto(encoder, stage)(inputs), pool(whole), rtol=1e-4, atol=1e-6)


def test_a_sequential_encoder_has_features_of_each_stage():
    layers = [keras.layers.Conv2D(3, 3, name="first"), keras.layers.Conv2D(4, 3, name="second"), keras.layers.Flatten()]
    encoder = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    found = taps.upto(encoder, "first")(IMAGES)
    np.testing.assert_allclose(found, np.reshape(layers[0](IMAGES), (6, -1)), rtol=1e-5, atol=1e-6)


def test_an_unknown_stage_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="no stage of conv6 'pool3': did you mean pool4 or pool2"):
        taps.upto(make("conv6"), "pool3")


def test_the_last_tap_is_the_model_and_maps_are_averaged_in_a_grid():
    encoder = make("conv6")
    found = taps.tapped(encoder, [IMAGES[:4], IMAGES[4:]])
    np.testing.assert_allclose(found["features"], encoder(IMAGES), rtol=1e-5, atol=1e-6)
    assert found["tanh1"].shape == (6, 8 * 11 * 11)  # 11 x 11 x 8 is the most that 1024 hold
    whole = keras.Model(encoder.input, taps.stages(encoder)["pool4"])(IMAGES)
    np.testing.assert_allclose(found["pool4"], np.reshape(whole, (6, -1)), rtol=1e-5, atol=1e-6)


def test_few_taps_are_spread_and_end_with_the_output():
    assert list(taps.stages(make("conv6"), 3)) == ["tanh1", "tanh3", "features"]
    assert len(taps.tapped(make("resnet18"), [IMAGES], most=4)) == 4


def test_a_projector_is_tapped_after_each_layer():
    projector = heads.mlp(12, 10, 4, hidden_layers=2)
    x = IMAGES[:, 0, :4].reshape(6, -1)
    found = taps.tapped(projector, [x])
    assert [features.shape[1] for features in found.values()] == [10, 10, 4]
    np.testing.assert_allclose(list(found.values())[-1], projector(x), rtol=1e-5)


def test_the_stages_of_a_model_within_the_model_are_found():
    inner, images = make("conv6"), keras.Input((16, 16, 3))
    encoder = keras.Model(images, keras.layers.Dense(5, name="last")(keras.layers.ReLU()(inner(images))))
    found = taps.tapped(encoder, [IMAGES], most=7)
    assert [*list(found)[:5], list(found)[6]] == ["tanh1", "pool2", "tanh3", "pool4", "features", "last"]
    np.testing.assert_allclose(found["features"], inner(IMAGES), rtol=1e-5)
    np.testing.assert_allclose(found["last"], encoder(IMAGES), rtol=1e-5)


@pytest.mark.parametrize("name, stages", {"conv6": 5, "resnet18": 9, "vit_tiny": 3, "mlp": 2, MOBILE: 20}.items())
def test_every_weight_has_one_stage_and_a_rate_that_falls_towards_the_images(name, stages):
    encoder = encoders.make(name, (32, 32, 3)) if name == MOBILE else make(name)
    groups = taps.stage_weights(encoder)
    assert sorted(id(w) for g in groups for w in g) == sorted(id(w) for w in encoder.trainable_variables)
    found = finetuning.rates(encoder, 0.5)
    assert found[encoder.trainable_variables[0].path] == 0.5**stages
    assert {0.5**power for power in range(1, stages + 1)} == set(found.values()) - {1.0}


def test_the_first_step_of_each_weight_is_its_share_of_the_rate():
    encoder = make("mlp")
    model = finetuning.classifier(encoder, 3)
    model.layers[-1].kernel.assign(np.random.default_rng(0).normal(size=(16, 3)))
    before = [w.numpy() for w in model.trainable_variables]
    shares = finetuning.rates(model.layers[1], 0.1)
    adam = keras.optimizers.Adam(0.01, epsilon=1e-12)
    model.compile(finetuning.decay_layerwise(adam, model.layers[1], 0.1), "mse", jit_compile=False)
    model.train_on_batch(IMAGES, np.eye(3)[[0, 1, 2, 0, 1, 2]])
    for weight, old in zip(model.trainable_variables, before, strict=True):
        step = np.abs(weight.numpy() - old).max()  # Adam's first step is the learning rate
        assert step == pytest.approx(0.01 * shares.get(weight.path, 1.0), rel=1e-2), weight.path


def test_fine_tuning_learns_and_leaves_the_encoder_as_it_is():
    images = np.random.default_rng(0).uniform(size=(96, 16, 16, 3)).astype("float32")
    labels = np.arange(96) % 2
    images[labels == 1, 4:8, 4:8] *= 0.3
    encoder = make("conv6")
    before = encoder.get_weights()
    data = (images[:64], labels[:64]), (images[64:], labels[64:])
    assert finetuning.fine_tune(encoder, *data, epochs=8, batch_size=16, learning_rate=3e-3) > 0.9
    for old, new in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.raises(ValueError, match="layer_decay is 0"):
        finetuning.fine_tune(encoder, *data, layer_decay=0)
