"""Checkpoints: one folder each, written atomically and verified by checksums before it is restored."""

import json
import time
import zlib
from pathlib import Path

import keras
import tensorflow as tf

from sslzoo.utils.files import remove, replacing
from sslzoo.utils.log import log

SUMS = "sums.json"
MEGABYTE = 1 << 20


class Checkpoints(keras.callbacks.Callback):
    """Saves weights, optimizer and counters of a model after each epoch, and optionally more often.

    Args:
        model: a built and compiled method.
        folder: folder of the checkpoints, which are step-12/ and so on.
        steps: steps between additional checkpoints; none if None.
        minutes: minutes between additional checkpoints; none if None.
        keep: number of newest checkpoints to keep.
        writes: whether this process writes checkpoints; False for workers that only read them.
    """

    def __init__(
        self,
        model: keras.Model,
        folder: Path,
        steps: int | None = None,
        minutes: float | None = None,
        keep: int = 2,
        writes: bool = True,
    ):
        super().__init__()
        self.trained = model
        # A list of variables, since TensorFlow's traversal of a model skips layers in lists, such as SwAV's queues.
        state = [variable.value for variable in (*model.variables, *model.optimizer.variables)]
        self.checkpoint = tf.train.Checkpoint(state=state)
        self.folder, self.steps, self.minutes, self.keep = Path(folder), steps, minutes, keep
        self.writes = writes
        self.saved_at = time.monotonic()

    def restore(self) -> int:
        """Loads the newest undamaged checkpoint, if there is one, and returns the number of steps done."""
        for path in reversed(saved(self.folder)):
            if fault := damage(path):
                log.warning(f"{path} is damaged and skipped, the previous checkpoint is used: {fault}")
                continue
            self.checkpoint.read(str(path / "state")).assert_existing_objects_matched()
            break
        return self.trained.steps_done

    def save(self) -> int:
        """Writes a checkpoint and returns its step.

        Raises:
            OSError: if the checkpoint cannot be written; no part of it is left on disk.
        """
        step = self.trained.steps_done
        if not self.writes:
            return step
        try:
            with replacing(self.folder / f"step-{step}") as temporary:
                temporary.mkdir()
                self.checkpoint.write(str(temporary / "state"))
                (temporary / SUMS).write_text(json.dumps(_sums(temporary)), "utf-8")
        except (OSError, tf.errors.OpError) as error:
            reason = getattr(error, "message", str(error)).split(";")[-1].split(" [Op:")[0].strip()
            raise OSError(
                f"no checkpoint of step {step} in {self.folder}: {reason}; earlier checkpoints are kept: "
                "free disk space, then continue with resume=True"
            ) from None
        for old in saved(self.folder)[: -self.keep]:
            remove(old)
        self.saved_at = time.monotonic()
        return step

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if batch + 1 == self.params["steps"]:
            return  # the checkpoint of the epoch follows, after its line is recorded
        late = self.minutes is not None and time.monotonic() - self.saved_at > 60 * self.minutes
        if late or (self.steps and self.trained.steps_done % self.steps == 0):
            self.save()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.save()


def saved(folder: Path) -> list[Path]:
    """Returns the checkpoints of a folder, in the order of their steps."""
    return sorted(folder.glob("step-*"), key=lambda path: int(path.name.removeprefix("step-")))


def damage(path: Path) -> str:
    """Returns the damage of a checkpoint on disk as text; empty if it is intact."""
    try:
        expected = json.loads((path / SUMS).read_text("utf-8"))
        found = _sums(path)
    except (OSError, ValueError) as error:
        return f"{SUMS} cannot be read ({error})"
    wrong = [name for name in expected if found.get(name) != expected[name]]
    return f"{', '.join(wrong)} missing, cut short or changed" if wrong else ""


def _sums(path: Path) -> dict[str, int]:
    """Returns the CRC-32 of each file of the state."""
    return {file.name: _crc(file) for file in sorted(path.glob("state*"))}


def _crc(file: Path) -> int:
    value = 0
    with open(file, "rb") as stream:
        while block := stream.read(MEGABYTE):
            value = zlib.crc32(block, value)
    return value
