"""The one call: names to objects, then train, export, evaluate and report."""

from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from sslzoo import catalog, encoders, evaluation, methods, optimizers, provenance, replicas
from sslzoo.data import Dataset, Splits, describe, load
from sslzoo.evaluators.knn import knn
from sslzoo.evaluators.report import Row, markdown
from sslzoo.export import export, refuse_existing, write_card
from sslzoo.knobs import nearest, read
from sslzoo.model import SSLModel
from sslzoo.monitors import Health, OnlineKNN, Throughput
from sslzoo.runs import Run
from sslzoo.tracking import JsonLines, TensorBoard
from sslzoo.train import Checkpoints, train
from sslzoo.views import Views, presets, sheet

SIZES = (32, 64, 96, 128, 160, 224)  # input sizes to choose from for images larger than the smallest
WATCHED = 30_000_000  # numbers in the images of the online k-NN: about 5000 small images, 200 of 224 px
PLACES = ("resume", "overwrite", "preview", "runs", "export_to", "evaluate", "name")  # where, not what


@dataclass
class Result:
    """What a pretraining gave: the trained model, its folders, the verdict in words, and the scores where measured."""

    model: SSLModel
    run: Path
    exported: Path | None = None
    verdict: str = ""
    scores: list[Row] = field(default_factory=list)


def pretrain(
    method: str = "simclr",
    data: str = "digits",
    encoder: str = "resnet18",
    *,
    epochs: int = 100,
    batch_size: int = 256,
    optimizer: str = "sgd",
    learning_rate: float = 0.12,
    learning_rate_rule: str = "linear",
    weight_decay: float = 5e-4,
    warmup: float = 0.1,
    image_size: int | None = None,
    preset: str | None = None,
    augment_on: str = "host",
    strategy: str = "auto",
    precision: str = "float32",
    seed: int = 0,
    name: str | None = None,
    runs: str = "runs",
    export_to: str | None = "exported_models",
    evaluate: bool = True,
    resume: bool = False,
    overwrite: bool = False,
    preview: bool = False,
    **knobs,
) -> Result | None:
    """Trains an encoder on images without labels, exports it, judges it where labels are at hand, and says so.

    Args:
        method: a file of methods/, such as "simclr".
        data: a name ("digits", "fashion_mnist", any TFDS image dataset) or a folder of images; in Python also an array
            (n, height, width, channels), a pair (images, labels), or a Dataset.
        encoder: a function of encoders/, such as "resnet18", or "keras.applications:NAME".
        epochs: passes over the data.
        batch_size: images of a step, over all devices.
        optimizer: "lars", "lamb", "sgd" or the name of any Keras optimizer.
        learning_rate: the peak for a batch of 256; see learning_rate_rule.
        learning_rate_rule: how the batch size scales the learning rate: "linear", "sqrt" or "none".
        weight_decay: of all weights but biases and norms.
        warmup: share of the steps in which the learning rate rises; it falls by a cosine after them.
        image_size: side of the square that the encoder sees, in pixels; chosen from the data if not given.
        preset: views as another method makes them, a function of views/presets.py.
        augment_on: "host" makes the views in tf.data, "device" inside the training step; they are the same.
        strategy: "auto", "one" or "mirrored".
        precision: "float32", "mixed_float16" or "mixed_bfloat16".
        seed: of weights, data order and views.
        name: of the run and the export; METHOD_DATA if not given.
        runs: folder of the run folders.
        export_to: folder of the exported encoders; "none" exports nothing.
        evaluate: linear probe, k-NN and clustering at the end, where the data has labels.
        resume: go on with the run of that name.
        overwrite: replace the run and the export of that name.
        preview: only draw the contact sheet of the views and count what they do.

    Other keywords are the knobs of the method, the encoder and the preset of views.

    Raises:
        ValueError: a wrong knob, name or value; the text is one line that says what to do.
    """
    given = dict(locals())
    settings = {k: v for k, v in given.items() if k not in (*PLACES, "knobs")} | knobs
    plan = Plan(settings, _route(knobs, method, encoder, preset))
    plan.name = name or f"{method}_{plan.train_set.name}"
    if preview:
        plan.draw_views(Path(runs) / f"{plan.name}-views.png")
        return None
    exported = Path(export_to) / plan.name if export_to else None
    if exported and not resume:
        refuse_existing(exported, overwrite)
    model = plan.build()
    with Run(Path(runs) / plan.name, plan.settings, resume, overwrite) as run:
        print(f"run folder {run.path}")
        plan.draw_views(run.path / "views.png")
        result = plan.train(model, run)
        print(f"verdict: {result.verdict}")
        plan.finish(result, exported, evaluate, overwrite or resume)
    return result


class Plan:
    """A pretraining whose names have become objects.

    Args:
        settings: every knob of `pretrain` that says what is trained, by name, and those of method, encoder and views.
        knobs: {"method": {...}, "encoder": {...}, "views": {...}}, each part's own.
    """

    name = ""

    def __init__(self, settings: dict, knobs: dict[str, dict]):
        self.train_set, self.test_set = load(settings["data"])
        self._check(settings)
        self.knobs = knobs
        self.size = settings["image_size"] or choose_size(self.train_set)
        self.image_shape = (self.size, self.size, self.train_set.shape[-1])
        make_views = getattr(presets, _preset(settings["method"], settings["preset"]))
        self.chain = make_views(self.size, channels=self.image_shape[-1], **knobs["views"])
        self.augment = Views(self.chain, batch_size=settings["batch_size"], seed=settings["seed"])
        self.steps = len(self.train_set) // settings["batch_size"]
        self.settings = settings | {"data": self.train_set.fingerprint(), "image_size": self.size}

    def _check(self, settings: dict) -> None:
        evaluation.announce(self.train_set)
        if len(self.train_set) < 2:
            raise ValueError(f"{self.train_set.name} holds one image: a method that compares images needs at least 2")
        if settings["batch_size"] > len(self.train_set):
            raise ValueError(
                f"a batch of {settings['batch_size']} is larger than the data, {len(self.train_set)} images: "
                f"--batch-size {max(2, len(self.train_set) // 4)} leaves a few steps an epoch"
            )
        for knob, known in (("augment_on", ("host", "device")), ("precision", PRECISIONS)):
            if settings[knob] not in known:
                raise ValueError(nearest(knob, settings[knob], known))

    def draw_views(self, path: Path) -> None:
        """The contact sheet as a PNG, and a table of what each operation does."""
        few = next(iter(self.train_set.batches(min(8, len(self.train_set)), drop_remainder=False)))
        sheet.contact_sheet(few["image"], few["size"], self.chain, path)
        print(sheet.table(sheet.statistics(self.chain, self.image_shape[-1])))
        print(f"contact sheet of the views: {path}")

    def build_encoder(self) -> keras.Model:
        """A new encoder for the images, with random weights."""
        return encoders.make(self.settings["encoder"], self.image_shape, **self.knobs["encoder"])

    def build(self) -> SSLModel:
        """The compiled method around a new encoder, within the strategy."""
        with replicas.strategy(self.settings["strategy"]).scope():
            model = self._build()
        self.untrained = model.encoder.get_weights()
        return model

    def _build(self) -> SSLModel:
        s = self.settings
        keras.utils.set_random_seed(s["seed"])
        keras.config.set_dtype_policy(s["precision"])
        try:
            model = methods.find(s["method"])(self.build_encoder(), **self.knobs["method"])
        finally:
            keras.config.set_dtype_policy("float32")
        peak, line = optimizers.scaled_learning_rate(s["learning_rate"], s["batch_size"], s["learning_rate_rule"])
        total = s["epochs"] * self.steps
        schedule = optimizers.WarmupCosine(peak, total, warmup_steps=round(s["warmup"] * total))
        model.augment = self.augment if s["augment_on"] == "device" else None
        model.compile(optimizers.make(s["optimizer"], schedule, weight_decay=s["weight_decay"]))
        print(f"{model.encoder.name}: {model.encoder.count_params():,} parameters, input {self.image_shape}")
        print(f"{line}; {s['optimizer']}, {total} steps")
        return model

    def train(self, model: SSLModel, run: Run) -> Result:
        """Trains in the run folder, from its newest checkpoint if there is one."""
        s = self.settings
        health, throughput = self.health(model), Throughput(s["batch_size"], s["epochs"], self.steps)
        trackers = [JsonLines(run.path / "metrics.jsonl"), TensorBoard(run.path / "events", run.path / "views.png")]
        train(
            model,
            lambda start, stop: throughput.watch(self.batches(start, stop)),
            s["epochs"],
            self.steps,
            Checkpoints(model, run.path / "checkpoints"),
            [throughput, health, *self.online_knn(), *trackers],
        )
        return Result(model, run.path, verdict=health.judge())

    def batches(self, start: int, stop: int) -> tf.data.Dataset:
        """The training batches of the steps start..stop - 1."""
        s = self.settings
        batches = self.train_set.batches(s["batch_size"], seed=s["seed"], start=start, stop=stop)
        if s["augment_on"] == "host":
            batches = batches.map(self.augment, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return batches.prefetch(tf.data.AUTOTUNE)

    def health(self, model: SSLModel) -> Health:
        """The monitor of embeddings, over fixed views of the first images."""
        count = min(len(self.train_set), max(128, 1024 * 32**2 // self.size**2), 1024)
        batch = next(iter(self.train_set.take(np.arange(count)).batches(count)))
        return Health(Views(self.chain, batch_size=count, seed=self.settings["seed"] + 1)(batch), model)

    def online_knn(self) -> list[OnlineKNN]:
        """The monitor of features where labels are at hand: a fifth of some training images asks the others."""
        if self.train_set.labels is None:
            return []
        count = min(len(self.train_set), 5000, WATCHED // int(np.prod(self.image_shape)))
        some = self.train_set.take(np.random.default_rng(0).permutation(len(self.train_set))[:count])
        bank, labels = count * 4 // 5, some.labels
        images = np.concatenate(list(evaluation.images(some, self.size)))
        return [OnlineKNN(lambda x: knn(x[:bank], labels[:bank], x[bank:], labels[bank:]), images)]

    def finish(self, result: Result, exported: Path | None, evaluate: bool, overwrite: bool) -> None:
        """Exports the encoder, judges it where labels are at hand, and completes the card."""
        trained, untrained = self.build_encoder(), self.build_encoder()
        trained.set_weights(result.model.encoder.get_weights())
        untrained.set_weights(self.untrained)
        facts = self.facts(result)
        if exported:
            few = next(evaluation.images(self.train_set, self.size, batch_size=min(8, len(self.train_set))))
            facts = export(trained, exported, few, facts, overwrite)
            result.exported = exported
            print(f"exported to {exported}; largest difference when loaded: {facts['loads']}")
        if evaluate and self.test_set is not None:
            result.scores = evaluation.evaluate(trained, Splits(self.train_set, self.test_set), untrained=untrained)
        if exported and result.scores:
            rows = [row.as_dict() for row in result.scores]
            write_card(exported, facts | {"scores": rows, "scores_markdown": markdown(result.scores)})

    def facts(self, result: Result) -> dict:
        """What the card tells of the making."""
        return {
            "name": self.name,
            "method": self.settings["method"],
            "paper": result.model.paper,
            "data": f"{describe(self.train_set)} (fingerprint {self.settings['data']})",
            "verdict": result.verdict,
            "seed": self.settings["seed"],
            "knobs": self.settings,
            **provenance.facts(),
        }


PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


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


def _route(knobs: dict, method: str, encoder: str, preset: str | None) -> dict[str, dict]:
    """Hands each further knob to the part whose constructor takes it."""
    cls = methods.find(method)
    encoder_file = catalog.encoders().get(encoder)
    preset = _preset(method, preset)
    owners = {
        "method": read(catalog.methods()[method], cls.__name__),
        "encoder": read(encoder_file, encoder) if encoder_file else {},
        "views": read(catalog.presets()[preset], preset),
    }
    known = {name for part in owners.values() for name in part} - catalog.GIVEN
    for name in knobs:
        if name not in known:
            raise ValueError(nearest(f"knob of {method}, {encoder} and their views", name, known))
    return {part: {n: v for n, v in knobs.items() if n in names} for part, names in owners.items()}
