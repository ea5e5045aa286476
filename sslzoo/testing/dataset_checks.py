"""Checks of datasets: reading is repeatable and fits the spec, and batches are a function of the step."""

from typing import Any

import numpy as np

from sslzoo.data import Dataset, load


def check_dataset(data: Any, batch_size: int = 4, kind: str | None = None) -> None:
    """Checks what training, resuming and several devices rely on.

    Reading the same examples twice gives the same columns, as `spec` names them. An epoch holds no example twice.
    Batches depend on (seed, step) alone, whatever step the reading starts at. The shares of two workers are the rows of
    the whole batch. A part keeps labels and files of its examples.

    Args:
        data: anything that `sslzoo.pretrain` takes as `data`; its training part is checked.
        batch_size: examples of a batch, at most half of the data.
        kind: kind of the data, as of `data.load`.

    Raises:
        AssertionError: the text says what is wrong.
    """
    dataset = data if isinstance(data, Dataset) else load(data, kind=kind).train
    _check_columns(dataset, np.arange(min(len(dataset), 8)))
    _check_batches(dataset, batch_size)
    _check_shares(dataset, batch_size)
    _check_part(dataset)


def _same(one: Any, other: Any) -> bool:
    one, other = np.asarray(one), np.asarray(other)
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")  # a missing value is NaN


def _check_columns(dataset: Dataset, index: np.ndarray) -> None:
    first, again = dataset.read(index), dataset.read(index)
    assert first.keys() == dataset.spec.keys(), f"columns {sorted(first)}, the spec names {sorted(dataset.spec)}"
    for name, spec in dataset.spec.items():
        shape, dtype = (len(index), *spec.shape), spec.dtype.as_numpy_dtype
        assert first[name].shape == shape, f"column {name!r} has shape {first[name].shape}, the spec says {shape}"
        assert first[name].dtype == dtype, f"column {name!r} is {first[name].dtype}, the spec says {np.dtype(dtype)}"
        assert _same(first[name], again[name]), f"column {name!r} differs when it is read again"
    if dataset.labels is not None:
        assert len(dataset.labels) == len(dataset), f"{len(dataset.labels)} labels of {len(dataset)} examples"


def _check_batches(dataset: Dataset, size: int) -> None:
    steps = len(dataset) // size
    assert steps >= 2, f"{len(dataset)} examples do not give two batches of {size}: use a smaller batch_size"
    whole = list(dataset.batches(size, seed=1, stop=steps + 1))
    late = list(dataset.batches(size, seed=1, start=steps, stop=steps + 1))
    index = np.concatenate([batch["index"] for batch in whole[:steps]])
    assert len(set(index.tolist())) == len(index), "an epoch holds an example twice"
    for name, column in late[0].items():
        assert _same(column, whole[-1][name]), f"column {name!r} depends on where the reading started"


def _check_shares(dataset: Dataset, size: int) -> None:
    size -= size % 2
    (whole,) = dataset.batches(size, seed=1, stop=1)
    parts = [next(iter(dataset.batches(size, seed=1, stop=1, share=(worker, 2)))) for worker in (0, 1)]
    for name, column in whole.items():
        joined = np.concatenate([part[name] for part in parts])
        assert _same(joined, column), f"column {name!r} of two workers is not that of one"


def _check_part(dataset: Dataset) -> None:
    chosen = np.array([len(dataset) - 1, 0])
    part = dataset.take(chosen)
    assert len(part) == 2, f"a part of 2 examples has {len(part)}"
    for name in dataset.spec:
        same = _same(part.read(np.arange(2))[name], dataset.read(chosen)[name])
        assert same, f"column {name!r} of a part is that of other examples"
    if dataset.labels is not None:
        assert np.array_equal(part.labels, dataset.labels[chosen]), "labels of a part are those of other examples"
