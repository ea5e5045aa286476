"""Anything a user may call data - a name, a folder, an array - to training and test splits."""

import dataclasses
import difflib
import gzip
import os
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from sslzoo.data.builders import from_tfds, is_prepared, tfds_names
from sslzoo.data.dataset import DataError, Dataset, Splits, hold_out, in_memory
from sslzoo.data.folder import from_folder
from sslzoo.data.images import shrink
from sslzoo.data.packed import from_packed, is_packed

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # of Debian's package dataset-fashion-mnist
FASHION_CLASSES = tuple("T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(","))


def load(data: Any, *, max_size: int | None = None) -> Splits:
    """Loads data to train on and, where there are labels, to test on.

    Labelled data without a test split give a fifth of their images, drawn with a fixed seed, for that.

    Args:
        data: "digits" (scikit-learn's), "fashion_mnist", the name of any TFDS image dataset ("cifar10",
            "cifar10:3.0.2", "stl10[unlabelled]", "imagenet2012[:10%]"; a prefix "tfds:" tells it from a folder of
            that name); the path of a folder, of images or packed; an array (n, height, width) or (n, height, width,
            channels), uint8, uint16 or float within [0, 1]; a pair (images, labels); two such pairs for training and
            testing; a Dataset; or Splits.
        max_size: longest side in pixels; larger images are shrunk. By default 256 where sizes are mixed, else none.

    Raises:
        DataError: a line that says what is wrong and what to do.
    """
    if max_size is not None and max_size < 1:
        raise DataError(f"max_size is {max_size}: give a number of pixels, or leave it out")
    splits = _resolve(data, max_size)
    return hold_out(splits.train) if splits.test is None else splits


def from_array(
    images: np.ndarray, labels: np.ndarray | None = None, *, name: str = "array", max_size: int | None = None
) -> Dataset:
    """A dataset of an array.

    Args:
        images: (n, height, width) or (n, height, width, channels), uint8, uint16 or float within [0, 1].
        labels: (n,) or (n, 1) integers.
        name: what to call it.
        max_size: longest side in pixels; larger images are shrunk.

    Raises:
        DataError: shape, dtype, range or lengths do not fit.
    """
    images = np.asarray(images)
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(f"images have shape {images.shape}: give (n, height, width) or (n, height, width, channels)")
    if images.dtype.kind != "f" and images.dtype not in (np.uint8, np.uint16):
        raise DataError(f"images are {images.dtype}: convert them to uint8 or uint16, or to floats within [0, 1]")
    if images.dtype.kind == "f" and not (images.min() >= 0 and images.max() <= 1):
        low, high = images.min(), images.max()
        raise DataError(f"images are floats from {low:g} to {high:g}: scale them to [0, 1], or convert them to uint8")
    if images.dtype.kind == "f":
        images = images.astype(np.float32, copy=False)
    images = shrink(images if images.ndim == 4 else images[..., None], max_size)
    return in_memory(name, images, labels=None if labels is None else _checked(labels, len(images)))


def _checked(labels: np.ndarray, count: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"labels are {labels.dtype} of shape {labels.shape}: give one integer for each image")
    if len(labels) != count:
        raise DataError(f"{count} images and {len(labels)} labels: give one label for each image")
    return labels.astype(np.int32)


def _resolve(data: Any, max_size: int | None) -> Splits:
    match data:
        case Splits():
            return data
        case Dataset():
            return Splits(data)
        case Path():
            return _from_path(data, max_size)
        case str():
            return _by_text(data, max_size)
        case ((images, labels), (test_images, test_labels)) if isinstance(data, tuple):
            train = from_array(images, labels, max_size=max_size)
            return Splits(train, from_array(test_images, test_labels, max_size=max_size))
        case (images, labels) if isinstance(data, tuple):
            return Splits(from_array(images, labels, max_size=max_size))
    return Splits(from_array(data, max_size=max_size))


def _by_text(text: str, max_size: int | None) -> Splits:
    name = text.removeprefix("tfds:")
    if not name:
        raise DataError("data is an empty text: give a name, a folder or an array")
    if text == "digits":
        return Splits(_digits(max_size))
    if text == "fashion_mnist" and FASHION_MNIST.is_dir():
        return Splits(*(_fashion_mnist(part, max_size) for part in ("train", "t10k")))
    path = Path(text).expanduser()
    if name == text and path.is_dir():
        return _from_path(path, max_size)
    base = re.match(r"\w*", name)[0]
    if base and (base in tfds_names() or is_prepared(base)):
        debian = "install Debian's package dataset-fashion-mnist, or " if base == "fashion_mnist" else ""
        return from_tfds(name, max_size=max_size, hint=debian)
    if text.startswith(("/", ".", "~")) or path.exists():
        return from_folder(path, max_size=max_size)
    here = [entry.name for entry in os.scandir() if entry.is_dir()]
    nearest = difflib.get_close_matches(base or name, ["digits", *tfds_names(), *here], cutoff=0.7)
    hint = f"nearest names: {', '.join(nearest)}" if nearest else "see tensorflow.org/datasets/catalog for the names"
    raise DataError(f"{text!r} is neither a folder nor the name of a dataset; {hint}")


def _from_path(path: Path, max_size: int | None) -> Splits:
    return (from_packed if is_packed(path.expanduser()) else from_folder)(path, max_size=max_size)


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
