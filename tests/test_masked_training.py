"""Whole trainings of masked methods: which network is exported, and pictures of reconstructions."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import sslzoo
from sslzoo.exports.savedmodel import read_facts
from sslzoo.reports.front import kept_pictures

VIT = dict(width=0.125, depth=1, patch_size=2, pool="mean")
QUICK = dict(epochs=2, batch_size=64, max_images=128, optimizer="adam", learning_rate=1e-3, evaluate=False)


def train(method, place, **knobs):
    places = dict(runs=str(place / "runs"), export_to=str(place / "exports"), name="one")
    return sslzoo.pretrain(method, "digits", "vit_tiny", **VIT | QUICK | places | knobs)


@pytest.fixture(scope="module")
def mae(tmp_path_factory):
    knobs = dict(decoder_dim=16, decoder_depth=1, decoder_heads=2)
    return train("mae", tmp_path_factory.mktemp("mae"), **knobs)


def tags(folder):
    """Tags of the summaries in event files."""
    found = set()
    for path in folder.glob("events*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            found |= {value.tag for value in event.summary.value}
    return found


def test_reconstructions_are_drawn_in_the_run_folder_in_tensorboard_and_kept_by_the_export(mae):
    with Image.open(mae.run / "reconstruction.png") as image:
        pixels = np.asarray(image)
    assert pixels.shape[0] > 8 * 90 and pixels.shape[1] > 3 * 90, "eight images, three columns"
    assert "reconstruction" in tags(mae.run / "events")
    assert (mae.exported / "reconstruction.png").read_bytes() == (mae.run / "reconstruction.png").read_bytes()


def test_the_report_shows_them(mae):
    assert [picture.name for picture in kept_pictures(mae.exported)] == ["views", "reconstruction"]


def test_tokens_and_attention_are_drawn_for_every_transformer(mae):
    with Image.open(mae.run / "tokens.png") as image:
        assert np.asarray(image).shape == (8 * 100 + 20, 3 * 100 + 4, 3)
    assert "tokens" in tags(mae.run / "events")


@pytest.mark.long
def test_a_method_without_reconstructions_draws_none(tmp_path):
    result = train("i_jepa", tmp_path, predictor_dim=16, predictor_depth=1, predictor_heads=2)
    assert not (result.run / "reconstruction.png").exists() and (result.run / "tokens.png").exists()


@pytest.mark.long
def test_the_target_network_is_exported_and_the_card_says_so(tmp_path, mae):
    result = train("i_jepa", tmp_path, predictor_dim=16, predictor_depth=1, predictor_heads=2, ema_rate=0.01)
    target, online = result.model.exported().get_weights(), result.model.encoder.get_weights()
    loaded = sslzoo.load_encoder(result.exported).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(loaded, target, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(loaded, online, strict=True))
    assert read_facts(result.exported)["exported"] == "the target network, the encoder's average"
    assert "- exported: the target network" in (result.exported / "README.md").read_text("utf-8")
    assert read_facts(mae.exported)["exported"] == "the encoder"
    assert json.loads((result.exported / "recipe.json").read_text("utf-8"))["method"] == "i_jepa"


@pytest.mark.long
def test_the_target_network_of_an_encoder_with_batchnorm_is_calibrated_before_its_export(tmp_path):
    knobs = dict(hidden_dim=16, projection_dim=8, prototypes=8, local_crops=1, ema_rate=0.1)
    places = dict(runs=str(tmp_path / "runs"), export_to=str(tmp_path / "exports"), name="one")
    result = sslzoo.pretrain("dino", "digits", "mlp", units=16, preset="dino", **QUICK | places | knobs)
    norm = next(layer for layer in result.encoder.layers if isinstance(layer, keras.layers.BatchNormalization))
    assert not np.allclose(norm.moving_mean, 0), "statistics of the training data"
    kernel = next(w for w in result.model.exported().weights if "kernel" in w.path)
    assert any(np.array_equal(w, kernel) for w in result.encoder.get_weights())


@pytest.mark.long
def test_image_gpt_fits_its_colours_before_the_first_step(tmp_path):
    result = train("igpt", tmp_path, colours=4, patch_size=1, width=0.125)
    centres = np.sort(np.ravel(result.model.centres))
    assert centres[0] < 0.1 and centres[-1] > 0.8 and len(np.unique(centres.round(2))) == 4
    assert result.history["loss"][0] < np.log(4)
