"""The contract of an exported encoder: what goes in, what comes out, and the files that an export may hold."""

import json
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sslzoo.catalog.kinds import DEFAULT, KINDS
from sslzoo.layers.columns import columns_in
from sslzoo.layers.tokenized import words_in

ARCHITECTURE = "encoder.json"
FACTS = "recipe.json"
KERAS = "encoder.keras"
PROJECTOR = "projector.keras"
# Files of the run, copied to its export.
HISTORY, VIEWS, RECONSTRUCTION = "metrics.jsonl", "views.png", "reconstruction.png"
RETRIEVED, TEXT = "retrieved.png", "text"  # of methods with captions; the latter is the folder of the text tower
OWN = {
    *("saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra", "README.md", "untrained.npz"),
    *(ARCHITECTURE, FACTS, KERAS, PROJECTOR, HISTORY, VIEWS, RECONSTRUCTION),
    *(RETRIEVED, TEXT),
    *("encoder.onnx", "encoder.tflite", "encoder.safetensors"),
}


def input_spec(encoder: keras.Model, kind: str = "image") -> tf.TensorSpec:
    """The input of an encoder: its own shape, any batch, its dtype, and the name of the kind of data.

    Raises:
        ValueError: the model has no input of its own, or several.
    """
    inputs = getattr(encoder, "inputs", None) or []
    if len(inputs) != 1:
        raise ValueError(
            f"encoder={encoder.name!r} has {len(inputs) or 'no known'} inputs, an export one: pass "
            "keras.Model(inputs, encoder(inputs)) with inputs = keras.Input(shape)"
        )
    *extent, channels = inputs[0].shape[1:]
    shape = (None, *extent, channels or 1)  # encoders of audio take log-mels of views, too
    return tf.TensorSpec(shape, inputs[0].dtype, name=KINDS[kind].noun if kind == DEFAULT else inputs[0].name)


def with_input(encoder: keras.Model, spec: tf.TensorSpec) -> keras.Model:
    """A copy of an encoder with the channels of an input spec, which some formats need; itself if it says its own."""
    if encoder.inputs[0].shape[-1] is not None:
        return encoder
    inputs = keras.Input((*encoder.inputs[0].shape[1:-1], spec.shape[-1]), name=spec.name)
    copy = keras.models.clone_model(encoder, input_tensors=inputs)
    copy.set_weights(encoder.get_weights())
    return copy


def contract(encoder: keras.Model, shape: tuple[int, ...], kind: str = "image") -> dict[str, Any]:
    """What recipe.json says of an encoder.

    Args:
        encoder: of one input.
        shape: of an example, as in the training; the encoder may take others.
        kind: of the data, such as "image".
    """
    spec = input_spec(encoder, kind)
    told = {
        "name": encoder.name,
        "parameters": encoder.count_params(),
        "features": encoder.output_shape[-1],
        "kind": kind,
        "input": {"name": spec.name, "shape": [None, *shape], "dtype": spec.dtype.name},
    }
    told |= {"schema": {"columns": columns.columns}} if (columns := columns_in(encoder)) else {}
    told |= {"schema": words.arguments} if (words := words_in(encoder)) else {}
    return told | ({"image_shape": list(shape)} if kind == "image" else {})


def checksum(encoder: keras.Model) -> str:
    """CRC-32 of all weights, 8 hexadecimal digits."""
    value = 0
    for weight in encoder.get_weights():
        value = zlib.crc32(np.ascontiguousarray(weight, "float32"), value)
    return f"{value:08x}"


def upgraded(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of an export as they are written now; version 0.1 knew images alone."""
    encoder = facts.get("encoder")
    if not isinstance(encoder, dict) or "kind" in encoder or "image_shape" not in encoder:
        return facts
    shape = [None, *encoder["image_shape"]]
    return facts | {
        "encoder": encoder | {"kind": "image", "input": {"name": "images", "shape": shape, "dtype": "float32"}}
    }


def foreign(path: Path) -> str:
    """Why a path is not an export that may be replaced; "" if it is one, or an empty folder."""
    if path.is_symlink() or not path.is_dir():
        return "it is no folder of an export"
    found = sorted(file.name for file in path.iterdir())
    if other := [name for name in found if name not in OWN]:
        return f"sslzoo did not write {other[0]!r} in it"
    if found and not _is_facts(path / FACTS):
        return f"it has no {FACTS} of an export"
    return ""


def _is_facts(file: Path) -> bool:
    try:
        return "encoder" in json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False
