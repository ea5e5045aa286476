"""Contracts that every method of the folder keeps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import catalog, encoders, methods
from sslzoo.encoders.resnet import resnet
from sslzoo.encoders.vit import vit
from sslzoo.views import presets

SIZE, COUNT = 16, 32
EVERY_METHOD = pytest.mark.parametrize("name", catalog.methods())
SMALL = {
    "hidden_dim": 32,
    "projection_dim": 16,
    "queue_size": 48,  # which the batch does not divide
    "norm_groups": 4,
    "hardest": 16,
    "mixed": 8,
    "query_mixed": 8,
    "spread_weight": 0.9,  # SupCon alone cannot fall far: all images of a label share its softmax
    "ema_rate": 0.1,  # thirty steps are few for a teacher that moves a thousandth
    "predictor_dim": 32,
    "prototypes": 24,
    "whitening_size": COUNT,
    "covariance_rate": 0.9,  # of TiCo, whose loss rises until its covariance is that of its embeddings
    "input_shape": (SIZE, SIZE, 3),
    "dataset_size": COUNT,
    "num_classes": 4,
    "grid": 3,
    "farthest_row": 2,
    "context_blocks": 2,
}
OWN = {
    # Its views meet in the bank alone, and CPC has a context network in between: both need more than thirty steps.
    "pirl": {"negatives": 64, "temperature": 0.2, "jigsaw_weight": 0.7},
    "cpc": {"projection_dim": 64, "hidden_dim": 128},
    "distill": {"teacher": lambda: opinionated()},
    "dino": {"projection_dim": 64},  # in 16 dimensions its sharp teacher blows rounding errors up
    # A rounding error may change who matches whom, which long steps of SGD would blow up.
    "vicreg_l": {"invariance": 1.0, "variance": 1.0, "covariance": 0.04},
}


def images(count, seed=0):
    """`count` noisy views of images that differ in colour and bright half: easy to tell apart."""
    rng = np.random.default_rng(seed)
    colour = rng.uniform(size=(COUNT, 1, 1, 3))
    half = (np.arange(SIZE) < SIZE // 2)[None, :, None, None] * rng.uniform(size=(COUNT, 1, 1, 1))
    clean = np.clip(0.5 * colour + 0.5 * half + np.zeros((COUNT, SIZE, SIZE, 3)), 0, 1)
    noisy = [np.clip(clean + rng.normal(scale=0.05, size=clean.shape), 0, 1) for _ in range(count)]
    return [view.astype("float32") for view in noisy]


def views(model, seed=0):
    """As many of them, and as large, as the method's preset makes."""
    sides = [view.size for view in getattr(presets, model.views)(SIZE)]
    small = [np.arange(side) * SIZE // side for side in sides]
    return tuple(view[:, some][:, :, some] for view, some in zip(images(len(sides), seed), small, strict=True))


def batch(model, seed=0):
    """One batch as training gives it."""
    index, made = np.arange(COUNT), views(model, seed)
    whole = np.tile(np.array([0, 0, 1, 1, 0], "float32"), (COUNT, 1))
    boxes = (whole,) * len(made)
    return {"views": made, "boxes": boxes, "index": index, "label": (index % 4).astype("int32")}


def residual(blocks=(1, 1)):
    """A small encoder with all that large ones have: convolutions, BatchNorm, shortcuts."""
    return resnet((SIZE, SIZE, 3), blocks, bottleneck=False, width=0.125)


def transformer():
    """A small encoder with tokens."""
    return vit((SIZE, SIZE, 3), 32, 2, depth=2)


def opinionated():
    """A teacher that has learned nothing but is nearly sure of one of eight outputs."""
    sure = keras.initializers.RandomNormal(stddev=1.0)
    layers = keras.layers.Flatten(), keras.layers.Dense(8, kernel_initializer=sure, dtype="float32")
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers])


TOKENS = {"msn"}  # methods that need them


def build(name, encoder=None, optimizer=None):
    keras.utils.set_random_seed(0)
    known = catalog.knobs.read(*_place(name))
    small = {key: value for key, value in (SMALL | OWN.get(name, {})).items() if key in known}
    small = {key: value() if callable(value) else value for key, value in small.items()}
    encoder = encoder or (transformer if name in TOKENS else residual)
    model = methods.find(name)(encoder(), **small)
    model.compile(optimizer or keras.optimizers.SGD(0.05, momentum=0.9))
    return model


def batches(model, steps, seed=0):
    return tf.data.Dataset.from_tensors(batch(model, seed)).repeat(steps)


def losses_of(model, steps):
    return [model.fit(batches(model, 1), verbose=0).history["loss"][0] for _ in range(steps)]


def losses_and_weights(name):
    """Losses of four steps of SGD, which does not hide a wrong scale as Adam does; weights before and after."""
    model = build(name, optimizer=keras.optimizers.SGD(0.05))
    before = flat(model)
    return losses_of(model, 4), before, flat(model)


def flat(model):
    return np.concatenate([np.ravel(keras.ops.convert_to_numpy(weight)) for weight in model.weights])


@EVERY_METHOD
def test_learns_to_tell_images_apart(name):
    model = build(name, optimizer=keras.optimizers.Adam(1e-3))
    losses = losses_of(model, 30)
    # Before its queue is full, a method tells embeddings from random directions, which is easy.
    assert losses[-1] < 0.8 * max(losses[:3])
    outputs = model(batch(model), training=False)
    z_a, z_b = (keras.ops.normalize(outputs[key]) for key in ("z_a", "z_b"))
    found = np.argmax(np.array(z_a) @ np.array(z_b).T, axis=1)
    assert np.mean(found == np.arange(COUNT)) > 0.25, "chance is 1/32"


@EVERY_METHOD
def test_gradients_reach_every_trainable_weight_and_no_frozen_one(name):
    model = build(name)
    first = model.encoder.trainable_weights[0]
    first.trainable = False
    model.compile(keras.optimizers.Adam(1e-3))  # whose steps are as large for a gradient of 1e-6
    before = {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights}
    frozen = keras.ops.convert_to_numpy(first)
    model.fit(batches(model, 3), verbose=0)
    unmoved = [w.path for w in model.trainable_weights if np.array_equal(before[w.path], w)]
    assert not unmoved
    assert np.array_equal(frozen, first)


@EVERY_METHOD
def test_two_replicas_train_like_one(name, mirrored):
    losses, before, after = losses_and_weights(name)
    with mirrored.scope():
        losses_of_two, before_of_two, after_of_two = losses_and_weights(name)
    np.testing.assert_array_equal(before_of_two, before)
    np.testing.assert_allclose(losses_of_two, losses, rtol=2e-5, atol=1e-7)  # a mean of cosines starts near 0
    # Not weight by weight: where rounding puts one unit on the other side of a ReLU's kink, one weight moves apart.
    assert np.linalg.norm(after_of_two - after) < 1e-3 * np.linalg.norm(after - before)


@EVERY_METHOD
def test_saves_and_loads_through_keras(name, tmp_path):
    model = build(name)
    model.fit(batches(model, 2), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config().keys() == model.get_config().keys()
    for one, two in zip(model.weights, loaded.weights, strict=True):
        assert np.array_equal(one, two), one.path
    assert int(loaded.optimizer.iterations) == 2
    again, onward = (one.fit(batches(one, 1), verbose=0).history["loss"] for one in (loaded, model))
    np.testing.assert_allclose(again, onward, rtol=1e-6)  # threads may add in another order


@EVERY_METHOD
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_stays_finite_in_mixed_precision(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = build(name)
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(losses_of(model, 5)).all()
    outputs = model(batch(model), training=False)
    assert all(value.dtype == "float32" for key, value in outputs.items() if key.startswith(("z", "p")))


@EVERY_METHOD
def test_names_its_paper_and_its_views(name):
    cls = methods.find(name)
    assert cls.paper.startswith("https://")
    assert cls.views in catalog.presets()
    assert getattr(methods, cls.__name__) is cls


@EVERY_METHOD
def test_constructor_arguments_are_the_config(name):
    model = build(name)
    assert set(model.get_config()) == {"encoder", "name", *catalog.knobs.read(*_place(name))}


def _place(name):
    path = catalog.methods()[name]
    return path, catalog.class_name(path)


def test_a_misspelt_method_gets_the_nearest():
    with pytest.raises(ValueError, match="did you mean simclr"):
        methods.find("simclir")


def test_simclr_compares_with_the_whole_global_batch(mirrored):
    """Collapsed embeddings show how many images were compared: log(2N - 1) with the global N."""
    with mirrored.scope():
        model = build("simclr", encoder=lambda: encoders.make("mlp", (SIZE, SIZE, 3)))
        for weight in model.projector.trainable_weights:
            weight.assign(weight * 0)
    assert losses_of(model, 1)[0] == pytest.approx(np.log(2 * COUNT - 1), rel=1e-5)


def test_views_seen_together_share_batchnorm_statistics():
    model = build("simclr")
    a, b = views(model)
    dark = {"views": (a, b * 0)}
    outputs = model(dark, training=True)
    joined = model.projector(model.encoder(np.concatenate([a, b * 0]), training=True), training=True)
    np.testing.assert_allclose(np.concatenate([outputs["z_a"], outputs["z_b"]]), joined, atol=2e-4)
