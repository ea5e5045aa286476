"""Features after every stage of an encoder or projector, for probes and exports at any depth."""

import re
from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from sslzoo.catalog.knobs import nearest
from sslzoo.layers.text import MeanOfReal
from sslzoo.layers.tokens import GridPool, Pool
from sslzoo.utils import keras_internals as internals

FLAT = keras.layers.Flatten, keras.layers.GlobalMaxPooling1D
KEPT = (*FLAT, Pool, GridPool, MeanOfReal)  # pooling of an encoder that its stages have too
MEAN = {3: keras.layers.GlobalAveragePooling1D, 4: keras.layers.GlobalAveragePooling2D}  # rank -> mean over places
LARGEST = 1024  # maximum number of values of a stage's feature map


def stages(model: keras.Model, most: int | None = 8) -> dict[str, keras.KerasTensor]:
    """The tensors through which all information passes, one after each stage.

    A stage ends where its output alone is the input of the next convolution, dense layer or residual block: after each
    layer of conv6 or a projector, after each block of a ResNet, after each half of a block of a vision transformer.

    Args:
        model: functional or sequential encoder or projector; nested models are searched too.
        most: int, maximum number of stages, evenly spaced, or None for all; the output is always included.

    Returns:
        Dict from the name of a layer to its symbolic output, the output of the model last.
    """
    found = {name: tensor for name, (tensor, _) in _cuts(model).items()}
    names = list(found)
    most = len(names) if most is None else most
    kept = np.unique(np.linspace(len(names) - 1, 0, min(most, len(names))).round().astype(int))
    return {names[index]: found[names[index]] for index in kept}


def upto(encoder: keras.Model, stage: str | None) -> keras.Model:
    """The encoder up to a stage, sharing its weights; the output of the stage is pooled as the encoder pools its own.

    Tokens of a stage are pooled without the last norm, which is trained for the last block. Maps are flattened, or
    reduced to their maxima, where the encoder does so with its last map; else they are averaged over their places.

    Args:
        encoder: functional or sequential model, inputs -> features (batch, dim).
        stage: a name of `stages`; None is the whole encoder.

    Raises:
        ValueError: the encoder has no such stage; the line names those it has.
    """
    if stage is None:
        return encoder
    found = stages(encoder, most=None)
    if stage not in found:
        raise ValueError(nearest(f"stage of {encoder.name}", stage, found))
    features = _pooled(found[stage], encoder) if len(found[stage].shape) > 2 else found[stage]
    return keras.Model(encoder.inputs[0], features, name=f"{encoder.name}_{stage}")


def _pooled(x: keras.KerasTensor, encoder: keras.Model, name: str = "features") -> keras.KerasTensor:
    calls = internals.nodes(keras.Model(encoder.inputs, encoder.outputs))  # of a sequential model too
    last = next((call for call in reversed(calls) if isinstance(call.operation, KEPT)), None)
    if last and len(last.input_tensors[0].shape) == len(x.shape):
        pool = type(last.operation).from_config(last.operation.get_config() | {"name": name})
        return pool(x, *last.input_tensors[1:])
    return MEAN[len(x.shape)](name=name, dtype="float32")(x)


def with_projector(encoder: keras.Model, projector: keras.Model, layers: int = 1) -> keras.Model:
    """The encoder with the first layers of its projector, sharing their weights, which SimCLR v2 fine-tunes.

    Section 3.2 of arXiv 2006.10029, where `layers` is 1: up to the first hidden layer.

    Args:
        encoder: functional model, images -> features.
        projector: functional or sequential model, features -> embeddings.
        layers: int, layers of the projector, each with the norm and activation that follow it.

    Raises:
        ValueError: if the projector does not have that many layers, or `layers` is less than 1.
    """
    outputs = list(stages(projector, most=None).values())
    if not 1 <= layers <= len(outputs):
        raise ValueError(f"the projector has {len(outputs)} layers: take 1 to {len(outputs)} of them, not {layers}")
    part = keras.Model(projector.inputs, outputs[layers - 1])
    return keras.Model(encoder.input, part(encoder.output), name=f"{encoder.name}_projector{layers}")


def stage_layers(model: keras.Model) -> list[list[keras.layers.Layer]]:
    """The layers of each stage, the first stage first; layers of nested models are listed too.

    Layers with the name of a common block, such as the two halves of a transformer's block, are one stage.
    """
    groups = {}
    for stage, (_, layers) in _cuts(model).items():
        for layer in layers:
            block = re.match(r"(stage\d+_)?block_?\d+", layer.name)
            groups.setdefault(block[0] if block else stage, []).append(layer)
    return list(groups.values())


def stage_weights(model: keras.Model) -> list[list[keras.Variable]]:
    """The trainable weights of each stage of `stage_layers`, without empty stages; every weight is in one of them."""
    groups, seen = [], set()
    for layers in stage_layers(model):
        groups.append([])
        for layer in layers:
            new = [w for w in getattr(layer, "trainable_weights", []) if id(w) not in seen]
            groups[-1].extend(new)
            seen |= {id(weight) for weight in new}
    return [group for group in groups if group]


def decayed(model: keras.Model, layer_decay: float) -> list[tuple[keras.Variable, float]]:
    """Each trainable weight with its share of the learning rate: layer_decay to the power of 1 + the stages above it.

    A stage of vectors alone, such as the last norm of a transformer, belongs to the stage above it.
    """
    found, power = [], 0
    for group in reversed(stage_weights(model)):
        power += any(len(weight.shape) > 1 for weight in group)
        found += [(weight, layer_decay**power) for weight in group]
    return found


def tapped(model: keras.Model, batches: Iterable[np.ndarray], most: int = 8) -> dict[str, np.ndarray]:
    """Features after each stage, float32 (images, dim), dim at most 1024 or the number of channels.

    Maps are averaged over a grid as fine as 1024 numbers allow, tokens of a transformer over the patches, or over the
    tokens of the text. The output of the model is not averaged.

    Args:
        model: images, or features of a projector, -> (batch, dim).
        batches: iterable of inputs, each an array.
        most: as of `stages`.

    Returns:
        Dict from the name of a stage to its features.
    """
    tensors = stages(model, most)
    if isinstance(model.layers[-1], MeanOfReal):
        tensors |= {name: _pooled(x, model, f"{name}_mean") for name, x in tensors.items() if len(x.shape) > 2}
    taps = keras.Model(model.inputs, list(tensors.values()))
    parts = [[_flat(output) for output in _as_list(taps.predict_on_batch(batch))] for batch in batches]
    columns = zip(*parts, strict=True)
    return {name: np.concatenate(column) for name, column in zip(tensors, columns, strict=True)}


def _as_list(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def _flat(output) -> np.ndarray:
    output = ops.convert_to_numpy(output).astype("float32")
    if output.ndim == 3:
        return output[:, 1:].mean(1) if output.shape[1] > 1 else output[:, 0]
    if output.ndim == 4:
        side = max(1, int((LARGEST / output.shape[-1]) ** 0.5))
        rows, columns = (_averages(old, min(old, side)) for old in output.shape[1:3])
        output = np.einsum("yh,nhwc,xw->nyxc", rows, output, columns, optimize=True)
    return output.reshape(len(output), -1)


def _averages(old, new):
    """Weights of means over `new` equal parts of `old` places, rounded to whole places: (new, old)."""
    part = np.arange(old) * new // old == np.arange(new)[:, None]
    return (part / part.sum(1, keepdims=True)).astype("float32")


def _cuts(model):
    """Dict from the name of each stage to its output and its layers."""
    model = keras.Model(model.inputs, model.outputs)  # of a sequential model too
    nodes = [node for node in internals.nodes(model) if node.output_tensors[0].dtype != "bool"]  # without masks
    consumers = [[n for n in nodes if node in _sources(n)] for node in nodes]
    last_use = [max((nodes.index(n) for n in after), default=len(nodes)) for after in consumers]
    found, layers, seen_weights = {}, [], False
    for index, node in enumerate(nodes):
        layer, tensor = node.operation, node.output_tensors[0]
        layers.append(layer)
        seen_weights |= bool(getattr(layer, "weights", []))
        alone = all(last_use[before] <= index for before in range(index))
        if not (alone and seen_weights):
            continue
        if isinstance(layer, keras.Model):
            inner, before = _cuts(layer), layers[:-1]
            outputs = keras.Model(layer.inputs, [output for output, _ in inner.values()])(node.input_tensors[0])
            for (name, (_, own)), output in zip(inner.items(), _as_list(outputs), strict=True):
                found[name], before = (output, before + own), []
            layers = []
        elif _ends_stage(consumers[index]):
            found[layer.name], layers = (tensor, layers), []
    return found


def _sources(node):
    """The calls whose values a call reads: of the patches a `GridPool` reads the number of rows and columns alone."""
    return node.parent_nodes[:1] if isinstance(node.operation, GridPool) else node.parent_nodes


def _ends_stage(after):
    return len(after) != 1 or hasattr(after[0].operation, "kernel")
