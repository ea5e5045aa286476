"""Every loading line of the card and of docs/exports.md does what it is documented for."""

import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub

import sslzoo
from sslzoo import encoders
from sslzoo.encoders.resnet import resnet
from sslzoo.exports.card import LOADING, RENAMED
from sslzoo.exports.savedmodel import export, read_facts

IMAGES = np.random.default_rng(0).random((16, 16, 16, 3), "float32")
LINES = [way.line for way in LOADING]
TRAINABLE = [line for line in LINES if "TFSMLayer" not in line and ("load_encoder" in line or "keras" in line)]
FROZEN = [*TRAINABLE, *(line for line in LINES if "trainable=False" in line)]
TUNED = [*TRAINABLE, *(line for line in LINES if "call_training_endpoint" in line)]
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adamw": lambda: keras.optimizers.AdamW(0.01),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A small ResNet with BatchNorm, exported; every weight is off its initial value."""
    encoder, random = resnet((16, 16, 3), (1, 1), False, 0.0625, "small"), np.random.default_rng(1)
    for weight in encoder.variables:
        weight.assign(weight + random.uniform(0, 0.05, weight.shape))
    folder = tmp_path_factory.mktemp("exports") / "encoder"
    export(encoder, folder, IMAGES, {"name": "encoder"})
    return str(folder)


def opened(line, path):
    names = {"sslzoo": sslzoo, "keras": keras, "tf": tf, "tensorflow_hub": tensorflow_hub, "path": path}
    return eval(line, names)


def features(encoder):
    return keras.ops.convert_to_numpy(encoder(tf.constant(IMAGES)))


def fit(encoder, optimizer):
    model = keras.Sequential([keras.Input((16, 16, 3)), encoder, keras.layers.Dense(2)])
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(IMAGES, np.arange(16) % 2, batch_size=8, epochs=2, verbose=0)


def test_the_card_and_the_documentation_give_these_lines(path):
    card = (Path(path) / "README.md").read_text("utf-8")
    docs = (Path(__file__).parents[1] / "docs" / "exports.md").read_text("utf-8")
    for text in (card, docs):
        table = re.findall(r"^\| `(.*?)` \| (.*) \|$", text, re.M)
        assert set((way.line, way.use) for way in LOADING) <= set(table)
        assert RENAMED in text
    assert {way.route for way in LOADING} - {"keras.layers.TFSMLayer, training=True"} == set(read_facts(path)["loads"])


@pytest.mark.parametrize("line", LINES)
def test_every_line_gives_the_features(line, path):
    np.testing.assert_allclose(features(opened(line, path)), features(sslzoo.load_encoder(path)), atol=1e-5)


@pytest.mark.parametrize("line", FROZEN)
def test_a_frozen_encoder_stays_bitwise_as_it_is_while_a_head_is_fitted(line, path):
    encoder = opened(line, path)
    if line in TRAINABLE:
        encoder.trainable = False
    assert not encoder.trainable
    before, weights = features(encoder), [w.numpy().copy() for w in encoder.weights]
    fit(encoder, OPTIMIZERS["adam"]())
    np.testing.assert_array_equal(features(encoder), before)
    for weight, old in zip(encoder.weights, weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)


@pytest.mark.long
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("line", TUNED)
def test_fine_tuning_moves_every_weight_and_statistic_with_the_optimizers_people_use(line, optimizer, path):
    layer = opened(line, path)
    if "TFSMLayer" in line and optimizer != "sgd":
        exec(RENAMED, {"layer": layer})
    weights = [w.numpy().copy() for w in layer.weights]
    fit(layer, OPTIMIZERS[optimizer]())
    assert len(weights) == len(sslzoo.load_encoder(path).weights)
    assert all(np.any(w.numpy() != old) for w, old in zip(layer.weights, weights, strict=True))


def test_the_training_endpoint_is_not_for_frozen_encoders_as_its_line_says(path):
    layer = opened(TUNED[-1], path)
    layer.trainable = False
    before = features(layer)
    fit(layer, OPTIMIZERS["sgd"]())
    assert np.any(features(layer) != before)
    assert "only" in next(way.use for way in LOADING if way.line == TUNED[-1])


@pytest.mark.long
def test_encoder_keras_opens_without_sslzoo_and_with_the_import_of_the_card_where_layers_are_ours(path, tmp_path):
    vit = encoders.make("vit_tiny", (8, 8, 1), depth=1, width=0.25)
    export(vit, tmp_path / "vit", np.zeros((2, 8, 8, 1), "float32"), {})
    told = re.findall(r"`(import sslzoo[\w.]+)`", (tmp_path / "vit" / "README.md").read_text("utf-8"))
    assert told and not re.findall(r"`(import sslzoo[\w.]+)`", (Path(path) / "README.md").read_text("utf-8"))
    load = "print(keras.models.load_model(f'{sys.argv[1]}/encoder.keras').name, 'sslzoo' in sys.modules)"
    for folder, code, said in (
        (path, [], f"{sslzoo.load_encoder(path).name} False"),
        (tmp_path / "vit", told, "vit_tiny_patch4 True"),
    ):
        script = "\n".join([*code, "import sys", "import keras", load])
        done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=False)
        assert done.stdout.strip() == said, done.stderr
