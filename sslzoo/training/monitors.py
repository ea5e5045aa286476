"""Callbacks that observe a training without changing it: embedding statistics, online k-NN, throughput."""

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from sslzoo import losses
from sslzoo.data import Dataset
from sslzoo.evaluators import unit_length
from sslzoo.evaluators.knn import leave_one_out
from sslzoo.evaluators.spectrum import effective_rank
from sslzoo.layers.norms import Calibration
from sslzoo.training.probing import Probe
from sslzoo.training.tracking import Recorder
from sslzoo.training.verdict import Snapshot, verdict
from sslzoo.utils.bars import bar
from sslzoo.views import inputs

ROWS = 256  # number of images of a forward pass
WATCHED = 30_000_000  # maximum number of values in the images of the online k-NN: 200 images of 224 px


def spread(z: np.ndarray) -> float:
    """Computes the standard deviation of normalized embeddings, averaged over dimensions, times sqrt(dim).

    This is the collapse indicator of SimSiam (arXiv 2011.10566, section 4.1).

    Args:
        z: embeddings (n, dim) of any norm.

    Returns:
        A float: 1 for embeddings spread evenly, 0 for a collapse to one direction.
    """
    return float(np.mean(np.std(_unit(z), axis=0)) * math.sqrt(z.shape[1]))


def agreement(z_a: np.ndarray, z_b: np.ndarray, temperature: float) -> tuple[float, float]:
    """Computes how well row i of z_a retrieves row i among all rows of z_b, as SimCLR logs it.

    Args:
        z_a, z_b: embeddings (n, dim) of any norm.
        temperature: float, divides the cosine similarities.

    Returns:
        The share of hits, and the entropy of the softmax in nats, which is near log(n) at the start and decreases.
    """
    cosines = _cosines(z_a, z_b)
    logits = cosines / temperature
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return float(np.mean(_hits(cosines))), float(-np.mean(np.sum(p * np.log(p + 1e-8), 1)))


def health(z_a: np.ndarray, z_b: np.ndarray, temperature: float) -> dict[str, float]:
    """Computes all figures of the embeddings of two views that require no labels.

    Args:
        z_a, z_b: embeddings (n, dim) of any norm.
        temperature: float, temperature of the contrastive figures.

    Returns:
        Dict from name to float, the figures of `Watch`.
    """
    accuracy, entropy = agreement(z_a, z_b, temperature)
    excess = float(losses.nt_xent(z_a, z_b, temperature=temperature))
    excess -= losses.nt_xent_baseline(*z_a.shape, temperature=temperature)
    return {
        "spread": spread(z_a),
        "rank": effective_rank(z_a),
        "alignment": float(losses.align(z_a, z_b)),
        "uniformity": float(losses.uniformity(z_a)),
        "contrast_accuracy": accuracy,
        "contrast_entropy": entropy,
        "nt_xent_excess": excess,
    }


def _cosines(z_a: np.ndarray, z_b: np.ndarray) -> np.ndarray:
    """Returns the cosine similarities of all rows of z_a (n, dim) and z_b (m, dim), float64 (n, m)."""
    return _unit(z_a) @ _unit(z_b).T


def _hits(cosines: np.ndarray) -> np.ndarray:
    """Returns for each row whether its largest entry is on the diagonal."""
    return cosines.argmax(1) == np.arange(len(cosines))


def _unit(z: np.ndarray) -> np.ndarray:
    return unit_length(np.asarray(z, "float64"))


def _parts(arrays, rows: int, drop_remainder: bool = False) -> list:
    """Splits arrays into batches of at most `rows`, since a thousand images in one pass take gigabytes."""
    return list(tf.data.Dataset.from_tensor_slices(arrays).batch(rows, drop_remainder))


def _outputs(function: Callable, parts: list) -> list[np.ndarray]:
    """Returns the outputs of `function(part)`, each concatenated over the parts."""
    found = map(function, parts)
    return [np.concatenate([ops.convert_to_numpy(x) for x in column]) for column in zip(*found, strict=True)]


class Labelled(NamedTuple):
    """Data of the online k-NN: images float32 (n, height, width, channels) in [0, 1], labels (n,)."""

    images: np.ndarray
    labels: np.ndarray


def labelled(data: Dataset, size: int, values: int) -> Labelled | None:
    """Draws the data of the online k-NN from the training data; None if these have no labels.

    Args:
        data: the training data.
        size: extent of the inputs.
        values: number of values of an input.
    """
    if data.labels is None:
        return None
    known = data.labelled()
    count = min(len(known), 4000, WATCHED // values)
    known = known.take(np.random.default_rng(0).permutation(len(known))[:count])
    return Labelled(np.concatenate(list(inputs.images(known, size))), known.labels)


class Watch(keras.callbacks.Callback):
    """Measures a model before the first step and after each epoch, with BatchNorm statistics of its current weights.

    The figures are those of `health` over fixed views; `knn`, the leave-one-out accuracy of k-NN on features of
    labelled images; `features_found`, how often features find the other mild view of an example among all; and
    `loss_excess`, the loss minus its value for random embeddings, if the method defines it. The figures are added to
    the logs of each epoch. The figures before training are recorded as epoch 0, together with the loss of the first
    batch, which is computed before the weights change. A `probe` adds its figures to those before training and to
    those of the epochs that are due.

    Args:
        model: a method; its `embedded_views` are compared. The contrastive figures use its `temperature`, or 0.5.
        batch: fixed `views` of some images, each (n, height, width, channels), and the other columns of a batch.
        pair: two mild views of some examples, inputs of the encoder, as of `inputs.mild_pairs`.
        batch_size: int, number of examples of a training step.
        labelled: data of the online k-NN, or None.
        recorders: recorders of the figures before training, by `record(epoch, step, figures)`.
        baseline: str, what the verdict calls the encoder before the first step.
        probe: online k-NN and linear probe on other labelled data, or None.
        network: the network whose features are measured, which shares weights with the model; None takes what the model
            exports.
    """

    def __init__(
        self,
        model: keras.Model,
        batch: dict,
        pair: Sequence[np.ndarray],
        batch_size: int,
        labelled: Labelled | None = None,
        recorders: Sequence[Recorder] = (),
        baseline: str = "the untrained encoder",
        probe: Probe | None = None,
        network: keras.Model | None = None,
    ):
        super().__init__()
        self.watched, self.batch_size, self.labelled, self.recorders = model, batch_size, labelled, recorders
        self.baseline, self.probe, self.probed = baseline, probe, {}
        self.views, self.images = _parts(batch, ROWS), _parts(labelled.images, ROWS) if labelled else []
        self.pair = [_parts(view, ROWS) for view in pair]
        self.like_training = _parts(batch, min(batch_size, len(batch["index"])), drop_remainder=True)
        self.temperature = getattr(model, "temperature", 0.5)
        self.calibration = Calibration(model)
        self.outputs = tf.function(model.embedded_views)
        network = network or model.of_images(model.exported())
        self.features = tf.function(lambda images: [network(images, training=False)])
        self.start = self.measure()
        self.last: tuple[int, Snapshot] | None = None

    def measure(self) -> Snapshot:
        """Measures the figures of the current weights."""
        with self.calibration.calibrated(self.like_training):
            z_a, z_b = _outputs(self.outputs, self.views)
            right, seen = self._right(), [_outputs(self.features, view)[0] for view in self.pair]
        figures = health(z_a, z_b, self.temperature)
        matched = _hits(_cosines(*seen))
        figures["features_found"] = float(np.mean(matched))
        if right is not None:
            figures["knn"] = float(np.mean(right))
        return Snapshot(figures, _hits(_cosines(z_a, z_b)), matched, right, z_a.shape[1])

    def _right(self) -> np.ndarray | None:
        if self.labelled is None:
            return None
        (features,) = _outputs(self.features, self.images)
        if not np.isfinite(features).all():
            return np.zeros(len(features), bool)
        return leave_one_out(features, self.labelled.labels) == self.labelled.labels

    @property
    def end(self) -> Snapshot:
        """The figures of the current weights; they are measured again only after further steps."""
        if self.last is None or self.last[0] != self.watched.steps_done:
            self.last = (self.watched.steps_done, self.measure())
        return self.last[1]

    def judge(self) -> str:
        """Returns the verdict on the training so far, one line."""
        return verdict(self.start, self.end, self.watched.supervised, self.baseline)

    def _probe(self) -> dict[str, float]:
        with self.calibration.calibrated(self.like_training):
            return self.probe.figures(lambda batch: self.features(batch)[0])

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self.probe and self.recorders and self.watched.steps_done == 0:
            self.probed = self._probe()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.recorders and self.watched.steps_done == 1:
            figures = self.start.figures | self.probed | {"loss": float(logs["loss"])}
            for recorder in self.recorders:
                recorder.record(0, 0, figures | self._excess(figures["loss"]))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs.update(self.end.figures, **self._excess(logs["loss"]))
        if self.probe and self.probe.due(epoch + 1):
            logs.update(self._probe())

    def _excess(self, loss: float) -> dict[str, float]:
        baseline = self.watched.baseline(self.batch_size)
        return {} if baseline is None else {"loss_excess": loss - baseline}


class Throughput(keras.callbacks.Callback):
    """Progress bar with loss, examples/s and share of the time spent waiting for data; the last two are also logged.

    Args:
        batch_size: int, number of examples of a global batch.
        total_epochs, steps_per_epoch: int, lengths for the progress bar.
        noun: str, of the examples, such as "series".
    """

    def __init__(self, batch_size: int, total_epochs: int, steps_per_epoch: int, noun: str = "images"):
        super().__init__()
        self.noun = noun
        self.batch_size = batch_size
        self.total_epochs = total_epochs
        self.steps_per_epoch = steps_per_epoch
        self.compiled = False
        self.waited = tf.Variable(0.0, dtype="float64", trainable=False)

    def watch(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Returns the same batches, and sums the seconds that the training waits for them."""

        def now() -> tf.Tensor:  # tf.timestamp is not available with deterministic operations
            return tf.ensure_shape(tf.numpy_function(time.perf_counter, [], tf.float64), ())

        def note(asked, batch):
            self.waited.assign_add(now() - asked)
            return batch

        # zip reads its parts in order: the clock is read when a batch is requested, and `note` runs when it arrives.
        clock = tf.data.Dataset.counter().map(lambda _: now())
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False
        return tf.data.Dataset.zip(clock, batches).map(note).with_options(options)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        title = f"epoch {epoch + 1}/{self.total_epochs}"
        self.bar = bar(None, title, self.steps_per_epoch, unit="step")
        self._start()

    def _start(self) -> None:
        self.began, self.steps = time.perf_counter(), 0
        self.waited.assign(0.0)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.steps += 1
        if not self.compiled and self.steps_per_epoch > 1:
            self.compiled = True  # the first step includes tracing
            self._start()
        rate, wait = self._rates()
        self.bar.set_postfix_str(
            f"loss {float(logs['loss']):.3f}, {rate:.0f} {self.noun}/s, data wait {wait:.0%}", False
        )
        self.bar.update()

    def _rates(self) -> tuple[float, float]:
        seconds = time.perf_counter() - self.began
        return self.steps * self.batch_size / seconds, min(1.0, float(self.waited) / seconds)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs["images_per_second"], logs["data_wait"] = self._rates()  # one key for all kinds of data
        self.bar.close()
