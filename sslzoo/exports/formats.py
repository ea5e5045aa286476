"""An exported encoder in other formats, each opened again by its own runtime as soon as it is written."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from sslzoo.catalog.kinds import KINDS
from sslzoo.catalog.knobs import nearest
from sslzoo.data import load
from sslzoo.exports import onnx_file
from sslzoo.exports import savedmodel as saved
from sslzoo.exports.card import write_card
from sslzoo.exports.contract import input_spec, with_input
from sslzoo.exports.inputs import accepted_by, exported_kind
from sslzoo.exports.savedmodel import from_architecture, load_encoder, read_facts
from sslzoo.utils.files import replacing
from sslzoo.views.inputs import images as images_of

BATCHES = (1, 3, 8)
Load = Callable[[str], Callable]
# Another Python, for who keeps TensorFlow and PyTorch apart.
TORCH_PYTHON = "SSLZOO_TORCH_PYTHON"
ON_TORCH = """
import importlib, pkgutil, sys
try:
    import torch
except ImportError:
    sys.exit("torch is not installed")
import keras, numpy, sslzoo.encoders
for module in pkgutil.iter_modules(sslzoo.encoders.__path__, "sslzoo.encoders."):
    importlib.import_module(module.name)
encoder = keras.saving.load_model(sys.argv[1])
batches = numpy.load(sys.argv[2])
found = {name: keras.ops.convert_to_numpy(encoder(batch, training=False)) for name, batch in batches.items()}
numpy.savez(sys.argv[3], **found)
"""


class Missing(Exception):
    """What a runtime needs is not installed; the card says so."""


class Format(NamedTuple):
    """A file of an export's folder, how it is written, and the runtimes that open it.

    `write` takes the encoder, the path and the spec of its images; each of `routes` takes the path and a list of
    batches and gives a list of features. `needs` are modules, which `pip install sslzoo[NAME]` brings.
    """

    file: str
    write: Callable[[keras.Model, Path, tf.TensorSpec], None]
    routes: dict[str, Callable[[str, list], list]]
    needs: tuple[str, ...] = ()


def export(
    encoder: str | Path, format: tuple[str, ...], out: str | Path | None = None, data: str | None = None
) -> dict[str, float | str]:
    """Writes an exported encoder in further formats, and compares each with it on images, in batches of 1, 3 and 8.

    ONNX and LiteRT files take any batch of images of the size that the encoder was trained for.

    Args:
        encoder: folder of an exported encoder.
        format: any of savedmodel, keras, onnx, litert, safetensors, parted by commas; the first is there already, and
            only opened again.
        out: a new folder, for a whole export with these formats; the encoder's own folder if None.
        data: compare on its first examples, as for `pretrain`; if None on parts of scikit-learn's two photographs, on
            random walks for an encoder of series, on tones for one of audio, or on small numbers and missing values for
            one of rows.

    Returns:
        Route -> largest absolute difference to the encoder, or why there is none; the card has it too.

    Raises:
        ValueError: an unknown format, one that needs what is not installed, or `out` exists.
    """
    if not format:
        raise ValueError(f"format=...: name one or more of {', '.join(FORMATS)}")
    for name in format:
        _check(name)
    facts, folder, model = read_facts(encoder), Path(out or encoder), load_encoder(encoder)
    kind = exported_kind(facts)
    images, source = _inputs(model, tuple(facts["encoder"]["input"]["shape"][1:]), kind, data)
    if out:
        facts = saved.export(model, _unused(folder), images, facts, kind=kind)
    own, found = input_spec(model, kind), {}
    spec = tf.TensorSpec((None, *images.shape[1:]), own.dtype, name=own.name)
    for name in sorted(format, key=list(FORMATS).index):
        path = folder / FORMATS[name].file
        if FORMATS[name].file:
            with replacing(path) as beside:
                FORMATS[name].write(model, beside, spec)
        found |= {route: difference(run, path, model, images) for route, run in FORMATS[name].routes.items()}
    compared = f"{len(images)} {KINDS[kind].noun} of {source}, in batches of {', '.join(map(str, BATCHES))}"
    write_card(folder, facts | {"loads": facts["loads"] | found, "compared on": compared})
    return found


def difference(run: Callable, path: str | Path, encoder: keras.Model, images: np.ndarray) -> float | str:
    """Largest absolute difference over batches of 1, 3 and 8 images between what `run` finds and the encoder gives."""
    batches = [images[:size] for size in BATCHES]
    try:
        found = run(str(path), batches)
    except Missing as missing:
        return f"not measured: {missing}"
    except Exception as error:  # another project's runtime may fail in any way; the card names it.
        return f"failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    call = _training(path) if run is _train_endpoint else encoder
    expected = [ops.convert_to_numpy(call(batch)) for batch in batches]
    return max(float(np.max(np.abs(a - b))) for a, b in zip(found, expected, strict=True))


def _unused(folder: Path) -> Path:
    if os.path.lexists(folder):
        raise ValueError(f"{folder} exists: give another out=..., or none to write into the folder of the SavedModel")
    return folder


def _check(name: str) -> None:
    if name not in FORMATS:
        raise ValueError(nearest("format", name, FORMATS))
    if missing := _missing(name):
        raise ValueError(f"the format {name} needs {' and '.join(missing)}: pip install sslzoo[{name}]")


def installed(name: str) -> bool:
    """Whether everything that a format needs is installed."""
    return not _missing(name)


def _missing(name: str) -> list[str]:
    return [module for module in FORMATS[name].needs if importlib.util.find_spec(module) is None]


def _inputs(encoder: keras.Model, shape: tuple[int, ...], kind: str, data: str | None) -> tuple[np.ndarray, str]:
    """Eight inputs for an encoder, and what they are of; columns and categories of rows are found by name."""
    if data is None:
        return KINDS[kind].functions.samples(shape)
    dataset = accepted_by(load(data, kind=kind).train, encoder)
    return next(images_of(dataset, shape[0], max(BATCHES))), dataset.name


def _write_litert(encoder: keras.Model, path: Path, spec: tf.TensorSpec) -> None:
    with_input(encoder, spec).export(str(path), format="litert", input_signature=[spec], verbose=False)


def _write_safetensors(encoder: keras.Model, path: Path, spec: tf.TensorSpec) -> None:
    from safetensors.numpy import save_file

    weights = {weight.path: np.ascontiguousarray(weight.numpy()) for weight in encoder.weights}
    path.touch()
    rights = path.stat().st_mode  # safetensors would make a file for its owner alone
    save_file(weights, path, metadata={"architecture": encoder.to_json()})
    path.chmod(rights)


def _each(load: Load) -> Callable[[str, list], list]:
    """A route out of a function that loads: path -> (images -> features)."""

    def run(path: str, batches: list[np.ndarray]) -> list[np.ndarray]:
        call = load(path)
        return [ops.convert_to_numpy(call(tf.constant(batch))) for batch in batches]

    return run


def _train_endpoint(path: str, batches: list[np.ndarray]) -> list[np.ndarray]:
    layer = keras.layers.TFSMLayer(path, call_endpoint="serve", call_training_endpoint="train")
    return [ops.convert_to_numpy(layer(batch, training=True)) for batch in batches]


def _training(path: str | Path) -> Callable:
    """The encoder in training mode; a new one, since a pass moves the statistics of BatchNorm."""
    encoder = load_encoder(path)
    # As a graph, like the endpoint: BatchNorm over few images magnifies the rounding in which eager operations differ.
    return tf.function(lambda images: encoder(images, training=True))


def _keras_on_torch(path: str, batches: list[np.ndarray]) -> list[np.ndarray]:
    """In a process of its own, since a process has one backend."""
    python = os.environ.get(TORCH_PYTHON, sys.executable)
    root = str(Path(__file__).parents[2])
    settings = os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": root}
    with tempfile.TemporaryDirectory() as folder:
        given, found = f"{folder}/images.npz", f"{folder}/features.npz"
        np.savez(given, **{str(len(batch)): batch for batch in batches})
        command = [python, "-c", ON_TORCH, path, given, found]
        done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
        if "torch is not installed" in done.stderr:
            raise Missing(f"torch is not installed; {TORCH_PYTHON} may name a Python that has keras and torch")
        if done.returncode:
            raise RuntimeError((done.stderr.strip() or "the process died").splitlines()[-1])
        features = np.load(found)
        return [features[str(len(batch))] for batch in batches]


def _litert(path: str) -> Callable:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's will move to a package of its own, ai_edge_litert
        interpreter = tf.lite.Interpreter(path)
    here, there = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def call(images):
        interpreter.resize_tensor_input(here, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(here, images)
        interpreter.invoke()
        return interpreter.get_tensor(there)

    return call


def _from_safetensors(path: str) -> keras.Model:
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        encoder = from_architecture(file.metadata()["architecture"])
        for weight in encoder.weights:
            weight.assign(file.get_tensor(weight.path))
    return encoder


FORMATS = {
    "savedmodel": Format(
        "",
        lambda encoder, path, spec: None,
        {
            **{name: _each(route) for name, route in saved.ROUTES.items()},
            "keras.layers.TFSMLayer, training=True": _train_endpoint,
        },
    ),
    "keras": Format(
        "encoder.keras",
        lambda encoder, path, spec: encoder.save(path),
        {"encoder.keras: keras on tensorflow": _each(load_encoder), "encoder.keras: keras on torch": _keras_on_torch},
    ),
    "onnx": Format(
        "encoder.onnx",
        onnx_file.write,
        {"encoder.onnx: onnxruntime": _each(onnx_file.load)},
        ("tf2onnx", "onnxruntime"),
    ),
    "litert": Format("encoder.tflite", _write_litert, {"encoder.tflite: tf.lite.Interpreter": _each(_litert)}),
    "safetensors": Format(
        "encoder.safetensors",
        _write_safetensors,
        {"encoder.safetensors: safetensors.numpy": _each(_from_safetensors)},
        ("safetensors",),
    ),
}
