"""Values that "auto" chooses from the amount of data: epochs, batch size, queue and prototypes."""

import dataclasses
from typing import Any

from sslzoo.catalog.knobs import AUTO
from sslzoo.training.experiment import Experiment
from sslzoo.utils.log import log

STEPS = 10_000  # of a training with epochs="auto"
LONGEST = 500  # epochs


def fitted(experiment: Experiment, defaults: dict[str, Any], images: int, devices: int = 1) -> Experiment:
    """Replaces "auto" by values that fit the data, and logs each with its reason.

    Args:
        experiment: the experiment, in which `epochs`, `batch_size`, `queue_size` and `prototypes` may be "auto".
        defaults: the knobs of the method with their defaults, which are upper limits.
        images: number of training examples.
        devices: number of devices that share a batch.

    Returns:
        An experiment without "auto".
    """
    fields, knobs = {}, dict(experiment.knobs)
    batch = experiment.batch_size
    if batch == AUTO:
        fields["batch_size"] = batch = devices * max(1, batch_size(images) // devices)
        line = f"at most 256, and at least 16 steps per epoch where the {images} examples allow it"
        log.info(f"batch_size={batch}: {line}")
    if experiment.epochs == AUTO:
        steps = max(1, images // batch)
        fields["epochs"] = min(LONGEST, max(1, round(STEPS / steps)))
        log.info(f"epochs={fields['epochs']}: {STEPS} steps at {steps} steps per epoch, at most {LONGEST} epochs")
    for name, fit, reason in (("queue_size", queue_size, "half"), ("prototypes", prototypes, "a tenth")):
        if knobs.get(name) == AUTO:
            knobs[name] = min(fit(images), defaults.get(name, images))
            log.info(f"{name}={knobs[name]}: a power of two, at most {reason} of the {images} examples and the default")
    return dataclasses.replace(experiment, **fields, knobs=knobs)


def batch_size(images: int) -> int:
    """A power of two from 8 to 256 that gives 16 steps per epoch or more, if the data allows it."""
    return min(256, max(8, _power(images // 16)), _power(images))


def queue_size(images: int) -> int:
    """A power of two, at most half of the images, so that few negatives are views of the image itself."""
    return max(16, _power(images // 2))


def prototypes(images: int) -> int:
    """A power of two, at most a tenth of the images, so that each prototype has several images."""
    return max(16, _power(images // 10))


def _power(number: int) -> int:
    """The largest power of two that is not above a number."""
    return 1 << max(0, number.bit_length() - 1)
