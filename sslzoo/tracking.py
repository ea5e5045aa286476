"""Where the figures of a run go: metrics.jsonl and TensorBoard."""

import json
import math
from pathlib import Path

import keras
import tensorflow as tf

from sslzoo.files import replacing


class JsonLines(keras.callbacks.Callback):
    """One line an epoch in a JSON Lines file: epoch, step and every figure of the logs.

    Lines of epochs that a resumed run does again are dropped first.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.path = Path(path)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        lines = self.path.read_text("utf-8").splitlines() if self.path.exists() else []
        kept = [line for line in lines if json.loads(line)["epoch"] < epoch + 1]
        if len(kept) < len(lines):
            with replacing(self.path) as beside:
                beside.write_text("".join(line + "\n" for line in kept), "utf-8")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        figures = {name: _plain(value) for name, value in logs.items()}
        record = {"epoch": epoch + 1, "step": int(self.model.optimizer.iterations), **figures}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


class TensorBoard(keras.callbacks.Callback):
    """Scalars an epoch, and the contact sheet of the views once.

    Args:
        folder: of the event files.
        sheet: a PNG, if there is one.
    """

    def __init__(self, folder: Path, sheet: Path | None = None):
        super().__init__()
        self.writer = tf.summary.create_file_writer(str(folder))
        if sheet and sheet.exists():
            with self.writer.as_default(0):
                tf.summary.image("views", tf.io.decode_png(sheet.read_bytes(), channels=3)[None])

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        with self.writer.as_default(int(self.model.optimizer.iterations)):
            for name, value in logs.items():
                tf.summary.scalar(name, value)
        self.writer.flush()


def _plain(value) -> float | None:
    """JSON has no NaN."""
    return float(value) if math.isfinite(value) else None
