"""Callbacks that watch a training without touching it: health of the embeddings, online k-NN, throughput."""

import math
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from tqdm import tqdm

from sslzoo import losses
from sslzoo.evaluators.spectrum import effective_rank


def spread(z: np.ndarray) -> float:
    """Standard deviation of normalized embeddings (n, dim), mean over dimensions, times sqrt(dim): 1 even, 0 collapsed.

    The collapse indicator of SimSiam (arXiv 2011.10566, section 4.1).
    """
    return float(np.mean(np.std(_unit(z), axis=0)) * math.sqrt(z.shape[1]))


def agreement(z_a: np.ndarray, z_b: np.ndarray, temperature: float) -> tuple[float, float]:
    """How well row i of z_a (n, dim) finds row i among all rows of z_b: share of hits, softmax entropy in nats.

    As SimCLR logs them: over the n logits across the views. The entropy starts near log n and falls.
    """
    logits = _unit(z_a) @ _unit(z_b).T / temperature
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return float(np.mean(logits.argmax(1) == np.arange(len(z_a)))), float(-np.mean(np.sum(p * np.log(p + 1e-8), 1)))


def health(z_a: np.ndarray, z_b: np.ndarray, temperature: float) -> dict[str, float]:
    """Every label-free figure of two views' embeddings, each (n, dim): design of `Health`, usable alone."""
    accuracy, entropy = agreement(z_a, z_b, temperature)
    excess = float(losses.nt_xent(z_a, z_b, temperature)) - losses.nt_xent_baseline(*z_a.shape, temperature)
    return {
        "spread": spread(z_a),
        "rank": effective_rank(z_a),
        "alignment": float(losses.align(z_a, z_b)),
        "uniformity": float(losses.uniformity(z_a)),
        "contrast_accuracy": accuracy,
        "contrast_entropy": entropy,
        "nt_xent_excess": excess,
    }


def verdict(figures: dict[str, float], count: int, dim: int) -> str:
    """The figures of `health` over `count` images in words: diverged, collapsing, not learning yet, or learning."""
    rank, hits = figures["rank"], figures["contrast_accuracy"]
    if not all(map(math.isfinite, figures.values())):
        return "diverged: embeddings are not finite; lower the learning rate"
    if figures["spread"] < 0.1 and hits < 0.5:  # an autoencoder's may be narrow and yet tell images apart
        return (
            f"collapsing: all embeddings point one way (spread {figures['spread']:.2f} of 1); lower the learning rate"
        )
    if rank < max(2.0, 0.03 * min(count, dim)):
        return f"collapsing: rank {rank:.0f} of {min(count, dim)}; lower the learning rate or weaken the views"
    found = f"finds an image's other view among {count} in {hits:.0%} of cases (chance {1 / count:.1%})"
    if hits < 5 / count:
        return f"not learning yet: {found}"
    return f"learning: rank {rank:.0f} of {min(count, dim)}, {found}"


def _unit(z: np.ndarray) -> np.ndarray:
    z = np.asarray(z, "float64")
    return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)


def _in_parts(function: Callable, arrays, rows: int = 256) -> list[np.ndarray]:
    """The outputs of `function(arrays)`, computed some rows at a time: a thousand images at once take gigabytes."""
    parts = map(function, tf.data.Dataset.from_tensor_slices(arrays).batch(rows))
    return [np.concatenate([ops.convert_to_numpy(x) for x in column]) for column in zip(*parts, strict=True)]


class Health(keras.callbacks.Callback):
    """Adds the figures of `health` to each epoch's logs.

    Args:
        batch: fixed `views` of some images, each (n, height, width, channels), and the other columns of a batch.
        model: gives `z_a` and `z_b` for a batch; the contrastive figures take its `temperature`, 0.5 without one.
    """

    def __init__(self, batch: dict, model: keras.Model):
        super().__init__()
        self.batch = batch
        self.temperature = getattr(model, "temperature", 0.5)
        self.outputs = tf.function(lambda batch: [model(batch, training=False)[name] for name in ("z_a", "z_b")])

    def embeddings(self) -> list[np.ndarray]:
        """Of the first two views, each (n, dim), with BatchNorm in inference mode."""
        return _in_parts(self.outputs, self.batch)

    def judge(self) -> str:
        """The verdict in words, now."""
        z_a, z_b = self.embeddings()
        return verdict(health(z_a, z_b, self.temperature), *z_a.shape)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs.update(health(*self.embeddings(), self.temperature))


class Excess(keras.callbacks.Callback):
    """Adds `loss_excess`, the loss minus its value for random embeddings, where the method knows that.

    Losses of other widths, temperatures and batch sizes compare only so.
    """

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        baseline = self.model.baseline(self.batch_size)
        if baseline is not None:
            logs["loss_excess"] = logs["loss"] - baseline


class OnlineKNN(keras.callbacks.Callback):
    """Adds `knn`, the accuracy of nearest neighbours of features, to each epoch's logs.

    Args:
        score: features (n, dim) -> accuracy, such as `evaluators.knn` with the labels bound.
        images: float32 (n, height, width, channels) in [0, 1].
        encoder: images -> features (n, dim).
    """

    def __init__(self, score: Callable[[np.ndarray], float], images: np.ndarray, encoder: keras.Model):
        super().__init__()
        self.score = score
        self.images = images
        self.features = tf.function(lambda images: [encoder(images, training=False)])

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs["knn"] = self.score(*_in_parts(self.features, self.images))


class Throughput(keras.callbacks.Callback):
    """Progress bar with loss, images/s and the share of time spent waiting for data; both also in the logs.

    Args:
        batch_size: images of a global batch.
        total_epochs, steps_per_epoch: for the bar.
    """

    def __init__(self, batch_size: int, total_epochs: int, steps_per_epoch: int):
        super().__init__()
        self.batch_size = batch_size
        self.total_epochs = total_epochs
        self.steps_per_epoch = steps_per_epoch
        self.compiled = False
        self.waited = tf.Variable(0.0, dtype="float64", trainable=False)

    def watch(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """The same batches, with the seconds that the training waits for each added up."""

        def now() -> tf.Tensor:  # not tf.timestamp, which TensorFlow refuses where it has to be deterministic
            return tf.ensure_shape(tf.numpy_function(time.perf_counter, [], tf.float64), ())

        def note(asked, batch):
            self.waited.assign_add(now() - asked)
            return batch

        # zip asks its parts in order: the clock is read when a batch is asked for, `note` runs when it has come.
        clock = tf.data.Dataset.counter().map(lambda _: now())
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False
        return tf.data.Dataset.zip(clock, batches).map(note).with_options(options)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        title = f"epoch {epoch + 1}/{self.total_epochs}"
        self.bar = tqdm(total=self.steps_per_epoch, desc=title, unit="step", leave=False, disable=None)
        self._start()

    def _start(self) -> None:
        self.began, self.steps = time.perf_counter(), 0
        self.waited.assign(0.0)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.steps += 1
        if not self.compiled and self.steps_per_epoch > 1:
            self.compiled = True  # the first step of all was spent on tracing
            self._start()
        rate, wait = self._rates()
        self.bar.set_postfix_str(f"loss {float(logs['loss']):.3f}, {rate:.0f} images/s, data wait {wait:.0%}", False)
        self.bar.update()

    def _rates(self) -> tuple[float, float]:
        seconds = time.perf_counter() - self.began
        return self.steps * self.batch_size / seconds, min(1.0, float(self.waited) / seconds)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs["images_per_second"], logs["data_wait"] = self._rates()
        self.bar.close()
