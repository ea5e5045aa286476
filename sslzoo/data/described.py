"""A dataset in one line."""

from typing import Any

import numpy as np


def describe(dataset: Any) -> str:
    """One line of a Dataset: name, number of images, canvas, dtype, classes and captions."""
    shape = "x".join(map(str, dataset.shape))
    names = dataset.class_names
    if dataset.labels is None:
        labels = "no labels"
    else:
        labels = f"{len(names) if names else len(np.unique(dataset.labels))} classes"
    labels += ", captions" if dataset.captions else ""
    name = " ".join(dataset.name.split("\n"))
    return f"{name}: {len(dataset)} {dataset.noun} {shape} {dataset.dtype}, {labels}"
