"""Diagnosis of a step whose loss is not finite, by repeating the steps since the last checkpoint."""

import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from sslzoo.training.checkpoints import Checkpoints
from sslzoo.utils import replicas
from sslzoo.utils.files import replacing

REPEATED = 2000  # maximum number of repeated steps


def diagnose(model: keras.Model, batches: Callable, checkpoints: Checkpoints, step: int) -> str:
    """Saves the batch of a step as bad-batch.npz and finds the first tensor that is not finite.

    The model is left in its state before that step.

    Args:
        model: the model whose loss was not finite after `step` steps.
        batches: function `(start, stop)` that returns the batches of the steps start..stop - 1.
        checkpoints: checkpoints of the training.
        step: number of steps done, including the step with the bad loss.

    Returns:
        A line with the name of the tensor and the path of the batch.
    """
    batch = next(iter(batches(step - 1, step)))
    path = checkpoints.folder.parent / "bad-batch.npz"
    with replacing(path) as temporary, open(temporary, "wb") as file:
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
    """Returns the first of views, weights, encoder layers and outputs with NaN or infinity for this batch."""
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
    """Returns whether all values of a tensor are finite; integers always are."""
    values = np.asarray(tf.cast(tensor, "float32") if tensor.dtype == "bfloat16" else tensor)
    return values.dtype.kind not in "fc" or bool(np.isfinite(values).all())


def _columns(batch: dict) -> dict[str, np.ndarray]:
    """Returns arrays by name; the views are named views0, views1, ..."""
    found = {}
    for name, value in batch.items():
        parts = value if isinstance(value, tuple) else (value,)
        numbers = range(len(parts)) if isinstance(value, tuple) else ("",)
        found |= {f"{name}{number}": np.asarray(part) for number, part in zip(numbers, parts, strict=True)}
    return found
