"""The resolved knobs of a run: defaults and given values, under the names that the settings record."""

from typing import Any

from sslzoo.catalog import options, ranges
from sslzoo.catalog.knobs import AUTO, FITTED, REQUIRED, Knob, nearest


def resolve(
    knobs: dict[str, Any], method: Any, encoder: Any, preset: Any, data: Any = None, kind: str | None = None
) -> dict[str, dict[str, Any]]:
    """Resolves the knobs of method, encoder and views: the defaults, replaced by the given values.

    Args:
        knobs: the given knobs, by name; every part that has a knob of this name gets its value.
        method, encoder, preset, data, kind: as for `options.signatures`.

    Returns:
        A dict of "method", "encoder" and "views", each name -> value, without the arguments that pretraining sets.

    Raises:
        ValueError: no part takes a given knob, or its value is out of range; the text names the nearest.
    """
    signatures = options.signatures(method, encoder, preset, data, kind)
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


def known(knobs: dict[str, Any]) -> dict[str, Any]:
    """The given knobs whose values are known before the data: those that are not "auto"."""
    return {name: value for name, value in knobs.items() if name not in FITTED or value != AUTO}


def _name(part: Any) -> str:
    return getattr(part, "__name__", None) or getattr(part, "name", type(part).__name__)


def _overlaid(signature: dict[str, Knob], knobs: dict[str, Any]) -> dict[str, Any]:
    defaults = {name: knob.default for name, knob in signature.items() if knob.default is not REQUIRED}
    return defaults | {name: value for name, value in knobs.items() if name in signature}


def recorded(parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Flattens resolved knobs: {"method.temperature": 0.2, "encoder.width": 1.0, "views.strength": 0.5}."""
    return {f"{part}.{name}": value for part, knobs in parts.items() for name, value in knobs.items()}


def upgraded(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Converts the settings of an earlier version to the current format.

    Version 0.1 recorded only the given knobs, under their bare names, and None for the preset of the method. A setting
    that an earlier version omitted was a default: it is taken from `now`, unless it is given in `now`.

    Args:
        before: settings of a run folder.
        now: settings to compare with.

    Returns:
        Settings that can be compared with `now` name by name; `before` if `now` has no entry "given".
    """
    if "given" not in now:
        return before
    bare = {name: name.rpartition(".")[2] for name in now}
    text = {name: value for name, value in before.items() if name in now or name not in bare.values()}
    text |= {name: before[knob] for name, knob in bare.items() if knob in before}
    if text.get("preset") is None:
        text.pop("preset", None)
    return {name: now[name] for name, knob in bare.items() if knob not in now["given"]} | text
