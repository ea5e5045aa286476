"""What a pretraining is made of: names turned into objects, before anything runs."""

import re
from collections.abc import Iterator, Sequence
from inspect import signature
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from sslzoo import catalog, encoders, methods, optimizers
from sslzoo.catalog import resolved
from sslzoo.catalog.knobs import nearest
from sslzoo.data import Dataset, Splits, cached, load, restrict
from sslzoo.data.service import served
from sslzoo.evaluation import judging
from sslzoo.layers.norms import Calibration
from sslzoo.model import SSLModel
from sslzoo.optimizers import schedules
from sslzoo.training import layerwise
from sslzoo.training.monitors import Labelled, Watch
from sslzoo.training.tracking import Recorder
from sslzoo.utils import replicas
from sslzoo.utils.keras_internals import norms
from sslzoo.views import Views, inputs, presets, sheet

SIZES = (32, 64, 96, 128, 160, 224)  # input sizes to choose from for images larger than the smallest
WATCHED = 30_000_000  # numbers in the images of the online k-NN: about 4000 small images, 200 of 224 px
CALIBRATED = 2048  # images whose views give the BatchNorm statistics of exported encoders
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


class Plan:
    """A pretraining whose names have become objects.

    Args:
        settings: the arguments of `pretrain` that say what is trained.
        knobs: the given knobs of the method, the encoder and the views. The attribute `knobs` has all of them by part,
            and the attribute `settings` under flat names such as "method.temperature".
        cache: folder of decoded pixels, for data that do not fit into memory.
        data_service: grpc://host:port of what reads the data and makes the views.

    Raises:
        ValueError: a wrong name or value.
    """

    checkpoints: dict  # arguments of Checkpoints

    def __init__(self, settings: dict, knobs: dict, cache: str | None = None, data_service: str | None = None):
        preset = _preset(settings["method"], settings["preset"])
        self.knobs = resolved.resolve(knobs, settings["method"], settings["encoder"], preset)
        if settings["layerwise"] and "decoder" in self.knobs["method"]:
            self.knobs["method"]["decoder"] = knobs.get("decoder", "symmetric")
        self.splits = restrict(load(settings["data"]), settings["classes"], settings["max_images"])
        if cache:
            self.splits = Splits(*(part and cached(part, cache) for part in self.splits))
        self.train_set, self.test_set = self.splits
        # Without what makes a folder's name a pattern, or two lines.
        plain = re.sub(r"[][\\\n]+", "-", self.train_set.name).strip("-")
        self.name = f"{settings['method']}_{plain}"
        self._check(settings)
        self.size = settings["image_size"] or choose_size(self.train_set)
        self.image_shape = (self.size, self.size, self.train_set.shape[-1])
        self.chain = getattr(presets, preset)(self.size, channels=self.image_shape[-1], **self.knobs["views"])
        self.augment = Views(self.chain, batch_size=settings["batch_size"], seed=settings["seed"])
        self.steps = len(self.train_set) // settings["batch_size"]
        self.fingerprint = self.train_set.fingerprint()
        data = f"{self.train_set.name}, fingerprint {self.fingerprint}"
        self.settings = settings | {"data": data, "image_size": self.size, "preset": preset}
        self.settings |= resolved.recorded(self.knobs) | {"given": resolved.given(settings, knobs)}
        self.service = served(self.train_set, data_service) if data_service else None

    def _check(self, settings: dict) -> None:
        judging.announce(self.train_set)
        if len(self.train_set) < 2:
            raise ValueError(f"{self.train_set.name} holds one image: a method that compares images needs at least 2")
        for knob, known in (("augment_on", ("host", "device")), ("precision", PRECISIONS)):
            if settings[knob] not in known:
                raise ValueError(nearest(knob, settings[knob], known))
        method = methods.find(settings["method"])
        if method.supervised and self.train_set.labels is None:
            line = f"{settings['method']} learns from labels, {self.train_set.name} has none"
            raise ValueError(f"{line}: give one folder a class")
        if settings["micro_batch"] and not method.micro_batches:
            raise ValueError(f"{settings['method']} looks into its encoder, which so cannot take micro-batches")
        self._check_batch(settings["batch_size"], settings["micro_batch"], settings["strategy"])

    def _check_batch(self, batch: int, part: int | None, strategy: str) -> None:
        if batch > len(self.train_set):
            line = f"a batch of {batch} is larger than the data, {len(self.train_set)} images"
            raise ValueError(f"{line}: --batch-size {max(2, len(self.train_set) // 4)} leaves a few steps an epoch")
        devices = replicas.strategy(strategy).num_replicas_in_sync
        if batch % devices:
            nearby = max(1, batch // devices) * devices
            raise ValueError(f"a batch of {batch} has no equal parts for {devices} devices: --batch-size {nearby}")
        if part is not None and (part < 1 or batch // devices % part):
            raise ValueError(f"a micro-batch of {part} does not divide the {batch // devices} images of a device")

    def draw_views(self, path: Path) -> None:
        """The contact sheet as a PNG, and a table of what each operation does."""
        few = next(iter(self.train_set.batches(min(8, len(self.train_set)), drop_remainder=False)))
        sheet.contact_sheet(few["image"], few["size"], self.chain, path)
        print(sheet.table(sheet.statistics(self.chain, self.image_shape[-1])))
        print(f"contact sheet of the views: {path}")

    def build_encoder(self) -> keras.Model:
        """A new encoder for the images, with random weights."""
        return encoders.make(self.settings["encoder"], self.image_shape, **self.knobs["encoder"])

    def encoder(self, model: SSLModel) -> keras.Model:
        """The model's encoder in float32, outside of any strategy."""
        encoder = self.build_encoder()
        if encoder.name != model.encoder.name:  # that one is still growing
            encoder = next(grown for _, grown in layerwise.grow(encoder) if grown.name == model.encoder.name)
        encoder.set_weights(model.encoder.get_weights())
        return encoder

    def build(self) -> SSLModel:
        """The compiled method around a new encoder, within the strategy; `untrained` keeps the encoder as it starts."""
        with self._scope():
            keras.utils.set_random_seed(self.settings["seed"])
            model = self._compiled(self._method())
        self.untrained = self.encoder(model)
        return model

    def stages(self, model: SSLModel) -> Iterator[tuple[str, SSLModel]]:
        """The compiled method around the model's encoder as it grows block by block; the newest block alone trains."""
        before = None
        for block, grown in layerwise.grow(model.encoder):
            with self._scope():
                model = self._method(grown)
            if before:
                layerwise.inherit(model, before)
            with layerwise.train_only(model, layerwise.stages(model)[block]):
                with self._scope():
                    self._compiled(model)
                yield block, model
            before = model

    @property
    def stage_count(self) -> int:
        """How many times the run trains for its epochs: once for each block if layer-wise."""
        return len(layerwise.blocks(self.untrained)) if self.settings["layerwise"] else 1

    @property
    def strategy(self) -> tf.distribute.Strategy:
        """How the training is spread over devices and workers."""
        return replicas.strategy(self.settings["strategy"])

    def _scope(self):
        return self.strategy.scope()

    def _method(self, encoder: keras.Model | None = None) -> SSLModel:
        keras.config.set_dtype_policy(self.settings["precision"])
        try:
            method = methods.find(self.settings["method"])
            given = {name: value for name, value in self._given().items() if name in signature(method).parameters}
            return method(encoder or self.build_encoder(), **given, **self.knobs["method"])
        finally:
            keras.config.set_dtype_policy("float32")

    def _compiled(self, model: SSLModel) -> SSLModel:
        s = self.settings
        peak, line = schedules.scaled_learning_rate(s["learning_rate"], s["batch_size"], s["learning_rate_rule"])
        total = s["epochs"] * self.steps
        schedule = schedules.WarmupCosine(peak, total, warmup_steps=round(s["warmup"] * total))
        decay = s["weight_decay"]
        if s["weight_decay_end"] is not None:
            decay = schedules.WarmupCosine(decay, total, final=s["weight_decay_end"])
        model.augment = self.augment if s["augment_on"] == "device" else None
        model.total_steps, model.steps_per_epoch = total, self.steps
        model.micro_batch = s["micro_batch"]
        model.compile(optimizers.make(s["optimizer"], schedule, decay, clipnorm=s["clip_norm"]))
        print(f"{model.encoder.name}: {model.encoder.count_params():,} parameters, input {self.image_shape}")
        print(f"{line}; {s['optimizer']}, {total} steps")
        if self.strategy.num_replicas_in_sync > 1:
            print(replicas.describe(self.strategy, s["batch_size"]))
        if s["micro_batch"]:
            print(f"the encoder takes {s['micro_batch']} images at a time, which its BatchNorm, if any, sees alone")
        return model

    def _given(self) -> dict:
        """What a method may ask for by these names and no user has to say."""
        labels = self.train_set.labels
        classes = 0 if labels is None else int(labels.max()) + 1
        return {"input_shape": self.image_shape, "dataset_size": len(self.train_set), "num_classes": classes}

    def batches(self, start: int, stop: int, share: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        """The training batches of the steps start..stop - 1, or this worker's rows of them."""
        s = self.settings
        dealer = self.service or self.train_set
        batches = dealer.batches(s["batch_size"], seed=s["seed"], start=start, stop=stop, share=share)
        if s["augment_on"] == "host":
            batches = batches.map(self.augment, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        if self.service:
            batches = self.service.offload(batches)
        return batches.prefetch(tf.data.AUTOTUNE)

    def watch(self, model: SSLModel, recorders: Sequence[Recorder] = ()) -> Watch:
        """The monitor, over fixed views of the first images and, where there are labels, with an online k-NN."""
        count = min(len(self.train_set), max(128, 1024 * 32**2 // self.size**2), 1024)
        batch = next(iter(self.train_set.take(np.arange(count)).batches(count)))
        views = Views(self.chain, batch_size=count, seed=self.settings["seed"] + 1)
        return Watch(model, views(batch), self.settings["batch_size"], self._labelled(), recorders)

    def _labelled(self) -> Labelled | None:
        if self.train_set.labels is None:
            return None
        count = min(len(self.train_set), 4000, WATCHED // int(np.prod(self.image_shape)))
        some = self.train_set.take(np.random.default_rng(0).permutation(len(self.train_set))[:count])
        return Labelled(np.concatenate(list(inputs.images(some, self.size))), some.labels)

    def calibrated(self, model: SSLModel, start: bool = False) -> keras.Model:
        """A copy of the model's encoder in float32, with BatchNorm statistics of the first batches of views.

        Args:
            model: compiled.
            start: with the weights that the encoder had before the first step.
        """
        if not norms(model.encoder):
            return self.untrained if start else self.encoder(model)
        trained = [keras.ops.convert_to_numpy(weight) for weight in model.encoder.weights]
        calibration = Calibration(model)
        try:
            with calibration.preserved():
                if start:
                    model.encoder.set_weights(self.untrained.get_weights())
                calibration.calibrate(self._training_views(model))
                return self.encoder(model)
        finally:
            model.encoder.set_weights(trained)

    @property
    def start(self) -> dict:
        """How to build the untrained encoder again: seed, name, input shape and knobs."""
        facts = {"seed": self.settings["seed"], "encoder": self.settings["encoder"]}
        return facts | {"input_shape": list(self.image_shape), "knobs": self.knobs["encoder"]}

    @property
    def judged(self) -> Splits:
        """The part of the data that the encoder is judged on."""
        return judging.judged(self.splits, {}, max_images=self.settings["max_images"])

    def _training_views(self, model: SSLModel) -> Iterator[dict]:
        """The first batches of the training, of CALIBRATED images in all."""
        steps = max(4, -(-CALIBRATED // self.settings["batch_size"]))
        for batch in self.batches(0, steps):
            yield model.augment(batch) if model.augment else batch


def choose_size(dataset: Dataset) -> int:
    """Input size for a dataset: the longer side of small images, else the largest usual size that most images fill."""
    height, width, _ = dataset.shape
    if max(height, width) <= SIZES[0]:
        return max(height, width)
    some = np.linspace(0, len(dataset) - 1, 64).astype(int)
    typical = float(np.median(np.min(dataset.read(some)[1], axis=1)))
    return max((size for size in SIZES if size <= typical), default=SIZES[0])


def _preset(method: str, preset: str | None) -> str:
    known = catalog.presets()
    name = preset or methods.find(method).views
    if name not in known:
        raise ValueError(nearest("preset", name, known))
    return name
