"""Exports of an earlier stage: what is trained stays the same, what is exported, measured and compared does not."""

import numpy as np
import pytest

import sslzoo
from sslzoo.evaluation import baseline
from sslzoo.layers import taps
from sslzoo.training.checks import check_stage
from sslzoo.training.experiment import Experiment, RunOptions
from sslzoo.training.monitors import leave_one_out
from sslzoo.views import inputs

QUICK = dict(units=16, epochs=1, max_images=256, batch_size=64, evaluate=False)
STAGE = dict(features_after="relu1")


def train(places, **options):
    return sslzoo.pretrain("simclr", "digits", "mlp", preset="digits", **QUICK | places | options)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    return dict(runs=str(folder / "runs"), export_to=str(folder / "exports"), name="one")


@pytest.fixture(scope="module")
def result(places):
    return train(places, **STAGE)


@pytest.fixture(scope="module")
def images(result):
    return np.concatenate(list(inputs.images(result.plan.train_set.take(np.arange(40)), 8)))


def test_the_export_ends_after_the_stage_and_has_the_trained_weights(result, images):
    assert result.encoder.name == "mlp_relu1" and result.encoder.layers[-1].name == "relu1"
    np.testing.assert_allclose(sslzoo.load_encoder(result.exported)(images), result.encoder(images), atol=1e-5)
    trained = {weight.path: weight for weight in result.model.encoder.trainable_weights}
    assert len(result.encoder.trainable_weights) == 3 < len(trained)  # kernel, gamma and beta
    for weight in result.encoder.trainable_weights:
        np.testing.assert_array_equal(weight, trained[weight.path])


def test_its_baseline_is_the_same_stage_before_the_training(result, images):
    np.testing.assert_allclose(baseline.restore(result.exported)(images), result.untrained(images), atol=1e-6)
    assert np.abs(result.untrained(images) - result.encoder(images)).max() > 1e-3


def test_the_figures_of_the_training_are_those_of_the_stage(result):
    data = result.plan.train_set.labelled()
    right = leave_one_out(inputs.encode(result.encoder, data, 8), data.labels) == data.labels
    assert result.history["knn"][-1] == pytest.approx(right.mean(), abs=0.03)


def test_a_finished_run_is_exported_anew_after_another_stage_without_a_step(result, places):
    again = train(places, resume=True, change=True)
    assert again.encoder.name == "mlp" and again.history["loss"] == result.history["loss"]
    for mine, other in zip(result.encoder.weights, taps.upto(again.encoder, "relu1").weights, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_without_learning_the_stage_is_that_of_the_start(places, images):
    still = train(places, learning_rate=0.0, name="still", export_to=None, **STAGE)
    np.testing.assert_allclose(still.encoder(images), still.untrained(images), atol=1e-5)


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(features_after="rely1"), "no stage of mlp 'rely1': did you mean relu1"),
        (STAGE | dict(keep_projector=True), "features_after='relu1': keep_projector=True exports"),
        (STAGE | dict(layerwise=True), "features_after='relu1': layerwise=True evaluates"),
    ],
)
def test_what_it_cannot_be_combined_with_is_refused_in_one_line(places, options, words):
    with pytest.raises(ValueError, match=words) as caught:
        train(places, **options | dict(name="refused"))
    assert "\n" not in str(caught.value)


def test_texts_are_compared_with_the_whole_encoder():
    experiment = Experiment("clip", (np.zeros((8, 16, 16, 3), "uint8"), np.arange(8) % 2), features_after="block1")
    with pytest.raises(ValueError, match="texts are compared with the encoder's output"):
        check_stage(experiment, RunOptions(), {"vocabulary": ("a",)})
