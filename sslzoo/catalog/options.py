"""The options of a training by group, with the defaults that a run uses."""

import dataclasses
import inspect
from typing import Any

from sslzoo import catalog
from sslzoo.catalog.knobs import Knob, inspected, nearest

PARTS = ("method", "encoder", "preset")


def signatures(method: Any, encoder: Any, preset: Any = None) -> dict[str, dict[str, Knob]]:
    """Returns the knobs of the three parts of an experiment: "method", "encoder" and "views".

    Args:
        method: name of a method, a class or a function.
        encoder: name of an encoder, a Keras model or a function.
        preset: name of a preset, a function, a list of views, or None for the preset of the method.

    Raises:
        ValueError: if a name does not exist; the message suggests the closest names.
    """
    method, encoder = catalog.found("methods", method), catalog.found("encoders", encoder)
    if isinstance(method, str) and method not in catalog.methods():
        raise ValueError(nearest("method", method, {*catalog.methods(), *catalog.plugins("methods")}))
    if isinstance(encoder, str) and encoder not in catalog.encoders() and not encoder.startswith(catalog.APPLICATIONS):
        known = {*catalog.encoders(), *catalog.plugins("encoders"), f"{catalog.APPLICATIONS}NAME"}
        raise ValueError(nearest("encoder", encoder, known))
    if not (isinstance(encoder, str) or callable(encoder)):
        raise ValueError(f"encoder={encoder!r} is no name, Keras model or function of the input shape")
    preset = catalog.found("presets", views_of(method) if preset is None else preset)
    if isinstance(preset, str) and preset not in catalog.presets():
        raise ValueError(nearest("preset", preset, {*catalog.presets(), *catalog.plugins("presets")}))
    return {
        "method": catalog.method_knobs(method) if isinstance(method, str) else _inspected(method),
        "encoder": catalog.encoder_knobs(encoder) if isinstance(encoder, str) else _inspected(encoder),
        "views": catalog.preset_knobs(preset) if isinstance(preset, str) else _inspected(preset),
    }


def views_of(method: Any) -> Any:
    """Returns the preset of a method, its class attribute `views`."""
    method = catalog.found("methods", method)
    if isinstance(method, str):
        return catalog.method_attribute(method, "views", "simclr")
    return getattr(method, "views", "simclr")


def names(method: Any, encoder: Any, preset: Any = None) -> set[str]:
    """Returns the names of all arguments of `pretrain` with these parts."""
    return fields().union(*signatures(method, encoder, preset).values())


def fields() -> set[str]:
    """Returns the names of all fields of an experiment and of run options."""
    return {*catalog.experiment_knobs(), *catalog.run_knobs(), *catalog.PYTHON_ONLY}


def groups(settings: dict[str, Any]) -> dict[str, dict[str, Knob]]:
    """Returns the options by the title of their group, with the defaults that a run uses.

    An option of several parts is listed once, in the first group. Its value is passed to all of these parts.

    Args:
        settings: arguments of `pretrain` that replace defaults, such as those of a recipe; they include "method" and
            "encoder".
    """
    method, encoder, preset = (settings.get(part) for part in PARTS)
    parts = signatures(method, encoder, preset)
    experiment = {name: knob for name, knob in catalog.experiment_knobs().items() if name != "method"}
    if preset is None:
        experiment["preset"] = dataclasses.replace(experiment["preset"], default=views_of(method))
    shown = {
        "experiment": experiment,
        f"method {method}": parts["method"],
        f"encoder {encoder}": parts["encoder"],
        f"views {preset or views_of(method)}": parts["views"],
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
