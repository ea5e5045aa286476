"""One run or two: settings that differ from their defaults, figures, commands, differences and tags."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sslzoo.catalog.runs.listing import aligned, raw, shown
from sslzoo.catalog.runs.record import BROKEN, FINISHED, TAGS, Record, clean
from sslzoo.utils.files import replacing

HIDDEN = {"given", "data"}  # settings that `differences` shows otherwise
COMMANDS = {"--runs": "runs", "--export-to": "exported_models"}  # options that are omitted at their defaults


def show(record: Record) -> str:
    """Returns all that is known of a run as text: state, verdict, settings, figures, files and commands."""
    parts = [f"{record.name}: {record.state}, {record.done} of {record.planned or '?'} epochs, begun {record.when}"]
    parts += [f"  {fault}" for fault in record.faults]
    facts = {
        "verdict": clean(record.result.get("verdict", "")),
        "error": clean(record.result.get("error", "")),
        "tags": ", ".join(map(clean, record.tags)),
        "data": clean(record.settings.get("data", "")),
        "start": ancestry(record.result.get("ancestry")),
        "made by": clean(record.result.get("command", "")),
        "folder": f"{clean(record.path)}, {record.size / 1e6:.1f} MB",
        "export": clean(exported(record) or ""),
    }
    parts += [aligned(["", ""], [[f"  {name}", text] for name, text in facts.items() if text]).strip("\n")]
    parts += ["", "settings that differ from the defaults:", _pairs(changed(record))] if record.settings else []
    parts += ["", "final scores:", scores(record)] if record.scores else []
    if record.last:
        parts += ["", "figures before the first step and after the last epoch:", _course(record)]
    parts += ["", "commands:", *(f"  {line}" for line in commands(record))]
    return "\n".join(parts)


def changed(record: Record) -> dict[str, Any]:
    """Returns the settings that differ from their defaults, which the run lists as "given", and its parts."""
    settings, given = record.settings, record.settings.get("given")
    if not isinstance(given, list):
        return {name: value for name, value in settings.items() if name not in HIDDEN}
    parts = {"method", "encoder", "preset"}
    return {
        name: value
        for name, value in settings.items()
        if name not in HIDDEN and (name in parts or name.rpartition(".")[2] in given)
    }


def ancestry(found: Any) -> str:
    """Returns the public weights that a run started from, and those that these started from, as text."""
    names = []
    while isinstance(found, dict):
        names.append(f"{found.get('name')} ({found.get('method')}, {found.get('checksum')})")
        found = found.get("ancestry")
    return clean(", which started from ".join(names))


def exported(record: Record) -> Path | None:
    """Returns the folder of the exported encoder of a run; None if there is none."""
    written = record.result.get("exported")
    places = [Path(written), record.path.parent.parent / written] if isinstance(written, str) else []
    return next((place for place in places if (place / "recipe.json").is_file()), None)


def scores(record: Record) -> str:
    """Returns a table of the final scores: trained, before, raw inputs or the first baseline."""
    lines = []
    for key, columns in record.scores.items():
        values = columns["trained"], columns.get("before"), raw(columns)
        lines.append([f"  {key}", *(shown(key, value) for value in values)])
    return aligned(["  score", "trained", "before", "raw"], lines)


def commands(record: Record) -> list[str]:
    """Returns the command lines that resume, evaluate and export a run, or why there are none."""
    lines, model, data = [], exported(record), _arguments(record).get("data")
    if record.state == FINISHED and record.planned:
        lines.append(f"extend:   {resume(record, epochs=2 * record.planned)}")
    elif record.state != BROKEN:
        lines.append(f"resume:   {resume(record)}")
    if model:
        place = shlex.quote(str(model))
        lines.append(f"evaluate: sslzoo evaluate {place} --data {shlex.quote(data) if data else 'DATA'}")
        lines.append(f"export:   sslzoo export {place} --format keras")
    elif record.state == FINISHED:
        lines.append(f"export:   sslzoo runs export {shlex.quote(str(record.path))} --format keras")
    return [clean(line) for line in lines] or ["none: the run cannot be read"]


def resume(record: Record, epochs: int | None = None) -> str:
    """Returns the command line that continues a run.

    Args:
        record: the run.
        epochs: extend a finished run to this number of epochs.
    """
    more = ["--resume"] if epochs is None else ["--extend", "--epochs", str(epochs)]
    arguments = _arguments(record)
    if not arguments or record.result.get("objects"):
        made = str(record.result.get("command", ""))
        if made.startswith("sslzoo "):
            return f"{made} {' '.join(more)}"
        place = f"runs={str(record.path.parent)!r}, name={record.path.name!r}"
        return (
            f"the call of its training, with {place}, {'resume=True' if epochs is None else f'extend=True, {epochs=}'}"
        )
    words, own = (
        ["sslzoo", "train", str(arguments.get("method", record.method))],
        {"method", "epochs" if epochs else ""},
    )
    for name, value in arguments.items():
        option = f"--{name.replace('_', '-')}"
        if name not in own and COMMANDS.get(option, ...) != value:
            words += [option, _word(value)]
    return shlex.join([*words, *more])


def differences(one: Record, other: Record) -> str:
    """Returns the settings and figures of two runs that differ, next to each other."""
    settings = [_flat(record.settings) for record in (one, other)]
    figures = [record.figures | {"epochs done": record.done, "state": record.state} for record in (one, other)]
    lines = []
    for title, (left, right), form in (("setting", settings, _plain), ("figure", figures, shown)):
        names = [name for name in {**left, **right} if left.get(name) != right.get(name)]
        rows = [[name, form(name, left.get(name)), form(name, right.get(name))] for name in names]
        lines += [aligned([title, one.name, other.name], rows) if rows else f"no {title} differs"]
    return "\n\n".join(lines)


def tag(record: Record, names: Sequence[str], remove: bool = False) -> tuple[str, ...]:
    """Adds tags to a run, or removes them, and returns all tags of the run.

    Raises:
        ValueError: a tag to remove is not there, or a name is empty or has a comma.
    """
    for name in names:
        if not name.strip() or "," in name or clean(name) != name:
            raise ValueError(f"{clean(name)!r} is no tag: give words without commas")
        if remove and name not in record.tags:
            raise ValueError(f"{record.name} has no tag {name!r}: it has {', '.join(record.tags) or 'none'}")
    kept = [one for one in record.tags if one not in names]
    found = kept if remove else [*kept, *dict.fromkeys(names)]
    with replacing(record.path / TAGS) as temporary:
        temporary.write_text(json.dumps(found) + "\n", "utf-8")
    return tuple(found)


def _arguments(record: Record) -> dict[str, Any]:
    """The arguments of the call of a run; {} if they are not recorded."""
    found = record.result.get("arguments")
    return found if isinstance(found, dict) else {}


def _course(record: Record) -> str:
    names = [name for name in record.last if name not in ("epoch", "step", "time")]
    lines = [
        [
            f"  {name}",
            *(shown("online_knn" if name == "knn" else name, of.get(name)) for of in (record.start, record.last)),
        ]
        for name in names
    ]
    return aligned(["  figure", "before", "after"], lines)


def _pairs(values: dict[str, Any]) -> str:
    return "\n".join(f"  {name}: {_plain(name, value)}" for name, value in values.items())


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "given"}


def _plain(name: str, value: Any) -> str:
    return "-" if value is None else clean(value)


def _word(value: Any) -> str:
    """An argument as a word of a command line."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
