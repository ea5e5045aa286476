"""Any image dataset of tensorflow-datasets (TFDS) by its name: what is prepared here first, then a download."""

import contextlib
import os
import re
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import tensorflow as tf

from sslzoo.data.dataset import DataError, Dataset, Splits
from sslzoo.data.images import on_canvas, shrink
from sslzoo.data.made import in_memory, of_images
from sslzoo.utils.bars import progress
from sslzoo.utils.machine import machine_memory

SIDE = 256  # of the canvas by default, where a dataset mixes sizes
MEMORY_SHARE = 1 / 2  # of the machine's memory that the pixels of a split may take
READ_BYTES = 2**23  # read in one piece, where all images are of one size
PROBE_SECONDS = 3.0


def from_tfds(text: str, *, max_size: int | None = None, hint: str = "") -> Splits:
    """Loads the splits of a TFDS image dataset.

    Args:
        text: name[/config][:version], with [part] behind it for a part of the train split in TFDS' notation, such as
            "imagenet2012[:10%]", or for other splits, such as "stl10[unlabelled]".
        max_size: longest side in pixels that images may have; larger ones are shrunk. By default 256 where the
            dataset mixes sizes, else no limit.
        hint: a further way to get the dataset, for the error when it cannot be downloaded.

    Raises:
        DataError: no such version, split or image; or it is not here and cannot be downloaded.
    """
    parsed = re.fullmatch(r"([^\[]*)(?:\[(.+)\])?", text)
    if not parsed:
        raise DataError(f"{text!r} is not of the form name[part], such as {text.partition('[')[0]}[:10%]")
    name, part = parsed.groups()
    with _quiet():
        builder = _builder(name)
        _check_features(builder, name)
        _prepare(builder, name, hint)
        train = _train_split(builder, name, part)
        tests = (split for split in ("test", "validation") if split in builder.info.splits and split not in train)
        test = next((split for split in tests if _judges(builder, split)), None)
        return Splits(*(_read(builder, text, split, max_size) for split in (train, test) if split))


def tfds_names() -> list[str]:
    """Names of the datasets that TFDS can make."""
    import tensorflow_datasets as tfds

    return tfds.list_builders(with_community_datasets=False)  # those are listed over the network


def data_dir() -> Path:
    """TFDS' folder."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def is_prepared(name: str) -> bool:
    """Whether TFDS' folder holds some version of a dataset."""
    return any((data_dir() / name).rglob("dataset_info.json"))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps TFDS' warnings to itself: each of their causes is an error below, or harmless."""
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _builder(name: str) -> Any:
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=data_dir())
    except (ValueError, AssertionError, ImportError) as error:
        raise DataError(f"TFDS has no dataset {name!r}: {_one_line(error)}") from error


def _check_features(builder: Any, name: str) -> None:
    import tensorflow_datasets as tfds

    features = builder.info.features
    named = dict(features.items()) if isinstance(features, tfds.features.FeaturesDict) else {}
    image = named.get("image")
    if not isinstance(image, tfds.features.Image):
        raise DataError(
            f"{name} is no dataset of images: it has no feature 'image', only {', '.join(named) or features}"
        )
    if image.np_dtype not in (np.uint8, np.uint16):
        raise DataError(f"the images of {name} are {image.np_dtype}, not uint8 or uint16: load them and pass an array")


def _prepare(builder: Any, name: str, hint: str) -> None:
    """Downloads what is not prepared, after a look whether that can work: TFDS would retry for minutes."""
    if builder.is_prepared():
        return
    ways = f"{hint}prepare it where there is network (tfds build {name}) and point TFDS_DATA_DIR at that folder"
    url = next(iter(builder.url_infos), None)
    if url and not _reachable(url):
        raise DataError(f"{name} is not on this machine and {urlsplit(url).hostname} cannot be reached: {ways}")
    try:
        builder.download_and_prepare()
    except Exception as error:  # a download fails in as many ways as there are datasets
        raise DataError(f"TFDS could not prepare {name} ({_one_line(error)}): {ways}") from error


def _reachable(url: str) -> bool:
    """Whether the host of a URL, or the proxy in front of it, takes a connection."""
    host = urlsplit(url).hostname
    proxy = None if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(urlsplit(url).scheme)
    target = urlsplit(proxy or url)
    port = target.port or {"http": 80, "https": 443, "ftp": 21}.get(target.scheme, 80)
    answers = []

    def connect() -> None:
        with contextlib.suppress(OSError), socket.create_connection((target.hostname, port), PROBE_SECONDS):
            answers.append(True)

    # In a thread, as looking up a name has no timeout of its own.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return bool(answers)


def _train_split(builder: Any, name: str, part: str | None) -> str:
    splits = builder.info.splits
    split = part if part and part[0].isalpha() else f"train[{part}]" if part else "train"
    try:
        if splits[split].num_examples:
            return split
    except (ValueError, KeyError, AssertionError):
        pass
    raise DataError(
        f"{name} has no images in {split!r}: choose from {', '.join(splits)}, such as {name}[{[*splits][0]}]"
    )


def _judges(builder: Any, split: str) -> bool:
    """False for splits whose labels are kept secret, -1."""
    if "label" not in builder.info.features:
        return True
    if _random_access(builder):
        return builder.as_data_source(split=f"{split}[:1]")[0]["label"] >= 0
    return next(builder.as_dataset(split=f"{split}[:1]").as_numpy_iterator())["label"] >= 0


def _random_access(builder: Any) -> bool:
    return builder.info.file_format.value == "array_record"


def _read(builder: Any, name: str, split: str, max_size: int | None) -> Dataset:
    """One split: in memory if it fits, else by index."""
    image = builder.info.features["image"]
    fixed = None not in image.shape
    side = max_size if fixed else max_size or SIDE
    shape = shrink(np.zeros(image.shape, image.np_dtype), side).shape if fixed else (side, side, image.shape[-1] or 3)
    needed = builder.info.splits[split].num_examples * int(np.prod(shape)) * np.dtype(image.np_dtype).itemsize
    fits = needed < MEMORY_SHARE * machine_memory()
    if _random_access(builder):
        dataset = _by_index(builder, name, split, side, shape)
        return _loaded(dataset) if fits else dataset
    if not fits:
        raise DataError(
            f"{name} takes {needed / 1e9:.0f} GB, over half of this machine's memory: load a part, such as "
            f"{name.partition('[')[0]}[:10%], lower max_size, or prepare it again, in another TFDS_DATA_DIR, "
            "by tfds build --file_format=array_record, which can be read without holding it"
        )
    return _in_order(builder, name, split, side, shape)


def _in_order(builder: Any, name: str, split: str, side: int | None, shape: tuple[int, int, int]) -> Dataset:
    """Reads a split from its first image to its last."""
    import tensorflow_datasets as tfds

    features, count = builder.info.features, builder.info.splits[split].num_examples
    # TFDS would keep small datasets in memory a second time.
    examples = builder.as_dataset(split=split, read_config=tfds.ReadConfig(try_autocache=False))
    examples = examples.map(lambda example: {key: example[key] for key in ("image", "label") if key in example})
    together = 1 if None in features["image"].shape else max(1, READ_BYTES // int(np.prod(features["image"].shape)))
    batches = examples.batch(together).prefetch(tf.data.AUTOTUNE)
    labels = []

    def pixels() -> Iterator[np.ndarray]:
        for batch in batches.as_numpy_iterator():
            labels.extend(batch.get("label", ()))
            yield from shrink(batch["image"], side)

    bar = progress(pixels(), f"reading {name}", count)
    canvas = on_canvas(bar, count, shape, features["image"].np_dtype)
    return in_memory(name, *_cropped(*canvas), **_labels(features, labels))


def _by_index(builder: Any, name: str, split: str, side: int | None, shape: tuple[int, int, int]) -> Dataset:
    """Reads a split in any order, as TFDS' array_record files allow."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    pictures = [key for key, feature in features.items() if isinstance(feature, tfds.features.Image)]
    source = builder.as_data_source(split=split, decoders=dict.fromkeys(pictures, tfds.decode.SkipDecoding()))
    feature = features["image"]

    def pixels(index: int) -> np.ndarray:
        with tf.device("CPU"):
            image = tf.io.decode_image(source[index]["image"], feature.shape[-1] or 3, feature.np_dtype, None, False)
        return shrink(image.numpy(), side)

    def read(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return on_canvas((pixels(int(i)) for i in index), len(index), shape, feature.np_dtype)

    count = len(source)
    rows = progress(range(count if "label" in features else 0), f"reading the labels of {name}", count)
    labels = [source[i]["label"] for i in rows]
    dtype = np.dtype(feature.np_dtype)
    versioned = np.zeros(count, np.uint64)  # the content of a name and version does not change
    return of_images(name, read, count, shape, dtype, in_memory=False, digests=versioned, **_labels(features, labels))


def _loaded(dataset: Dataset) -> Dataset:
    fields = dict(labels=dataset.labels, class_names=dataset.class_names, digests=dataset.digests)
    return in_memory(dataset.name, *_cropped(*dataset.arrays()), **fields)


def _cropped(images: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Takes off what no image reaches, leaving a square if it was one."""
    height, width = sizes.max(axis=0)
    if images.shape[1] == images.shape[2]:
        height = width = max(height, width)
    return images[:, :height, :width], sizes


def _labels(features: Any, labels: list[int]) -> dict[str, Any]:
    import tensorflow_datasets as tfds

    if not isinstance(dict(features.items()).get("label"), tfds.features.ClassLabel) or min(labels, default=-1) < 0:
        return {}
    return dict(labels=np.asarray(labels, np.int32), class_names=tuple(features["label"].names))


def _one_line(error: Exception) -> str:
    """The first line of what TFDS says, without the arguments it was called with."""
    return str(error).strip().partition("\n")[0].rpartition('}": ')[2] or type(error).__name__
