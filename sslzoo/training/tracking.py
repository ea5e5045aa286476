"""Recorders of the figures of a run: metrics.jsonl, TensorBoard and, optionally, MLflow."""

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
    """Records the figures of each epoch.

    Args:
        steps_before: number of steps of earlier stages of the run.
    """

    def __init__(self, steps_before: int = 0):
        super().__init__()
        self.steps_before = steps_before

    def record(self, epoch: int, step: int, figures: dict[str, float]) -> None:
        """Records the figures after an epoch, counted from 1; epoch 0 is before the first step."""
        raise NotImplementedError

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.record(epoch + 1, self.steps_before + self.model.steps_done, logs)


class JsonLines(Recorder):
    """Writes one line for each epoch to a JSON Lines file: epoch, step and all figures.

    Lines of epochs that a resumed run repeats are removed first.

    Args:
        path: path of the file.
        steps_before: number of steps of earlier stages of the run.
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
            with replacing(self.path) as temporary:
                temporary.write_text("".join(line + "\n" for line in kept), "utf-8")


def _epoch_of(line: str) -> float:
    """Returns the epoch of a line; infinity for an incomplete line, as after a full disk or a power cut."""
    try:
        return json.loads(line)["epoch"]
    except ValueError:
        return math.inf


class TensorBoard(Recorder):
    """Writes the scalars of each epoch, and the contact sheet of the views once.

    Args:
        folder: folder of the event files.
        sheet: path of the contact sheet, a PNG; it may be missing.
        steps_before: number of steps of earlier stages of the run.
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
    """Logs a run folder to MLflow: parameters, the figures of each epoch, and finally files and the exported encoder.

    It is a context manager around the run and a callback of its training. Inside another run, such as that of a sweep,
    it is nested under that run. A resumed run folder continues its MLflow run. The store is MLFLOW_TRACKING_URI or
    sqlite:///mlflow.db; the experiment is set by MLFLOW_EXPERIMENT_NAME.

    Args:
        folder: folder of the run; its pictures, tables, settings and metrics become artefacts, even if the run fails.
        name: name of the run.
        parameters: name -> value, flat.
        exported: folder of the exported encoder, which becomes an artefact if the run succeeds.

    Raises:
        ValueError: if MLflow is not installed, or its store cannot be used; the text is one line.
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
        begun = self._begun()  # a resumed run, which keeps its name
        run = self.mlflow.start_run(begun, run_name=None if begun else self.name, nested=True)
        with replacing(self.note) as temporary:
            temporary.write_text(json.dumps({"store": self.mlflow.get_tracking_uri(), "run": run.info.run_id}), "utf-8")
        if "error" in run.data.tags:
            self.mlflow.delete_tag("error")
        self.mlflow.set_tags({"folder": str(self.folder)} | ({"parent": parent} if parent else {}))
        texts = {_allowed(name): str(value)[:6000] for name, value in self.parameters.items()}
        self.mlflow.log_params({name: text for name, text in texts.items() if not _settled(name, run.data.params)})

    def _begun(self) -> str | None:
        """Returns the id of the MLflow run of this folder if the store still has it, else None."""
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
        """Logs metrics of the run; values that are None or not finite are omitted."""
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
    """Imports MLflow with a store set, and without telemetry unless MLFLOW_DISABLE_TELEMETRY=false."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        mlflow = importlib.import_module("mlflow")
    except ModuleNotFoundError:
        raise ValueError("MLflow is not installed: pip install -e '.[mlflow]'") from None
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # it logs every table that it creates
    if not mlflow.is_tracking_uri_set():
        mlflow.set_tracking_uri("sqlite:///mlflow.db")
    return mlflow


def _settled(name: str, before: dict[str, str]) -> bool:
    """Returns whether a parameter of a resumed run may differ from its logged value and is not logged again.

    This holds for "given", whose values are compared separately, and for the preset, for which version 0.1 logged None.
    """
    return name == "given" and name in before or name == "preset" and before.get(name) == "None"


def _allowed(name: str) -> str:
    """Replaces the characters of a name that MLflow does not allow."""
    return re.sub(r"\s+", " ", re.sub(r"[^\w\-. /]", " ", name.replace("%", "percent"))).strip()


def _plain(value) -> float | None:
    """Converts a value to float, and NaN and infinity to None, since JSON has neither."""
    return float(value) if math.isfinite(value) else None
