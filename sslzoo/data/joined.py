"""Several datasets as one."""

import os
from collections.abc import Sequence

import numpy as np

from sslzoo.data.captions import Captions
from sslzoo.data.dataset import DataError, Dataset
from sslzoo.data.made import of_images


def join(parts: Sequence[Dataset]) -> Dataset:
    """One dataset of the images of several, in their order, on a canvas that holds the largest.

    Classes of the same name are one class. There are labels if all parts have them.

    Args:
        parts: with equal numbers of channels and the same type of pixels.

    Raises:
        DataError: other channels or types.
    """
    for what, values in (("channels", [p.shape[-1] for p in parts]), ("type", [str(p.dtype) for p in parts])):
        if len(set(values)) > 1:
            differing = ", ".join(f"{part.name}: {value}" for part, value in zip(parts, values, strict=True))
            raise DataError(f"the folders differ in their {what} ({differing}): convert the images, or train on one")
    starts = np.cumsum([0, *map(len, parts)])
    shape = tuple(int(side) for side in np.max([part.shape for part in parts], axis=0))

    def read(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index = np.asarray(index)
        images, sizes = np.zeros((len(index), *shape), parts[0].dtype), np.zeros((len(index), 2), np.int32)
        for part, start in zip(parts, starts, strict=False):
            rows = np.flatnonzero((index >= start) & (index < start + len(part)))
            if len(rows):
                found, sizes[rows] = part.examples(index[rows] - start)
                height, width = part.shape[:2]
                images[rows, :height, :width] = found
        return images, sizes

    def confine(index: np.ndarray) -> None:
        for part, start in zip(parts, starts, strict=False):
            if part.confine:
                part.confine(index[(index >= start) & (index < start + len(part))] - start)

    labels, class_names = _labels(parts)
    files = [os.path.join(part.name, file) for part in parts if part.files for file in part.files]
    return of_images(
        name="+".join(os.path.basename(part.name) or part.name for part in parts),
        read=read,
        count=int(starts[-1]),
        shape=shape,
        dtype=parts[0].dtype,
        labels=labels,
        class_names=class_names,
        captions=_captions(parts),
        files=tuple(files) if len(files) == starts[-1] else None,
        notes=tuple(note for part in parts for note in part.notes),
        confine=confine,
        in_memory=all(part.in_memory for part in parts),
        version="".join(part.version for part in parts),
    )


def _captions(parts: Sequence[Dataset]) -> Captions | None:
    if any(part.captions is None for part in parts):
        return None
    return Captions(tuple(texts for part in parts for texts in part.captions.texts))


def _labels(parts: Sequence[Dataset]) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    if any(part.labels is None or part.class_names is None for part in parts):
        return None, None
    names = tuple(dict.fromkeys(name for part in parts for name in part.class_names))
    numbers = [np.array([names.index(name) for name in part.class_names])[part.labels] for part in parts]
    return np.concatenate(numbers).astype(np.int32), names
