"""Public weights that a training starts from: exports, PyTorch files, keras.applications, keras-hub presets."""

import dataclasses
from pathlib import Path
from typing import Any

import keras

from sslzoo import catalog, encoders
from sslzoo.encoders.applications import pretrained
from sslzoo.exports.contract import ARCHITECTURE, FACTS, checksum
from sslzoo.exports.inputs import exported_extent, exported_kind
from sslzoo.exports.preset import is_preset, preset_encoder
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.exports.weights import LICENCE, RESNETS, VITS, model_of
from sslzoo.utils.files import reason

TORCH = (".pt", ".pth", ".tar", ".bin", ".safetensors")
WAYS = "give the folder of an exported encoder or of a keras-hub preset, or a .keras, .h5, .pth or .safetensors file"


@dataclasses.dataclass(frozen=True)
class Origin:
    """The encoder that a training starts from.

    Attributes:
        model: the encoder with its weights.
        ancestry: for the card: name, method, data, licence and checksum, and the ancestry of these weights in turn.
        encoder: name of the encoder, which can be built for inputs of another shape; None if it is not known.
        knobs: arguments of this encoder.
        size: extent of its inputs; None for any.
    """

    model: keras.Model
    ancestry: dict[str, Any]
    encoder: str | None = None
    knobs: dict[str, Any] = dataclasses.field(default_factory=dict)
    size: int | None = None

    def __str__(self) -> str:
        return f"{self.ancestry['name']}, checksum {self.ancestry['checksum']}"

    def give(self, encoder: keras.Model) -> keras.Model:
        """Gives an encoder of the same architecture the weights, and the constants of its first layer; returns it.

        Raises:
            ValueError: if a weight has another shape; one line that names the first.
        """
        own, given = encoder.weights, self.model.get_weights()
        pairs = [(weight.path, tuple(weight.shape), value.shape) for weight, value in zip(own, given, strict=False)]
        name = self.ancestry["name"]
        if other := next((pair for pair in pairs if pair[1] != pair[2]), None):
            line = f"start_from: {other[0]} has the shape {other[1]} in {encoder.name} and {other[2]} in {name}"
            raise ValueError(f"{line}: leave out encoder=... and image_size=..., or give those of the weights")
        if len(own) != len(given):
            line = f"start_from: {encoder.name} has {len(own)} weights, {name} has {len(given)}"
            raise ValueError(f"{line}: leave out encoder=..., or give that of the weights")
        encoder.set_weights(given)
        layers = [{layer.name: layer for layer in model.layers}.get("normalize") for model in (encoder, self.model)]
        if None not in layers:
            layers[0].scale, layers[0].offset = layers[1].scale, layers[1].offset
        return encoder


def find(weights: Any, encoder: Any = None, image_size: int | None = None) -> Origin:
    """Loads public weights.

    Args:
        weights: folder of an exported encoder or of a keras-hub preset; a .keras, .h5, PyTorch or .safetensors file;
            "keras.applications:NAME" for the ImageNet weights of Keras, which it downloads; or a built `keras.Model`.
        encoder: name of the encoder that the user chose; needed for .h5 files.
        image_size: side of the images in pixels that the user chose, where the weights allow several.

    Raises:
        ValueError: nothing that can be loaded is there; one line.
    """
    if isinstance(weights, keras.Model):
        model = encoders.check(weights)
        return Origin(model, _ancestry(model.name, "a Keras model", model), size=model.input_shape[1])
    name = encoder if isinstance(encoder, str) else ""
    if str(weights).startswith(catalog.APPLICATIONS):
        return _application(str(weights), "imagenet", image_size)
    path = Path(weights)
    if (path / ARCHITECTURE).is_file():
        return _exported(path)
    if is_preset(path):
        model, told = preset_encoder(path, image_size)
        return Origin(model, _ancestry(path.name, told, model), size=model.input_shape[1])
    if not path.is_file():
        ways = f"`sslzoo train {path.name}` makes it" if path.name in catalog.recipes() else WAYS
        raise ValueError(f"start_from={str(weights)!r} holds no weights: {ways}")
    if path.suffix in TORCH:
        return _torch(path, name, image_size)
    if name.startswith(catalog.APPLICATIONS):
        return _application(name, path, image_size)
    if path.suffix == ".keras":
        return _exported(path)
    if path.suffix == ".h5":
        raise ValueError(f"start_from={str(path)!r} has no architecture: give encoder='{catalog.APPLICATIONS}NAME'")
    raise ValueError(f"start_from={str(path)!r} is of an unknown format: {WAYS}")


def _exported(path: Path) -> Origin:
    """An exported encoder or a .keras file, with the facts of its export where there are some."""
    folder = path if path.is_dir() else path.parent
    facts = read_facts(folder) if (folder / FACTS).is_file() else {}
    model = encoders.check(load_encoder(path))
    ancestry = _ancestry(facts.get("name", path.stem), facts.get("method", "a .keras file"), model, facts)
    known = _architecture(facts) if exported_kind(facts) != "rows" else {}  # columns are fitted to their data
    size = exported_extent(facts) or model.input_shape[1]
    known = known if known and _is_built_by(model, size, **known) else {}
    return Origin(model, ancestry, **known, size=size)


def _architecture(facts: dict) -> dict:
    """Name and knobs of the encoder of an export, where its facts have them."""
    start, settings = facts.get("untrained") or {}, facts.get("knobs", {})
    if "encoder" in start:
        return {"encoder": start["encoder"], "knobs": dict(start["knobs"])}
    name = settings.get("encoder")
    if name not in catalog.every_encoder() and not str(name).startswith(catalog.APPLICATIONS):
        return {}
    knobs = {knob: value for knob, value in settings.items() if knob.startswith("encoder.")}
    return {"encoder": name, "knobs": {knob.removeprefix("encoder."): value for knob, value in knobs.items()}}


def _is_built_by(model: keras.Model, size: int, encoder: str, knobs: dict) -> bool:
    """Whether an encoder of a name has the shapes of a model; some methods export more than their encoder."""
    try:
        made = encoders.make(encoder, tuple(extent or size for extent in model.input_shape[1:]), **knobs)
    except (TypeError, ValueError):  # of a package that is not installed, or of a version with other arguments
        return False
    return [weight.shape for weight in made.weights] == [weight.shape for weight in model.weights]


def _torch(path: Path, encoder: str, image_size: int | None) -> Origin:
    known = {*RESNETS.values(), *VITS.values()}
    model, name, knobs, report = model_of(path, encoder if encoder in known - {"resnet18"} else None, image_size or 224)
    method = f"weights of {path.name}, {len(report.matched)} of them"
    ancestry = _ancestry(path.stem, method, model, {"licence": LICENCE})
    return Origin(model, ancestry, name, knobs, image_size or model.input_shape[1])


def _application(name: str, weights: str | Path, image_size: int | None) -> Origin:
    """An architecture of keras.applications with the weights of a file, or with those of Keras."""
    short = name.removeprefix(catalog.APPLICATIONS)
    try:
        model = pretrained(short, weights, image_size or 224)
    except Exception as error:  # a download or a file of another architecture may fail in any way
        if isinstance(error, ValueError) and str(error).startswith("keras.applications has no"):
            raise
        where = "could not be downloaded" if isinstance(weights, str) else "do not fit"
        raise ValueError(f"start_from: the weights {weights} of {name} {where}: {reason(error)[:200]}") from None
    file = "ImageNet weights of Keras" if isinstance(weights, str) else f"weights of {weights.name}"
    ancestry = _ancestry(short if isinstance(weights, str) else weights.stem, file, model)
    return Origin(model, ancestry, name, {}, image_size)


def _ancestry(name: str, method: str, model: keras.Model, facts: dict | None = None) -> dict[str, Any]:
    facts = facts or {}
    told = {"name": name, "method": method, "encoder": model.name, "checksum": checksum(model)}
    told |= {key: facts[key] for key in ("data", "paper") if key in facts}
    told["licence"] = facts.get("licence", "not known")
    return told | ({"ancestry": facts["ancestry"]} if "ancestry" in facts else {})
