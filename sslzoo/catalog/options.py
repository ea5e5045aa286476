"""The options of a training by group, with the defaults that a run uses."""

import dataclasses
import inspect
from typing import Any

from sslzoo import catalog
from sslzoo.catalog.kinds import DEFAULT, KINDS, kind_of
from sslzoo.catalog.knobs import Knob, inspected, nearest, read

PARTS = ("method", "encoder", "preset", "data", "kind")  # of a training's settings, which determine the others


def signatures(
    method: Any, encoder: Any, preset: Any = None, data: Any = None, kind: str | None = None
) -> dict[str, dict[str, Knob]]:
    """Returns the knobs of the three parts of an experiment: "method", "encoder" and "views".

    Args:
        method: name of a method, a class or a function.
        encoder: name of an encoder, a Keras model or a function.
        preset: name of a preset, a function, a list of views, or None for the preset of the method.
        data, kind: as of `kinds.kind_of`; they determine which presets there are.

    Raises:
        ValueError: if a name does not exist; the message suggests the closest names.
    """
    kind = kind_for(method, data, kind)
    method, encoder = catalog.found("methods", method), catalog.found("encoders", encoder)
    if isinstance(method, str) and method not in catalog.methods():
        raise ValueError(nearest("method", method, {*catalog.methods(), *catalog.plugins("methods")}))
    every = catalog.every_encoder()
    if isinstance(encoder, str) and encoder not in every and not encoder.startswith(catalog.APPLICATIONS):
        known = {*every, *catalog.plugins("encoders"), f"{catalog.APPLICATIONS}NAME"}
        raise ValueError(nearest("encoder", encoder, known))
    if not (isinstance(encoder, str) or callable(encoder)):
        raise ValueError(f"encoder={encoder!r} is no name, Keras model or function of the input shape")
    preset = catalog.found("presets", views_of(method, kind) if preset is None else preset)
    if isinstance(preset, str) and preset not in catalog.presets(kind):
        known = {*catalog.presets(kind), *catalog.plugins("presets")}
        raise ValueError(nearest("preset" if kind == DEFAULT else f"preset of {KINDS[kind].noun}", preset, known))
    return {
        "method": catalog.method_knobs(method) if isinstance(method, str) else _inspected(method),
        "encoder": catalog.encoder_knobs(encoder) if isinstance(encoder, str) else _inspected(encoder),
        "views": catalog.preset_knobs(preset, kind) if isinstance(preset, str) else _inspected(preset),
    }


def kind_for(method: Any, data: Any = None, kind: str | None = None) -> str:
    """Returns the kind of the data; without data one that the method is for."""
    kinds = kinds_of(method)
    alone = data is None and kind is None and DEFAULT not in kinds
    return kinds[0] if alone else kind_of(data, kind)


def attribute_of(method: Any, name: str, default: Any) -> Any:
    """Returns a class attribute of a method, a name, a class or a function; the default where it has none."""
    method = catalog.found("methods", method)
    if isinstance(method, str):
        return catalog.method_attribute(method, name, default)
    return getattr(method, name, default)


def kinds_of(method: Any) -> tuple[str, ...]:
    """Returns the kinds of data that a method is for, its class attribute `kinds`; all where it has none."""
    return attribute_of(method, "kinds", tuple(KINDS))


def needs_captions(method: Any) -> bool:
    """Returns whether a method compares images with captions, its class attribute `captions`."""
    return attribute_of(method, "captions", False)


def relation_of(method: Any) -> str:
    """Returns the relation by which a method draws partners of frames, its class attribute `relation`; "" for none."""
    return attribute_of(method, "relation", "")


def views_of(method: Any, kind: str = DEFAULT) -> Any:
    """Returns the preset of a method, its class attribute `views`; that of the kind if the kind has no such preset."""
    views = attribute_of(method, "views", "simclr")
    unknown = kind != DEFAULT and isinstance(views, str) and views not in catalog.presets(kind)
    return KINDS[kind].preset if unknown else views


def encoder_of(method: Any, kind: str, encoder: Any) -> Any:
    """Returns the chosen encoder; where the default was left, that of the method, or that of the kind of data."""
    if encoder != catalog.experiment_knobs()["encoder"].default:
        return encoder
    return attribute_of(method, "default_encoder", "") or KINDS[kind].defaults.get("encoder", encoder)


def names(method: Any, encoder: Any, preset: Any = None, data: Any = None, kind: str | None = None) -> set[str]:
    """Returns the names of all arguments of `pretrain` with these parts."""
    return fields().union(*signatures(method, encoder, preset, data, kind).values())


def fields() -> set[str]:
    """Returns the names of all fields of an experiment and of run options."""
    return {*catalog.experiment_knobs(), *catalog.run_knobs(), *catalog.PYTHON_ONLY}


def takes(encoder: Any, name: str) -> bool:
    """Whether an encoder, a name or a function of the user, has an argument; one that pretraining sets, too."""
    known = catalog.every_encoder()
    if isinstance(encoder, str):
        return encoder in known and name in read(known[encoder], encoder)
    return (inspect.isfunction(encoder) or inspect.isclass(encoder)) and name in inspected(encoder)


def groups(settings: dict[str, Any]) -> dict[str, dict[str, Knob]]:
    """Returns the options by the title of their group, with the defaults that a run uses.

    An option of several parts is listed once, in the first group. Its value is passed to all of these parts.

    Args:
        settings: arguments of `pretrain` that replace defaults, such as those of a recipe; they include "method" and
            "encoder".
    """
    method, encoder, preset, data, kind = (settings.get(part) for part in PARTS)
    kind = kind_for(method, data, kind)
    encoder = encoder_of(method, kind, encoder)
    parts = signatures(method, encoder, preset, kind=kind)
    experiment = {name: knob for name, knob in catalog.experiment_knobs().items() if name != "method"}
    settings = KINDS[kind].defaults | settings | {"encoder": encoder}
    if preset is None:
        experiment["preset"] = dataclasses.replace(experiment["preset"], default=views_of(method, kind))
    shown = {
        "experiment": experiment,
        f"method {method}": parts["method"],
        f"encoder {encoder}": parts["encoder"],
        f"views {preset or views_of(method, kind)}": parts["views"],
        "run": catalog.run_knobs(),
    }
    return {title: _overlaid(title, knobs, shown, settings) for title, knobs in shown.items()}


def _overlaid(title: str, knobs: dict[str, Knob], shown: dict, settings: dict[str, Any]) -> dict[str, Knob]:
    titles = list(shown)
    before = {name for other in titles[: titles.index(title)] for name in shown[other]}
    found = {}
    for name, knob in knobs.items():
        if name not in before:
            later = [other for other in titles[titles.index(title) + 1 :] if name in shown[other]]
            found[name] = _annotated(knob, settings, {other: shown[other][name].default for other in later})
    return found


def _annotated(knob: Knob, settings: dict[str, Any], others: dict[str, Any]) -> Knob:
    """Returns a knob with the default that a run uses, and a note on the other parts that it sets."""
    if knob.name in settings:
        knob = dataclasses.replace(knob, default=settings[knob.name])
        others = dict.fromkeys(others, knob.default)
    if not others:
        return knob
    also = ", ".join(title if default == knob.default else f"{title}, {default}" for title, default in others.items())
    return dataclasses.replace(knob, help=f"{knob.help}; also of {also}")


def _inspected(part: Any) -> dict[str, Knob]:
    """Returns the knobs of a class or function of the user; other objects, such as a model, have none."""
    if not (inspect.isclass(part) or inspect.isfunction(part)):
        return {}
    return {name: knob for name, knob in inspected(part).items() if name not in catalog.GIVEN}
