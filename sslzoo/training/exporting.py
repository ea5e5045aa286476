"""The encoder of a run folder, exported."""

from pathlib import Path

from sslzoo.catalog.runs import details
from sslzoo.catalog.runs.record import CHECKPOINTS, FINISHED, Record
from sslzoo.catalog.runs.search import named
from sslzoo.exports.formats import export
from sslzoo.training.checkpoints import saved
from sslzoo.training.pretraining import pretrain

EXPORTS = "exported_models"


def export_run(
    run: str,
    format: tuple[str, ...] = ("savedmodel",),
    out: str | None = None,
    data: str | None = None,
    runs: str = "runs",
) -> dict[str, float | str]:
    """Writes the encoder of a run in formats, and compares each with it.

    Args:
        run: a name in the list of runs, or the path of a run folder.
        format: any of savedmodel, keras, onnx, litert, safetensors, parted by commas.
        out: a new folder, for a whole export with these formats; the folder of the run's export if None.
        data: compare on its first examples; see `sslzoo export --help`.
        runs: folder of the run folders.

    Returns:
        Route -> largest absolute difference to the encoder, or why there is none.

    Raises:
        ValueError: there is no such run, or it has neither an export nor what is needed to write one; one line.
    """
    record = named(run, runs)
    return export(details.exported(record) or _written(record), format, out, data)


def _written(record: Record) -> Path:
    """Exports the encoder of the last checkpoint of a finished run, by a training that is resumed at its end."""
    arguments, stated = record.result.get("arguments"), f"run {record.name} has no export"
    if record.state != FINISHED:
        raise ValueError(f"{stated} and is {record.state}: `{details.resume(record)}` finishes and exports it")
    if not isinstance(arguments, dict) or record.result.get("objects"):
        raise ValueError(f"{stated}: repeat its call with resume=True, export_to={EXPORTS!r}")
    steps = [int(path.name.removeprefix("step-")) for path in saved(record.path / CHECKPOINTS)]
    if not steps or steps[-1] != record.last.get("step"):
        raise ValueError(f"{stated} and no checkpoint of its last step in {record.path / CHECKPOINTS}: train it again")
    exports = arguments.get("export_to") or EXPORTS
    places = dict(runs=str(record.path.parent), name=record.path.name, export_to=exports)
    return pretrain(**arguments | places | dict(resume=True, evaluate=False)).exported
