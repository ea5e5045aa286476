"""Where the figures of a run go: metrics.jsonl, TensorBoard and, where it is asked for, MLflow."""

import importlib
import json
import logging
import math
import os
import re
from pathlib import Path

import keras
import tensorflow as tf

from sslzoo.utils.files import replacing


class Recorder(keras.callbacks.Callback):
    """Keeps the figures of each epoch.

    Args:
        steps_before: steps of earlier stages of the run.
    """

    def __init__(self, steps_before: int = 0):
        super().__init__()
        self.steps_before = steps_before

    def record(self, epoch: int, step: int, figures: dict[str, float]) -> None:
        """Keeps the figures after an epoch, counted from 1; epoch 0 is the start, before the first step."""
        raise NotImplementedError

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.record(epoch + 1, self.steps_before + self.model.steps_done, logs)


class JsonLines(Recorder):
    """One line for each epoch in a JSON Lines file: epoch, step and all figures.

    Lines of epochs that a resumed run does again are dropped first.

    Args:
        path: of the file.
        steps_before: steps of earlier stages of the run.
    """

    def __init__(self, path: Path, steps_before: int = 0):
        super().__init__(steps_before)
        self.path = Path(path)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._drop_from(epoch + 1)

    def record(self, epoch: int, step: int, figures: dict[str, float]) -> None:
        if epoch == 0:
            self._drop_from(0)
        line = {"epoch": epoch, "step": step, **{name: _plain(value) for name, value in figures.items()}}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _drop_from(self, epoch: int) -> None:
        lines = self.path.read_text("utf-8").splitlines() if self.path.exists() else []
        kept = [line for line in lines if _epoch_of(line) < epoch]
        if len(kept) < len(lines):
            with replacing(self.path) as beside:
                beside.write_text("".join(line + "\n" for line in kept), "utf-8")


def _epoch_of(line: str) -> float:
    """The epoch of a line; infinity for half a line, which a full disk or a power cut leaves."""
    try:
        return json.loads(line)["epoch"]
    except ValueError:
        return math.inf


class TensorBoard(Recorder):
    """Scalars of each epoch, and the contact sheet of the views once.

    Args:
        folder: of the event files.
        sheet: a PNG, if there is one.
        steps_before: steps of earlier stages of the run.
    """

    def __init__(self, folder: Path, sheet: Path | None = None, steps_before: int = 0):
        super().__init__(steps_before)
        self.writer = tf.summary.create_file_writer(str(folder))
        if sheet and sheet.exists():
            with self.writer.as_default(0):
                tf.summary.image("views", tf.io.decode_png(sheet.read_bytes(), channels=3)[None])

    def record(self, epoch: int, step: int, figures: dict[str, float]) -> None:
        with self.writer.as_default(step):
            for name, value in figures.items():
                tf.summary.scalar(name, value)
        self.writer.flush()


class MLflow(Recorder):
    """Mirrors a run folder in MLflow: parameters, the figures of each epoch, files and exported encoder at the end.

    A context manager around all that belongs to the run, and a callback of the training in it. Within another run, such
    as a sweep's, it is nested under that one. A resumed run folder goes on with the run that it began. The store is
    MLFLOW_TRACKING_URI, or else sqlite:///mlflow.db; the experiment is MLflow's own choice (MLFLOW_EXPERIMENT_NAME).

    Args:
        folder: of the run; its pictures, tables, settings and metrics become artefacts, whatever way the run ends.
        name: of the run.
        parameters: name -> value, flat.
        exported: where the run exports its encoder, an artefact too if the run succeeds.

    Raises:
        ValueError: MLflow is not installed, or its store is of no use; one line.
    """

    ARTEFACTS = {".png", ".json", ".jsonl", ".csv", ".md"}

    def __init__(self, folder: Path, name: str, parameters: dict, exported: Path | None = None):
        super().__init__()
        self.mlflow = _mlflow()
        self.folder, self.name, self.parameters, self.exported = Path(folder), name, parameters, exported
        self.note = self.folder / "mlflow.json"

    def __enter__(self) -> "MLflow":
        parent = self.mlflow.active_run()
        try:
            self._start(parent.info.run_name if parent else None)
        except self.mlflow.MlflowException as error:
            if self.mlflow.active_run() is not parent:
                self.mlflow.end_run("FAILED")
            line = str(error).split("\n")[0]
            raise ValueError(f"MLflow cannot use {self.mlflow.get_tracking_uri()}: {line}") from None
        return self

    def _start(self, parent: str | None) -> None:
        begun = self._begun()  # and keeps its name
        run = self.mlflow.start_run(begun, run_name=None if begun else self.name, nested=True)
        with replacing(self.note) as beside:
            beside.write_text(json.dumps({"store": self.mlflow.get_tracking_uri(), "run": run.info.run_id}), "utf-8")
        if "error" in run.data.tags:
            self.mlflow.delete_tag("error")
        self.mlflow.set_tags({"folder": str(self.folder)} | ({"parent": parent} if parent else {}))
        told = {_allowed(name): str(value)[:6000] for name, value in self.parameters.items()}
        self.mlflow.log_params({name: text for name, text in told.items() if not _settled(name, run.data.params)})

    def _begun(self) -> str | None:
        """Id of the run that the folder began in this store, if it is still there."""
        note = json.loads(self.note.read_text("utf-8")) if self.note.exists() else {}
        if note.get("store") != self.mlflow.get_tracking_uri():
            return None
        found = self.mlflow.search_runs(
            filter_string=f"attributes.run_id = '{note['run']}'", search_all_experiments=True, output_format="list"
        )
        return note["run"] if found else None

    def record(self, epoch: int, step: int, figures: dict[str, float]) -> None:
        self.log(figures, step=epoch)

    def log(self, figures: dict[str, float | None], step: int | None = None) -> None:
        """Metrics of the run; those that are None or not finite are left out."""
        finite = {_allowed(n): float(v) for n, v in figures.items() if v is not None and math.isfinite(v)}
        self.mlflow.log_metrics(finite, step=step)

    def __exit__(self, kind: type | None, error: BaseException | None, _) -> None:
        status = "FINISHED" if kind is None else "KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED"
        try:
            if error:
                self.mlflow.set_tag("error", f"{kind.__name__}: {error}"[:5000])
            for file in sorted(self.folder.iterdir()):
                if file.suffix in self.ARTEFACTS:
                    self.mlflow.log_artifact(str(file))
            if self.exported and self.exported.exists() and not error:
                self.mlflow.log_artifacts(str(self.exported), "encoder")
        finally:
            self.mlflow.end_run(status)


def _mlflow():
    """The module, with a store; it does not call home unless MLFLOW_DISABLE_TELEMETRY=false says so."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        mlflow = importlib.import_module("mlflow")
    except ModuleNotFoundError:
        raise ValueError("MLflow is not installed: pip install -e '.[mlflow]'") from None
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # it tells of every table that it makes
    if not mlflow.is_tracking_uri_set():
        mlflow.set_tracking_uri("sqlite:///mlflow.db")
    return mlflow


def _settled(name: str, before: dict[str, str]) -> bool:
    """Whether a parameter of a resumed run may be another than before, which MLflow does not take.

    "given" may: its values are compared by themselves. Version 0.1 logged None for the preset of the method.
    """
    return name == "given" and name in before or name == "preset" and before.get(name) == "None"


def _allowed(name: str) -> str:
    """A name without what MLflow does not take in names."""
    return re.sub(r"\s+", " ", re.sub(r"[^\w\-. /]", " ", name.replace("%", "percent"))).strip()


def _plain(value) -> float | None:
    """JSON has no NaN."""
    return float(value) if math.isfinite(value) else None
