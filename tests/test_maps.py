"""The feature map of an encoder: the right tensor, the encoder's own weights, nothing twice."""

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import encoders
from sslzoo.layers import maps, targets
from sslzoo.model import SSLModel

IMAGES = np.random.default_rng(0).uniform(size=(4, 16, 16, 3)).astype("float32")
SMALL = {"conv6": dict(width=0.25), "resnet18": dict(width=0.125), "resnet50": dict(width=0.125)}


def make(name):
    return encoders.make(name, (16, 16, 3), **SMALL.get(name, {}))


class Holder(SSLModel):
    """A method that holds both."""

    paper = "https://example.org"

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder, **kwargs)
        self.with_map = maps.with_map(encoder)

    def call(self, batch):
        feature_map, features = self.with_map(batch["views"][0])
        return dict(z_a=features, z_b=keras.ops.mean(feature_map, axis=(1, 2)))

    def objective(self, z_a, z_b):
        return keras.ops.mean(z_a**2) + keras.ops.mean(z_b**2)


@pytest.mark.parametrize("name", SMALL)
def test_features_are_the_encoders_and_come_from_the_map(name):
    encoder = make(name)
    feature_map, features = maps.with_map(encoder)(IMAGES)
    np.testing.assert_array_equal(features, encoder(IMAGES))
    pooled = keras.ops.reshape(feature_map, (4, -1)) if name == "conv6" else keras.ops.mean(feature_map, axis=(1, 2))
    np.testing.assert_allclose(pooled, features, rtol=1e-5)
    assert feature_map.shape[1:3] == (2, 2)


def test_the_map_of_an_application_is_found_inside_of_it():
    encoder = encoders.make("keras.applications:MobileNetV2", (32, 32, 3))
    feature_map, features = maps.with_map(encoder)(np.tile(IMAGES, (1, 2, 2, 1)))
    assert feature_map.shape == (4, 1, 1, 1280)
    np.testing.assert_allclose(feature_map[:, 0, 0], features, rtol=1e-5)


def test_layers_behind_a_model_within_the_model_are_kept():
    inner = make("conv6")
    images = keras.Input((16, 16, 3))
    encoder = keras.Model(images, keras.layers.Dense(5)(keras.layers.ReLU()(inner(images))))
    feature_map, features = maps.with_map(encoder)(IMAGES)
    np.testing.assert_array_equal(features, encoder(IMAGES))
    assert feature_map.shape == (4, 2, 2, 128)


def test_an_encoder_for_any_size_gives_maps_of_any_size():
    model = maps.with_map(make("resnet18"))
    assert [model(IMAGES[:, :side])[0].shape[1] for side in (8, 16)] == [1, 2]


def test_without_a_map_an_error_says_what_to_take():
    rows = keras.Input((6,))
    for encoder in (make("mlp"), keras.Model(rows, keras.layers.Dense(3)(rows))):
        with pytest.raises(ValueError, match="no feature map .* such as conv6"):
            maps.with_map(encoder)


def test_training_mode_reaches_the_encoders_batchnorm_once():
    encoder, twin = make("resnet18"), make("resnet18")
    twin.set_weights(encoder.get_weights())
    maps.with_map(encoder)(IMAGES, training=True)
    twin(IMAGES, training=True)
    for one, two in zip(encoder.weights, twin.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_encoder_can_still_be_copied_and_taken_apart():
    encoder = make("conv6")
    maps.with_map(encoder)
    np.testing.assert_array_equal(targets.target_of(encoder)(IMAGES), encoder(IMAGES))
    assert [layer.output.shape[-1] for layer in encoder.layers][-1] == encoder.output_shape[-1]


def test_positions_are_the_centres_of_the_places_row_by_row():
    boxes = np.array([[0, 0, 1, 1, 0], [0.5, 0.25, 0.5, 0.75, 0]], "float32")
    made = maps.positions(boxes, 2, 3)
    for box, places in zip(boxes, made, strict=True):
        expected = [
            (box[0] + box[2] * (i + 0.5) / 2, box[1] + box[3] * (j + 0.5) / 3) for i in (0, 1) for j in (0, 1, 2)
        ]
        np.testing.assert_allclose(places, expected, rtol=1e-6)


def test_a_flip_mirrors_the_positions():
    boxes = np.array([[0.1, 0.2, 0.4, 0.6, 0], [0.1, 0.2, 0.4, 0.6, 1]], "float32")
    plain, mirrored = np.reshape(maps.positions(boxes, 3, 4), (2, 3, 4, 2))
    np.testing.assert_allclose(mirrored, plain[:, ::-1], rtol=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("name", ["conv6", "resnet18", "keras.applications:MobileNetV2"])
def test_a_method_that_holds_both_has_each_weight_once(name, tmp_path):
    side = 32 if ":" in name else 16
    encoder = encoders.make(name, (side, side, 3), **SMALL.get(name, {}))
    model = Holder(encoder)
    model.compile(keras.optimizers.SGD(0.1))
    batches = tf.data.Dataset.from_tensors({"views": (np.resize(IMAGES, (4, side, side, 3)),)})
    model.fit(batches, verbose=0)
    assert [id(w) for w in encoder.weights] == [id(w) for w in model.weights]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for one, two in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    assert loaded.fit(batches, verbose=0).history == model.fit(batches, verbose=0).history
    few = 20  # of the loss, the optimizer and the checkpoint itself
    for count in numbers_in_checkpoint, numbers_in_keras_file:
        assert 0 <= count(model, tmp_path / "both") - encoder.count_params() < few


def numbers_in_checkpoint(model, path):
    saved = tf.train.Checkpoint(model=model).save(str(path))
    return sum(np.prod(shape) for name, shape in tf.train.list_variables(saved) if "OBJECT_GRAPH" not in name)


def numbers_in_keras_file(model, path):
    model.save_weights(f"{path}.weights.h5")
    sizes = []
    with h5py.File(f"{path}.weights.h5") as file:
        file.visititems(lambda name, item: sizes.append(getattr(item, "size", 0)))
    return sum(sizes)
