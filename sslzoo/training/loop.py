"""The training loop around `fit` of Keras: steps, checkpoints, interrupts and errors."""

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
    """Ends the training at the first step whose loss is not finite, so that no checkpoint has such weights."""

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if not math.isfinite(float(logs["loss"])):
            step = self.model.steps_done
            line = f"the loss is {float(logs['loss'])} at step {step}: lower learning_rate or lengthen the warm-up; "
            raise Diverged(line + "the last good checkpoint is kept, overwrite=True starts over", step)


class Interrupts(keras.callbacks.Callback):
    """Converts Ctrl-C and SIGTERM to a KeyboardInterrupt between two steps.

    TensorFlow can lose a KeyboardInterrupt inside a step. A second signal acts at once.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __enter__(self) -> "Interrupts":
        self.asked = 0  # the number of the signal, 0 for none
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
        if self.asked:  # at the last step: the line of the epoch is recorded before the interrupt
            raise KeyboardInterrupt


class EpochLine(Recorder):
    """Logs one line for each epoch.

    Args:
        epochs: number of all epochs.
        noun: of the examples, such as "series".
    """

    SHOWN = {
        "loss": "loss {:.3f}",
        "knn": "k-NN {:.1%}",
        "probe_knn": "probe k-NN {:.1%}",
        "probe_linear": "probe linear {:.1%}",
        "rank": "rank {:.0f}",
        "contrast_accuracy": "other view found {:.0%}",
        "images_per_second": "{:.0f} {noun}/s",
        "data_wait": "data wait {:.0%}",
    }

    def __init__(self, epochs: int, noun: str = "images"):
        super().__init__()
        self.epochs, self.noun = epochs, noun

    def record(self, epoch: int, step: int, figures: dict[str, float]) -> None:
        shown = [form.format(figures[name], noun=self.noun) for name, form in self.SHOWN.items() if name in figures]
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
        model: a compiled method.
        batches: function `(start, stop)` that returns the batches of the steps start..stop - 1. They must depend on the
            step only, so that a resumed run has the batches of an uninterrupted run. With several workers, the keyword
            share=(number, count) selects the rows of a worker.
        epochs: number of epochs.
        steps_per_epoch: number of steps of an epoch.
        checkpoints: the checkpoints to restore and write.
        callbacks: callbacks that are called before the checkpoint of an epoch is written.
        epochs_before: number of epochs of earlier stages of the run; epochs and batches are counted from there.

    Raises:
        ConnectionError: if another worker ended or does not respond.
        Diverged: if the loss is not finite; the text has the step and the first tensor that is not finite.
        KeyboardInterrupt: after a signal, once a checkpoint is saved; the text has the step and how to continue.
    """
    callbacks = [NaNGuard(), *callbacks, checkpoints]
    try:
        with Interrupts() as interrupts:
            callbacks.append(interrupts)
            step = checkpoints.restore()
            if model.prepares and step == 0:
                first = epochs_before * steps_per_epoch
                _prepare(model, functools.partial(batches, first, first + steps_per_epoch))
            _fit(model, batches, epochs, steps_per_epoch, step, callbacks, epochs_before)
            return
    except KeyboardInterrupt:
        pass  # leaving the handler releases the frames of the training, which hold data threads
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


def _prepare(model: keras.Model, batches: Callable) -> None:
    """Calls `prepare` of the method, on every replica, with the batches of the first epoch."""
    strategy = model.distribute_strategy
    data = replicas.distribute(strategy, batches)
    if replicas.workers(strategy) == 1:
        data = strategy.experimental_distribute_dataset(data)
    augment = model.augment or (lambda batch: batch)
    run = tf.function(lambda batch: strategy.run(lambda part: model.prepare(augment(part)), (batch,)))
    for batch in data:
        run(batch)


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
        # A resumed run first finishes its epoch in a separate fit, since all epochs of a fit have the same length.
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
