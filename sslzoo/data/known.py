"""What is known of the files of a folder from an earlier scan, in a file of the cache folder.

A file is known as long as its length and the time of its last change are those of the scan.
"""

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sslzoo.utils.caches import cache_folder
from sslzoo.utils.files import replacing

FORMAT = 1  # of the index, and of what decoding gives; another number makes all files unknown


class Facts(NamedTuple):
    """What is known of a readable file, all whole numbers from 0.

    Attributes:
        length: bytes of the file.
        changed: time of its last change in nanoseconds.
        digest: changes with the content.
        height, width, channels: of the image, after shrinking.
        deep: 1 if it has 16 bits.
        brightest: largest value of an image of 16 bits, else 0.
        clear, turned, shrunk: as of `decode.Decoded`.
        kind, mark: as of `graph.Files`.
    """

    length: int
    changed: int
    digest: int
    height: int
    width: int
    channels: int
    deep: int
    brightest: int
    clear: int
    turned: int
    shrunk: int
    kind: int
    mark: int

    @property
    def stamp(self) -> tuple[int, int]:
        return self.length, self.changed


class Unreadable(NamedTuple):
    """A file that cannot be decoded: its length and time of change, if known, and the reason in a few words."""

    stamp: tuple[int, int] | None
    reason: str


Outcome = Facts | Unreadable


def unchanged(root: str, side: int, files: list[str]) -> dict[str, Outcome]:
    """The files that are known and have not changed.

    Args:
        root: the folder.
        side: longest side in pixels of the scan.
        files: relative to the folder.
    """
    known = _read(_index(root, side))
    return {file: known[file] for file in files if file in known and known[file].stamp == _stamp(root, file)}


def keep(root: str, side: int, outcomes: Mapping[str, Outcome]) -> None:
    """Writes the index of a folder; a cache that cannot be written only costs time."""
    facts = {file: one for file, one in outcomes.items() if isinstance(one, Facts)}
    bad = [[file, *one] for file, one in outcomes.items() if isinstance(one, Unreadable) and one.stamp]
    names = np.frombuffer("\0".join(facts).encode("utf-8", "surrogateescape"), np.uint8)
    with contextlib.suppress(OSError, OverflowError), replacing(_index(root, side)) as temporary:
        table = np.array(list(facts.values()), np.uint64).reshape(-1, len(Facts._fields))
        np.savez(temporary, names=names, table=table, bad=json.dumps(bad))


def _index(root: str, side: int) -> Path:
    digest = hashlib.sha256(repr((FORMAT, os.path.realpath(root), side)).encode("utf-8", "surrogateescape"))
    return cache_folder() / "folders" / f"{digest.hexdigest()[:32]}.npz"


def _read(path: Path) -> dict[str, Outcome]:
    try:
        with np.load(path, allow_pickle=False) as kept:
            names = bytes(kept["names"]).decode("utf-8", "surrogateescape").split("\0")
            known = {name: Facts(*row) for name, row in zip(names, kept["table"].tolist(), strict=True)}
            bad = json.loads(str(kept["bad"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return {}  # there is none, or it is damaged
    return known | {name: Unreadable(tuple(stamp), reason) for name, stamp, reason in bad}


def _stamp(root: str, file: str) -> tuple[int, int] | None:
    try:
        status = os.stat(os.path.join(root, file))
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
