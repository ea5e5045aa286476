"""The artefact: one size, every route, trainable, and a card that tells the truth."""

import importlib.util
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import encoders, load_encoder
from sslzoo.exports.savedmodel import ROUTES, export, read_facts

IMAGES = np.random.default_rng(0).random((6, 16, 16, 3), "float32")


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(1)
    encoder = encoders.make("resnet18", (16, 16, 3), width=0.125)
    for weight in encoder.variables:  # moving statistics and zeroed gammas that a load could get wrong unseen
        weight.assign(weight + np.random.default_rng(2).uniform(-0.05, 0.05, weight.shape))
    return encoder


@pytest.fixture(scope="module")
def exported(encoder, tmp_path_factory):
    path = tmp_path_factory.mktemp("exports") / "it's a näme"
    export(encoder, path, IMAGES, {"name": "small", "data": "noise"})
    return path


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_gives_the_features_in_memory(route, encoder, exported):
    found = ROUTES[route](str(exported))(tf.constant(IMAGES))
    np.testing.assert_allclose(found, encoder(IMAGES, training=False), atol=1e-6)
    assert read_facts(exported)["loads"][route] < 1e-6
    assert f"`{route}`" in (exported / "README.md").read_text()


def test_each_weight_is_on_disk_once(encoder, exported):
    size = sum(file.stat().st_size for file in (exported / "variables").iterdir())
    weights = sum(4 * int(np.prod(variable.shape)) for variable in encoder.variables)
    assert weights < size < 1.1 * weights + 20_000


def test_the_object_is_a_reusable_saved_model(encoder, exported):
    loaded = tf.saved_model.load(str(exported))
    assert len(loaded.variables) == len(encoder.variables)
    assert len(loaded.trainable_variables) == len(encoder.trainable_variables)
    assert list(loaded.regularization_losses) == []
    served = loaded.signatures["serving_default"](images=tf.constant(IMAGES))
    np.testing.assert_allclose(served["embedding"], encoder(IMAGES, training=False), atol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(loaded(tf.constant(IMAGES), training=True) ** 2)
    assert all(gradient is not None for gradient in tape.gradient(loss, loaded.trainable_variables))


def fine_tune(layer):
    model = keras.Sequential([keras.Input((16, 16, 3)), layer, keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = [keras.ops.convert_to_numpy(weight) for weight in layer.weights]
    model.fit(IMAGES, np.arange(6) % 2, epochs=2, verbose=0)
    return {w.path: not np.array_equal(old, w) for w, old in zip(layer.weights, before, strict=True)}


TUNED = {
    "sslzoo.load_encoder": load_encoder,
    "keras.layers.TFSMLayer": lambda path: keras.layers.TFSMLayer(
        path, call_endpoint="serve", call_training_endpoint="train"
    ),
}


@pytest.mark.parametrize("route", TUNED)
def test_fine_tuning_moves_weights_and_batchnorm_statistics(route, exported):
    moved = fine_tune(TUNED[route](str(exported)))
    assert len(moved) == len(load_encoder(exported).weights) and all(moved.values())


def test_a_loaded_encoder_is_a_keras_model_that_saves_and_shows_its_inside(exported, tmp_path):
    encoder = load_encoder(exported)
    encoder.save(tmp_path / "again.keras")
    again = keras.saving.load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(again(IMAGES), encoder(IMAGES))
    middle = keras.Model(encoder.input, encoder.get_layer("stage2_block1").output)
    assert middle(IMAGES).shape == (6, 8, 8, 16)


def test_an_existing_path_is_kept_unless_told_otherwise(encoder, exported):
    before = (exported / "README.md").read_text()
    with pytest.raises(ValueError, match="overwrite=True") as caught:
        export(encoder, exported, IMAGES, {"name": "other"})
    assert "\n" not in str(caught.value) and (exported / "README.md").read_text() == before


@pytest.mark.long
def test_a_fault_while_writing_leaves_nothing_behind(encoder, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sslzoo.exports.savedmodel.write_card", full)
    with pytest.raises(OSError):
        export(encoder, tmp_path / "model", IMAGES, {})
    assert list(tmp_path.iterdir()) == []


def test_a_path_without_an_encoder_names_those_nearby(exported):
    with pytest.raises(ValueError, match="encoder.json is missing") as caught:
        load_encoder(exported.parent / "missing")
    assert exported.name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.long
def test_a_route_that_fails_is_named_on_the_card(encoder, tmp_path, monkeypatch):
    def broken(path):
        raise OSError("of another project")

    monkeypatch.setitem(ROUTES, "tf.saved_model.load", broken)
    facts = export(encoder, tmp_path / "model", IMAGES, {})
    assert facts["loads"]["tf.saved_model.load"].startswith("failed: OSError: of another project")
    assert "failed" in (tmp_path / "model" / "README.md").read_text()


@pytest.mark.long
def test_a_route_of_a_package_that_is_missing_names_the_extra(encoder, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorflow_hub" else find(name))
    facts = export(encoder, tmp_path / "model", IMAGES, {})
    assert facts["loads"]["tensorflow_hub.load"] == "not checked, as it is not installed: pip install 'sslzoo[hub]'"
    assert "not checked" in (tmp_path / "model" / "README.md").read_text()


def test_the_card_and_its_facts_tell_the_contract(encoder, exported):
    facts = json.loads((exported / "recipe.json").read_text())
    assert facts["encoder"]["image_shape"] == [16, 16, 3]
    assert facts["encoder"]["parameters"] == encoder.count_params()
    text = (exported / "README.md").read_text()
    assert "(batch, 16, 16, 3)" in text and f"(batch, {encoder.output_shape[-1]})" in text
    assert "The weights are yours" in text


@pytest.mark.parametrize(
    "shape, kind, name", [((16, 16, 3), "image", "images"), ((12, 4), "series", "walk"), ((5,), "table", "row")]
)
def test_the_signature_and_the_card_take_the_input_from_the_encoder(shape, kind, name, tmp_path):
    inputs = keras.Input(shape, name=name, dtype="float32")
    encoder = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)), name="any")
    batch = np.random.default_rng(0).random((2, *shape), "float32")
    facts = export(encoder, tmp_path / "model", batch, {}, kind=kind)
    told = read_facts(tmp_path / "model")["encoder"]
    assert told["kind"] == kind and told["input"] == {"name": name, "shape": [None, *shape], "dtype": "float32"}
    assert all(difference < 1e-6 for difference in facts["loads"].values())
    served = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"](**{name: tf.constant(batch)})
    np.testing.assert_allclose(served["embedding"], encoder(batch), atol=1e-6)
    assert f"(batch, {', '.join(map(str, shape))})" in (tmp_path / "model" / "README.md").read_text("utf-8")
    assert (kind == "image") == ("image_shape" in told)


def test_facts_of_version_0_1_read_as_those_of_now(exported, tmp_path):
    facts = read_facts(exported)
    told = {name: value for name, value in facts["encoder"].items() if name not in ("kind", "input")}
    (tmp_path / "recipe.json").write_text(json.dumps(facts | {"encoder": told}), "utf-8")
    assert read_facts(tmp_path) == facts


def test_models_without_a_known_input_are_one_line(tmp_path):
    class Own(keras.Model):
        def call(self, x):
            return x

    two = keras.Model(a := [keras.Input((2,)), keras.Input((2,))], keras.layers.Add()(a))
    for model in (Own(), two):
        with pytest.raises(ValueError, match=r"pass keras.Model\(inputs, encoder\(inputs\)\)") as caught:
            export(model, tmp_path / "model", IMAGES, {})
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


MINE = {
    "a file": lambda path: path.write_text("mine"),
    "a folder": lambda path: (path.mkdir(), (path / "notes.txt").write_text("mine")),
    "a foreign SavedModel": lambda path: (path.mkdir(), (path / "saved_model.pb").write_bytes(b"mine")),
    "a link": lambda path: path.symlink_to(path.parent),
    "a folder with other exports": lambda path: (path / "inner").mkdir(parents=True),
    "facts of something else": lambda path: (path.mkdir(), (path / "recipe.json").write_text("[]")),
    "an export with a file of mine": lambda path: (
        path.mkdir(),
        (path / "recipe.json").write_text('{"encoder": {}}'),
        (path / "notes.txt").write_text("mine"),
    ),
}


@pytest.mark.parametrize("mine", MINE)
def test_overwrite_replaces_nothing_that_sslzoo_did_not_write(mine, encoder, tmp_path):
    path = tmp_path / "place" / "model"
    path.parent.mkdir()
    MINE[mine](path)
    before = sorted((str(file), file.is_file() and file.read_bytes()) for file in tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="is not replaced") as caught:
        export(encoder, path, IMAGES, {}, overwrite=True)
    assert "\n" not in str(caught.value)
    assert sorted((str(file), file.is_file() and file.read_bytes()) for file in tmp_path.rglob("*")) == before
