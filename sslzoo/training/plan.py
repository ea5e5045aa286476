"""The plan of a pretraining: data, views, method, encoder and optimizer, before anything runs."""

import functools
import re
from collections.abc import Iterator, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sslzoo import encoders, methods
from sslzoo.catalog import resolved
from sslzoo.catalog.kinds import KINDS, kind_of
from sslzoo.data import Splits, cached, load, restrict
from sslzoo.data.service import served
from sslzoo.evaluation import judging
from sslzoo.evaluation.sources import announce
from sslzoo.exports.inputs import accepted_splits
from sslzoo.layers import lora
from sslzoo.layers.norms import Calibration
from sslzoo.layers.taps import upto
from sslzoo.model import SSLModel
from sslzoo.training import layerwise, starting
from sslzoo.training.checks import canvas_side, check, check_kind, check_stage, engine_of
from sslzoo.training.chosen import extent_of, given_of, preset_of, schema_of
from sslzoo.training.companions import companions
from sslzoo.training.experiment import Experiment, RunOptions
from sslzoo.training.fitted import fitted
from sslzoo.training.monitors import Watch, labelled
from sslzoo.training.optimizing import optimizer
from sslzoo.training.probing import Probe
from sslzoo.training.probing import read as read_labelled
from sslzoo.training.spelling import spelled
from sslzoo.training.tracking import Recorder
from sslzoo.utils import replicas
from sslzoo.utils.keras_internals import norms
from sslzoo.utils.log import log
from sslzoo.views import chosen, inputs

CALIBRATED = 2048  # number of images for the BatchNorm statistics of exported encoders, and for `adapt`


class Plan:
    """A pretraining with its names resolved to objects.

    Args:
        experiment: the experiment.
        run: the run options.

    Attributes:
        knobs: all knobs of the method, the encoder and the views, by part.
        settings: settings that the run folder records: the fields of the experiment, and all knobs under names such
            as "method.temperature".
        splits, train_set, test_set: the data.
        earlier, probed: the data of the run options `keep` and `probe`, or None.
        kind: of the data, an entry of `catalog.kinds.KINDS`.
        size, input_shape: extent of the inputs, such as the side of images, and their shape (height, width, channels).
        schema: the argument `schema` of the encoder, fitted on the training data; {} for none.
        origin: the public weights that the training starts from, or None.
        chain: the views, as returned by `views.chosen.make`.
        steps: number of steps of an epoch.

    Raises:
        ValueError: if a name or a value is wrong.
    """

    def __init__(self, experiment: Experiment, run: RunOptions = RunOptions()):  # noqa: B008, it is frozen
        self.experiment, self.run = experiment, run
        self.method, self.kind = methods.find(experiment.method), KINDS[kind_of(experiment.data, experiment.kind)]
        check_kind(self.method, self.method_name, self.kind.name, experiment.encoder)
        self.origin = starting.find(experiment)
        self.experiment = experiment = starting.chosen(experiment, self.origin, self.kind)
        preset = experiment.preset
        preset = preset_of(experiment.method, self.method_name, self.kind) if preset is None else preset
        parts = (experiment.method, experiment.encoder, preset, None, self.kind.name)
        self.knobs = resolved.resolve(resolved.known(experiment.knobs), *parts)
        self.max_size = canvas_side(experiment)
        how = experiment.tokenizer  # of texts, which are tokens from here on, or below of captions
        reading = {"max_size": self.max_size, "tokenizer": how if "tokenizer" in self.kind.options else None}
        loaded = load(experiment.data, **experiment.reading | reading)
        if (found := loaded.train.kind) != self.kind.name:
            raise ValueError(f"{loaded.train.name} is of the kind {found!r}: give kind={found!r}")
        self.splits = restrict(loaded, experiment.classes, experiment.max_images)
        announce(self.splits.train)
        if isinstance(model := self.origin.model if self.origin else experiment.encoder, keras.Model):
            self.splits = accepted_splits(self.splits, model)
            if how and (own := (self.splits.train.columns or ({},))[0].get("how", how)) != how:
                raise ValueError(f"tokenizer={how!r}: {model.name} has been trained on {own}; leave it out")
        if run.cache:
            self.splits = Splits(*(part and cached(part, run.cache) for part in self.splits))
        part = self.method, self.method_name, self.knobs["method"], preset, how
        self.splits, self.words = companions(self.splits, *part)
        check_stage(experiment, run, self.words)
        (self.train_set, self.test_set), devices = self.splits, self.strategy.num_replicas_in_sync
        self.experiment = experiment = fitted(experiment, self.knobs["method"], len(self.train_set), devices)
        self.knobs = resolved.resolve(experiment.knobs, *parts)
        if experiment.layerwise and "decoder" in self.knobs["method"]:
            self.knobs["method"]["decoder"] = experiment.knobs.get("decoder", "symmetric")
        if not run.preview:
            check(experiment, self.method, self.method_name, self.train_set, devices, self.knobs["method"])
        optimizer(experiment, 1)  # refuses wrong names before anything is written
        others = {name: None if run.preview else getattr(run, name) for name in ("keep", "probe")}
        self.earlier, self.probed = (read_labelled(data, self.kind, name) for name, data in others.items())
        self.size = extent_of(experiment.encoder, self.train_set, experiment.image_size, self.kind)
        self.input_shape = self.kind.functions.input_shape(self.size, self.train_set.shape[-1])
        self.schema = schema_of(experiment.encoder, self.train_set, self.kind)
        given = self.input_shape[-1], self.kind.name, self.kind.functions.bank(self.train_set)
        self.chain = chosen.make(preset, self.size, *given, **self.knobs["views"])
        self.augment = chosen.of_batch(self.chain, experiment.batch_size, experiment.seed, engine_of(experiment, run))
        self.traced = tf.function(self.augment, autograph=callable(self.chain))  # once for all passes over the data
        self.steps = len(self.train_set) // experiment.batch_size
        self.fingerprint = self.train_set.fingerprint()
        self.settings = self._settings(preset)
        self.service = served(self.train_set, run.data_service) if run.data_service else None
        self.calibration: Calibration | None = None  # of the model that was calibrated last

    @property
    def data_before(self) -> str:
        """The setting "data" in the format of version 0.1, with a fingerprint of 64 images."""
        return f"{self.train_set.name}, fingerprint {self.train_set.sampled_fingerprint()}"

    def _settings(self, preset: Any) -> dict[str, Any]:
        data = f"{self.train_set.name}, fingerprint {self.fingerprint}"
        settings = self.experiment.settings | {"data": data, "image_size": self.size, "preset": spelled(preset)}
        settings |= {"max_size": self.max_size} if self.max_size else {}
        settings |= {"start_from": str(self.origin)} if self.origin else {}
        return settings | resolved.recorded(self.knobs) | {"given": self.experiment.given}

    def __repr__(self) -> str:
        extent = f"{self.kind.noun} of {self.size} {self.kind.unit}"
        return f"<Plan {self.name}: {self.train_set!r}, {extent}, {self.steps} steps per epoch>"

    @property
    def name(self) -> str:
        """Name of the run and of its export."""
        # no characters that TensorFlow reads as a pattern, no line breaks
        data = re.sub(r"[][\\\n]+", "-", self.train_set.name).strip("-")
        return self.run.name or f"{self.method_name}_{data}"

    @property
    def method_name(self) -> str:
        """Name of the method; the name of the class or function for a method of the user."""
        method = self.experiment.method
        return method if isinstance(method, str) else getattr(method, "__name__", type(method).__name__)

    def draw_views(self, path: Path) -> None:
        """Writes the contact sheet of the views as a PNG, and logs the statistics of their operations."""
        few = next(iter(self.train_set.batches(min(8, len(self.train_set)), drop_remainder=False)))
        if table := self.kind.functions.draw(self.chain, few, path, self.train_set):
            log.info(table)
        log.info(f"contact sheet of the views: {path}")

    def build_encoder(self) -> keras.Model:
        """Returns a new encoder, with the weights of the start, or a copy of the user's model with its weights."""
        made = encoders.make(self.experiment.encoder, self.input_shape, **self.schema, **self.knobs["encoder"])
        made = encoders.copied(made) if made is self.experiment.encoder else made
        return self.origin.give(made) if self.origin else made

    def encoder(self, model: SSLModel) -> keras.Model:
        """Returns a copy of the network that the model exports in float32, outside any strategy."""
        encoder = self.build_encoder()
        if encoder.name != model.encoder.name:  # a layer-wise stage before the last
            encoder = next(grown for _, grown in layerwise.grow(encoder) if grown.name == model.encoder.name)
        encoder.set_weights(lora.merged(model.exported()))
        return upto(model.of_images(encoder), self.experiment.features_after)

    def build(self) -> SSLModel:
        """Returns the compiled method with a new encoder; `first` and `untrained` keep its weights and a copy of it."""
        with self.strategy.scope():
            keras.utils.set_random_seed(self.experiment.seed)
            model = self._compiled(self._method())
        few = self.train_set.sample(min(len(self.train_set), CALIBRATED))
        model.adapt(inputs.images(few, self.size))
        self.first, self.untrained = lora.merged(model.exported()), self.encoder(model)
        return model

    def stages(self, model: SSLModel) -> Iterator[tuple[str, SSLModel]]:
        """Yields the compiled method of each layer-wise stage; only the newest block is trained."""
        before = None
        for block, grown in layerwise.grow(model.encoder):
            with self.strategy.scope():
                model = self._method(grown)
            if before:
                layerwise.inherit(model, before)
            with layerwise.train_only(model, layerwise.stages(model)[block]):
                with self.strategy.scope():
                    self._compiled(model)
                yield block, model
            before = model

    @property
    def stage_count(self) -> int:
        """Number of stages: the number of blocks for layer-wise training, otherwise 1."""
        return len(layerwise.blocks(self.untrained)) if self.experiment.layerwise else 1

    @functools.cached_property
    def strategy(self) -> tf.distribute.Strategy:
        """The distribution strategy of the training."""
        return replicas.strategy(self.experiment.strategy)

    @property
    def checkpoints(self) -> dict[str, Any]:
        """Arguments of `Checkpoints`; only worker 0 writes checkpoints."""
        run = self.run
        if not replicas.is_chief(self.strategy):
            return {"writes": False}
        return {"steps": run.checkpoint_steps, "minutes": run.checkpoint_minutes, "keep": run.keep_checkpoints}

    def _method(self, encoder: keras.Model | None = None) -> SSLModel:
        keras.config.set_dtype_policy(self.experiment.precision)
        try:
            taken = signature(self.method).parameters
            given = given_of(self.train_set, self.input_shape) | self.words
            given = {name: value for name, value in given.items() if name in taken}
            encoder = encoder or starting.prepared(self.build_encoder(), self.experiment)
            return self.method(encoder, **given, **self.knobs["method"])
        finally:
            keras.config.set_dtype_policy("float32")

    def _compiled(self, model: SSLModel) -> SSLModel:
        s, total = self.experiment, self.experiment.epochs * self.steps
        model.augment = self.traced if s.augment_on == "device" else None
        model.total_steps, model.steps_per_epoch = total, self.steps
        model.micro_batch, model.share_of = s.micro_batch, starting.share_of(model.encoder, s.layer_decay)
        if s.stay:
            model.penalty = starting.stay(model, self.build_encoder(), s.stay)
        made, line = optimizer(s, total)
        model.compile(made)
        log.info(f"{model.encoder.name}: {model.encoder.count_params():,} parameters, input {self.input_shape}")
        log.info(f"{line}, {total} steps")
        if self.strategy.num_replicas_in_sync > 1:
            log.info(replicas.describe(self.strategy, s.batch_size))
        if s.micro_batch:
            log.info(f"the encoder takes {s.micro_batch} {self.kind.noun} at a time; BatchNorm normalizes over these")
        return model

    def batches(self, start: int, stop: int, share: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        """Returns the training batches of the steps start..stop - 1, or the rows of a worker in them."""
        s = self.experiment
        order = dict(seed=s.seed, share=share, examples_per_class=s.examples_per_class)
        batches = (self.service or self.train_set).batches(s.batch_size, start=start, stop=stop, **order)
        if s.augment_on == "host":
            batches = batches.map(self.traced, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        if self.service:
            batches = self.service.offload(batches)
        return batches.prefetch(tf.data.AUTOTUNE)

    def watch(self, model: SSLModel, recorders: Sequence[Recorder] = ()) -> Watch:
        """Returns the monitor with fixed views of the first images and, if there are labels, an online k-NN."""
        count = min(len(self.train_set), max(128, 1024 * 32**2 // int(np.prod(self.input_shape[:-1]))), 1024)
        data = self.views_of_few(count), inputs.mild_pairs(self.train_set, self.size, count // 2)
        more = {"baseline": "the start"} if self.origin else {}
        if self.probed is not None:
            own, epochs = accepted_splits(self.probed, self.untrained), self.stage_count * self.experiment.epochs
            more["probe"] = Probe(own, self.size, self.run.probe_every, epochs)
        data += self.experiment.batch_size, labelled(self.train_set, self.size, int(np.prod(self.input_shape)))
        network = upto(model.of_images(model.exported()), self.experiment.features_after)
        return Watch(model, *data, recorders, network=network, **more)

    def views_of_few(self, count: int) -> dict:
        """Returns a batch of the first `count` training images with fixed views, other than those of the training."""
        count = min(count, len(self.train_set))
        batch = next(iter(self.train_set.take(np.arange(count)).batches(count)))
        return chosen.of_batch(self.chain, count, self.experiment.seed + 1, engine_of(self.experiment, self.run))(batch)

    def calibrated(self, model: SSLModel, start: bool = False) -> keras.Model:
        """Returns a copy of the network that the model exports, with BatchNorm statistics of the first batches.

        Args:
            model: a compiled method.
            start: use the weights of the encoder before the first step; public weights keep their statistics.
        """
        network = model.exported()
        if not norms(network) or start and (self.origin or self.experiment.lora_rank):
            return self.untrained if start else self.encoder(model)
        trained = [keras.ops.convert_to_numpy(weight) for weight in network.weights]
        if self.calibration is None or self.calibration.model is not model:
            self.calibration = Calibration(model)
        views = self.batches(0, max(4, -(-CALIBRATED // self.experiment.batch_size)))
        try:
            with self.calibration.preserved():
                if start:
                    network.set_weights(self.first)
                self.calibration.calibrate(map(model.augment, views) if model.augment else views)
                return self.encoder(model)
        finally:
            network.set_weights(trained)

    @property
    def judges(self) -> bool:
        """Whether this process evaluates the encoder: on worker 0, if asked for and if the data has a test part."""
        return self.run.evaluate and self.test_set is not None and replicas.is_chief(self.strategy)

    @property
    def judged(self) -> Splits:
        """The part of the data that the encoder is evaluated on."""
        return judging.judged(self.splits, {}, max_images=self.experiment.max_images)
