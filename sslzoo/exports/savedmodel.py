"""An encoder to and from a TF-Hub-style SavedModel, with a card that says what was measured."""

import contextlib
import importlib.util
import json
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from sslzoo import catalog
from sslzoo.exports.card import write_card
from sslzoo.exports.contract import ARCHITECTURE, FACTS, KERAS, PROJECTOR, contract, foreign, input_spec, upgraded
from sslzoo.layers.taps import with_projector
from sslzoo.utils.files import reason, refuse_pattern, replacing, writable

LAYERS = re.compile(r'"module": "(sslzoo\.(?:encoders|layers)\.\w+)"')


def export(
    encoder: keras.Model,
    path: str | Path,
    images: np.ndarray,
    facts: dict,
    overwrite: bool = False,
    kind: str = "image",
) -> dict:
    """Writes the encoder as a SavedModel with a card, loads it by every route and compares the features.

    The object follows the reusable SavedModel interface of TensorFlow Hub: callable with `training`, `variables`,
    `trainable_variables`, `regularization_losses`; it also has the endpoints `serve` and `train`. Each weight is
    written once. encoder.keras is the same encoder for `keras.models.load_model`.

    Args:
        encoder: functional model of one input -> (batch, features); for images float32 in [0, 1].
        path: the folder to write.
        images: a few inputs, of the shape that the encoder was trained for.
        facts: content of the card, JSON; kept in recipe.json.
        overwrite: replace an earlier export at `path`.
        kind: of the data; names the input and is kept in recipe.json.

    Returns:
        The facts with `loads`: route -> largest absolute difference to the encoder in memory, or why it failed.

    Raises:
        ValueError: something is at `path` that may not be replaced, or the model has no known input.
        OSError: `path` cannot be written; what was there is kept.
    """
    path, spec = Path(path), input_spec(encoder, kind)
    refuse_existing(path, overwrite)
    try:
        with replacing(path) as beside:
            _write(encoder, beside, spec)
            told = contract(encoder, images.shape[1:], kind) | _modules(encoder)
            facts = facts | {"encoder": told, "loads": _compare(encoder, beside, images)}
            write_card(beside, facts)
    except (OSError, tf.errors.OpError) as error:
        raise OSError(f"no export to {path}: {reason(error)}; nothing there was changed") from None
    return facts


def _write(encoder: keras.Model, folder: Path, spec: tf.TensorSpec) -> None:
    tf.saved_model.save(
        _reusable(encoder, spec),
        str(folder),
        signatures={"serving_default": _endpoint(encoder, spec, named=True)},
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=True),
    )
    (folder / ARCHITECTURE).write_text(encoder.to_json(), "utf-8")
    encoder.save(folder / KERAS)


def _modules(encoder: keras.Model) -> dict[str, list[str]]:
    """The modules of sslzoo that define layers of the encoder, if there are any."""
    found = sorted({*LAYERS.findall(encoder.to_json())})
    return {"modules": found} if found else {}


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Checks that an export may be written.

    Raises:
        ValueError: something is at `path` and is not to be replaced, or is no export; or `path` cannot be written.
    """
    if os.path.lexists(path) and not overwrite:
        raise ValueError(f"{path} exists: overwrite=True replaces it, name=... or export_to=... writes elsewhere")
    if os.path.lexists(path) and (why := foreign(path)):
        raise ValueError(f"{path} is not replaced, {why}: name=... or export_to=... writes elsewhere")
    refuse_pattern(path)
    if not writable(path):
        raise ValueError(f"{path} cannot be written, its folder does not allow it: export_to=... writes elsewhere")


def load_encoder(path: str | Path, projector_layers: int = 0) -> keras.Model:
    """The exported encoder as a trainable functional Keras model.

    Args:
        path: folder of the export, or its `encoder.keras`.
        projector_layers: number of layers of the kept projector on top: 1 for SimCLR v2's fine-tuning.

    Raises:
        ValueError: there is no exported encoder at `path`, it is damaged, or it would run code of its own; no projector
            with this number of layers is there.
    """
    if projector_layers:
        projector = read_projector(path)
        if projector is None:
            raise ValueError(f"{path} has no projector: `sslzoo train --keep-projector` keeps it")
        return with_projector(load_encoder(path), projector, projector_layers)
    if Path(path).suffix == ".keras":
        return _load_keras(Path(path))
    architecture = _read(path, ARCHITECTURE)
    refuse_pattern(path)
    with distrust(path):
        encoder = from_architecture(architecture)
        reader = tf.train.load_checkpoint(str(Path(path) / "variables" / "variables"))
        for number, variable in enumerate(encoder.variables):  # states of dropout included
            variable.assign(reader.get_tensor(f"variables/{number}/.ATTRIBUTES/VARIABLE_VALUE"))
    return encoder


def load_teacher(teacher: str | Path | keras.Model) -> keras.Model:
    """The teacher of a distillation.

    Args:
        teacher: folder of an exported encoder, a .keras file, or a model, which is returned as it was given.

    Raises:
        ValueError: nothing usable is there; if a recipe has that name, the message says how to make it.
    """
    if isinstance(teacher, keras.Model):
        return teacher
    made_by = Path(teacher).name  # exports are named after their recipe
    if not Path(teacher).exists() and made_by in catalog.recipes():
        raise ValueError(f"no teacher at {teacher}: `sslzoo train {made_by}` makes it")
    return load_encoder(teacher)


def _load_keras(path: Path) -> keras.Model:
    if not path.is_file():
        raise ValueError(f"{path} holds no exported encoder: there is no such file")
    with distrust(path):
        with zipfile.ZipFile(path) as file:
            _import_layers(file.read("config.json").decode())
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def write_projector(projector: keras.Layer, path: str | Path, features: int) -> None:
    """Writes a method's projector to the folder of its exported encoder.

    Args:
        projector: features (batch, features) -> embeddings, as a method trains it.
        path: folder of the export.
        features: their number.
    """
    if not isinstance(projector, keras.Model):
        inputs = keras.Input((features,))
        projector = keras.Model(inputs, projector(inputs), name="projector")
    plain = type(projector).from_config(projector.get_config())  # outside of any strategy
    plain.set_weights(projector.get_weights())
    with replacing(Path(path) / PROJECTOR) as beside:
        plain.save(beside)


def read_projector(path: str | Path) -> keras.Model | None:
    """The projector, features -> embeddings, that was kept with an exported encoder, if any."""
    file = Path(path) / PROJECTOR
    return _load_keras(file) if file.exists() else None


@contextlib.contextmanager
def distrust(path: str | Path) -> Iterator[None]:
    """One line for a file from elsewhere, which may fail in any way: most are damaged, some would run code."""
    try:
        yield
    except Exception as error:
        why = f"{type(error).__name__}: {reason(error)}"
        raise ValueError(f"{path} is damaged or not to be trusted: {why}") from None


def from_architecture(text: str) -> keras.Model:
    """The model that `encoder.to_json()` described, with new weights."""
    _import_layers(text)
    return keras.saving.deserialize_keras_object(json.loads(text), safe_mode=True)


def _import_layers(architecture: str) -> None:
    # Keras knows a layer of ours only once its module has been imported.
    for module in set(LAYERS.findall(architecture)):
        importlib.import_module(module)


def read_facts(path: str | Path) -> dict:
    """The content of recipe.json of an exported encoder; that of version 0.1 as it is written now."""
    text = _read(path, FACTS)
    with distrust(Path(path) / FACTS):
        return upgraded(json.loads(text))


def _read(path: str | Path, name: str) -> str:
    if not (Path(path) / name).is_file():
        raise ValueError(f"{path} holds no exported encoder: {name} is missing{_exports_near(Path(path))}")
    return (Path(path) / name).read_text("utf-8")


def _reusable(encoder: keras.Model, spec: tf.TensorSpec) -> tf.train.Checkpoint:
    # Not encoder.export: it writes every weight twice, and its object cannot be called (keras#23553, keras#19131).
    root = tf.train.Checkpoint()
    root.variables = [variable.value for variable in encoder.variables]
    root.trainable_variables = [variable.value for variable in encoder.trainable_variables]
    root.regularization_losses = []
    call = tf.function(lambda images, training=False: encoder(images, training=training))
    for training in (False, True):
        call.get_concrete_function(spec, training=training)
    root.__call__ = call
    root.serve = _endpoint(encoder, spec)
    root.train = _endpoint(encoder, spec, training=True)
    return root


def _endpoint(encoder: keras.Model, spec: tf.TensorSpec, training: bool = False, named: bool = False) -> tf.function:
    def call(images):
        features = encoder(images, training=training)
        return {"embedding": features} if named else features

    return tf.function(call, input_signature=[spec])


def _compare(encoder: keras.Model, path: Path, images: np.ndarray) -> dict[str, float | str]:
    expected = ops.convert_to_numpy(encoder(images, training=False))
    return {route: _difference(load, str(path), images, expected) for route, load in ROUTES.items()}


def _difference(load: Callable, path: str, images: np.ndarray, expected: np.ndarray) -> float | str:
    if load is _load_with_hub and importlib.util.find_spec("tensorflow_hub") is None:
        return "not checked, as it is not installed: pip install 'sslzoo[hub]'"
    try:
        found = ops.convert_to_numpy(load(path)(tf.constant(images)))
    except Exception as error:  # another project's loader may fail in any way; the card names it.
        return f"failed: {type(error).__name__}: {reason(error)}"
    return float(np.max(np.abs(found - expected)))


def _load_with_hub(path: str) -> Callable:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tensorflow_hub's import warns of the age of what it imports
        return importlib.import_module("tensorflow_hub").load(path)


ROUTES: dict[str, Callable[[str], Callable]] = {
    "sslzoo.load_encoder": load_encoder,
    "keras.models.load_model": lambda path: keras.models.load_model(f"{path}/{KERAS}", compile=False),
    "tensorflow_hub.load": _load_with_hub,
    "keras.layers.TFSMLayer": lambda path: keras.layers.TFSMLayer(path, call_endpoint="serve", trainable=False),
    "tf.saved_model.load": tf.saved_model.load,
}


def _exports_near(path: Path) -> str:
    folder = path if path.is_dir() else path.parent
    found = sorted(str(file.parent) for file in folder.glob(f"*/{ARCHITECTURE}"))
    return f"; there are {', '.join(found)}" if found else ""
