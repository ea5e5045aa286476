"""What the names of a folder's folders say: splits, then labels."""

import dataclasses
import os

import numpy as np

from sslzoo.data.dataset import Dataset, Splits

SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}


def arrange(dataset: Dataset) -> tuple[Splits, list[str]]:
    """Splits and labels a dataset by the folders that its files are in.

    Returns:
        The splits, and lines about images that are in none of them.
    """
    paths = [file.split(os.sep) for file in dataset.files]
    split_of = np.array([SPLITS.get(path[0].lower(), "") if len(path) > 1 else "" for path in paths])
    found = set(split_of)
    # A folder "train" beside "bus" and "bicycle" is a class.
    if "train" not in found or not (found == {"train"} or found & {"test", "validation"}):
        return Splits(_complete(_labelled(dataset, paths, level=0))), []
    dataset = _labelled(dataset, paths, level=1)
    parts = {name: _complete(dataset.take(split_of == name)) for name in ("train", "test", "validation", "")}
    train = parts.pop("train")
    tests = [name for name in ("test", "validation") if _judges(parts[name], train)]
    test = parts.pop(tests[0]) if tests else None
    lines = [f"left unused: {len(part)} images {_where(name)}" for name, part in parts.items() if len(part)]
    return Splits(train, test), lines


def _judges(part: Dataset, train: Dataset) -> bool:
    """Images without labels cannot judge what was learned of images with labels."""
    return len(part) > 0 and (train.labels is None or part.labels is not None)


def _labelled(dataset: Dataset, paths: list[list[str]], level: int) -> Dataset:
    """Labels by the folders of a level; -1 where there is no such folder."""
    folders = [path[level] if len(path) > level + 1 else None for path in paths]
    names = tuple(sorted(set(folders) - {None}))
    number = {name: label for label, name in enumerate(names)} | {None: -1}
    return dataclasses.replace(dataset, labels=np.array([number[f] for f in folders], np.int32), class_names=names)


def _complete(dataset: Dataset) -> Dataset:
    """Drops labels that not every image has, or that tell nothing apart."""
    if len(dataset.class_names) >= 2 and np.all(dataset.labels >= 0):
        return dataset
    return dataclasses.replace(dataset, labels=None, class_names=None)


def _where(split: str) -> str:
    return f"for {split}" if split else "outside of the folders for training and testing"
