"""An encoder to and from a TF-Hub-style SavedModel, with a card that says what was measured."""

import contextlib
import importlib
import json
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from sslzoo.catalog import resolved
from sslzoo.evaluators.report import code, escaped
from sslzoo.layers.taps import with_projector
from sslzoo.utils.files import reason, refuse_pattern, replacing, writable

ARCHITECTURE = "encoder.json"
FACTS = "recipe.json"
PROJECTOR = "projector.keras"
HISTORY, VIEWS = "metrics.jsonl", "views.png"  # files of the run, copied to its export


def export(encoder: keras.Model, path: str | Path, images: np.ndarray, facts: dict, overwrite: bool = False) -> dict:
    """Writes the encoder as a SavedModel with card, loads it by every route, and notes how far each one is off.

    The object follows the reusable SavedModel interface of TensorFlow Hub: callable with `training`, `variables`,
    `trainable_variables`, `regularization_losses`; beside it the endpoints `serve` and `train`, each weight once.

    Args:
        encoder: functional model, float32 images (batch, height, width, channels) in [0, 1] -> (batch, features).
        path: the folder to write.
        images: a few of them, of the size that the encoder was trained for.
        facts: what the card tells, JSON; kept in recipe.json.
        overwrite: replace what stands at `path`.

    Returns:
        The facts with `loads`: route -> largest absolute difference to the encoder in memory, or why it failed.

    Raises:
        ValueError: something stands at `path`.
        OSError: `path` cannot be written; what stood there stays.
    """
    path = Path(path)
    refuse_existing(path, overwrite)
    try:
        with replacing(path) as beside:
            _write(encoder, beside)
            facts = facts | {"encoder": _contract(encoder, images), "loads": _compare(encoder, beside, images)}
            write_card(beside, facts)
    except (OSError, tf.errors.OpError) as error:
        raise OSError(f"no export to {path}: {reason(error)}; nothing there was changed") from None
    return facts


def _write(encoder: keras.Model, folder: Path) -> None:
    spec = tf.TensorSpec(encoder.input_shape, "float32", name="images")
    tf.saved_model.save(
        _reusable(encoder, spec),
        str(folder),
        signatures={"serving_default": _endpoint(encoder, spec, named=True)},
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=True),
    )
    (folder / ARCHITECTURE).write_text(encoder.to_json(), "utf-8")


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raises the one line for an export that would replace something unasked, or may not be written."""
    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists: overwrite=True replaces it, name=... or export_to=... writes elsewhere")
    refuse_pattern(path)
    if not writable(path):
        raise ValueError(f"{path} cannot be written, its folder does not allow it: export_to=... writes elsewhere")


def load_encoder(path: str | Path, projector_layers: int = 0) -> keras.Model:
    """The exported encoder as a trainable functional Keras model.

    Args:
        path: folder of the export, or its `encoder.keras`.
        projector_layers: so many layers of the projector on top, if the export kept it: 1 for SimCLR v2's fine-tuning.

    Raises:
        ValueError: there is no exported encoder at `path`, it is damaged, or it would run code of its own; no projector
            with so many layers is there.
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
    with _distrust(path):
        encoder = from_architecture(architecture)
        reader = tf.train.load_checkpoint(str(Path(path) / "variables" / "variables"))
        encoder.set_weights(
            [reader.get_tensor(f"variables/{i}/.ATTRIBUTES/VARIABLE_VALUE") for i in range(len(encoder.variables))]
        )
    return encoder


def _load_keras(path: Path) -> keras.Model:
    if not path.is_file():
        raise ValueError(f"{path} holds no exported encoder: there is no such file")
    with _distrust(path):
        with zipfile.ZipFile(path) as file:
            _import_layers(file.read("config.json").decode())
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def write_projector(projector: keras.Layer, path: str | Path, features: int) -> None:
    """Keeps a method's projector beside its exported encoder.

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
def _distrust(path: str | Path) -> Iterator[None]:
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
    for module in set(re.findall(r'"module": "(sslzoo\.encoders\.\w+)"', architecture)):
        importlib.import_module(module)


def read_facts(path: str | Path) -> dict:
    """What recipe.json of an exported encoder tells."""
    text = _read(path, FACTS)
    with _distrust(Path(path) / FACTS):
        return json.loads(text)


def _read(path: str | Path, name: str) -> str:
    if not (Path(path) / name).is_file():
        raise ValueError(f"{path} holds no exported encoder: {name} is missing{_exports_near(Path(path))}")
    return (Path(path) / name).read_text("utf-8")


def write_card(path: Path, facts: dict) -> None:
    """recipe.json and README.md, the card, of an exported encoder."""
    for name, text in ((FACTS, json.dumps(facts, indent=2, default=str) + "\n"), ("README.md", card(facts))):
        with replacing(path / name) as beside:
            beside.write_text(text, "utf-8", "backslashreplace")


def card(facts: dict) -> str:
    """The Markdown card of an encoder, from its facts."""
    encoder = facts["encoder"]
    architecture, (height, width, channels) = escaped(encoder["name"]), encoder["image_shape"]
    loads = "\n".join(
        f"| {code(route)} | {escaped(_shown(difference))} |" for route, difference in facts["loads"].items()
    )
    of_scores = ("scores_markdown", "judged on")
    plain = {n: v for n, v in facts.items() if isinstance(v, str | int | float) and n not in of_scores}
    told = "\n".join(f"- {name}: {escaped(value)}" for name, value in plain.items())
    scores = facts.get("scores_markdown") or "Not measured: the data has no labels, or evaluation was switched off."
    if "judged on" in facts:
        scores += f"\n\n{escaped(facts['judged on'])}."
    return f"""# {escaped(facts.get("name", "encoder"))}

{architecture}, {encoder["parameters"]:,} parameters. Input: float32 images (batch, {height}, {width}, {channels}) in
[0, 1], normalized inside. Output: float32 features (batch, {encoder["features"]}).

## Scores

{scores}

## Loading it

| route | largest difference to the encoder in memory |
|---|---|
{loads}

`sslzoo.load_encoder(path)` gives a trainable Keras model; `keras.layers.TFSMLayer(path, call_endpoint="serve",
call_training_endpoint="train")` and `tensorflow_hub.load(path)(images)` work without sslzoo.

{resolved.section(facts.get("knobs", {}))}## Made by

{told}

The weights are yours: the licence of sslzoo does not reach them. Every knob and version is in `{FACTS}`.
"""


def lines(differences: dict[str, float | str]) -> str:
    """A line for each route: its largest difference to the encoder in memory, or why it failed."""
    return "\n".join(f"  {route:42} {_shown(difference)}" for route, difference in differences.items())


def _shown(difference: float | str) -> str:
    return difference if isinstance(difference, str) else f"{difference:.1e}"


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


def _contract(encoder: keras.Model, images: np.ndarray) -> dict:
    return {
        "name": encoder.name,
        "parameters": encoder.count_params(),
        "features": encoder.output_shape[-1],
        "image_shape": images.shape[1:],
    }


def _compare(encoder: keras.Model, path: Path, images: np.ndarray) -> dict[str, float | str]:
    expected = ops.convert_to_numpy(encoder(images, training=False))
    return {route: _difference(load, str(path), images, expected) for route, load in ROUTES.items()}


def _difference(load: Callable, path: str, images: np.ndarray, expected: np.ndarray) -> float | str:
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
    "tensorflow_hub.load": _load_with_hub,
    "keras.layers.TFSMLayer": lambda path: keras.layers.TFSMLayer(
        path, call_endpoint="serve", call_training_endpoint="train"
    ),
    "tf.saved_model.load": tf.saved_model.load,
}


def _exports_near(path: Path) -> str:
    folder = path if path.is_dir() else path.parent
    found = sorted(str(file.parent) for file in folder.glob(f"*/{ARCHITECTURE}"))
    return f"; there are {', '.join(found)}" if found else ""
