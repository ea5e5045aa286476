"""Captions of the images of a folder, from files of several forms."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from sslzoo.data.captions import Captions
from sslzoo.data.dataset import DataError
from sslzoo.data.labels import file_keys

FOUND = ("captions.csv", "captions.jsonl", "captions.json")  # in a folder of images, with captions="auto"
FILE = ("file_name", "filename", "file", "image", "path")  # names of the column of files
TEXT = ("caption", "captions", "text", "title")
LONGEST = 10_000  # characters of a caption
GIVE = "rows FILE,CAPTION of a .csv, objects of a .jsonl with file_name and text, or the .json of COCO"


def of_folder(root: str, files: Sequence[str], captions: str | Path = "auto") -> Captions | None:
    """The captions of the images of a folder.

    Args:
        root: the folder.
        files: of the images, relative to it.
        captions: "auto", a file captions.csv, captions.jsonl or captions.json in the folder, if there is one; "none";
            "txt", the first line of a file next to each image, with the same name and .txt; or the path of a file.

    Returns:
        The captions, () for images without one; None without any source.

    Raises:
        DataError: the file cannot be read, or has a caption of no image.
    """
    if captions == "none":
        return None
    if captions == "txt":
        return _complete([_first_line(os.path.join(root, file)) for file in files], "captions='txt'", files)
    if captions == "auto":
        found = next((os.path.join(root, name) for name in FOUND if os.path.isfile(os.path.join(root, name))), None)
        return None if found is None else from_file(found, files)
    return from_file(captions, files)


def from_file(path: str | Path, files: Sequence[str]) -> Captions:
    """The captions of images from one file; several of an image are all kept.

    Args:
        path: a .csv with rows FILE,CAPTION and any header; a .jsonl with one object for each image or caption; or a
            .json of COCO, with `images` and `annotations`. Files are named as for labels.
        files: of the images.

    Raises:
        DataError: the file cannot be read, or has a caption of no image.
    """
    path = Path(path).expanduser()
    keys = file_keys(files)
    texts: list[list[str]] = [[] for _ in files]
    try:
        for name, text in READERS.get(path.suffix.lower(), _of_csv)(path):
            index, text = keys.get(str(name).strip().removeprefix("./")), " ".join(str(text).split())[:LONGEST]
            if index is not None and text not in texts[index]:
                texts[index].append(text)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise DataError(f"captions={str(path)!r} cannot be read ({why}): give {GIVE}") from error
    return _complete(texts, f"captions={str(path)!r}", files)


def _complete(texts: Iterable[Sequence[str]], source: str, files: Sequence[str]) -> Captions:
    found = tuple(tuple(text for text in one if text) for one in texts)
    if not any(found):
        raise DataError(f"{source} has a caption of none of the {len(files)} images, such as {files[0]!r}: give {GIVE}")
    return Captions(found)


def _first_line(path: str) -> tuple[str, ...]:
    try:
        with open(os.path.splitext(path)[0] + ".txt", encoding="utf-8", errors="replace") as file:
            return (file.readline().strip(),)
    except OSError:
        return ()


def _of_csv(path: Path) -> Iterator[tuple[str, str]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    file, text = _column(head, FILE, 0), _column(head, TEXT, 1)
    known = any(name in head for name in (*FILE, *TEXT))
    return ((row[file], row[text]) for row in rows[known:] if len(row) > max(file, text))


def _column(head: list[str], names: Sequence[str], default: int) -> int:
    return next((head.index(name) for name in names if name in head), default)


def _of_lines(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text("utf-8").splitlines():
        if line.strip():
            row = json.loads(line)
            text = row[next((name for name in TEXT if name in row), TEXT[0])]
            file = row[next((name for name in FILE if name in row), FILE[0])]
            yield from ((file, one) for one in ([text] if isinstance(text, str) else text))


def _of_coco(path: Path) -> Iterator[tuple[str, str]]:
    found = json.loads(path.read_text("utf-8"))
    names = {image["id"]: image["file_name"] for image in found["images"]}
    for row in found["annotations"]:
        if row["image_id"] in names:
            yield names[row["image_id"]], row["caption"]


READERS: dict[str, Callable[[Path], Iterable]] = {".jsonl": _of_lines, ".json": _of_coco}
