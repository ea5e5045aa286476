"""What went wrong in a step whose loss is not finite: the steps since the last checkpoint are done again to see it."""

import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from sslzoo.training.checkpoints import Checkpoints
from sslzoo.utils import replicas
from sslzoo.utils.files import replacing

REPEATED = 2000  # steps at most


def diagnose(model: keras.Model, batches: Callable, checkpoints: Checkpoints, step: int) -> str:
    """Saves the batch of a step as bad-batch.npz and names the first tensor on its way that is not finite.

    The model is left as it was before that step.

    Args:
        model: whose loss was not finite after `step` steps.
        batches: (start, stop) -> the batches of the steps start..stop - 1.
        checkpoints: of the training.
        step: number of steps done, the bad one among them.
    """
    batch = next(iter(batches(step - 1, step)))
    path = checkpoints.folder.parent / "bad-batch.npz"
    with replacing(path) as beside, open(beside, "wb") as file:
        np.savez(file, **_columns(batch))
    start = checkpoints.restore()
    if step - 1 - start > REPEATED:
        return f"the batch is saved in {path}"
    if step - 1 > start:
        onward = functools.partial(batches, start, step - 1)
        model.fit(
            replicas.distribute(model.distribute_strategy, onward),
            epochs=1,
            steps_per_epoch=step - 1 - start,
            verbose=0,
        )
    return f"the first that is not finite is {first_bad(model, batch)}; the batch is saved in {path}"


def first_bad(model: keras.Model, batch: dict) -> str:
    """The first of views, weights, layers of the encoder and outputs that holds NaN or infinity for this batch."""
    batch = model.augment(batch) if model.augment else batch
    for number, view in enumerate(batch["views"]):
        if not finite(view):
            return f"view {number + 1}, which the encoder is given"
    for weight in model.weights:
        if weight.dtype != "string" and not finite(weight):
            return f"the weight {weight.path}, before the step"
    layers = [layer for layer in model.encoder.layers if not isinstance(layer, keras.layers.InputLayer)]
    probe = keras.Model(model.encoder.inputs, [layer.output for layer in layers])
    for number, view in enumerate(batch["views"]):
        for layer, output in zip(layers, probe(view, training=True), strict=True):
            if not all(finite(tensor) for tensor in tf.nest.flatten(output)):
                return f"the output of {layer.name} of {model.encoder.name} for view {number + 1}"
    for name, output in model(batch, training=True).items():
        if not all(finite(tensor) for tensor in tf.nest.flatten(output)):
            return f"the tensor {name} of {model.name}"
    return "the loss itself, of finite tensors"


def finite(tensor) -> bool:
    """Whether a tensor holds numbers alone; integers always do."""
    values = np.asarray(tf.cast(tensor, "float32") if tensor.dtype == "bfloat16" else tensor)
    return values.dtype.kind not in "fc" or bool(np.isfinite(values).all())


def _columns(batch: dict) -> dict[str, np.ndarray]:
    """Arrays by name; the views are views0, views1, ..."""
    found = {}
    for name, value in batch.items():
        parts = value if isinstance(value, tuple) else (value,)
        numbers = range(len(parts)) if isinstance(value, tuple) else ("",)
        found |= {f"{name}{number}": np.asarray(part) for number, part in zip(numbers, parts, strict=True)}
    return found
