"""Anything a user may call data - a name, a folder, an array - to training and test splits."""

import dataclasses
import difflib
import gzip
import importlib
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sslzoo import catalog
from sslzoo.catalog.kinds import KINDS, Kind, kind_of
from sslzoo.data import labels as numbers
from sslzoo.data.arrays import from_array, splits_of
from sslzoo.data.builders import from_tfds, is_prepared, tfds_names
from sslzoo.data.clip_art import captioned_pictures
from sslzoo.data.dataset import DataError, Dataset, Splits
from sslzoo.data.episode_files import PREFIX, load_episodes
from sslzoo.data.folder import checked_scan, parts_of_folder
from sslzoo.data.joined import join
from sslzoo.data.packed import from_packed, is_packed
from sslzoo.data.ranges import small_range, stretched
from sslzoo.data.selection import hold_out, judge_of, noted
from sslzoo.data.streams import from_stream

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # of Debian's package dataset-fashion-mnist
FASHION_CLASSES = tuple("T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(","))
BUILTIN = ("digits", "fashion_mnist", "stamps", "emoji")


def load(
    data: Any,
    *,
    max_size: int | None = None,
    labels: str | Path = "auto",
    splits: Any = "auto",
    value_range: tuple[float, float] | None = None,
    kind: str | None = None,
    scan: str = "headers",
    categories: str | Sequence[str] | None = None,
    captions: str | Path = "auto",
    sample_rate: int | None = None,
    tokenizer: str | None = None,
) -> Splits:
    """Loads data to train on and, where there are labels, to test on.

    Labelled data without a test split give a fifth of their images, drawn with a fixed seed, for that. What was
    understood of the data, such as classes, splits and what is left out, is in the `notes` of the datasets.

    Args:
        data: "digits" (scikit-learn's), "fashion_mnist", "stamps" or "emoji" (with captions, as of
            `clip_art.captioned_pictures`), "episodes:FILE" (as of `load_episodes`), the name of any TFDS image dataset
            ("cifar10", "cifar10:3.0.2", "imagenet2012[:10%]"); the path of a folder, of images or packed; an array (n,
            height, width[, channels]), uint8, uint16 or float within [0, 1]; a pair (images, labels); two such pairs
            for training and testing; a list of folders; a finite `tf.data.Dataset`, as of `streams.from_stream`; a
            Dataset; or Splits. "./digits" is always a folder, "builtin:digits" and "tfds:cifar10" always a dataset.
        max_size: longest side in pixels; larger images are shrunk. By default 256 where sizes are mixed, else none.
        labels: "auto" takes folders of images for classes, if there are at least two; "folders" fails if there are
            not; "none" leaves out all labels; a path is that of a CSV file with rows FILE,CLASS. The last but "none"
            are for folders of images.
        splits: "auto" takes folders of images called train, test, val, unlabeled and the like for splits; "none" takes
            none for one; or the folders of each split, {"train": ["a", "b"], "test": "c"} or "train=a+b,test=c".
        value_range: (low, high), the pixel values that become black and white, for data that use a part of their
            range, such as (0, 4095) for 12 bits in 16. By default that of the type.
        kind: "image", "series", "audio", "rows" or "text". By default "series" for "ucr:NAME", "uea:NAME" and files
            that end in .ts or .npz, "audio" for "audio:FOLDER", "rows" for "table:NAME", "sklearn:NAME", .csv and
            .parquet files, DataFrames, dicts of columns and structured arrays, "text" for "text:NAME", .txt and .jsonl
            files, and "image" for everything else; `parts` of `sslzoo.data.series`, `audio`, `rows` and `texts` say
            more. Of rows and texts, `labels` is the column of the classes.
        scan: of folders of images. "headers" reads the headers of the files; a file that cannot be decoded later, when
            it is used, is named then and replaced by its neighbour. "full" decodes all files at the start.
        categories: of rows, columns of numbers that are categories, "a,b" or a list.
        captions: of images. "auto" takes a file captions.csv, captions.jsonl or captions.json in the folder; "txt" the
            first line of a file next to each image, with the same name and .txt; "none" none; or the path of a file,
            as of `caption_files.from_file`. Without a test part a fifth of the captions is held out.
        sample_rate: of audio, samples per second, to which files are resampled and which arrays have; 16000 if None.
        tokenizer: of texts, "words", "pieces" of them, or "bytes"; words if None.

    Raises:
        DataError: a line that says what is wrong and what to do.
    """
    own = dict(categories=categories, sample_rate=sample_rate, tokenizer=tokenizer)
    as_it_is = labels == splits == captions == "auto" and value_range is None and not any(own.values())
    if isinstance(data, Splits) and as_it_is:
        return data
    reading = dict(max_size=max_size, labels=labels, splits=splits, value_range=value_range, scan=scan)
    parts = load_parts(data, **reading, kind=kind, captions=captions, **own)
    return Splits(parts["train"], judge_of(parts))


def load_parts(
    data: Any,
    *,
    max_size: int | None = None,
    labels: str | Path = "auto",
    splits: Any = "auto",
    value_range: tuple[float, float] | None = None,
    kind: str | None = None,
    scan: str = "headers",
    categories: str | Sequence[str] | None = None,
    captions: str | Path = "auto",
    sample_rate: int | None = None,
    tokenizer: str | None = None,
) -> dict[str, Dataset]:
    """All images of data, those included that `load` leaves out.

    Args:
        data, max_size, labels, splits, value_range, kind, scan, categories, captions, sample_rate, tokenizer: of load.

    Returns:
        "train", and where there are such images "test", "validation", "unlabelled" and "other" (in none of these)
        -> datasets.

    Raises:
        DataError: a line that says what is wrong and what to do.
    """
    if max_size is not None and max_size < 1:
        raise DataError(f"max_size is {max_size}: give a number of pixels, or leave it out")
    given = isinstance(data, Dataset | Splits)
    if isinstance(data, str) and data in catalog.plugins("datasets"):
        data = catalog.found("datasets", data)()
    reading = dict(labels=labels, splits=splits, scan=checked_scan(scan), captions=captions)
    found = KINDS[kind_of(data, kind)]
    options = dict(labels=labels, categories=categories, sample_rate=sample_rate, tokenizer=tokenizer)
    for name, noun in (("categories", "tables"), ("sample_rate", "audio"), ("tokenizer", "texts")):
        if options[name] and (given or name not in found.options):
            raise DataError(f"{name}=...: for {noun} that are read here, the data are another kind or a Dataset")
    if found.pixels or isinstance(data, Dataset | Splits):
        parts = _resolve(data, dict(max_size=max_size), reading, value_range)
    else:
        _refuse_pixels(found, labels, max_size=max_size, value_range=value_range, splits=splits, captions=captions)
        parts = importlib.import_module(found.reader).parts(data, **{name: options[name] for name in found.options})
    if labels == "none":
        parts = {name: dataclasses.replace(part, labels=None, class_names=None) for name, part in parts.items()}
    if captions == "none":
        parts = {name: dataclasses.replace(part, captions=None) for name, part in parts.items()}
    return _with_judge(parts if given else noted(parts, _understood(parts)))


def _refuse_pixels(kind: Kind, labels: str | Path, **options) -> None:
    """Raises DataError for options of images that are given for data of another kind."""
    defaults = dict(max_size=None, value_range=None, splits="auto", captions="auto")
    given = [name for name, value in options.items() if value != defaults[name]]
    given += ["labels"] * (labels not in ("auto", "none") and "labels" not in kind.options)
    if given:
        raise DataError(
            f"{', '.join(f'{name}=...' for name in given)}: for images, the data are {kind.noun}; leave it out"
        )


def _with_judge(parts: dict[str, Dataset]) -> dict[str, Dataset]:
    """The parts with a labelled test part, which is held out if the data has none; "test_unlabelled" has the others."""
    judge = judge_of(parts)
    if judge is None:
        train, test = hold_out(parts["train"])
        rest = {"test_unlabelled" if name == "test" and test else name: part for name, part in parts.items()}
        return {"train": train} | ({"test": test} if test else {}) | {n: p for n, p in rest.items() if n != "train"}
    known = judge.labelled()
    if known is judge:
        return parts
    name = next(name for name, part in parts.items() if part is judge)
    return parts | {name: known, f"{name}_unlabelled": judge.take(judge.labels < 0)}


def _understood(parts: dict[str, Dataset]) -> list[str]:
    """Lines on the kind, the classes and the range of pixels."""
    train, judge = parts["train"], judge_of(parts)
    pixels = KINDS[train.kind].pixels
    lines = small_range(train) if pixels else [f"{train.name} is read as {train.noun} (kind={train.kind!r})"]
    if train.labels is None:
        return lines
    lines.append(numbers.counts(train.labels, train.class_names))
    without = int(np.sum(train.labels < 0))
    lines += [f"{without} of {len(train)} training {train.noun} have no label"] if without else []
    if judge is None or judge.labels is None:
        return lines
    here, there = (set(part.labels[part.labels >= 0].tolist()) for part in (train, judge))
    for only, where in ((there - here, "test"), (here - there, "training")):
        lines += [f"{len(only)} classes are only in the {where} part: {_some(only, train)}"] if only else []
    return lines


def _some(labels: set[int], dataset: Dataset) -> str:
    names = [dataset.class_names[label] if dataset.class_names else str(label) for label in sorted(labels)]
    return ", ".join(" ".join(name.split()) for name in names[:5]) + (", ..." if len(names) > 5 else "")


def _resolve(data: Any, size: dict, reading: dict, value_range: Any) -> dict[str, Dataset]:
    """The parts of any data; `size` and `reading` are arguments of `parts_of_folder`."""
    if isinstance(data, str) and data in catalog.plugins("datasets"):
        return _resolve(catalog.found("datasets", data)(), size, reading, value_range)
    if isinstance(data, list) and data and all(isinstance(item, str | os.PathLike) for item in data):
        return _joined([_resolve(Path(item), size, reading, value_range) for item in data])
    if isinstance(data, tf.data.Dataset):
        return _named_parts(from_stream(data, **size, value_range=value_range))
    path = data if isinstance(data, Path) else _path(data) if isinstance(data, str) else None
    if path is not None and not is_packed(path.expanduser()):
        parts = parts_of_folder(path, **size, **reading)
        return parts if value_range is None else {name: stretched(part, value_range) for name, part in parts.items()}
    given = reading["splits"] != "auto" or reading["captions"] not in ("auto", "none")
    if given or reading["labels"] not in ("auto", "none"):
        raise DataError(
            "labels='folders', labels=FILE, splits and captions are for folders of images: give one, or leave them out"
        )
    if path is None and not isinstance(data, str | Dataset | Splits):
        return _named_parts(_from_arrays(data, size | dict(value_range=value_range)))
    splits = from_packed(path, **size) if path else _by_text(data, **size) if isinstance(data, str) else data
    parts = {"train": splits} if isinstance(splits, Dataset) else _named_parts(splits)
    return parts if value_range is None else {name: stretched(part, value_range) for name, part in parts.items()}


def _joined(folders: list[dict[str, Dataset]]) -> dict[str, Dataset]:
    names = dict.fromkeys(name for parts in folders for name in parts)
    return {name: join([parts[name] for parts in folders if name in parts]) for name in names}


def _named_parts(splits: Splits) -> dict[str, Dataset]:
    return {name: part for name, part in splits._asdict().items() if part is not None}


def _from_arrays(data: Any, options: dict) -> Splits:
    paths = isinstance(data, tuple | list) and any(isinstance(item, str | os.PathLike) for item in data)
    if isinstance(data, tuple) and not paths and len(data) == 2:
        pairs = all(isinstance(item, tuple | list) and len(item) == 2 for item in data)
        return splits_of(*data, **options) if pairs else splits_of(data, **options)
    return splits_of((data, None), **options)


def _path(text: str) -> Path | None:
    """The folder that a text names, or None where it is the name of a dataset.

    Raises:
        DataError: it is both, or neither.
    """
    path, base = Path(text).expanduser(), re.match(r"\w*", text)[0]
    if text.startswith(("/", ".", "~")):
        return path
    if not text:
        return None
    builtin = text in BUILTIN
    if path.is_dir() and (builtin or (base == text and is_prepared(base))):
        known = f"{'builtin' if builtin else 'tfds'}:{text}"
        raise DataError(f"{text!r} is a folder here and a dataset's name: give './{text}' for the folder, or {known!r}")
    if path.is_dir() or (path.exists() and base not in tfds_names()):
        return path
    return None


def _by_text(text: str, max_size: int | None) -> Splits:
    if text.startswith(PREFIX):
        return load_episodes(text.removeprefix(PREFIX), max_size=max_size)
    name = text.removeprefix("builtin:").removeprefix("tfds:")
    if not name:
        raise DataError("data is an empty text: give a name, a folder or an array")
    if name == "digits" and not text.startswith("tfds:"):
        return Splits(_digits(max_size))
    if name == "fashion_mnist" and FASHION_MNIST.is_dir() and not text.startswith("tfds:"):
        return Splits(*(_fashion_mnist(part, max_size) for part in ("train", "t10k")))
    if name in ("stamps", "emoji") and not text.startswith("tfds:"):
        return Splits(captioned_pictures(name, max_size))
    base = re.match(r"\w*", name)[0]
    if base and (base in tfds_names() or is_prepared(base)):
        debian = "install Debian's package dataset-fashion-mnist, or " if base == "fashion_mnist" else ""
        return from_tfds(name, max_size=max_size, hint=debian)
    here = [entry.name for entry in os.scandir() if entry.is_dir()]
    nearest = difflib.get_close_matches(base or name, ["digits", *tfds_names(), *here], cutoff=0.7)
    hint = f"nearest names: {', '.join(nearest)}" if nearest else "see tensorflow.org/datasets/catalog for the names"
    raise DataError(f"{text!r} is neither a folder nor the name of a dataset; {hint}")


def _digits(max_size: int | None) -> Dataset:
    from sklearn.datasets import load_digits  # slow to import, and seldom needed

    images, labels = load_digits(return_X_y=True)
    images = np.rint(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)  # its values are 0 to 16
    classes = tuple(map(str, range(10)))
    return dataclasses.replace(from_array(images, labels, name="digits", max_size=max_size), class_names=classes)


def _fashion_mnist(part: str, max_size: int | None) -> Dataset:
    images = _idx(FASHION_MNIST / f"{part}-images-idx3-ubyte.gz")
    labels = _idx(FASHION_MNIST / f"{part}-labels-idx1-ubyte.gz")
    dataset = from_array(images, labels, name="fashion_mnist", max_size=max_size)
    return dataclasses.replace(dataset, class_names=FASHION_CLASSES)


def _idx(path: Path) -> np.ndarray:
    """An array of bytes in the idx format: two zeros, type 8, the number of axes, their big-endian lengths, data."""
    try:
        data = gzip.decompress(path.read_bytes())
        shape = np.frombuffer(data, ">i4", data[3], 4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)
    except (OSError, EOFError, IndexError, ValueError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): reinstall the package dataset-fashion-mnist") from error
