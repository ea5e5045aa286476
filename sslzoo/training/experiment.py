"""The arguments of `pretrain` as two frozen dataclasses: the experiment and the run options."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sslzoo.catalog.kinds import KINDS, kind_of
from sslzoo.catalog.knobs import AUTO, FITTED
from sslzoo.catalog.options import encoder_of
from sslzoo.catalog.ranges import check_number
from sslzoo.training.limits import RANGES
from sslzoo.training.spelling import spelled
from sslzoo.utils.files import refuse_path


@dataclasses.dataclass(frozen=True)
class Experiment:
    """The experiment: everything that determines the trained weights.

    Attributes:
        method: name of a method, such as "simclr"; in Python also a subclass of `SSLModel`, or a function
            `(encoder, **knobs) -> SSLModel`.
        data: name of a dataset ("digits", "fashion_mnist", "stamps", "emoji", any TFDS image dataset), a folder of
            images, of time series "ucr:NAME", "uea:NAME", a .ts or .npz file, of tables "table:NAME", "sklearn:NAME", a
            .csv or .parquet file, of audio "audio:FOLDER", of texts "text:NAME", a .txt or .jsonl file; in Python also
            a list of folders, an array (n, height, width, channels), with kind="series" (n, steps, channels), with
            kind="audio" (n, samples), with kind="rows" (n, columns), with kind="text" a list of strings, a DataFrame, a
            dict of columns, a pair (images, labels), a `tf.data.Dataset` of images or of dicts, or a `Dataset`.
        kind: kind of the data, "image", "series", "audio", "rows" or "text"; None chooses it by the name of the data:
            "series" for "ucr:", "uea:", .ts and .npz, "audio" for "audio:", "rows" for tables with names of their
            columns, "text" for "text:", .txt and .jsonl, else "image".
        encoder: name of an encoder, such as "resnet18", or "keras.applications:NAME"; in Python also a built Keras
            model, or a function `(input_shape, **knobs) -> keras.Model`.
        start_from: weights that the encoder starts from: the folder of an exported encoder or of a keras-hub preset, a
            .keras, .h5, PyTorch or .safetensors file, or "keras.applications:NAME"; in Python also a Keras model. They
            determine `encoder` where it has its default. None starts from random weights.
        freeze_blocks: number of blocks of the encoder, counted from its input, that are not trained; their BatchNorm
            normalizes by its moving statistics. Needs start_from.
        layer_decay: factor of the learning rate from each block of the encoder to the one before it, towards the input.
        lora_rank: rank of a trainable update that is added to the frozen kernels of the encoder (LoRA) and merged into
            them in the export; 0 trains the kernels themselves. Needs start_from.
        stay: weight of a term that holds the features of the first view near those of the start: 1 - their cosine.
            Needs start_from.
        features_after: stage of the encoder, such as "block2", whose output is exported and measured, pooled as the
            encoder pools its own; the report of `sslzoo evaluate --all` has the stages and their scores, in the chapter
            "By depth". None takes the output of the encoder.
        epochs: passes over the data; "auto" gives 10,000 steps, and at most 500 epochs.
        batch_size: images of a step, over all devices; "auto" gives up to 256, and 16 steps per epoch or more.
        examples_per_class: class-balanced batches of labelled data: this number of examples of each of batch_size /
            examples_per_class classes, so that each has positives in the batch; 0 draws examples whatever their class.
            Of frames without labels an episode is a class, whose frames are then negatives of each other.
        optimizer: "lars", "lamb", "sgd" or the name of any Keras optimizer; in Python also an optimizer, which keeps
            its own learning rate, weight decay and clipping.
        learning_rate: peak learning rate for a batch of 256; see learning_rate_rule.
        learning_rate_rule: how the batch size scales the learning rate: "linear", "sqrt" or "none".
        weight_decay: weight decay of all weights except biases and the weights of normalization layers.
        weight_decay_end: final weight decay, reached along a cosine (0.4 in DINO and MSN); constant if None.
        clip_norm: maximum norm of the gradient of each weight, over all devices; no clipping if None.
        warmup: share of the steps, in [0, 1], in which the learning rate rises; it then falls along a cosine.
        labels: "auto" takes sub-folders of images or sounds as classes, "folders" requires them, "none" omits all
            labels; otherwise a CSV file with rows FILE,CLASS, of sounds also FILE,CLASS,GROUP. Of tables the column of
            the classes; "auto" takes that of a known table, or a column called label, class or target.
        categories: of tables, columns of numbers that are categories, "a,b"; strings are categories anyway.
        captions: of a folder of images: "auto" takes captions.csv, captions.jsonl or captions.json in it, "txt" a file
            NAME.txt next to each image, "none" omits them; otherwise a file, a .csv with rows FILE,CAPTION, a .jsonl or
            a .json of COCO.
        sample_rate: of audio, samples per second, to which files are resampled and which arrays have; 16000 if None.
        tokenizer: of texts and captions, "words", those of the training part, "pieces" of them, or "bytes" of UTF-8,
            for any language; words if None.
        splits: "auto" takes folders named train, test, val, unlabeled and the like as splits, "none" does not;
            otherwise the folders of each split, "train=a+b,test=c".
        value_range: pixel values of black and white, such as "0,4095", for images that use a part of the range of their
            type; the whole range if None.
        scan: "headers" reads the headers of the files of a folder at the start; a file that cannot be decoded later is
            then named and replaced by its neighbour. "full" decodes all files at the start and omits those.
        image_size: side of the square input of the encoder, in pixels; chosen from the data if None. For series the
            number of steps that they are stretched to, by default those of the longest; for audio the samples of a
            view, by default 0.95 seconds.
        max_size: longest side of the images that views are cut from, in pixels; larger images are shrunk. None keeps
            the size of arrays and packed data, and shrinks the images of a folder to 8/7 of image_size, rounded up to
            a multiple of 32 (256 for 224), or to 256 without image_size.
        classes: use only the first `classes` classes of the data; all if None.
        max_images: train on at most this number of images, drawn with a fixed seed; all if None.
        layerwise: train one block of the encoder after the other, each for `epochs`, and evaluate after each; the
            encoder must be a chain of layers, such as conv6.
        preset: name of a preset of views, such as "simclr"; the preset of the method if None; in Python also a list of
            `View`, a function `(size, channels, **knobs) -> list of View`, or a function from batch to batch that adds
            `views`.
        augment_on: "host" computes the views in tf.data, "device" in the training step; the views are equal.
        engine: what crops, resizes and blurs on the host: "xla", "opencv" (faster from 56 px on) or "auto", the faster
            one for the size and the images. The views are equal within 1e-4. On the device XLA computes them.
        strategy: "auto" (all GPUs), "one", "mirrored", "multi-worker" (TF_CONFIG names the workers; worker 0 writes
            checkpoints, and all workers need access to the run folder), or "tpu" (experimental).
        micro_batch: number of images that the encoder processes at a time, for batches that do not fit into memory;
            the gradient is that of the whole batch.
        precision: "float32", "mixed_float16" or "mixed_bfloat16".
        seed: seed of weights, order of the data and views.
        deterministic: use deterministic operations on GPUs, which are slower; runs on CPUs are always deterministic.
        knobs: arguments of the method, the encoder and the preset, by name. `queue_size` and `prototypes` may be
            "auto", which chooses them from the number of images.
    """

    method: str | Callable = "simclr"
    data: Any = "digits"
    kind: str | None = None
    encoder: str | Callable = "resnet18"
    start_from: str | Any | None = None
    freeze_blocks: int = 0
    layer_decay: float = 1.0
    lora_rank: int = 0
    stay: float = 0.0
    features_after: str | None = None
    epochs: int = 100
    batch_size: int = 256
    examples_per_class: int = 0
    optimizer: str | Any = "sgd"
    learning_rate: float = 0.12
    learning_rate_rule: str = "linear"
    weight_decay: float = 5e-4
    weight_decay_end: float | None = None
    clip_norm: float | None = None
    warmup: float = 0.1
    labels: str | Path = "auto"
    categories: str | Any | None = None
    captions: str | Path = "auto"
    sample_rate: int | None = None
    tokenizer: str | None = None
    splits: str | dict = "auto"
    value_range: str | Any | None = None
    scan: str = "headers"
    image_size: int | None = None
    max_size: int | None = None
    classes: int | None = None
    max_images: int | None = None
    layerwise: bool = False
    preset: str | Any | None = None
    augment_on: str = "host"
    engine: str = "auto"
    strategy: str = "auto"
    micro_batch: int | None = None
    precision: str = "float32"
    seed: int = 0
    deterministic: bool = False
    knobs: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_types(self)
        kind_of(self.data, self.kind)
        for field in dataclasses.fields(self):
            fitted = field.name in FITTED and getattr(self, field.name) == AUTO
            if field.name in RANGES and not fitted:
                check(field.name, getattr(self, field.name), *RANGES[field.name], whole="float" not in str(field.type))

    @property
    def settings(self) -> dict[str, Any]:
        """The fields except `knobs`, with objects as text, as a run folder records them."""
        texts = {f.name: spelled(getattr(self, f.name)) for f in dataclasses.fields(self) if f.name != "knobs"}
        # Earlier versions did not record these settings.
        recent = READING | STARTING | {"examples_per_class": 0, "features_after": None}
        return {name: value for name, value in texts.items() if name not in recent or value != recent[name]}

    @property
    def reading(self) -> dict[str, Any]:
        """The arguments of `data.load`."""
        return {name: getattr(self, name) for name in READING}

    @property
    def given(self) -> list[str]:
        """Sorted names of the fields that differ from their defaults, and of the knobs."""
        changed = [f.name for f in dataclasses.fields(self) if not _equal(getattr(self, f.name), f.default)]
        return sorted({*self.knobs, *changed} - {"knobs"})


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Run options, which are not part of the experiment.

    Attributes:
        name: name of the run and of the export; METHOD_DATA if None.
        runs: folder of the run folders.
        export_to: folder of the exported encoders; "none" exports nothing.
        keep_projector: export the projector too, as projector.keras; `sslzoo evaluate --all` then evaluates its layers.
        keep: labelled data of earlier, as `data`; at the end the encoder and its start are compared on them too, by
            k-NN and a linear probe, and the verdict says which is better.
        probe: other labelled data, as `data`, on which k-NN and a linear probe of the frozen encoder are measured while
            it trains, as probe_knn and probe_linear, and compared with its start at the end.
        probe_every: number of epochs between two measurements on `probe`; the last epoch is always measured.
        evaluate: run the linear probe, k-NN and clustering at the end if the data has labels; otherwise write a report
            to the run folder.
        resume: continue the run of this name, on the devices that are available now.
        extend: continue the run of this name to a larger number of epochs; the learning rate then follows the
            schedule of the larger number.
        change: with `resume`, accept settings that differ from those of the run.
        checkpoint_steps: steps between checkpoints, in addition to those after each epoch.
        checkpoint_minutes: minutes between checkpoints, in addition to those after each epoch.
        keep_checkpoints: number of newest checkpoints to keep.
        cache: folder for decoded pixels, for data that does not fit into memory; later runs reuse it.
        data_service: grpc://host:port of `sslzoo serve-data`, that reads the data and computes the views.
        overwrite: replace the run and the export of this name.
        mlflow: log the run to MLflow, at MLFLOW_TRACKING_URI or sqlite:///mlflow.db.
        preview: only draw the contact sheet of the views and the table of their operations.
        callbacks: Keras callbacks of the training, called before the checkpoint of an epoch is written.
    """

    name: str | None = None
    runs: str = "runs"
    export_to: str | None = "exported_models"
    keep_projector: bool = False
    keep: str | Any | None = None
    probe: str | Any | None = None
    probe_every: int = 1
    evaluate: bool = True
    resume: bool = False
    extend: bool = False
    change: bool = False
    checkpoint_steps: int | None = None
    checkpoint_minutes: float | None = None
    keep_checkpoints: int = 2
    cache: str | None = None
    data_service: str | None = None
    overwrite: bool = False
    mlflow: bool = False
    preview: bool = False
    callbacks: tuple = ()

    def __post_init__(self) -> None:
        check_types(self)
        check("keep_checkpoints", self.keep_checkpoints, 1, math.inf, whole=True)
        check("probe_every", self.probe_every, 1, math.inf, whole=True)
        check("checkpoint_steps", self.checkpoint_steps, 1, math.inf, whole=True)
        check("checkpoint_minutes", self.checkpoint_minutes, 0, 1e9)
        refuse_path(self.name)

    @property
    def free(self) -> set[str] | None:
        """Names of the settings that may change when a run is resumed; None means all."""
        if self.change:
            return None
        return {"strategy", "epochs"} if self.extend else {"strategy"}


# Arguments of `data.load`.
READING = {"labels": "auto", "splits": "auto", "value_range": None, "max_size": None, "kind": None, "scan": "headers"}
READING |= {"categories": None, "captions": "auto", "sample_rate": None, "tokenizer": None}
STARTING = {"start_from": None, "freeze_blocks": 0, "layer_decay": 1.0, "lora_rank": 0, "stay": 0.0}


def check_types(value: Any) -> None:
    """Raises ValueError for a field of a dataclass that must be a bool or a text and is not."""
    for field in dataclasses.fields(value):
        given, kind = getattr(value, field.name), str(field.type)
        if field.type is bool and not isinstance(given, bool):
            raise ValueError(f"{field.name} must be True or False, got {given!r}")
        plain = field.type is str or kind == "str | None"
        if plain and not (isinstance(given, str | Path) and str(given) or given is None and "None" in kind):
            raise ValueError(f"{field.name} must be a text, got {given!r}")


def check(name: str, value: Any, low: float, high: float = math.inf, whole: bool = False) -> None:
    """Raises ValueError if a value is neither None nor a number in [low, high]."""
    if value is not None:
        check_number(name, value, low, high, whole=whole)


def divide(options: dict[str, Any]) -> tuple[Experiment, RunOptions]:
    """Divides the keywords of `pretrain` into an experiment and run options; other keywords are knobs.

    The defaults of the kind of the data replace those of images, and the encoder of the method that of its kind.
    """
    kind = kind_of(options.get("data"), options.get("kind"))
    encoder = encoder_of(options.get("method", Experiment.method), kind, options.get("encoder", Experiment.encoder))
    options = KINDS[kind].defaults | options | {"encoder": encoder}
    run = {name: options[name] for name in _names(RunOptions) & options.keys()}
    fields = {name: options[name] for name in (_names(Experiment) - {"knobs"}) & options.keys()}
    knobs = {name: value for name, value in options.items() if name not in run and name not in fields}
    if fields.get("layerwise") and run.get("probe") is not None:
        raise ValueError("layerwise=True trains encoders that grow, and evaluates each: leave out probe=...")
    return Experiment(**fields, knobs=knobs), RunOptions(**run)


def _names(cls: type) -> set[str]:
    return {field.name for field in dataclasses.fields(cls)}


def _equal(value: Any, default: Any) -> bool:
    # Types are compared first: data may be an array, whose == does not return a bool.
    return isinstance(value, type(default)) and value == default
