"""The training loop around Keras' fit: steps, checkpoints, and an end that loses nothing."""

import gc
import math
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from tqdm import tqdm

from sslzoo.files import remove


class Diverged(ValueError):
    """The loss is not finite."""


class Checkpoints(keras.callbacks.Callback):
    """Weights, optimizer and counters of a model on disk, after each epoch; the last two are kept.

    Args:
        model: built and compiled.
        folder: of the checkpoints.
    """

    def __init__(self, model: keras.Model, folder: Path):
        super().__init__()
        self.iterations = model.optimizer.iterations
        self.manager = tf.train.CheckpointManager(tf.train.Checkpoint(model=model), str(folder), max_to_keep=2)

    def restore(self) -> int:
        """Loads the newest checkpoint, if there is one; returns the number of steps done."""
        if self.manager.latest_checkpoint:
            self.manager.checkpoint.restore(self.manager.latest_checkpoint).assert_existing_objects_matched()
        return int(self.iterations)

    def save(self) -> int:
        """Writes a checkpoint and returns its step; OSError where it cannot, with nothing of it left."""
        step = int(self.iterations)
        try:
            self.manager.save(checkpoint_number=step)
        except tf.errors.OpError as error:
            for half in Path(self.manager.directory).glob(f"*-{step}*"):
                remove(half)
            reason = error.message.split(";")[-1].split(" [Op:")[0].strip()
            raise OSError(
                f"no checkpoint of step {step} in {self.manager.directory}: {reason}; the ones before are kept: "
                "make room, then --resume"
            ) from None
        return step

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.save()


class NaNGuard(keras.callbacks.Callback):
    """Ends the training at the first step whose loss is not finite; checkpoints are older, and so are good."""

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if not math.isfinite(float(logs["loss"])):
            step = int(self.model.optimizer.iterations)
            raise Diverged(
                f"the loss is {float(logs['loss'])} at step {step}: lower --learning-rate or lengthen --warmup; "
                "the last good checkpoint is kept, --overwrite starts over"
            )


class Interrupts(keras.callbacks.Callback):
    """Turns Ctrl-C into a KeyboardInterrupt between two steps: inside TensorFlow's own code it can be lost.

    A second Ctrl-C acts at once.
    """

    def __enter__(self) -> "Interrupts":
        self.asked = False
        self.before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *error) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self.before)

    def _ask(self, number: int, frame) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, self.before)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.asked and batch + 1 < self.params["steps"]:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.asked:  # at the last step: only now has the epoch left its line in the records
            raise KeyboardInterrupt


class EpochLine(keras.callbacks.Callback):
    """One line an epoch for whoever watches, or reads the log afterwards."""

    SHOWN = {
        "loss": "loss {:.3f}",
        "knn": "k-NN {:.1%}",
        "rank": "rank {:.1f}",
        "contrast_accuracy": "other view found {:.0%}",
        "images_per_second": "{:.0f} images/s",
        "data_wait": "data wait {:.0%}",
    }

    def __init__(self, epochs: int):
        super().__init__()
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        figures = [form.format(logs[name]) for name, form in self.SHOWN.items() if name in logs]
        tqdm.write(f"epoch {epoch + 1}/{self.epochs}  " + "  ".join(figures))


def train(
    model: keras.Model,
    batches: Callable[[int, int], tf.data.Dataset],
    epochs: int,
    steps_per_epoch: int,
    checkpoints: Checkpoints,
    callbacks: list[keras.callbacks.Callback],
    epochs_before: int = 0,
) -> None:
    """Trains from the newest checkpoint to the end of the last epoch.

    Args:
        model: compiled.
        batches: (start, stop) -> the batches of the steps start..stop - 1; a function of the step alone, so that a
            resumed run sees what an uninterrupted one sees.
        callbacks: called before the checkpoint of an epoch is written.
        epochs_before: done by earlier stages of the run; epochs and batches count on from there.

    Raises:
        Diverged: the loss is not finite; names the step.
        KeyboardInterrupt: after saving a checkpoint; its text says where and how to go on.
    """
    callbacks = [NaNGuard(), *callbacks, checkpoints]
    try:
        with Interrupts() as interrupts:
            callbacks.append(interrupts)
            _fit(model, batches, epochs, steps_per_epoch, checkpoints.restore(), callbacks, epochs_before)
            return
    except KeyboardInterrupt:
        pass  # and let go of the frames of the training, whose data threads would outlive it
    gc.collect()
    step = checkpoints.save()
    raise KeyboardInterrupt(f"interrupted at step {step}, which is saved: --resume goes on from there")


def _fit(
    model: keras.Model,
    batches: Callable,
    epochs: int,
    steps_per_epoch: int,
    step: int,
    callbacks: list,
    epochs_before: int,
) -> None:
    steps_before = epochs_before * steps_per_epoch
    while step < epochs * steps_per_epoch:
        epoch, done = divmod(step, steps_per_epoch)
        # A run that was stopped in mid-epoch first finishes that epoch: Keras has one length for all of a fit.
        last = epoch + 1 if done else epochs
        model.fit(
            batches(steps_before + step, steps_before + last * steps_per_epoch),
            initial_epoch=epochs_before + epoch,
            epochs=epochs_before + last,
            steps_per_epoch=steps_per_epoch - done,
            callbacks=callbacks,
            verbose=0,
            shuffle=False,
        )
        step = last * steps_per_epoch
