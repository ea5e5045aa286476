"""Recorders of the figures of a run: metrics.jsonl, TensorBoard and, optionally, MLflow."""

import json
import math
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path

import keras
import tensorflow as tf

from sslzoo.training import mlflow_store
from sslzoo.utils.files import replacing
from sslzoo.utils.log import log
from sslzoo.views.sheet import picture_sheet

# Groups of figures in TensorBoard, which sorts them by name: what is learned comes first, then features, then speed.
GROUPS = {
    "loss": "learning/loss",
    "knn": "learning/knn",
    "probe_knn": "learning/probe_knn",
    "probe_linear": "learning/probe_linear",
    "learning_rate": "learning/rate",
    "step_loss": "learning/step_loss",
    "loss_excess": "learning/loss_excess",
    "images_per_second": "speed/images_per_second",
    "data_wait": "speed/data_wait",
}


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

    def rate(self) -> dict[str, float]:
        """The learning rate of the next step as a figure; {} before the training or without an optimizer."""
        optimizer = getattr(self.model, "optimizer", None)
        return {"learning_rate": float(optimizer.learning_rate)} if optimizer else {}


class JsonLines(Recorder):
    """One line for each epoch in a JSON Lines file: epoch, step, time (seconds since 1970) and all figures.

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
        line = {"epoch": epoch, "step": step, "time": round(time.time(), 3)}
        line |= {name: _plain(value) for name, value in (self.rate() | figures).items()}
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
    """Scalars of each epoch in groups, the loss of each step, and the contact sheet of the views once.

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
            for name, value in (self.rate() | figures).items():
                tf.summary.scalar(GROUPS.get(name, f"representation/{name}"), value)
        self.writer.flush()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        with self.writer.as_default(self.steps_before + self.model.steps_done):
            for name, value in {"step_loss": float(logs["loss"]), **self.rate()}.items():
                tf.summary.scalar(GROUPS[name], value)


class Pictures(Recorder):
    """Pictures of a few images after each epoch: a PNG, replaced each time, and pictures in TensorBoard.

    Args:
        draw: function without arguments: title -> images (n, height, width, channels) in [0, 1]; {} for no picture.
        path: path of the PNG; its name without suffix is the tag in TensorBoard.
        folder: folder of the event files.
        steps_before: number of steps of earlier stages of the run.
    """

    def __init__(self, draw: Callable[[], dict], path: Path, folder: Path, steps_before: int = 0):
        super().__init__(steps_before)
        self.draw, self.path = draw, Path(path)
        self.writer = tf.summary.create_file_writer(str(folder))

    def record(self, epoch: int, step: int, figures: dict[str, float]) -> None:
        columns = self.draw()
        if not columns:
            return
        picture_sheet({title: keras.ops.convert_to_numpy(images) for title, images in columns.items()}, self.path)
        with self.writer.as_default(step):
            tf.summary.image(self.path.stem, tf.io.decode_png(self.path.read_bytes(), channels=3)[None])
        self.writer.flush()


class MLflow(Recorder):
    """Mirrors a run folder in MLflow: parameters, data set, figures of each epoch, files and encoder at the end.

    A context manager around all that belongs to the run, and a callback of the training in it. Within another run, such
    as a sweep's, it is nested under that one. A resumed run folder continues the run that it began. The store is
    MLFLOW_TRACKING_URI, or else sqlite:///mlflow.db; the experiment is MLFLOW_EXPERIMENT_NAME, or else "sslzoo". If the
    store fails after the start, a warning is logged and the run continues without it.

    Args:
        folder: of the run; its pictures, tables, settings and metrics become artefacts, however the run ends.
        name: of the run.
        parameters: name -> value, flat.
        exported: where the run exports its encoder, an artefact and a model if the run succeeds.
        data: name and fingerprint of the training data, if known.
        free: parameters that may differ from those of a run that is continued; None for all.

    Raises:
        ValueError: MLflow is not installed, its server does not answer, or its store cannot be used; one line.
    """

    ARTEFACTS = {".png", ".json", ".jsonl", ".csv", ".md"}

    def __init__(
        self,
        folder: Path,
        name: str,
        parameters: dict,
        exported: Path | None = None,
        data: tuple[str, str] | None = None,
        free: Collection[str] | None = (),
    ):
        super().__init__()
        self.mlflow = mlflow_store.connect()
        self.folder, self.name, self.exported = Path(folder), name, exported
        self.parameters = {_allowed(name): str(value)[:6000] for name, value in parameters.items()}
        self.data, self.free, self.lost = data, free, False
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
        begun = self._begun()  # and keeps its name and experiment
        changed = self._changed(begun.data.params) if begun else {}
        run = self.mlflow.start_run(
            begun.info.run_id if begun else None,
            experiment_id=None if begun else mlflow_store.experiment(self.mlflow),
            run_name=None if begun else self.name,
            nested=True,
        )
        with replacing(self.note) as beside:
            beside.write_text(json.dumps({"store": self.mlflow.get_tracking_uri(), "run": run.info.run_id}), "utf-8")
        if "error" in run.data.tags:
            self.mlflow.delete_tag("error")
        self.tag({"folder": str(self.folder)} | ({"parent": parent} if parent else {}) | changed)
        self.mlflow.log_params({n: text for n, text in self.parameters.items() if n not in run.data.params})
        if self.data and not begun:
            mlflow_store.log_data(self.mlflow, *self.data)
        log.info(mlflow_store.link(self.mlflow, run))

    def _begun(self):
        """The run that the folder began in this store, if it is still there."""
        note = json.loads(self.note.read_text("utf-8")) if self.note.exists() else {}
        if note.get("store") != self.mlflow.get_tracking_uri():
            return None
        found = self.mlflow.search_runs(
            filter_string=f"attributes.run_id = '{note['run']}'", search_all_experiments=True, output_format="list"
        )
        return found[0] if found else None

    def _changed(self, before: dict[str, str]) -> dict[str, str]:
        """Tags for parameters that differ from before, which MLflow does not change.

        Raises:
            ValueError: one of them may not differ.
        """
        changed = [n for n, text in self.parameters.items() if before.get(n, text) != text and not _settled(n, before)]
        lines = [f"{n} was {before[n]!r}, is {self.parameters[n]!r}" for n in changed if n not in (self.free or ())]
        if lines and self.free is not None:
            raise ValueError(f"MLflow cannot change parameters of a run: {'; '.join(lines)}; give another name=...")
        return {f"changed.{name}": f"{self.parameters[name]} (was {before[name]})"[:5000] for name in changed}

    def record(self, epoch: int, step: int, figures: dict[str, float]) -> None:
        self.log(self.rate() | figures, step=epoch)

    def log(self, figures: dict[str, float | None], step: int | None = None) -> None:
        """Logs metrics of the run; those that are None or not finite are left out."""
        finite = {_allowed(n): float(v) for n, v in figures.items() if v is not None and math.isfinite(v)}
        self._send(self.mlflow.log_metrics, finite, step=step)

    def tag(self, tags: dict[str, object]) -> None:
        """Sets tags of the run, such as its verdict; those without a value are left out."""
        self._send(self.mlflow.set_tags, {name: str(value)[:5000] for name, value in tags.items() if value})

    def _send(self, function: Callable, *args, **kwargs) -> None:
        """Calls MLflow; the first failure is a warning and the last call."""
        if self.lost:
            return
        try:
            function(*args, **kwargs)
        except (self.mlflow.MlflowException, OSError) as error:
            self.lost, line = True, str(error).split("\n")[0][:300]
            log.warning(f"MLflow fails, the run continues without it; its files are in {self.folder} ({line})")

    def __exit__(self, kind: type | None, error: BaseException | None, _) -> None:
        status = "FINISHED" if kind is None else "KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED"
        if error:
            self.tag({"error": f"{kind.__name__}: {error}"})
        for file in sorted(self.folder.iterdir()):
            if file.suffix in self.ARTEFACTS:
                self._send(self.mlflow.log_artifact, str(file))
        if self.exported and self.exported.exists() and not error:
            self._send(self.mlflow.log_artifacts, str(self.exported), "encoder")
            self._send(mlflow_store.log_model, self.mlflow, self.exported)
        self._end(status)

    def _end(self, status: str) -> None:
        try:
            self.mlflow.end_run(status)
        except (self.mlflow.MlflowException, OSError) as error:
            log.debug("MLflow run was not ended: %s", error)


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
