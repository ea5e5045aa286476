"""An index of the features of a dataset by an exported encoder, searched by cosine similarity."""

import dataclasses
import functools
import importlib
from pathlib import Path
from typing import Any

import numpy as np

from sslzoo.data import Dataset
from sslzoo.evaluation.embedding import read_parts
from sslzoo.evaluators import unit_length
from sslzoo.evaluators.overlap import search

GRAPH = "neighbours.faiss"  # file of the graph in the folder of an index
LINKS, EFFORT = 32, 128  # of an HNSW graph: links of a row, and candidates of a search


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Index:
    """Features of all examples of a dataset, which are compared by the cosine similarity of features less their mean.

    Attributes:
        features: float32 (examples, dim), as the encoder makes them.
        columns: "split" and, where they are known, "label" (-1 for none), "class" and "path", each (examples,).
        settings: content of index.json: the encoder and its identity, the data and their fingerprints.
        folder: that the index was opened from, or None.
        given: the parts of the data, if they are in memory.
    """

    features: np.ndarray
    columns: dict[str, np.ndarray]
    settings: dict
    folder: Path | None = None
    given: dict[str, Dataset] | None = None

    def __len__(self) -> int:
        return len(self.features)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {part['count']}" for name, part in self.settings["parts"].items())
        name, dim = self.settings["data"], self.features.shape[1]
        return f"<{len(self)} x {dim} features of {name} ({counts}) by {self.settings['encoder']}>"

    @functools.cached_property
    def mean(self) -> np.ndarray:
        """float32 (dim,)."""
        return self.features.mean(0, dtype="float64").astype("float32")

    @functools.cached_property
    def unit(self) -> np.ndarray:
        """Directions of the features less their mean, float32 (examples, dim)."""
        return self.directions(self.features)

    def directions(self, features: np.ndarray) -> np.ndarray:
        """Directions (n, dim) of other features (n, dim) less the mean of the index."""
        return unit_length(np.asarray(features, "float32") - self.mean)

    @property
    def labels(self) -> np.ndarray | None:
        """int (examples,), -1 for none; None if no labels are known."""
        return self.columns.get("label")

    def rows(self, split: str | None = None, labelled: bool = False) -> np.ndarray:
        """Rows of a split, or of all; with `labelled` only those with labels.

        Raises:
            ValueError: there is no such split, no labels, or no such row.
        """
        names = list(self.settings["parts"])
        if split is not None and split not in names:
            raise ValueError(f"split={split!r}: the index has {', '.join(names)}")
        if labelled and self.labels is None:
            raise ValueError("labels are required; the data of the index have none")
        mask = np.ones(len(self), bool) if split is None else self.columns["split"] == split
        return np.flatnonzero(mask & (self.labels >= 0) if labelled else mask)

    def search(self, queries: np.ndarray, k: int = 10, own: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The nearest examples of queries: rows and cosine similarities (queries, k), nearest first.

        Args:
            queries: features (queries, dim).
            k: number of neighbours, at most the examples, less one with `own`.
            own: row of each query in the index, which is not found, or None.

        Raises:
            ValueError: features of another width, or k out of range.
        """
        queries = np.asarray(queries, "float32")
        if queries.ndim != 2 or queries.shape[1] != self.features.shape[1]:
            raise ValueError(f"queries must be features (n, {self.features.shape[1]}), got shape {queries.shape}")
        most = len(self) - (own is not None)
        if not 1 <= k <= most:
            raise ValueError(f"k must be 1 to {most}, the examples of the index, got {k!r}")
        if self.settings["backend"] == "exact":
            return search(self.unit, self.directions(queries), k, own)
        self.graph.hnsw.efSearch = max(EFFORT, 2 * k)
        return _of_graph(self.graph, self.directions(queries), k, own)

    @functools.cached_property
    def graph(self):
        """The HNSW graph of FAISS."""
        faiss = faiss_module()
        if self.folder:
            found = faiss.read_index(str(self.folder / GRAPH))
        else:
            found = faiss.IndexHNSWFlat(self.features.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
            found.add(self.unit)
        return found

    @functools.cached_property
    def parts(self) -> dict[str, Dataset]:
        """The parts of the data, read again if they are not in memory.

        Raises:
            ValueError: the data are not those of the index.
        """
        if self.given is not None:
            return self.given
        if not self.settings["named"]:
            raise ValueError("the data of the index were an object in memory: open the index with data=...")
        return same_parts(self.settings, self.settings["data"])

    def place(self, row: int) -> tuple[Dataset, int]:
        """The part of the data that an example of the index is from, and its row there."""
        split = str(self.columns["split"][row])
        return self.parts[split], int(row - np.argmax(self.columns["split"] == split))

    def name_of(self, row: int) -> str:
        """File of an example, or its split and row there."""
        if "path" in self.columns and self.columns["path"][row]:
            return str(self.columns["path"][row])
        split = str(self.columns["split"][row])
        return f"{split} {row - np.argmax(self.columns['split'] == split)}"

    def class_of(self, row: int) -> str:
        """Name of the class of an example, its number where classes have no names; "" without a label."""
        if self.labels is None or self.labels[row] < 0:
            return ""
        return str(self.columns["class"][row]) if "class" in self.columns else str(self.labels[row])

    def label_of(self, name: str) -> int:
        """The label of a class that is given by its name or number.

        Raises:
            ValueError: there is no such class, or there are no labels.
        """
        rows = self.rows(labelled=True)
        known = {self.class_of(row): int(self.labels[row]) for row in rows[_first(self.labels[rows])]}
        if str(name) in known:
            return known[str(name)]
        if str(name).isdigit() and int(name) in known.values():
            return int(name)
        raise ValueError(f"no class {name!r}: there are {', '.join(known)}")


def same_parts(settings: dict, data: Any) -> dict[str, Dataset]:
    """The parts of the data of an index; raises ValueError if they are not those that it was made of."""
    parts = read_parts(settings["encoder"], data, **settings["reading"])
    if described(parts) != settings["parts"]:
        raise ValueError(f"{settings['data']} has changed since the index was made: make it again")
    return parts


def described(parts: dict[str, Dataset]) -> dict[str, dict]:
    """Name of each part -> its number of examples and its fingerprint."""
    return {name: dict(count=len(part), fingerprint=part.fingerprint()) for name, part in parts.items()}


def _first(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_index=True)[1]


def _of_graph(graph, queries: np.ndarray, k: int, own: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    if own is None:
        similarities, rows = graph.search(queries, k)
        return rows, similarities
    similarities, rows = graph.search(queries, k + 1)
    last = np.argsort(rows == np.asarray(own)[:, None], axis=1, kind="stable")[:, :k]  # without the query itself
    return tuple(np.take_along_axis(found, last, axis=1) for found in (rows, similarities))


def faiss_module():
    """The module of FAISS; raises ValueError with the way to get it."""
    try:
        return importlib.import_module("faiss")
    except ImportError:
        raise ValueError("backend='faiss' needs FAISS: pip install 'sslzoo[faiss]'") from None
