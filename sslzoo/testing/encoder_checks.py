"""Checks of encoders: what methods, checkpoints and exports need of one."""

import inspect
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from sslzoo import catalog, encoders
from sslzoo.catalog import knobs as source
from sslzoo.layers.targets import target_of
from sslzoo.testing.require import difference, precision, require, require_documented

POLICIES = ("mixed_float16", "mixed_bfloat16")


def check_encoder(encoder, input_shape: tuple = (32, 32, 3), **knobs) -> None:
    """Checks features, training, copies, saved files and half precision of an encoder.

    Args:
        encoder: function `(input_shape, **knobs) -> keras.Model`, built functional or sequential model, or name of an
            encoder.
        input_shape: (height, width, channels) of the images, or (steps, channels) of the series, (tokens,) of texts.
        **knobs: arguments of the function.

    Raises:
        AssertionError: names the property that does not hold, and its consequence.
    """
    for check in ENCODER_CHECKS:
        check(encoder, input_shape, **knobs)


def check_knobs(encoder, input_shape: tuple = (32, 32, 3), **knobs) -> None:
    """A function takes `input_shape` first; its other arguments have defaults and are documented."""
    if isinstance(encoder, keras.Model):
        return
    if isinstance(encoder, str):
        known = source.read(catalog.every_encoder()[encoder], encoder)
        silent = sorted(name for name, knob in known.items() if not knob.help and name not in catalog.GIVEN)
        require(not silent, f"{encoder}: {', '.join(silent)} are not documented; `--help` shows these lines")
        return
    first, *others = inspect.signature(encoder).parameters.values()
    name = getattr(encoder, "__name__", repr(encoder))
    line = f"{name}: the first argument is {first.name}, not input_shape, by which pretraining passes the shape"
    require(first.name == "input_shape", line)
    needed = [p.name for p in others if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    require(not needed, f"{name}: {', '.join(needed)} have no default: pretraining passes nothing but input_shape")
    require_documented(encoder, {p.name for p in others if p.kind is not p.VAR_KEYWORD})


def check_features(encoder, input_shape: tuple = (32, 32, 3), **knobs) -> None:
    """Features are float32 (batch, dim), finite, differ between images and do not depend on the rest of the batch."""
    model = _built(encoder, input_shape, knobs)
    images = _images(input_shape, model)
    features = keras.ops.convert_to_numpy(model(images, training=False))
    shape, name = (len(images), model.output_shape[-1]), model.name
    require(features.shape == shape, f"{name}: features have the shape {features.shape}, not {shape}")
    require(features.dtype == "float32", f"{name}: features are {features.dtype}, evaluators expect float32")
    require(np.isfinite(features).all(), f"{name}: features of random images are not finite")
    require(difference(features[0], features[1]) > 0, f"{name}: two images have the same features: nothing can learn")
    again = difference(model(images, training=False), features)
    require(again == 0, f"{name}: two calls in inference mode give features that differ by {again:.1e}")
    alone = difference(model(images[:1], training=False)[0], features[0])
    limit = 1e-4 * max(1.0, float(np.abs(features).max()))
    line = f"{name}: an image alone and in a batch has features that differ by {alone:.1e}"
    require(alone < limit, f"{line}: exported features would depend on the batch size")


def check_weights(encoder, input_shape: tuple = (32, 32, 3), **knobs) -> None:
    """Gradients reach every trainable weight."""
    model = _built(encoder, input_shape, knobs)
    training = keras.Model(model.inputs, keras.layers.Dense(1)(model.outputs[0]))
    training.compile(keras.optimizers.Adam(1e-2), "mse", run_eagerly=True)
    before = {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights}
    weights = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    training.fit(_images(input_shape, model), np.arange(4.0), epochs=4, verbose=0)
    unmoved = [w.path for w in model.trainable_weights if np.array_equal(before[w.path], w)]
    model.set_weights(weights)  # a given model is left as it was
    require(not unmoved, f"{model.name}: no gradient reaches {', '.join(unmoved)}: use them, or make them untrainable")


def check_copies(encoder, input_shape: tuple = (32, 32, 3), **knobs) -> None:
    """A copy by its config, and one loaded from a .keras file, give the same features."""
    model = _built(encoder, input_shape, knobs)
    images = _images(input_shape, model)
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "encoder.keras")
        loaded = keras.saving.load_model(Path(folder) / "encoder.keras")
    for what, copy in (("copied from its config", target_of(model)), ("loaded from a .keras file", loaded)):
        apart = difference(copy(images, training=False), expected)
        line = f"{model.name} {what} gives features that differ by {apart:.1e}: implement get_config of its layers"
        require(apart == 0, f"{line}, and register them with keras.saving.register_keras_serializable")


def check_half_precision(encoder, input_shape: tuple = (32, 32, 3), **knobs) -> None:
    """Features are finite in half precision; a built model, whose precision is chosen already, is not checked."""
    if isinstance(encoder, keras.Model):
        return
    for policy in POLICIES:
        with precision(policy):
            model = _built(encoder, input_shape, knobs)
        features = keras.ops.cast(model(_images(input_shape, model), training=True), "float32")
        require(np.isfinite(features).all(), f"{model.name}: features are not finite in {policy}")


def _built(encoder, input_shape: tuple, knobs: dict) -> keras.Model:
    keras.utils.set_random_seed(0)
    try:
        return encoders.check(encoders.make(encoder, input_shape, **knobs), input_shape)
    except ValueError as error:
        raise AssertionError(str(error)) from error


def _images(input_shape: tuple, encoder: keras.Model) -> np.ndarray:
    """Four random inputs of an encoder; those of integers are tokens below 100."""
    rng, dtype = np.random.default_rng(0), encoder.inputs[0].dtype
    if dtype.startswith("int"):
        return rng.integers(1, 100, (4, *input_shape)).astype(dtype)
    return rng.random((4, *input_shape), "float32")


ENCODER_CHECKS: tuple[Callable, ...] = (
    check_knobs,
    check_features,
    check_weights,
    check_copies,
    check_half_precision,
)
