"""Folders of images of any size, with the classes and splits that their folders are."""

import collections
import dataclasses
import difflib
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from sslzoo.data import labels as numbers
from sslzoo.data.cache import filled
from sslzoo.data.caption_files import of_folder
from sslzoo.data.dataset import DataError, Dataset, Splits
from sslzoo.data.graph import Files, reader
from sslzoo.data.images import on_canvas
from sslzoo.data.known import Index
from sslzoo.data.layout import OTHER, Layout, layout
from sslzoo.data.made import in_memory, of_images
from sslzoo.data.pictures import Pictures
from sslzoo.data.scan import Scan, files_under, scan_files
from sslzoo.data.selection import judge_of, noted
from sslzoo.utils.machine import machine_memory

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
SIDE = 256  # of the canvas by default: more than methods crop to, and small enough to keep thousands in memory
MEMORY_SHARE = 1 / 4  # of the machine's memory for a folder's pixels; while loading they are there twice
STRAY_SHARE = 1 / 5  # of images in no class folder, from which on folders are no classes
PLACES = {"validation": "for validation", OTHER: "outside of the folders for training and testing"}
PLACES |= {"unlabelled": "in folders of unlabelled images", "test": "for testing"}


def from_folder(folder: str | Path, **options) -> Splits:
    """The training and the test part of `parts_of_folder`, whose arguments it takes."""
    parts = parts_of_folder(folder, **options)
    return Splits(parts["train"], judge_of(parts))


def parts_of_folder(
    folder: str | Path,
    *,
    max_size: int | None = None,
    labels: str | Path = "auto",
    splits: Any = "auto",
    scan: str = "headers",
    captions: str | Path = "auto",
) -> dict[str, Dataset]:
    """Reads a folder of JPEG, PNG, BMP, GIF and WebP files, flat or nested, in the order of their names.

    Hidden files and folders are left out. Folders called train and test, val, unlabeled or the like (`train2017`,
    `test_set`) are splits, and the folders in them, or else the first ones, are classes, if there are at least two.
    Images in no class folder are left out if they are less than a fifth; else there are no labels. What was understood,
    and what was left out, is in the notes. Unreadable files are left out and named.

    By default headers are read. A file that cannot be decoded later, when it is used, is named then and replaced by its
    neighbour in the same part, in each epoch of this and of later runs, as of `pictures.Pictures`.

    Args:
        folder: the folder.
        max_size: side of the canvas in pixels, into which larger images are shrunk; 256 by default. If all images
            are smaller, the canvas is as large as the longest side among them.
        labels: "auto"; "folders", where it is an error if no folders are classes; "none"; or the path of a CSV file,
            as of `labels.from_csv`.
        splits: "auto", "none", or the folders of each split, as of `layout.layout`.
        scan: "headers", or "full" to decode all files now.
        captions: as of `caption_files.of_folder`.

    Returns:
        "train", and where there are such images "test", "validation", "unlabelled" and "other" -> datasets.

    Raises:
        DataError: there is no such folder, or no readable image in it, or labels or splits are not as asked for.
    """
    root = os.path.abspath(os.path.expanduser(folder))
    files = _listed(root)
    candidates = [file for file in files if file.lower().endswith(SUFFIXES)]
    side = max_size or SIDE
    seen = scan_files(root, candidates, side, MEMORY_SHARE * machine_memory(), checked_scan(scan))
    if not seen.files:
        raise DataError(_nothing_found(root, files, seen.bad))
    found = [f"found {len(seen.files)} images, skipped {len(seen.bad)} of {len(candidates)}", *seen.notes()]
    dataset = _dataset(root, seen, Index(root, side, scan))
    dataset = dataclasses.replace(dataset, captions=of_folder(root, dataset.files, captions))
    parts, lines = arrange(dataset, labels, splits)
    if len(files) > len(candidates):
        lines.append(f"ignored {len(files) - len(candidates)} other files ({_other_suffixes(files)})")
    return noted(parts, [*found, *lines])


def arrange(
    dataset: Dataset, labels: str | Path = "auto", splits: Any = "auto"
) -> tuple[dict[str, Dataset], list[str]]:
    """Divides a dataset by the folders that its files are in, and labels it.

    Args:
        dataset: of files.
        labels, splits: as of `parts_of_folder`.

    Returns:
        The parts, and lines on what was understood.
    """
    where = layout(dataset.files, splits, dataset.name)
    dataset, lines = _labelled(dataset, where, labels)
    roles = np.array(where.roles)
    if labels in ("auto", "folders"):
        lines += [] if where.explicit else _leave_out_strays(dataset, roles, 1 if labels == "folders" else STRAY_SHARE)
    keep = where.explicit or labels not in ("auto", "folders", "none")
    # Most wanted first: training, testing, the rest.
    names = [name for name in ("train", "test", "validation", "unlabelled", OTHER) if np.any(roles == name)]
    parts = {name: _complete(dataset.part(roles == name), keep) for name in names}
    if "train" not in parts:
        raise DataError(f"{dataset.name} has no images for training: give splits='none', or name the folders by splits")
    if labels == "folders" and parts["train"].labels is None:
        raise DataError(f"labels='folders': {dataset.name} has not two folders of images, or most images are in none")
    return parts, lines + _understood(parts, where)


def _listed(root: str) -> list[str]:
    if not os.path.isdir(root):
        raise DataError(_no_folder(root))
    try:
        return [path[len(os.path.join(root, "")) :] for path in files_under(root)]
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be listed ({error.strerror}): change its rights or move it"
        ) from error


def _labelled(dataset: Dataset, where: Layout, labels: str | Path) -> tuple[Dataset, list[str]]:
    """The dataset with -1 for images whose label is not known, and lines."""
    if labels == "none":
        return dataset, []
    if labels in ("auto", "folders"):
        numbers_, names = numbers.by_name(_class_folders(where.tails))
        return dataclasses.replace(dataset, labels=numbers_, class_names=names), []
    numbers_, names, lines = numbers.from_csv(labels, dataset.files)
    return dataclasses.replace(dataset, labels=numbers_, class_names=names), lines


def _class_folders(tails: list[list[str]]) -> list[str | None]:
    """The first folder that not all images share; None for images in none."""
    level = 0
    while all(len(tail) > level + 2 for tail in tails) and len({tail[level] for tail in tails}) == 1:
        level += 1
    return [tail[level] if len(tail) > level + 1 else None for tail in tails]


def _leave_out_strays(dataset: Dataset, roles: np.ndarray, share: float) -> list[str]:
    """Gives images in no class folder the role "other", if they are less than a share of their split; lines on that."""
    lines = []
    for role in ("train", "test", "validation"):
        stray = (roles == role) & (dataset.labels < 0)
        if not stray.any() or len(dataset.class_names) < 2:
            continue
        which = f"{stray.sum()} images in no class folder, as {dataset.files[np.flatnonzero(stray)[0]]!r}"
        if stray.sum() < share * (roles == role).sum():
            roles[stray] = OTHER
            lines.append(f"left out: {which}; labels='none' keeps them")
        elif role == "train":
            lines.append(f"too many for labels: {which}; labels='folders' leaves them out")
    return lines


def _complete(dataset: Dataset, keep: bool = False) -> Dataset:
    """Drops labels of a single class and, unless they are to be kept, labels that some images lack."""
    known = dataset.labels is not None and len(dataset.class_names) >= 2 and bool(np.any(dataset.labels >= 0))
    if known and (keep or np.all(dataset.labels >= 0)):
        return dataset
    return dataclasses.replace(dataset, labels=None, class_names=None)


def _understood(parts: dict[str, Dataset], where: Layout) -> list[str]:
    lines = []
    if where.folders:
        counts = (
            f"{role} {len(parts[role])} ({', '.join(where.folders[role])})" for role in where.folders if role in parts
        )
        lines.append(f"splits by folder: {', '.join(counts)}; splits='none' takes no folder for a split")
    judge = judge_of(parts)
    unused = [name for name, part in parts.items() if name != "train" and part is not judge]
    unread = {name: where.roles.count(name) if name == OTHER else len(parts[name]) for name in unused}
    lines += [f"left unused: {count} images {PLACES[name]}" for name, count in unread.items() if count]
    if "unlabelled" in unused:
        train, more = ("+".join(where.folders[role]) for role in ("train", "unlabelled"))
        lines.append(f"splits='train={train}+{more},...' trains on the unlabelled images too")
    if parts["train"].labels is None:
        lines.append("no labels: folders of images would be classes; labels='FILE.csv' takes them from a file")
    return lines


def checked_scan(scan: str) -> str:
    """The kind of a scan; a DataError for anything else."""
    if scan not in ("headers", "full"):
        raise DataError(f"scan is {scan!r}: give 'headers', or 'full' to decode all files at the start")
    return scan


def _dataset(root: str, scan: Scan, index: Index) -> Dataset:
    name, files, dtype = os.path.basename(root), tuple(scan.files), scan.dtype
    shape = (scan.longest, scan.longest, scan.channels)
    version = hashlib.sha256(repr([one.stamp for one in scan.facts]).encode()).hexdigest()[:16]
    pictures = Pictures(root, scan, shape, dtype, index)
    fields = dict(files=files, version=version, content=pictures.content, digests=scan.column("mark")[:, 0])
    fields["confine"] = pictures.confine
    if scan.images is not None:
        return in_memory(name, *on_canvas(scan.images, len(files), shape, dtype), **fields)
    dataset = of_images(name, pictures, len(files), shape, dtype, in_memory=False, **fields)
    if scan.fits:
        return filled(dataset)
    if dtype != np.uint8:
        return dataset
    paths = [os.path.join(root, file) for file in files]
    known = Files(paths, *(scan.column(fact)[:, 0] for fact in ("kind", "mark")), scan.column("height", "width"))
    return dataclasses.replace(dataset, graph=reader(known, dataset, decoded=index.how == "full"))


def _no_folder(path: str) -> str:
    if os.path.exists(path):
        return f"{path} is a file: give the folder that the images are in"
    above, name = os.path.split(path)
    while not os.path.isdir(above):
        above, name = os.path.split(above)
    nearest = difflib.get_close_matches(name, os.listdir(above))
    return f"no folder {path}: {above} has no {name!r}" + (f", but {nearest[0]!r}" if nearest else "")


def _nothing_found(root: str, files: list[str], bad: list[tuple[str, str]]) -> str:
    text = f"no readable image in {root}: looked for {', '.join(SUFFIXES)} in it and below"
    if bad:
        return f"{text}; all {len(bad)} such files are unreadable, as {bad[0][0]!r}: {bad[0][1]}"
    if not files:
        return f"{text}, and there are no files at all: is it the right folder?"
    if any(".tfrecord" in file or ".array_record" in file for file in files):
        return f"{text}; a TFDS folder is loaded by the dataset's name, with TFDS_DATA_DIR set to the folder around it"
    return f"{text}, and found only {len(files)} other files ({_other_suffixes(files)}): convert them to PNG or JPEG"


def _other_suffixes(files: list[str]) -> str:
    """The commonest suffixes that are not an image's, with their counts."""
    suffixes = (os.path.splitext(file)[1].lower() or "no suffix" for file in files)
    counts = collections.Counter(suffix for suffix in suffixes if suffix not in SUFFIXES)
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(5))
