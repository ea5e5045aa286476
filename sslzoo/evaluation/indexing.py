"""The folder of an index of features: written as a whole, and opened."""

import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.evaluation.embedding import read_parts, table_of
from sslzoo.evaluation.neighbours import GRAPH, Index, described, faiss_module, same_parts
from sslzoo.evaluation.sources import announce
from sslzoo.exports.inputs import exported_kind
from sslzoo.exports.savedmodel import read_facts
from sslzoo.utils.files import replacing
from sslzoo.utils.log import log

SETTINGS, FEATURES, COLUMNS = "index.json", "features.npy", "columns.npz"
BACKENDS = ("exact", "faiss")
FORMAT = 1


@checked()
def build_index(
    encoder: str | Path,
    data: Any,
    out: str | None = None,
    backend: str = "exact",
    max_images: int | None = None,
    batch_size: int = 256,
    labels: str = "auto",
    splits: str = "auto",
    value_range: str | None = None,
    scan: str | None = None,
) -> Index:
    """Computes the features of all examples of a dataset and writes them to a folder, an index.

    The folder has features.npy, columns.npz (split, label, class, path of each example) and index.json. It is written
    as a whole, and replaces an earlier index.

    Args:
        encoder: path of an exported encoder.
        data: as for `pretrain`.
        out: folder of the index; by default indexes/NAME.
        backend: "exact" compares with all examples; "faiss" searches a graph (HNSW), which is faster from about a
            million examples on and misses some neighbours. It needs faiss-cpu.
        max_images: maximum number of examples of each split, drawn with a fixed seed; all if None.
        batch_size: images encoded at a time.
        labels: "auto", "folders", "none" or a CSV file of rows FILE,CLASS; as for `data.load`.
        splits: "auto", "none" or the folders of each split, "train=a+b,test=c"; as for `data.load`.
        value_range: pixel values of black and white, such as "0,4095"; as for `data.load`.
        scan: "headers" or "full", as for `data.load`; by default as in the training.

    Raises:
        ValueError: no exported encoder, data that it does not accept, or something else is at `out`.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend={backend!r}: choose one of {', '.join(BACKENDS)}")
    if backend == "faiss":
        faiss_module()
    folder = Path(out or f"indexes/{Path(encoder).resolve().name}")
    if folder.exists() and not (folder / SETTINGS).is_file():
        raise ValueError(f"{folder} exists and is no index: choose another folder with out=...")
    facts = read_facts(encoder)
    reading = dict(max_images=max_images, labels=labels, splits=splits, value_range=value_range, scan=scan)
    parts = read_parts(encoder, data, **reading)
    announce(parts["train"])
    table = table_of(encoder, parts, batch_size)
    settings = dict(format=FORMAT, encoder=str(encoder), identity=identity(encoder), method=facts.get("method", ""))
    settings |= dict(data=str(data) if _named(data) else parts["train"].name, named=_named(data))
    settings |= dict(reading=reading, kind=exported_kind(facts), backend=backend, parts=described(parts))
    columns = {name: np.asarray(column) for name, column in table.columns.items()}
    made = Index(np.concatenate([*table.features()]), columns, settings, given=parts)
    if not np.isfinite(made.features).all():
        raise ValueError("the features hold NaN or infinity; look at the encoder that made them")
    _write(made, folder)
    log.info(f"{made!r}")
    return dataclasses.replace(made, folder=folder)


def open_index(folder: str | Path, data: Any = None) -> Index:
    """Opens the folder of an index.

    Args:
        folder: written by `build_index`.
        data: those of the index, if they were an object in memory; by default they are read again when needed.

    Raises:
        ValueError: there is no index, or the data are not those of the index.
    """
    folder = Path(folder)
    try:
        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        features = np.load(folder / FEATURES, mmap_mode="r")
        with np.load(folder / COLUMNS) as archive:
            columns = dict(archive)
    except FileNotFoundError:
        raise ValueError(f"{folder} is no index: `sslzoo index MODEL --data DATA` makes one") from None
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{folder} is a damaged index ({str(error).splitlines()[0]}): make it again") from None
    if settings.get("format") != FORMAT:
        raise ValueError(f"{folder} is an index of another version of sslzoo: make it again")
    return Index(features, columns, settings, folder, None if data is None else same_parts(settings, data))


def identity(encoder: str | Path) -> str:
    """16 hexadecimal digits that change with the weights of an exported encoder."""
    digest = hashlib.sha256()
    for file in sorted((Path(encoder) / "variables").glob("*")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _named(data: Any) -> bool:
    return isinstance(data, str | Path)


def _write(made: Index, folder: Path) -> None:
    with replacing(folder) as beside:
        beside.mkdir()
        np.save(beside / FEATURES, made.features)
        np.savez(beside / COLUMNS, **made.columns)
        (beside / SETTINGS).write_text(json.dumps(made.settings, indent=1) + "\n", "utf-8")
        if made.settings["backend"] == "faiss":
            faiss_module().write_index(made.graph, str(beside / GRAPH))
