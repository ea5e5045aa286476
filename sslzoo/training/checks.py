"""Checks of an experiment against its data and devices, before anything runs."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sslzoo.catalog.knobs import nearest
from sslzoo.data import Dataset
from sslzoo.data.packed import is_packed
from sslzoo.training.experiment import Experiment, RunOptions
from sslzoo.training.fitted import prototypes, queue_size
from sslzoo.utils.log import log
from sslzoo.views.engines import ENGINES

SIZES = (32, 64, 96, 128, 160, 224)  # input sizes in pixels for images larger than the smallest of them
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
    for knob, known in (("augment_on", ("host", "device")), ("engine", ENGINES), ("precision", PRECISIONS)):
        if getattr(experiment, knob) not in known:
            raise ValueError(nearest(knob, getattr(experiment, knob), known))
    if getattr(method, "supervised", False) and data.labels is None:
        line = f"labels are required by {name}; {data.name} has none"
        raise ValueError(f"{line}: put the images of each class into a folder of its own")
    if getattr(method, "supervised", False) and (data.labels < 0).any():
        count = int((data.labels < 0).sum())
        raise ValueError(f"labels are required by {name}; {count} of {len(data)} images have none: leave them out")
    if experiment.micro_batch and not getattr(method, "micro_batches", True):
        raise ValueError(f"{name} reads inside its encoder, which therefore takes no micro-batches")
    _advise(experiment, knobs, len(data))
    _check_batch(experiment.batch_size, experiment.micro_batch, len(data), devices)


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


def _advise(experiment: Experiment, knobs: dict[str, Any], images: int) -> None:
    """Logs what does not fit the amount of data, and what would."""
    if knobs.get("queue_size", 0) > images:
        line = f"queue_size={knobs['queue_size']} exceeds the {images} images: negatives include the image itself"
        log.warning(f"{line}; queue_size={queue_size(images)} avoids this")
    if knobs.get("prototypes", 0) > images:
        line = f"prototypes={knobs['prototypes']} exceed the {images} images: most of them stay unused"
        log.warning(f"{line}; prototypes={prototypes(images)} is a start")
    if images // experiment.batch_size < 4:
        steps = images // experiment.batch_size
        log.warning(f"{steps} steps per epoch: a smaller batch_size, such as {max(2, images // 16)}, gives more")


def _check_batch(batch: int, part: int | None, images: int, devices: int) -> None:
    if batch > images:
        line = f"a batch of {batch} is larger than the data, {images} images"
        raise ValueError(f"{line}: batch_size={max(2, images // 4)} leaves a few steps per epoch")
    if batch % devices:
        line = f"a batch of {batch} cannot be divided equally among {devices} devices"
        raise ValueError(f"{line}: batch_size={max(1, batch // devices) * devices}")
    if part is not None and batch // devices % part:
        raise ValueError(f"a micro-batch of {part} does not divide the {batch // devices} images of a device")


def canvas_side(experiment: Experiment) -> int | None:
    """Returns the longest side of the images that views are cut from, in pixels; None leaves it to the data."""
    data, size = experiment.data, experiment.image_size
    folders = data if isinstance(data, list) else [data]
    named = all(isinstance(one, str | Path) and Path(one).is_dir() and not is_packed(one) for one in folders)
    if experiment.max_size or size is None or not named:
        return experiment.max_size
    return 32 * math.ceil(size * 8 / 7 / 32)


def choose_size(dataset: Dataset) -> int:
    """Chooses the input size for a dataset.

    Returns:
        The longer side of the images in pixels if it is at most 32; otherwise the largest of SIZES that is not above
        the median of the shorter sides.
    """
    height, width, _ = dataset.shape
    if max(height, width) <= SIZES[0]:
        return max(height, width)
    some = np.linspace(0, len(dataset) - 1, 64).astype(int)
    typical = float(np.median(np.min(dataset.images(some)[1], axis=1)))
    return max((size for size in SIZES if size <= typical), default=SIZES[0])
