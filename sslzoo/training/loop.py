"""The training loop around Keras' fit: steps, checkpoints, and an end that loses nothing."""

import functools
import gc
import math
import signal
import threading
from collections.abc import Callable

import keras
import tensorflow as tf

from sslzoo.training.checkpoints import Checkpoints
from sslzoo.training.diagnosis import diagnose
from sslzoo.training.tracking import Recorder
from sslzoo.utils import replicas
from sslzoo.utils.log import log


class Diverged(ValueError):
    """The loss is not finite, after `step` steps."""

    def __init__(self, line: str, step: int):
        super().__init__(line)
        self.step = step


class NaNGuard(keras.callbacks.Callback):
    """Ends the training at the first step whose loss is not finite; checkpoints are older, and so are good."""

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if not math.isfinite(float(logs["loss"])):
            step = self.model.steps_done
            line = f"the loss is {float(logs['loss'])} at step {step}: lower learning_rate or lengthen the warm-up; "
            raise Diverged(line + "the last good checkpoint is kept, overwrite=True starts over", step)


class Interrupts(keras.callbacks.Callback):
    """Turns Ctrl-C and SIGTERM into a KeyboardInterrupt between two steps: inside TensorFlow they can be lost.

    A second one acts at once.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __enter__(self) -> "Interrupts":
        self.asked = 0  # the signal's number
        self.before = {number: signal.getsignal(number) for number in self.SIGNALS}
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                signal.signal(number, self._ask)
        return self

    def __exit__(self, *error) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, handler in self.before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, frame) -> None:
        self.asked = number
        signal.signal(number, self.before[number])

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.asked and batch + 1 < self.params["steps"]:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.asked:  # at the last step: only now has the epoch left its line in the records
            raise KeyboardInterrupt


class EpochLine(Recorder):
    """Logs one line for each epoch."""

    SHOWN = {
        "loss": "loss {:.3f}",
        "knn": "k-NN {:.1%}",
        "rank": "rank {:.0f}",
        "contrast_accuracy": "other view found {:.0%}",
        "images_per_second": "{:.0f} images/s",
        "data_wait": "data wait {:.0%}",
    }

    def __init__(self, epochs: int):
        super().__init__()
        self.epochs = epochs

    def record(self, epoch: int, step: int, figures: dict[str, float]) -> None:
        shown = [form.format(figures[name]) for name, form in self.SHOWN.items() if name in figures]
        log.info(f"epoch {epoch}/{self.epochs}  " + "  ".join(shown))


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
            resumed run sees what an uninterrupted one sees. Several workers ask with share=(number, of) for theirs.
        callbacks: called before the checkpoint of an epoch is written.
        epochs_before: done by earlier stages of the run; epochs and batches count on from there.

    Raises:
        ConnectionError: another worker ended or does not answer.
        Diverged: the loss is not finite; names the step and what was the first not to be finite.
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
    except tf.errors.OpError as error:
        if "Collective ops is aborted" not in error.message:
            raise
        line = f"another worker is gone, at step {model.steps_done}: start all of them again with resume=True"
        raise ConnectionError(line) from None
    except Diverged as error:
        steps_before = epochs_before * steps_per_epoch

        def of_stage(start: int, stop: int, **share) -> tf.data.Dataset:
            return batches(steps_before + start, steps_before + stop, **share)

        where = diagnose(model, of_stage, checkpoints, error.step)
        raise Diverged(f"{error}; {where}", error.step) from None
    gc.collect()
    step = checkpoints.save()
    stopped = KeyboardInterrupt(f"interrupted at step {step}, which is saved: resume=True continues from there")
    stopped.status = 128 + (interrupts.asked or signal.SIGINT)
    raise stopped


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
        onward = functools.partial(batches, steps_before + step, steps_before + last * steps_per_epoch)
        model.fit(
            replicas.distribute(model.distribute_strategy, onward),
            initial_epoch=epochs_before + epoch,
            epochs=epochs_before + last,
            steps_per_epoch=steps_per_epoch - done,
            callbacks=callbacks,
            verbose=0,
            shuffle=False,
        )
        step = last * steps_per_epoch
