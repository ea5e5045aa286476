"""The HPARAMS tab of TensorBoard: the settings of a run and its final figures."""

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api

SUFFIX = ".hparams"


def write(folder: Path, settings: dict[str, Any], figures: dict[str, float] | None = None, step: int = 0) -> None:
    """Writes an event file with the settings as hyperparameters; it replaces an earlier one.

    Args:
        folder: of the event files of the run, whose scalars are metrics in the table.
        settings: name -> value; those that are no text, number or bool are written as text.
        figures: final scores, by name; they form the group "scores".
        step: at which the figures were measured.
    """
    for earlier in folder.glob(f"*{SUFFIX}"):
        earlier.unlink()
    plain = {name: v if isinstance(v, str | int | float) else str(v) for name, v in settings.items()}
    writer = tf.summary.create_file_writer(str(folder), filename_suffix=SUFFIX)
    with writer.as_default(step):
        api.hparams(plain)
        for name, value in (figures or {}).items():
            tf.summary.scalar(f"scores/{name}", value)
    writer.close()
