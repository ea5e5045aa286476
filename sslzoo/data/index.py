"""The index of packed data, packed.json: read, and checked before anything that it says is done."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

INDEX = "packed.json"
FORMAT = 1
MOST_SIDE = 2**16  # pixels of a canvas's side
DTYPES = ("uint8", "uint16", "float32")


class IndexFault(ValueError):
    """What is wrong with an index, in a few words."""


def read_index(folder: Path) -> dict[str, dict]:
    """The splits of the index in a folder: name -> its entries, whole and consistent.

    Raises:
        IndexFault: it is no index, or says what cannot be.
        OSError: it cannot be read.
    """
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise IndexFault(f"it is no JSON: {error}") from None
    _need(isinstance(index, dict) and isinstance(index.get("splits"), dict | None), "it is no index of packed data")
    if index.get("format") != FORMAT:
        raise IndexFault(f"it has format {index.get('format')!r}, this version reads {FORMAT}")
    splits = index.get("splits") or {}
    _need("train" in splits and set(splits) <= {"train", "test"}, f"it has the splits {sorted(splits)}")
    for name, split in splits.items():
        _need(isinstance(split, dict), f"its split {name} has no entries")
        for check in CHECKS:
            check(name, split)
    return splits


def _need(fact: bool, fault: str) -> None:
    if not fact:
        raise IndexFault(fault)


def _whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _list(value: Any, item: Callable[[Any], bool], length: int | None = None) -> bool:
    return isinstance(value, list) and (length is None or len(value) == length) and all(map(item, value))


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _check_head(name: str, split: dict) -> None:
    _need(_text(split.get("name")), f"the name of {name} is {split.get('name')!r}")
    _need(_whole(split.get("count"), 1, 2**40), f"the count of {name} is {split.get('count')!r}")
    _need(split.get("dtype") in DTYPES, f"the dtype of {name} is {split.get('dtype')!r}")
    shape = split.get("shape")
    _need(_list(shape, lambda side: _whole(side, 1, MOST_SIDE), 3), f"the shape of {name} is {shape!r}")


def _check_shards(name: str, split: dict) -> None:
    shards = split.get("shards")
    _need(_list(shards, lambda shard: isinstance(shard, dict)) and bool(shards), f"{name} has no files")
    for shard in shards:
        file, lengths, sums = (shard.get(key) for key in ("file", "lengths", "sums"))
        plain = _text(file) and file and file == Path(file).name and file[0] != "." and "\0" not in file
        _need(bool(plain), f"a file of {name} is called {file!r}, which is no name in this folder")
        _need(_list(lengths, lambda n: _whole(n, 0, 2**40)), f"the lengths of the records in {file} are no numbers")
        _need(_list(sums, lambda n: _whole(n, 0, 2**32 - 1), len(lengths)), f"{file} lacks checksums of its records")
    _need(len({shard["file"] for shard in shards}) == len(shards), f"{name} has a file twice")
    records = sum(len(shard["lengths"]) for shard in shards)
    _need(records == split["count"], f"{name} has {split['count']} images, but its files {records} records")


def _check_columns(name: str, split: dict) -> None:
    count, classes = split["count"], split.get("class_names")
    _need(classes is None or _list(classes, _text), f"the class names of {name} are no list of texts")
    most = len(classes) - 1 if classes else 2**31 - 1
    labels, files = split.get("labels"), split.get("files")
    fits = labels is None or _list(labels, lambda label: _whole(label, -1, most), count)
    _need(fits, f"the labels of {name} are not {count} numbers from -1 to {most}")
    _need(files is None or _list(files, _text, count), f"the file names of {name} are not {count} texts")
    digests = split.get("digests")
    _need(digests is None or (_text(digests) and _hex(digests, count)), f"the digests of {name} are not {count}")


def _hex(text: str, count: int) -> bool:
    return len(text) == 16 * count and set(text) <= set("0123456789abcdef")


def digests_of(split: dict) -> np.ndarray:
    """Digests (count,) uint64 of a split; zeros in an index of sslzoo 0.1, which has none."""
    text = split.get("digests")
    return np.frombuffer(bytes.fromhex(text), "<u8") if text else np.zeros(split["count"], np.uint64)


CHECKS = (_check_head, _check_shards, _check_columns)
