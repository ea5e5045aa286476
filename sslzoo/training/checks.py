"""Checks of an experiment against its data and devices, before anything runs."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sslzoo.catalog import encoders
from sslzoo.catalog.kinds import KINDS, kind_of
from sslzoo.catalog.knobs import nearest
from sslzoo.data import Dataset
from sslzoo.data.order import classes_of
from sslzoo.data.packed import is_packed
from sslzoo.training.experiment import Experiment, RunOptions
from sslzoo.training.fitted import prototypes, queue_size
from sslzoo.utils.log import log
from sslzoo.views.engines import ENGINES

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def check(
    experiment: Experiment, method: Callable, name: str, data: Dataset, devices: int, knobs: dict[str, Any]
) -> None:
    """Checks that an experiment can run.

    Args:
        experiment: the experiment.
        method: the method, a class or a function.
        name: name of the method.
        data: the training set.
        devices: number of devices of the training.
        knobs: knobs of the method, with defaults.

    Raises:
        ValueError: if the experiment cannot run; the text is one line with advice.
    """
    if len(data) < 2:
        raise ValueError(f"{data.name} holds one image: a method that compares images needs at least 2")
    check_kind(method, name, data.kind)
    for knob, known in (("augment_on", ("host", "device")), ("engine", ENGINES), ("precision", PRECISIONS)):
        if getattr(experiment, knob) not in known:
            raise ValueError(nearest(knob, getattr(experiment, knob), known))
    if getattr(method, "supervised", False) and data.labels is None:
        line = f"labels are required by {name}; {data.name} has none"
        how = "put the images of each class into a folder of its own" if KINDS[data.kind].pixels else "give (x, labels)"
        raise ValueError(f"{line}: {how}")
    if getattr(method, "supervised", False) and (data.labels < 0).any():
        count = int((data.labels < 0).sum())
        line = f"labels are required by {name}; {count} of {len(data)} {data.noun} have none"
        raise ValueError(f"{line}: leave them out")
    if experiment.micro_batch and not getattr(method, "micro_batches", True):
        raise ValueError(f"{name} reads inside its encoder, which therefore takes no micro-batches")
    _advise(experiment, knobs, len(data), data.noun)
    if experiment.examples_per_class:
        _check_balance(experiment.batch_size, experiment.examples_per_class, data)
    _check_batch(experiment.batch_size, experiment.micro_batch, len(data), devices, data.noun)


def _check_encoder(encoder: Any, kind: str) -> None:
    of = next((one.name for one in KINDS.values() if isinstance(encoder, str) and encoder in encoders(one.name)), kind)
    if of != kind and len(KINDS[of].axes) == len(KINDS[kind].axes):
        raise ValueError(
            f"encoder={encoder!r} takes {KINDS[of].noun}, the data are {KINDS[kind].noun}: choose one of "
            f"{', '.join(encoders(kind))}"
        )


def check_kind(method: Callable, name: str, kind: str, encoder: Any = None) -> None:
    """Raises ValueError if a method does not work on a kind of data, or an encoder, a name, takes another kind."""
    _check_encoder(encoder, kind)
    kinds = getattr(method, "kinds", (kind,))
    if kind not in kinds:
        nouns = " and ".join(KINDS[one].noun for one in kinds)
        raise ValueError(f"{name} works on {nouns} only, the data are {KINDS[kind].noun}: choose another method")


def check_stage(experiment: Experiment, run: RunOptions, words: dict) -> None:
    """Raises ValueError if `features_after` is given with what reads the output of the whole encoder.

    Args:
        experiment, run: the arguments of a training.
        words: the vocabulary of a method that compares images with texts, or {}.
    """
    readers = {
        "layerwise=True evaluates after each block": experiment.layerwise,
        "keep_projector=True exports a projector of the encoder's output": run.keep_projector,
        "texts are compared with the encoder's output": words,
    }
    reason = next((reason for reason, asked in readers.items() if asked), None)
    if experiment.features_after and reason:
        raise ValueError(f"features_after={experiment.features_after!r}: {reason}; leave one of them out")


def engine_of(experiment: Experiment, run: RunOptions) -> str:
    """Returns the engine of the views.

    A device and a data service run graphs without Python functions: the engine is then XLA.

    Raises:
        ValueError: if OpenCV is asked for there.
    """
    graph = "augment_on='device'" if experiment.augment_on == "device" else "data_service" if run.data_service else None
    if graph and experiment.engine == "opencv":
        raise ValueError(f"engine='opencv' computes views in this process: leave out {graph}, or give engine='xla'")
    return "xla" if graph else experiment.engine


def _advise(experiment: Experiment, knobs: dict[str, Any], images: int, noun: str) -> None:
    """Logs what does not fit the amount of data, and what would."""
    if (size := knobs.get("queue_size", 0)) > images:
        unfilled = f"{experiment.epochs} epochs leave it partly random"
        why = unfilled if size > experiment.epochs * images else "negatives include the example itself"
        line = f"queue_size={size} exceeds the {images} {noun}: {why}"
        log.warning(f"{line}; queue_size={queue_size(images)} avoids this")
    if knobs.get("prototypes", 0) > images:
        line = f"prototypes={knobs['prototypes']} exceed the {images} {noun}: most of them stay unused"
        log.warning(f"{line}; prototypes={prototypes(images)} is a start")
    if images // experiment.batch_size < 4:
        steps = images // experiment.batch_size
        log.warning(f"{steps} steps per epoch: a smaller batch_size, such as {max(2, images // 16)}, gives more")


def _check_batch(batch: int, part: int | None, images: int, devices: int, noun: str) -> None:
    if batch > images:
        line = f"a batch of {batch} is larger than the data, {images} {noun}"
        raise ValueError(f"{line}: batch_size={max(2, images // 4)} leaves a few steps per epoch")
    if batch % devices:
        line = f"a batch of {batch} cannot be divided equally among {devices} devices"
        raise ValueError(f"{line}: batch_size={max(1, batch // devices) * devices}")
    if part is not None and batch // devices % part:
        raise ValueError(f"a micro-batch of {part} does not divide the {batch // devices} {noun} of a device")


def _check_balance(batch: int, each: int, data: Dataset) -> None:
    if classes_of(data) is None or data.labels is not None and (data.labels < 0).any():
        raise ValueError(f"examples_per_class={each} needs labels, which some or all of the {data.noun} do not have")
    if batch % each:
        raise ValueError(f"a batch of {batch} is no multiple of examples_per_class={each}")
    if batch == each:
        raise ValueError(f"examples_per_class={each} leaves one class in a batch of {batch}: there are no negatives")


def canvas_side(experiment: Experiment) -> int | None:
    """Returns the longest side of the images that views are cut from, in pixels; None leaves it to the data."""
    data, size = experiment.data, experiment.image_size
    folders = data if isinstance(data, list) else [data]
    named = all(isinstance(one, str | Path) and Path(one).is_dir() and not is_packed(one) for one in folders)
    named = named and KINDS[kind_of(data, experiment.kind)].pixels
    if experiment.max_size or size is None or not named:
        return experiment.max_size
    return 32 * math.ceil(size * 8 / 7 / 32)
