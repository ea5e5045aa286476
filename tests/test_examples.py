"""The examples of use in other projects run and do what they say."""

import subprocess
import sys

import examples
import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from sslzoo import encoders, load_encoder, optimizers
from sslzoo.evaluators import finetuning
from sslzoo.exports import formats
from sslzoo.exports.savedmodel import export, write_projector
from sslzoo.layers import heads


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return (images.reshape(-1, 8, 8, 1) / 16).astype("float32")[:600], labels[:600]


@pytest.fixture(scope="module")
def exported(digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("exports") / "digits"
    keras.utils.set_random_seed(0)
    export(encoders.make("mlp", (8, 8, 1), units=64), path, digits[0][:4], {"name": "digits"})
    return str(path)


def test_a_classifier_learns_on_the_frozen_encoder_and_more_when_it_moves(exported, digits):
    model, frozen, tuned = examples.keras_classifier(exported, *digits, classes=10)
    accuracy = [history.history["accuracy"][-1] for history in (frozen, tuned)]
    assert 0.6 < accuracy[0] < accuracy[1]
    moved = [np.array_equal(a, b) for a, b in zip(load_encoder(exported).weights, model.layers[0].weights, strict=True)]
    assert not any(moved)


@pytest.mark.long
def test_a_fine_tuned_network_teaches_a_smaller_one_without_labels(digits, tmp_path):
    images, labels = digits
    keras.utils.set_random_seed(0)
    encoder = encoders.make("mlp", (8, 8, 1), units=64)
    export(encoder, tmp_path / "simclr", images[:4], {"name": "simclr"})
    write_projector(heads.mlp(encoder.output_shape[-1], 32, 16, hidden_layers=2), tmp_path / "simclr", 64)
    teacher, result = examples.simclr_v2(tmp_path / "simclr", images, images[:100], labels[:100], tmp_path)
    taught = teacher.predict(images, verbose=0).argmax(1)
    student = result.model.head(result.model.encoder(images)).numpy().argmax(1)
    assert np.mean(taught == labels) > 0.7
    assert np.mean(student == taught) > 0.7, "chance is 0.1"
    assert load_encoder(tmp_path / "student").count_params() < 0.6 * load_encoder(tmp_path / "simclr").count_params()


def without(names, code, *words):
    """Runs code in a process in which modules of these names cannot be imported."""
    block = f"import sys; sys.modules.update(dict.fromkeys({names!r}))\n"
    command = [sys.executable, "-c", block + code, *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=examples.__file__.rpartition("/")[0]
    )


@pytest.mark.parametrize(
    "example, blocked",
    [
        ("plain_tensorflow", ["sslzoo", "keras"]),
        ("onnx_runtime", ["sslzoo", "keras", "tensorflow"]),
    ],
)
def test_features_are_the_same_where_sslzoo_cannot_be_imported(example, blocked, exported, digits, tmp_path):
    if example == "onnx_runtime":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tf2onnx")
        formats.export(exported, ("onnx",))
    np.save(tmp_path / "images.npy", digits[0][:7])
    code = "import examples, numpy; given, found, path = sys.argv[1:]\n"
    code += f"numpy.save(found, examples.{example}(path, numpy.load(given)))"
    done = without(blocked, code, tmp_path / "images.npy", tmp_path / "features.npy", exported)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "features.npy")
    np.testing.assert_allclose(found, load_encoder(exported)(digits[0][:7]), atol=1e-6)


def test_a_pipeline_of_scikit_learn_reads_digits(exported, digits):
    images, labels = digits
    pipeline = examples.scikit_learn(exported, images[:400], labels[:400])
    assert pipeline.score(images[400:], labels[400:]) > 0.6  # chance is 0.1, and the encoder is untrained


@pytest.mark.parametrize("name", ["sgd", "adam", "lars"])
def test_layerwise_decay_takes_smaller_steps_nearer_to_the_input(name):
    encoder = encoders.make("vit_tiny", (8, 8, 1), depth=2, width=0.25)
    head = keras.layers.Dense(2)
    head.build((None, 48))
    plain, decayed = (optimizers.make(name, 0.1) for _ in range(2))
    finetuning.decay_layerwise(decayed, encoder, 0.5)
    weights = [encoder.get_layer(n).kernel for n in ("patches", "block1_qkv", "block2_output")]
    weights += [encoder.get_layer("norm").gamma, head.kernel]
    gradients = [np.random.default_rng(0).normal(size=w.shape).astype("float32") for w in weights]
    steps = []
    for optimizer in (plain, decayed):
        before = [w.numpy() for w in weights]
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], weights)
        steps.append([np.linalg.norm(w.numpy() - b) for w, b in zip(weights, before, strict=True)])
        for weight, value in zip(weights, before, strict=True):
            weight.assign(value)
    # patches, block1, block2, the norm and the head above the encoder
    np.testing.assert_allclose(np.divide(steps[1], steps[0]), [1 / 8, 1 / 4, 1 / 2, 1, 1], rtol=1e-2)
