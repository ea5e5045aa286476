"""Checks of methods: each trains a small instance on generated images for a few steps."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from sslzoo import catalog
from sslzoo.testing.miniatures import COUNT, STEPS, arguments, batch, batches, build, flat, losses_of
from sslzoo.testing.require import precision, require, require_documented, two_devices
from sslzoo.training.checkpoints import Checkpoints

POLICIES = ("mixed_float16", "mixed_bfloat16")
SAVED_STEPS = 2


def check_method(method, **knobs) -> None:
    """Checks that a method learns, trains alike on two devices, saves completely and stays finite in half precision.

    Images have 16 x 16 pixels, a batch has 32 of them. Knobs that methods of the package have too, such as
    `hidden_dim`, get small values unless they are given. The check takes about a minute.

    Args:
        method: subclass of `sslzoo.SSLModel`, function `(encoder, **knobs) -> SSLModel`, or name of a method.
        **knobs: arguments of the constructor; `encoder`, a function without arguments that builds an encoder for images
            (16, 16, 3), replaces the default, a small ResNet.

    Raises:
        AssertionError: names the property that does not hold, and its consequence.
    """
    for check in METHOD_CHECKS:
        check(method, **knobs)


def check_config(method, **knobs) -> None:
    """The config is the constructor: every argument is an attribute of the same name, and documented."""
    model = build(method, **knobs)
    cls, known = type(model), set(arguments(type(model)))
    config = set(model.get_config())
    wrong = sorted(config ^ {"encoder", "name", *known})
    require(not wrong, f"{cls.__name__}: get_config and the constructor differ in {wrong}: a loaded model would differ")
    require_documented(cls, known | {"encoder"})
    views = cls.views
    known_views = not isinstance(views, str) or any(views in catalog.presets(kind) for kind in cls.kinds)
    require(known_views, f"{cls.__name__}.views is {views!r}, which is no preset: name one of sslzoo.views.presets")
    baseline = model.baseline(COUNT)
    require(baseline is None or np.isfinite(baseline), f"{cls.__name__}.baseline is {baseline}: return a float or None")


def check_learning(method, **knobs) -> None:
    """Thirty steps lower the loss by a fifth, and embeddings of two views of an image match."""
    model = build(method, optimizer=keras.optimizers.Adam(1e-3), **knobs)
    steps = STEPS.get(method, 30) if isinstance(method, str) else 30
    losses, name = losses_of(model, steps), type(model).__name__
    require(np.isfinite(losses).all(), f"{name}: the loss is not finite after {np.argmin(np.isfinite(losses))} steps")
    # The largest of three: until its queue is full, a method contrasts with random directions, which is easy.
    start = max(losses[:3])
    fell = losses[-1] < start - 0.2 * abs(start)
    line = f"{name} does not learn: the loss goes from {start:.4g} to {losses[-1]:.4g} in {steps} steps"
    require(fell, f"{line}; check the sign of `objective`, and that gradients reach the encoder")
    z_a, z_b = (keras.ops.convert_to_numpy(keras.ops.normalize(z)) for z in model.embedded_views(batch(model)))
    found = np.mean(np.argmax(z_a @ z_b.T, axis=1) == np.arange(COUNT))
    line = f"{name}: after {steps} steps the other view is the nearest for {found:.0%} of {COUNT} images"
    require(found > 0.25, f"{line}, chance is {1 / COUNT:.0%}: the embeddings collapse, or `embed` is not what learns")


def check_gradients(method, **knobs) -> None:
    """Gradients reach every trainable weight and no frozen one."""
    model = build(method, **knobs)
    first = model.encoder.trainable_weights[0]
    first.trainable = False
    # Adam's steps do not depend on the scale of gradients. Three eager steps need no tracing.
    model.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
    before = {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights}
    frozen = keras.ops.convert_to_numpy(first)
    model.fit(batches(model, 3), verbose=0)
    unmoved = [w.path for w in model.trainable_weights if np.array_equal(before[w.path], w)]
    name = type(model).__name__
    require(not unmoved, f"{name}: no gradient reaches {', '.join(unmoved)}: use them, or make them untrainable")
    line = f"{name}: the frozen weight {first.path} changes: `after_step` assigns to weights of the encoder"
    require(np.array_equal(frozen, first), line)


def check_replicas(method, **knobs) -> None:
    """Two replicas that share a batch train like one; skipped with a warning where TensorFlow already has one CPU."""
    try:
        strategy = two_devices()
    except RuntimeError as error:
        warnings.warn(f"two replicas are not checked: {error}", stacklevel=2)
        return
    losses, before, after = _trained(method, knobs)
    with strategy.scope():
        losses_of_two, before_of_two, after_of_two = _trained(method, knobs)
    name = getattr(method, "__name__", method)
    same = np.array_equal(before, before_of_two)
    require(same, f"{name}: two replicas start with other weights than one: use Keras initializers alone")
    close = np.allclose(losses_of_two, losses, rtol=2e-5, atol=1e-7)  # a mean of cosines starts near 0
    line = f"{name}: the losses of two replicas, {losses_of_two}, are not those of one, {losses}"
    require(close, f"{line}; `gather` what the loss compares, and draw random numbers with `self.uniform`")
    # As a whole: where rounding moves one unit over the kink of a ReLU, single weights differ.
    apart = np.linalg.norm(after_of_two - after) / np.linalg.norm(after - before)
    line = f"{name}: the weights of two replicas are apart by {apart:.1e} of their way"
    require(apart < 1e-3, f"{line}; `after_step` must assign values computed from gathered tensors")


def _trained(method, knobs: dict) -> tuple[list, np.ndarray, np.ndarray]:
    """Losses of four steps of SGD, which, unlike Adam, depends on the scale of gradients; weights before and after."""
    model = build(method, optimizer=keras.optimizers.SGD(0.05), **knobs)
    before = flat(model)
    return losses_of(model, 4), before, flat(model)


def check_saving(method, **knobs) -> None:
    """A model saved as .keras and loaded has the same weights, and the same next loss."""
    model = build(method, **knobs)
    model.run_eagerly, name = True, type(model).__name__
    model.fit(batches(model, SAVED_STEPS), verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        loaded = keras.saving.load_model(Path(folder) / "model.keras")
    same = loaded.get_config().keys() == model.get_config().keys()
    require(same, f"{name}: a loaded model has another config")
    wrong = [one.path for one, two in zip(model.weights, loaded.weights, strict=True) if not np.array_equal(one, two)]
    require(not wrong, f"{name}: a .keras file loses {', '.join(wrong)}: set these weights as attributes of layers")
    steps = int(loaded.optimizer.iterations)
    require(steps == SAVED_STEPS, f"{name}: a loaded model counts {steps} steps, not {SAVED_STEPS}")
    loaded.run_eagerly = True
    again, onward = (one.fit(batches(one, 1), verbose=0).history["loss"][0] for one in (loaded, model))
    line = f"{name}: the next loss of a loaded model is {again}, not {onward}: state is missing from its weights"
    require(np.isclose(again, onward, rtol=1e-6), line)  # threads may add in another order


def check_checkpoints(method, **knobs) -> None:
    """A checkpoint holds every variable of model and optimizer, written by sslzoo and by `tf.train.Checkpoint`."""
    model, again = build(method, **knobs), build(method, **knobs)
    for variable in _variables(model):
        variable.assign(variable + 1)
    with tempfile.TemporaryDirectory() as folder:
        Checkpoints(model, Path(folder)).save()
        theirs = tf.train.Checkpoint(model=model).write(f"{folder}/tensorflow")
        step = Checkpoints(again, Path(folder)).restore()
        require(step == 1, f"{type(model).__name__}: a restored run is at step {step}, not 1")
        _require_equal(model, again, "a checkpoint")
        for variable in _variables(again):
            variable.assign(variable + 1)
        tf.train.Checkpoint(model=again).read(theirs)
        _require_equal(model, again, "tf.train.Checkpoint")


def _variables(model: keras.Model) -> list:
    return [*model.variables, *model.optimizer.variables]


def _require_equal(model: keras.Model, again: keras.Model, what: str) -> None:
    pairs = zip(_variables(model), _variables(again), strict=True)
    lost = [one.path for one, two in pairs if not np.array_equal(one, two)]
    name = type(model).__name__
    require(not lost, f"{name}: {what} loses {', '.join(lost)}: set each as an attribute, not within a list or dict")


def check_precision(method, policies: tuple[str, ...] = POLICIES, **knobs) -> None:
    """A hundred steps in half precision stay finite, and embeddings are float32."""
    for policy in policies:
        with precision(policy):
            model = build(method, **knobs)
        losses, name = [], type(model).__name__
        note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs, into=losses: into.append(logs["loss"]))
        model.fit(batches(model, 100), verbose=0, callbacks=[note])
        finite = len(losses) == 100 and np.isfinite(losses).all() and np.isfinite(flat(model)).all()
        require(finite, f"{name}: {policy} overflows: compute the loss in float32, as sslzoo.losses does")
        outputs = model(batch(model), training=False)
        outputs["z_a"], outputs["z_b"] = model.embedded_views(batch(model))
        halves = [key for key, value in outputs.items() if key.startswith(("z", "p")) and value.dtype != "float32"]
        require(not halves, f"{name}: {', '.join(halves)} are not float32 in {policy}: end heads with a float32 layer")


METHOD_CHECKS: tuple[Callable, ...] = (
    check_replicas,
    check_config,
    check_learning,
    check_gradients,
    check_saving,
    check_checkpoints,
    check_precision,
)
