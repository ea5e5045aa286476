"""Parts of data: a held-out test part, some classes, some images."""

import dataclasses

import numpy as np

from sslzoo.data.captions import held_out
from sslzoo.data.dataset import DataError, Dataset, Splits


def noted(splits: dict[str, Dataset], lines: list[str]) -> dict[str, Dataset]:
    """The parts with lines for the user at the end of their notes."""
    return {name: dataclasses.replace(part, notes=(*part.notes, *lines)) for name, part in splits.items()}


def judge_of(parts: dict[str, Dataset]) -> Dataset | None:
    """The test part, or else the validation part, that can judge: one with labels, if the training part has them."""
    tests = (parts[name] for name in ("test", "validation") if name in parts)
    unlabelled = parts["train"].labels is None
    return next((part for part in tests if unlabelled or part.labels is not None), None)


def hold_out(dataset: Dataset) -> Splits:
    """Sets aside a fifth of a dataset with labels or captions, drawn with a fixed seed, of each class alike.

    Classes of one image stay in the training part whole, as do images without a label. Where a fifth has fewer images
    than there are classes, no class gives more than one and none its last image. Data without labels are not divided.
    Images with captions are divided by these instead: no caption is in both parts.
    """
    if dataset.captions and len(dataset) > 1:
        return _divided_by_caption(dataset)
    if dataset.labels is None or len(dataset) < 2:
        return Splits(dataset)
    split = divided(dataset.labels, dataset.noun)
    if split is None:
        return Splits(dataset)
    train, test, note = split
    dataset = dataclasses.replace(dataset, notes=(*dataset.notes, note))
    return Splits(dataset.part(train), dataset.part(test))


def _divided_by_caption(dataset: Dataset) -> Splits:
    test = held_out(dataset.captions)
    if len(test) == len(dataset):
        return Splits(dataset)
    count = f"{len(test)} of the {len(dataset)} {dataset.noun} are held out for it"
    note = f"no test split: {count}, and their captions with them"
    dataset = dataclasses.replace(dataset, notes=(*dataset.notes, note))
    return Splits(dataset.part(np.setdiff1d(np.arange(len(dataset)), test)), dataset.part(test))


def divided(labels: np.ndarray, noun: str) -> tuple[np.ndarray, np.ndarray, str] | None:
    """The rows to train on, those to hold out as in `hold_out`, and a line on that; None if none can be held out."""
    test, how = _fifth(labels)
    if not len(test):
        return None
    note = f"no test split: {len(test)} of the {len(labels)} {noun} are held out for it{how}"
    return np.setdiff1d(np.arange(len(labels)), test), test, note


def _fifth(labels: np.ndarray) -> tuple[np.ndarray, str]:
    """The rows to set aside, in order, and what is to be said of the choice."""
    from sklearn.model_selection import train_test_split  # slow to import, and seldom needed

    known, counts = np.unique(labels[labels >= 0], return_counts=True)
    rows = np.flatnonzero(np.isin(labels, known[counts > 1]))
    single = f"; {np.sum(counts == 1)} classes of one image stay in training" if np.any(counts == 1) else ""
    if not len(rows):  # nothing but classes of one image
        some = np.flatnonzero(labels >= 0)
        test = train_test_split(some, test_size=0.2, random_state=0)[1] if len(some) > 1 else some[:0]
        return np.sort(test), ", each of a class that has no other image"
    try:
        return np.sort(train_test_split(rows, test_size=0.2, random_state=0, stratify=labels[rows])[1]), single
    except ValueError:  # more classes than images to set aside
        return _one_of_some_classes(rows, labels), f"; not every class is among them{single}"


def _one_of_some_classes(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A fifth of the rows, at least one, no two of them of one class."""
    shuffled = np.random.default_rng(0).permutation(rows)
    _, first = np.unique(labels[shuffled], return_index=True)
    return np.sort(shuffled[np.sort(first)[: -(-len(rows) // 5)]])


def restrict(splits: Splits, classes: int | None = None, max_images: int | None = None) -> Splits:
    """The first `classes` classes alone, and of the images to train on at most `max_images`, drawn with a fixed seed.

    Raises:
        DataError: fewer than two classes, more than there are, no labels, or no images.
    """
    if classes is not None:
        splits = Splits(*(part and _first_classes(part, classes) for part in splits))
    if max_images is not None and max_images < 2:
        raise DataError(f"max_images is {max_images}: at least 2 are needed to train on")
    return splits if max_images is None else splits._replace(train=splits.train.sample(max_images))


def _first_classes(dataset: Dataset, classes: int) -> Dataset:
    if dataset.labels is None:
        raise DataError(f"{dataset.name} has no labels, so no {classes} classes of it can be chosen")
    known = len(dataset.class_names) if dataset.class_names else int(dataset.labels.max()) + 1
    if not 2 <= classes <= known:
        raise DataError(f"{dataset.name} has {known} classes: choose 2 to {known} of them, not {classes}")
    some = dataset.take(dataset.labels < classes)
    return dataclasses.replace(some, class_names=dataset.class_names and dataset.class_names[:classes])
