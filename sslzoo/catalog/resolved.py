"""The resolved knobs of a run: the defaults of its parts with what was given, under the names that settings record."""

from typing import Any

from sslzoo.catalog import options, ranges
from sslzoo.catalog.knobs import REQUIRED, Knob, nearest


def resolve(knobs: dict[str, Any], method: Any, encoder: Any, preset: Any) -> dict[str, dict[str, Any]]:
    """The knobs of method, encoder and views: the defaults of their signatures, overlaid with the given ones.

    Args:
        knobs: the given ones, by name; every part that takes a name gets its value.
        method, encoder, preset: as of `options.signatures`.

    Returns:
        "method", "encoder" and "views", each name -> value. The arguments that pretraining fills in are left out.

    Raises:
        ValueError: no part takes a given knob, or its value is out of range; the text names the nearest.
    """
    signatures = options.signatures(method, encoder, preset)
    known = {name for signature in signatures.values() for name in signature}
    for name in knobs:
        if name not in known:
            parts = ", ".join(part if isinstance(part, str) else _name(part) for part in (method, encoder))
            raise ValueError(nearest(f"knob of {parts} and their views", name, {*known, *options.fields()}))
    for part, thing in (("method", method), ("encoder", encoder), ("views", preset)):
        for name, knob in signatures[part].items():
            if name in knobs and isinstance(thing, str):  # a user's own part checks its arguments itself
                ranges.check(knob, knobs[name])
    return {part: _overlaid(signature, knobs) for part, signature in signatures.items()}


def _name(part: Any) -> str:
    return getattr(part, "__name__", None) or getattr(part, "name", type(part).__name__)


def _overlaid(signature: dict[str, Knob], knobs: dict[str, Any]) -> dict[str, Any]:
    defaults = {name: knob.default for name, knob in signature.items() if knob.default is not REQUIRED}
    return defaults | {name: value for name, value in knobs.items() if name in signature}


def recorded(parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Resolved knobs under flat names: {"method.temperature": 0.2, "encoder.width": 1.0, "views.strength": 0.5}."""
    return {f"{part}.{name}": value for part, knobs in parts.items() for name, value in knobs.items()}


def upgraded(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The settings of an earlier run as they are recorded now.

    Version 0.1 recorded the given knobs alone, under their bare names, and None for the preset of the method. What an
    earlier version left out was a default: it is taken from `now`, unless it was given now.

    Args:
        before: settings of a run folder.
        now: those to compare with.

    Returns:
        Settings that can be compared with `now` name by name; `before` where `now` does not say what was given.
    """
    if "given" not in now:
        return before
    bare = {name: name.rpartition(".")[2] for name in now}
    told = {name: value for name, value in before.items() if name in now or name not in bare.values()}
    told |= {name: before[knob] for name, knob in bare.items() if knob in before}
    if told.get("preset") is None:
        told.pop("preset", None)
    return {name: now[name] for name, knob in bare.items() if knob not in now["given"]} | told


def section(settings: dict[str, Any]) -> str:
    """The section "Knobs" of a model card: a line for the experiment and one for each of its parts; "" for no settings.

    Knobs that were given are bold. Settings of version 0.1 do not say which ones were.
    """
    if not settings:
        return ""
    parts: dict[str, list[str]] = {}
    for name in settings:
        if name != "given":
            parts.setdefault(name.rpartition(".")[0] or "experiment", []).append(_shown(name, settings))
    note = "Bold: given by the user. The others are defaults or chosen from the data.\n\n"
    lines = [f"- {part}: {', '.join(told)}\n" for part, told in parts.items()]
    return f"## Knobs\n\n{note if 'given' in settings else ''}{''.join(lines)}\n"


def _shown(name: str, settings: dict[str, Any]) -> str:
    knob = name.rpartition(".")[2]
    told = f"`{knob} = {' '.join(str(settings[name]).split())}`"
    return f"**{told}**" if knob in settings.get("given", ()) else told
