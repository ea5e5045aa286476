"""The public checks: they pass for what a user writes well, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import sslzoo
from sslzoo import losses
from sslzoo.layers.memory import Queue
from sslzoo.testing import check_encoder, check_method, check_views, encoder_checks, method_checks, views_checks
from sslzoo.testing.miniatures import SIZE, build
from sslzoo.utils.replicas import gather
from sslzoo.views import Crop, Flip, Jitter, View


class Mine(sslzoo.SSLModel):
    """A method of a user, in the user's file.

    Args:
        encoder: images -> features.
        projection_dim: int, width of the embedding.
        temperature: float, divides the cosine similarities.
    """

    def __init__(self, encoder, projection_dim: int = 128, temperature: float = 0.2, **kwargs):
        super().__init__(encoder, **kwargs)
        self.projection_dim, self.temperature = projection_dim, temperature
        self.projector = keras.layers.Dense(projection_dim, dtype="float32", name="projector")
        self.projector.build((None, encoder.output_shape[-1]))

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], self.embed)
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        return losses.nt_xent(gather(z_a), gather(z_b), temperature=self.temperature)


@pytest.mark.long
def test_a_method_of_a_user_passes(mirrored):
    check_method(Mine)


def test_a_method_is_checked_around_an_encoder_of_the_user(mirrored):
    layers = [keras.layers.Flatten(), keras.layers.Dense(16, activation="relu")]
    model = build(Mine, encoder=lambda: keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers]), temperature=0.5)
    assert model.temperature == 0.5 and model.projection_dim == 16, "given knobs, and small ones for others"


class Undocumented(Mine):
    """No arguments here."""


class Renamed(Mine):
    def __init__(self, encoder, projection_dim: int = 128, extra: int = 3, **kwargs):
        super().__init__(encoder, projection_dim, **kwargs)
        self.extra = extra

    def get_config(self):
        return {key: value for key, value in super().get_config().items() if key != "extra"}


class Still(Mine):
    def objective(self, z_a, z_b):
        return 0 * super().objective(z_a, z_b) - 1


class Idle(Mine):
    def __init__(self, encoder, **kwargs):
        super().__init__(encoder, **kwargs)
        self.unused = self.add_weight((3,), name="unused")


class Local(Mine):
    """Without gather: each replica compares its own half of the batch."""

    def objective(self, z_a, z_b):
        return losses.nt_xent(z_a, z_b, temperature=self.temperature)


class Forgetful(Mine):
    """Its state is within a list, which TensorFlow's checkpoints pass over."""

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder, **kwargs)
        self.queues = [Queue(8, 4, name="queue_a")]


class Halves(Mine):
    def objective(self, z_a, z_b):
        return ops.mean(ops.cast(ops.exp(10 + ops.mean(z_a**2) - ops.mean(z_b)), "float16"))


@pytest.mark.parametrize(
    "check, method, words",
    [
        (method_checks.check_config, Undocumented, "no entry under 'Args:' for encoder, projection_dim"),
        (method_checks.check_config, Renamed, r"get_config and the constructor differ in \['extra'"),
        (method_checks.check_learning, Still, "Still does not learn: the loss goes from"),
        (method_checks.check_gradients, Idle, "no gradient reaches .*unused"),
        (method_checks.check_replicas, Local, "are not those of one.*gather"),
        (method_checks.check_checkpoints, Forgetful, "tf.train.Checkpoint loses .*queue_a"),
        (method_checks.check_precision, Halves, "mixed_float16 overflows"),
    ],
)
def test_a_broken_method_is_named(check, method, words, mirrored):
    with pytest.raises(AssertionError, match=words) as caught:
        check(method)
    assert "\n" not in str(caught.value)


def small(input_shape, units: int = 8):
    """A small encoder.

    Args:
        input_shape: of the images.
        units: int, width of the features.
    """
    layers = [keras.layers.Flatten(), keras.layers.Dense(units), keras.layers.BatchNormalization()]
    return keras.Sequential([keras.Input(input_shape), *layers], name="small")


def test_an_encoder_of_a_user_passes():
    check_encoder(small, (8, 8, 1), units=4)
    model = small((8, 8, 1))
    before = [np.array(weight) for weight in model.weights]
    check_encoder(model, (8, 8, 1))
    assert all(np.array_equal(one, two) for one, two in zip(before, model.weights, strict=True)), "left as it was"


class Noise(keras.layers.Layer):
    def call(self, x):
        return x + keras.random.normal(ops.shape(x))


class BatchMean(keras.layers.Layer):
    def call(self, x):
        return x - ops.mean(x, axis=0, keepdims=True)


def around(layer):
    return lambda input_shape: keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), layer])


@pytest.mark.parametrize(
    "check, encoder, words",
    [
        (encoder_checks.check_knobs, lambda shape: small(shape), "the first argument is shape"),
        (encoder_checks.check_knobs, lambda input_shape, units: small(input_shape), "units have no default"),
        (encoder_checks.check_features, around(keras.layers.Reshape((-1, 1))), "one output"),
        (encoder_checks.check_features, around(keras.layers.Rescaling(0.0)), "two images have the same features"),
        (encoder_checks.check_features, around(Noise()), "two calls in inference mode"),
        (encoder_checks.check_features, around(BatchMean()), "depend on the batch size"),
        (encoder_checks.check_copies, around(keras.layers.Lambda(lambda x: x + 1)), "Lambda|lambda"),
    ],
)
def test_a_broken_encoder_is_named(check, encoder, words):
    with pytest.raises((AssertionError, ValueError), match=words):
        check(encoder, (4, 4, 1))


def own_views(batch):
    """Noise of (step, row), added to the images."""
    seeds = tf.stack([batch["step"], tf.cast(batch["row"], "int64")], axis=1)
    images = tf.image.convert_image_dtype(batch["image"], "float32")
    shape = images.shape[1:]
    noise = tf.map_fn(lambda seed: tf.random.stateless_uniform(shape, seed), seeds, fn_output_signature="float32")
    return batch | {"views": (images * noise, images * (1 - noise))}


def test_views_of_a_user_pass():
    check_views([View([Crop(), Flip(), Jitter()], 16)] * 2)
    check_views(own_views, channels=1)


def unscaled(batch):
    return own_views(batch) | {"views": (tf.cast(batch["image"], "float32"),)}


def constant(batch):
    return own_views(batch) | {"views": (tf.image.convert_image_dtype(batch["image"], "float32"),)}


def unseeded(batch):
    return own_views(batch) | {"views": (tf.random.uniform((batch["image"].shape[0], 8, 8, 3)),)}


def by_batch(batch):
    seed = tf.stack([batch["step"][0], 0])
    return own_views(batch) | {"views": (tf.random.stateless_uniform((batch["image"].shape[0], 8, 8, 3), seed),)}


@pytest.mark.parametrize(
    "check, views, words",
    [
        (views_checks.check_images, unscaled, r"encoders take \[0, 1\]"),
        (views_checks.check_images, lambda batch: batch, "no `views`"),
        (
            views_checks.check_images,
            lambda batch: {"views": own_views(batch)["views"]},
            "`index` is changed",
        ),
        (views_checks.check_images, [3], "the list holds int"),
        (views_checks.check_steps, unseeded, "a resumed run would not repeat"),
        (views_checks.check_steps, constant, "the views of two steps are equal"),
        (views_checks.check_rows, by_batch, "two devices would not train like one"),
    ],
)
def test_broken_views_are_named(check, views, words):
    with pytest.raises(AssertionError, match=words) as caught:
        check(views)
    assert "\n" not in str(caught.value)
