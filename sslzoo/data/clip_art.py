"""Pictures with captions from packages: the stamps of Tux Paint, and emoji with their names."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np

from sslzoo.data import labels as numbers
from sslzoo.data.captions import Captions
from sslzoo.data.dataset import DataError, Dataset
from sslzoo.data.folder import parts_of_folder

STAMPS = Path("/usr/share/tuxpaint/stamps")  # of Debian's package tuxpaint-stamps-default
EMOJI = "emoji-datasource-google"  # of npm, in node_modules here or in a folder above
GLOBAL = (Path("/usr/local/lib/node_modules"), Path("/usr/lib/node_modules"))


def captioned_pictures(name: str, max_size: int | None = None) -> Dataset:
    """The pictures, their captions and their classes, in one part.

    Args:
        name: "stamps", 785 pictures of 16 folders with the English captions of Tux Paint; or "emoji", 1911 pictures of
            64 px in 10 categories with their Unicode names.
        max_size: longest side in pixels; larger pictures are shrunk.

    Raises:
        DataError: the package is not installed; the text has the command.
    """
    return (_stamps if name == "stamps" else _emoji)(max_size)


def _stamps(max_size: int | None) -> Dataset:
    if not STAMPS.is_dir():
        raise DataError(f"stamps are not in {STAMPS}: apt-get install tuxpaint-stamps-default")
    found = parts_of_folder(STAMPS, max_size=max_size, labels="folders", splits="none", captions="txt")["train"]
    # Mirrored copies would be in both parts, or be false negatives.
    pairs = zip(found.files, found.captions.texts, strict=True)
    return _renumbered(found.part(np.array([bool(texts) and "_mirror" not in file for file, texts in pairs])))


def _renumbered(dataset: Dataset) -> Dataset:
    """The same dataset without classes that have no image."""
    labels, classes = numbers.by_name([dataset.class_names[label] for label in dataset.labels])
    return dataclasses.replace(dataset, labels=labels, class_names=classes)


def _emoji(max_size: int | None) -> Dataset:
    places = [folder / "node_modules" for folder in (Path.cwd(), *Path.cwd().parents)]
    root = next((place / EMOJI for place in (*places, *GLOBAL) if (place / EMOJI / "emoji.json").is_file()), None)
    if root is None:
        raise DataError(f"emoji are not in {places[0] / EMOJI}: npm install {EMOJI}")
    rows = {row["image"]: row for row in json.loads((root / "emoji.json").read_text("utf-8")) if row["has_img_google"]}
    folder = root / "img" / "google" / "64"
    found = parts_of_folder(folder, max_size=max_size, labels="none", splits="none", captions="none")["train"]
    found = found.part(np.array([os.path.basename(file) in rows for file in found.files]))
    kept = [rows[os.path.basename(file)] for file in found.files]
    labels, classes = numbers.by_name([row["category"] for row in kept])
    captions = Captions(tuple((row["name"].lower(),) for row in kept))
    return dataclasses.replace(found, name="emoji", labels=labels, class_names=classes, captions=captions)
