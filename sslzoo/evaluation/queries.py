"""Queries of an index: rows of it, files, texts and arrays as features by the encoder of the index."""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from sslzoo.data import Dataset, load_parts
from sslzoo.evaluation.indexing import identity
from sslzoo.evaluation.neighbours import Index
from sslzoo.evaluation.sources import canvas, sample_rate
from sslzoo.exports.inputs import accepted_by, exported_extent
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.views.inputs import encode


def features_of(index: Index, query: Any) -> tuple[np.ndarray, np.ndarray | None, Dataset | None]:
    """The features of a query.

    Args:
        index: the index.
        query: a row of the index, an int or its digits; the path of a file (an image, a sound, a table, series); a text
            for an index of texts; or examples in memory, as `data` of `pretrain`.

    Returns:
        Features (n, dim), their rows in the index if they are from it, else None, and the examples if they are not.

    Raises:
        ValueError: no such row or file, or the encoder of the index has changed.
    """
    if isinstance(query, int | np.integer) or isinstance(query, str) and query.strip().isdigit():
        row = int(query)
        if not 0 <= row < len(index):
            raise ValueError(f"query={row}: rows of the index are 0 to {len(index) - 1}")
        return np.asarray(index.features[row : row + 1]), np.array([row]), None
    data = _examples(index, query)
    encoder, facts = encoder_of(index)
    data = accepted_by(data, encoder)
    return encode(encoder, data, exported_extent(facts)), None, data


def encoder_of(index: Index) -> tuple:
    """The encoder of an index and its facts.

    Raises:
        ValueError: it is not there any more, or has other weights.
    """
    path = index.settings["encoder"]
    facts = read_facts(path)
    if identity(path) != index.settings["identity"]:
        raise ValueError(f"the encoder {path} has changed since the index was made: make the index again")
    return load_encoder(path), facts


def _examples(index: Index, query: Any) -> Dataset:
    kind, path = index.settings["kind"], Path(query) if isinstance(query, str | os.PathLike) else None
    facts = read_facts(index.settings["encoder"])
    options = dict(kind=kind, max_size=canvas(facts), labels="none")
    options["sample_rate"] = sample_rate(facts, query)
    if path is not None and not path.exists():
        if kind != "text":
            raise ValueError(f"query={str(query)!r} is neither a row of the index nor a file")
        query, path = [str(query)], None
    if path is None or path.is_dir() or kind not in ("image", "audio"):
        return load_parts(query, **options)["train"]
    with tempfile.TemporaryDirectory() as folder:  # read as training data are, from a folder
        (Path(folder) / path.name).symlink_to(path.absolute())
        found = load_parts(f"audio:{folder}" if kind == "audio" else folder, **options)["train"]
        return _in_memory(found)


def _in_memory(data: Dataset) -> Dataset:
    """The same dataset, read now."""
    examples, sizes = data.arrays()
    return data.with_images(lambda index: (examples[index], sizes[index]), in_memory=True, digests=None, content=None)
