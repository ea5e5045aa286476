"""SSLModel: the one gradient tape, the scaling over replicas, and a config read from the constructor."""

import inspect
from collections.abc import Callable
from itertools import groupby

import keras
import tensorflow as tf
from keras import ops

from sslzoo import optimizers
from sslzoo.utils import replicas


class SSLModel(keras.Model):
    """What every method shares. A method says what is computed, minimized and moved; this class does the step.

    A batch is a dict of named tensors: `views`, images (batch, height, width, channels) in [0, 1]; `boxes`, where each
    of them looked, (batch, 5); `index` (batch,), which images of the data they are; `label` (batch,), where there are
    labels.

    Args:
        encoder: images -> features (batch, features), already built.
    """

    paper: str = ""  # its address
    views: str = "simclr"  # the function of views/presets.py that makes the paper's views
    supervised: bool = False  # whether a batch must have `label`
    micro_batches: bool = True  # whether images go through nothing but `encoder`, which can take them in parts

    def __init__(self, encoder: keras.Model, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.augment: Callable[[dict], dict] | None = None
        self.total_steps = self.steps_per_epoch = 0  # of the training, where they are known: what schedules run over
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.built = True

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        keras.saving.register_keras_serializable("sslzoo")(cls)

    def call(self, batch: dict) -> dict:
        """Named tensors of a batch; `z_a` and `z_b` are the embeddings of the first two views."""
        raise NotImplementedError

    def objective(self, **outputs) -> tf.Tensor:
        """The scalar to minimize over the global batch, from what `call` named."""
        raise NotImplementedError

    def after_step(self, **outputs) -> None:
        """Moves what moves without a gradient: teachers, queues, centres."""

    def baseline(self, batch_size: int) -> float | None:
        """The objective for embeddings of random directions, where it is known: what the loss must fall below."""

    def learning_rate_of(self, weight: keras.Variable, learning_rate, peak):
        """The learning rate of a weight in a step, from that of all weights; `peak` is the highest of the training."""
        return learning_rate

    def together(self, views: tuple, function: Callable) -> list:
        """One pass over all views of a size, so that BatchNorm cannot tell them apart; returns one output a view."""
        outputs = []
        for _, same in groupby(views, key=lambda view: tuple(view.shape[1:])):
            same = tuple(same)
            outputs += ops.split(function(ops.concatenate(same)), len(same))
        return outputs

    @property
    def steps_done(self) -> int:
        """Steps of the training so far; unlike int(optimizer.iterations) on any number of devices."""
        return int(self.optimizer.iterations.numpy())

    @property
    def progress(self):
        """The share of the training that is done, a float32 scalar; 0 throughout where its length is not known."""
        if not self.total_steps:
            return ops.zeros(())
        return ops.minimum(ops.cast(self.optimizer.iterations, "float32") / self.total_steps, 1.0)

    def compile(self, optimizer="rmsprop", **kwargs) -> None:
        """As in Keras; on several replicas BatchNorm sees the global batch, and XLA serves a single GPU only."""
        alone = self.distribute_strategy.num_replicas_in_sync == 1
        kwargs.setdefault("jit_compile", alone and bool(tf.config.list_logical_devices("GPU")))
        super().compile(optimizer=self._rated(keras.optimizers.get(optimizer)), **kwargs)
        for layer in self._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = not alone
        with self.distribute_strategy.scope():
            self.optimizer.build(self.trainable_variables)

    def _rated(self, optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
        """The optimizer with the learning rates that the method gives its weights, where it gives any."""
        if type(self).learning_rate_of is not SSLModel.learning_rate_of:
            inner = getattr(optimizer, "inner_optimizer", optimizer)  # beneath the scaling of losses
            peak = getattr(inner._learning_rate, "peak", inner._learning_rate)
            optimizers.rated(inner, lambda weight, rate: self.learning_rate_of(weight, rate, peak))
        return optimizer

    def compile_from_config(self, config: dict) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    def train_step(self, batch: dict) -> dict:
        batch = self.augment(batch) if self.augment else batch
        with tf.GradientTape() as tape:
            outputs = self(batch, training=True)
            loss = self.objective(**outputs)
            # Keras adds up the gradients of the replicas, and each of them holds the loss of the whole batch.
            scaled = self.optimizer.scale_loss(loss / replicas.count())
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, weights), weights, strict=True))
        self.after_step(**outputs)
        self.loss_tracker.update_state(loss)
        return replicas.figures({"loss": self.loss_tracker.result()})

    def test_step(self, batch: dict) -> dict:
        batch = self.augment(batch) if self.augment else batch
        self.loss_tracker.update_state(self.objective(**self(batch, training=False)))
        return replicas.figures({"loss": self.loss_tracker.result()})

    def _maybe_symbolic_build(self, iterator=None, data_batch=None) -> None:
        """Nothing is built lazily; what Keras does here fails under MultiWorkerMirroredStrategy (keras#20585)."""

    def get_config(self) -> dict:
        """Constructor arguments, read back from the attributes of the same names."""
        names = [name for cls in type(self).__mro__[:-1] if issubclass(cls, SSLModel) for name in _arguments(cls)]
        return {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names} | {"name": self.name}

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> "SSLModel":
        return cls(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})


def _arguments(cls: type) -> list[str]:
    parameters = inspect.signature(cls.__init__).parameters.values()
    return [p.name for p in parameters if p.name != "self" and p.kind is p.POSITIONAL_OR_KEYWORD]
