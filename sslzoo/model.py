"""SSLModel: base class of all methods, with the training step and the parts that methods share."""

import inspect
from collections.abc import Callable, Iterable
from itertools import groupby

import keras
import tensorflow as tf
from keras import ops

from sslzoo import encoders, optimizers
from sslzoo.catalog.checked import checked
from sslzoo.catalog.kinds import KINDS
from sslzoo.layers.drop_path import drawing, stacked
from sslzoo.layers.memory import add_state
from sslzoo.layers.microbatch import MicroBatches
from sslzoo.utils import keras_internals as internals
from sslzoo.utils import replicas

SEEDS = 1_000_003  # distance of the random numbers of two seeds, more than a method has draws in a step


class SSLModel(internals.NoSymbolicBuild, keras.Model):
    """Base class of methods: a method defines `call` and `objective`, this class trains.

    A batch is a dict of named tensors: `views`, a tuple of images (batch, height, width, channels) in [0, 1]; `boxes`,
    the region of each view, a tuple of (batch, 5); `index`, int (batch,), the number of each example in the data;
    `label`, int (batch,), where the data has labels.

    A method overrides `call`, `objective` and, where needed, `adapt`, `prepare`, `after_step`, `embed`, `exported`,
    `of_images`, `learning_rate_of` and `decays`. Its constructor arguments are attributes of the same names, which is
    how `get_config` finds them.

    Args:
        encoder: built functional or sequential model, images -> features (batch, features).

    Raises:
        ValueError: if the encoder is no such model, or an argument is outside the range of its name.

    Attributes:
        paper: str, URL of the paper.
        use: str, when to use the method, in one line.
        batch: int, the smallest batch size to try, a power of two; an estimate from the papers.
        views: str, preset of views that the paper uses, a function of `sslzoo.views.presets`.
        default_encoder: str, name of the encoder that is taken where none is chosen; "" for that of the kind of data.
        kinds: names of the kinds of data that the method works on; ("image",) where it needs images.
        supervised: bool, whether a batch must have `label`.
        captions: bool, whether a batch must have `text`, int32 (batch, captions, length), the tokens of captions. Such
            a method has the arguments tokenizer, text_length, word_count and vocabulary, and the attributes that
            `exports.text.tower_of` reads.
        relation: str, function of `sslzoo.data.relations` that draws partners of frames; "" for none. There is then one
            view of each frame, and a batch has the columns of `Episodes.columns`.
        micro_batches: bool, whether all images pass through `encode`, which can divide the batch.
        augment: callable batch -> batch applied within the training step, or None.
        micro_batch: int, examples that `encode` passes through the encoder at a time, or None for all.
        penalty: callable batch -> scalar that is added to `objective` in training, or None.
        share_of: callable weight -> factor of its learning rate, or None for 1.
        seed: int, selects the random numbers of `uniform`.
        total_steps: int, steps of the whole training, which schedules need; 0 if unknown.
        steps_per_epoch: int, steps of an epoch; 0 if unknown.
    """

    paper: str = ""
    use: str = ""
    batch: int = 256
    views: str = "simclr"
    default_encoder: str = ""
    kinds: tuple[str, ...] = tuple(KINDS)
    supervised: bool = False
    captions: bool = False
    relation: str = ""
    micro_batches: bool = True

    def __init__(self, encoder: keras.Model, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoders.check(encoder)
        # Raw numbers of series and rows may exceed half precision; their encoders normalize them in float32.
        self.autocast = len(self.encoder.input_shape) == 4
        self.augment: Callable[[dict], dict] | None = None
        self.micro_batch: int | None = None
        self.penalty: Callable[[dict], tf.Tensor] | None = None
        self.share_of: Callable[[keras.Variable], float] | None = None
        self.seed = 0
        self.total_steps = self.steps_per_epoch = 0
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.built = True

    def __init_subclass__(cls, **kwargs) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = checked()(cls.__init__)
        keras.saving.register_keras_serializable("sslzoo")(cls)

    def call(self, batch: dict) -> dict:
        """Named tensors of a batch, which `objective` and `after_step` receive as keyword arguments."""
        raise NotImplementedError

    def objective(self, **outputs) -> tf.Tensor:
        """The scalar to minimize, computed over the global batch from the outputs of `call`."""
        raise NotImplementedError

    def after_step(self, **outputs) -> None:
        """Updates what no gradient updates: target networks, queues, centres."""

    def prepare(self, batch: dict) -> None:
        """Receives each batch of one pass over the data before the first step, to fill memories; by default nothing."""

    @property
    def prepares(self) -> bool:
        """Whether the method needs the pass of `prepare`."""
        return type(self).prepare is not SSLModel.prepare

    def baseline(self, batch_size: int) -> float | None:
        """The objective for embeddings of random directions, or None if it is not known in closed form."""

    def learning_rate_of(self, weight: keras.Variable, learning_rate, peak):
        """The learning rate of one weight.

        Args:
            weight: a trainable weight.
            learning_rate: that of this step.
            peak: the highest learning rate of the training.
        """
        return learning_rate

    def decays(self, weight: keras.Variable) -> bool:
        """Whether weight decay applies to a trainable weight of two or more dimensions; it applies to no other."""
        return True

    def encode(self, inputs):
        """Features of inputs, by micro-batches if `micro_batch` is set: images (n, ...) -> (n, features)."""
        # `training` is not passed on: None would count as given, and replace that of the call in progress.
        return (MicroBatches(self.encoder, self.micro_batch) if self.micro_batch else self.encoder)(inputs)

    def embed(self, inputs):
        """Embeddings of inputs, (n, ...) -> (n, dim): the projector's, or the features without a projector, float32."""
        projector = getattr(self, "projector", None)
        features = self.encode(inputs)
        return ops.cast(features, "float32") if projector is None else projector(features)

    def embedded_views(self, batch: dict) -> tuple[tf.Tensor, tf.Tensor]:
        """The embeddings of an example's two views that monitors compare, in inference mode.

        Returns:
            The outputs `z_a` and `z_b` of `call`; `embed` of the first and second view where `call` has no such output.
        """
        outputs, views = self(batch, training=False), batch["views"]
        return tuple(
            outputs[name] if name in outputs else self.embed(views[view]) for view, name in enumerate(("z_a", "z_b"))
        )

    def adapt(self, images: Iterable) -> None:
        """Before the first step: fits constants of the method to training images.

        Args:
            images: batches (n, height, width, channels) in [0, 1], read only if the method does.
        """

    def pictures(self, batch: dict) -> dict:
        """Pictures of what the method reconstructs, of the first view, in inference mode.

        Returns:
            Dict from a title to images (n, height, width, channels) in [0, 1], the input first; {} if there are none.
        """
        return {}

    def exported(self) -> keras.Model:
        """The network to export: the encoder, unless the paper evaluates another one, such as its teacher."""
        return self.encoder

    def of_images(self, network: keras.Model) -> keras.Model:
        """The model of images around a network to export: the network itself, unless it is trained on a part of them.

        Args:
            network: `exported()`, or a copy of it.
        """
        return network

    def together(self, views: tuple, function: Callable) -> list:
        """Applies a function to the concatenation of all views of one size, so that they share BatchNorm statistics.

        Args:
            views: tensors (n, ...); consecutive ones of equal shape are concatenated.
            function: (m, ...) -> (m, ...).

        Returns:
            List with the output of each view.
        """
        outputs = []
        for _, same in groupby(views, key=lambda view: tuple(view.shape[1:])):
            same = tuple(same)
            with stacked(len(same)):
                outputs += ops.split(function(ops.concatenate(same)), len(same))
        return outputs

    def add_state(self, name: str, shape: tuple, initializer="zeros", **options) -> keras.Variable:
        """A weight that no gradient reaches, saved with the model; see `sslzoo.layers.memory.add_state`.

        `after_step` assigns to it a value that is equal on all replicas, computed from gathered tensors.
        """
        return add_state(self, name, shape, initializer, **options)

    def uniform(self, shape: tuple, draw: int, everywhere: bool = False, training: bool | None = True) -> tf.Tensor:
        """Random numbers in [0, 1) of this step, float32, a function of (seed, step, draw, row).

        Args:
            shape: its first entry counts examples of this replica.
            draw: int, numbers the calls within a step.
            everywhere: bool, the first entry counts examples of the global batch, and every replica draws the same.
            training: bool, false or None for the numbers of step 0 in every step, so that evaluations can be compared.
        """
        return replicas.uniform(shape, (self.step if training else 0, draw + SEEDS * self.seed), everywhere)

    @property
    def step(self) -> tf.Tensor:
        """Steps of the training so far, an int32 scalar; 0 before `compile`."""
        optimizer = getattr(self, "optimizer", None)
        return ops.cast(optimizer.iterations if optimizer else 0, "int32")

    @property
    def steps_done(self) -> int:
        """Steps of the training so far, as an int; usable outside of a step on any number of devices."""
        return int(self.optimizer.iterations.numpy())

    @property
    def progress(self) -> tf.Tensor:
        """Share of the training that is done, a float32 scalar in [0, 1]; always 0 if `total_steps` is unknown.

        Within `after_step` the step has been made; `progress_before` is the share without it.
        """
        return self._share(self.step)

    @property
    def progress_before(self) -> tf.Tensor:
        """Within `after_step`, the share of the training before this step: k / K in step k = 0, 1, ... of K."""
        return self._share(ops.maximum(self.step - 1, 0))

    def _share(self, steps: tf.Tensor) -> tf.Tensor:
        if not self.total_steps:
            return ops.zeros(())
        return ops.minimum(ops.cast(steps, "float32") / self.total_steps, 1.0)

    def compile(self, optimizer="rmsprop", **kwargs) -> None:
        """As in Keras. On several replicas BatchNorm sees the global batch. XLA is used on a single GPU only."""
        alone = self.distribute_strategy.num_replicas_in_sync == 1
        kwargs.setdefault("jit_compile", alone and bool(tf.config.list_logical_devices("GPU")))
        super().compile(optimizer=self._rated(keras.optimizers.get(optimizer)), **kwargs)
        for norm in internals.norms(self):
            norm.synchronized = not alone
        with self.distribute_strategy.scope():
            self.optimizer.build(self.trainable_variables)

    def _rated(self, optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
        """The optimizer, with the rates of `learning_rate_of` and `share_of`, and the exceptions of `decays`."""
        inner = getattr(optimizer, "inner_optimizer", optimizer)  # within the scaling of losses
        if spared := [weight for weight in self.trainable_weights if not self.decays(weight)]:
            optimizers.spare(inner, spared)
        share_of = self.share_of or (lambda weight: 1.0)
        if self.share_of or type(self).learning_rate_of is not SSLModel.learning_rate_of:
            rate = internals.learning_rate(optimizer)
            peak = getattr(rate, "peak", rate)
            optimizers.rated(inner, lambda weight, rate: self.learning_rate_of(weight, rate, peak) * share_of(weight))
        return optimizer

    def compile_from_config(self, config: dict) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    def train_step(self, batch: dict) -> dict:
        batch = self.augment(batch) if self.augment else batch
        with tf.GradientTape() as tape:
            with drawing(self.uniform):  # for encoders that drop paths
                outputs = self(batch, training=True)
            loss = self.objective(**outputs)
            loss = loss + self.penalty(batch) if self.penalty else loss
            # Keras sums the gradients of the replicas, and each replica computes the loss of the whole batch.
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

    def get_config(self) -> dict:
        """Constructor arguments, read from the attributes of the same names."""
        names = [name for cls in type(self).__mro__[:-1] if issubclass(cls, SSLModel) for name in _arguments(cls)]
        return {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names} | {"name": self.name}

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> "SSLModel":
        return cls(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})


def _arguments(cls: type) -> list[str]:
    parameters = inspect.signature(cls.__init__).parameters.values()
    return [p.name for p in parameters if p.name != "self" and p.kind is p.POSITIONAL_OR_KEYWORD]
