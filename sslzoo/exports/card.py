"""The card of an exported encoder, README.md: the encoder, its scores, how to load it."""

import json
from pathlib import Path
from typing import NamedTuple

from sslzoo.catalog.kinds import KINDS
from sslzoo.evaluators.report import Row, code, escaped, markdown
from sslzoo.exports.contract import FACTS
from sslzoo.utils.files import replacing

RENAMED = "for weight in layer.weights: weight._path = weight.path.replace(':', '_')"


class Way(NamedTuple):
    """A line that loads an encoder from `path`, its route among the differences, and its use."""

    line: str
    route: str
    use: str


LOADING = (
    Way(
        "sslzoo.load_encoder(path)",
        "sslzoo.load_encoder",
        "fine-tuning; frozen after `encoder.trainable = False`",
    ),
    Way(
        'keras.models.load_model(f"{path}/encoder.keras")',
        "keras.models.load_model",
        "the same, without sslzoo",
    ),
    Way(
        'keras.layers.TFSMLayer(path, call_endpoint="serve", trainable=False)',
        "keras.layers.TFSMLayer",
        "a frozen encoder inside a Keras model: features never change",
    ),
    Way(
        'keras.layers.TFSMLayer(path, call_endpoint="serve", call_training_endpoint="train")',
        "keras.layers.TFSMLayer, training=True",
        "fine-tuning only: BatchNorm statistics move even with `trainable=False`",
    ),
    Way("tensorflow_hub.load(path)", "tensorflow_hub.load", "inference: call it on a tensor of images"),
    Way("tf.saved_model.load(path)", "tf.saved_model.load", "inference: call it on a tensor of images"),
)
TEXT_WAY = Way(
    'tf.saved_model.load(f"{path}/text")',
    "tf.saved_model.load, text/",
    "texts: call it on strings; its `project` maps features of images into the same space",
)
MOMENTUM = (
    "Keras gives the weights of a `TFSMLayer` names that optimizers with momentum, such as Adam, refuse. "
    f"For fine-tuning with these: `{RENAMED}`"
)


def write_card(path: Path, facts: dict) -> None:
    """Writes recipe.json and README.md, the card, of an exported encoder."""
    for name, text in ((FACTS, json.dumps(facts, indent=2, default=str) + "\n"), ("README.md", card(facts))):
        with replacing(path / name) as beside:
            beside.write_text(text, "utf-8", "backslashreplace")


def card(facts: dict) -> str:
    """The Markdown card of an encoder, from its facts."""
    encoder = facts["encoder"]
    return f"""# {escaped(facts.get("name", "encoder"))}

{escaped(encoder["name"])}, {encoder["parameters"]:,} parameters. Input: {_input(encoder)}. Output: float32 features \
(batch, {encoder["features"]}).

## Scores

{_scores(facts)}

## Loading it

{_loading(facts["loads"])}

{_notes(encoder)}

{_knobs(facts.get("knobs", {}))}## Made by

{_told(facts)}

{_licence(facts)} Every knob and version is in `{FACTS}`.
"""


def lines(differences: dict[str, float | str]) -> str:
    """A line for each route: its largest difference to the encoder in memory, or why it failed."""
    return "\n".join(f"  {route:42} {_shown(difference)}" for route, difference in differences.items())


def _shown(difference: float | str) -> str:
    return difference if isinstance(difference, str) else f"{difference:.1e}"


def _input(encoder: dict) -> str:
    """The input, for cards of any version."""
    shape = encoder["image_shape"] if encoder.get("kind", "image") == "image" else encoder["input"]["shape"][1:]
    sides = ", ".join("any" if side is None else str(side) for side in shape)
    if "input" not in encoder or encoder["kind"] == "image":
        return f"float32 images (batch, {sides}) in [0, 1], normalized inside"
    kind = KINDS.get(encoder["kind"])
    noun, values = (kind.noun, f", values {kind.values}") if kind else (escaped(encoder["kind"]), "")
    return f"{encoder['input']['dtype']} {noun} (batch, {sides}){values}"


def _scores(facts: dict) -> str:
    scores = facts.get("scores_markdown") or "Not measured: the data has no labels, or evaluation was switched off."
    scores = f"{scores}\n\n{escaped(facts['judged on'])}." if "judged on" in facts else scores
    earlier = markdown(Row(**row) for row in facts["kept"]) if facts.get("kept") else ""
    return f"{scores}\n\n### On earlier data\n\n{earlier}" if earlier else scores


def _loading(loads: dict[str, float | str]) -> str:
    """A table of the lines that load the encoder, then one of the routes and their differences."""
    known = [*LOADING, TEXT_WAY] if TEXT_WAY.route in loads else LOADING
    ways = "\n".join(f"| {code(way.line)} | {way.use} |" for way in known)
    found = "\n".join(f"| {code(route)} | {escaped(_shown(difference))} |" for route, difference in loads.items())
    return f"""| line | use |
|---|---|
{ways}

| route | largest difference to the encoder in memory |
|---|---|
{found}"""


def _notes(encoder: dict) -> str:
    modules = " and ".join(f"`import {module}`" for module in encoder.get("modules", ()))
    return f"`keras.models.load_model` needs {modules} first. {MOMENTUM}" if modules else MOMENTUM


def _told(facts: dict) -> str:
    plain = {n: v for n, v in facts.items() if isinstance(v, str | int | float)}
    return "\n".join(
        f"- {name}: {escaped(value)}" for name, value in plain.items() if name not in ("scores_markdown", "judged on")
    )


def _licence(facts: dict) -> str:
    """A sentence on the licence of the weights, and the weights that the training started from."""
    if "ancestry" not in facts:
        return "The weights are yours: the licence of sslzoo does not reach them."
    return f"Started from {escaped(described(facts['ancestry']))}. The licences of these weights apply to the export."


def described(ancestry: dict) -> str:
    """One line on the weights that a training started from, their own ancestors included."""
    data = f" on {str(ancestry['data']).split(';')[0]}" if "data" in ancestry else ""
    line = f"{ancestry['name']} ({ancestry['method']}{data}; licence: {ancestry['licence']}; {ancestry['checksum']})"
    return line + (f", which started from {described(ancestry['ancestry'])}" if "ancestry" in ancestry else "")


def _knobs(settings: dict) -> str:
    """The section "Knobs", with a line for the experiment and for each of its parts; empty without settings.

    Given knobs are bold; settings of version 0.1 do not record which knobs were given.
    """
    if not settings:
        return ""
    parts: dict[str, list[str]] = {}
    for name in settings:
        if name != "given":
            parts.setdefault(name.rpartition(".")[0] or "experiment", []).append(_knob(name, settings))
    note = "Bold: given by the user. The others are defaults or chosen from the data.\n\n"
    lines = [f"- {part}: {', '.join(text)}\n" for part, text in parts.items()]
    return f"## Knobs\n\n{note if 'given' in settings else ''}{''.join(lines)}\n"


def _knob(name: str, settings: dict) -> str:
    short = name.rpartition(".")[2]
    text = code(f"{short} = {settings[name]}")
    return f"**{text}**" if short in settings.get("given", ()) else text
