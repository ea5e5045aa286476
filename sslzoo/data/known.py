"""What is known of the files of a folder from an earlier scan, in a file of the cache folder.

A file is known as long as its length and the time of its last change are those of the scan.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sslzoo.data.peek import Stamp
from sslzoo.utils.caches import cache_folder
from sslzoo.utils.files import replacing

FORMAT = 2  # of the index, and of what decoding gives; another number makes all files unknown


class Facts(NamedTuple):
    """What is known of a readable file, all whole numbers from 0.

    Attributes:
        length: bytes of the file.
        changed: time of its last change in nanoseconds.
        mark: changes with the content, as of `graph.Files`.
        height, width, channels: of the image, after shrinking.
        deep: 1 if it has 16 bits.
        brightest: largest value of an image of 16 bits, if it was decoded, else 0.
        clear, turned, shrunk: as of `decode.Decoded`, or of `headers.Header` if it was not decoded.
        kind: as of `graph.Files`.
    """

    length: int
    changed: int
    mark: int
    height: int
    width: int
    channels: int
    deep: int
    brightest: int
    clear: int
    turned: int
    shrunk: int
    kind: int

    @property
    def stamp(self) -> Stamp:
        return self.length, self.changed


class Unreadable(NamedTuple):
    """A file that cannot be decoded: its length and time of change, if known, and the reason in a few words."""

    stamp: Stamp | None
    reason: str


Outcome = Facts | Unreadable


@dataclasses.dataclass(frozen=True)
class Index:
    """The index of a folder.

    Attributes:
        root: the folder.
        side: longest side in pixels of the scan.
        how: kind of the scan, "headers" or "full".
    """

    root: str
    side: int
    how: str

    def unchanged(self, files: list[str]) -> dict[str, Outcome]:
        """The outcomes of the files, relative to the folder, that are known and have not changed."""
        known = _read(self._path.with_suffix(".npz"))
        return {file: known[file] for file in files if file in known and known[file].stamp == self._stamp(file)}

    def keep(self, outcomes: Mapping[str, Outcome]) -> None:
        """Writes the index; a cache that cannot be written only costs time."""
        facts = {file: one for file, one in outcomes.items() if isinstance(one, Facts)}
        bad = [[file, *one] for file, one in outcomes.items() if isinstance(one, Unreadable) and one.stamp]
        names = np.frombuffer("\0".join(facts).encode("utf-8", "surrogateescape"), np.uint8)
        with contextlib.suppress(OSError, OverflowError), replacing(self._path.with_suffix(".npz")) as temporary:
            table = np.array(list(facts.values()), np.uint64).reshape(-1, len(Facts._fields))
            np.savez(temporary, names=names, table=table, bad=json.dumps(bad))

    def undecodable(self) -> dict[str, Unreadable]:
        """The files that could not be decoded when they were used, as of their stamps then."""
        found = {}
        with contextlib.suppress(OSError, ValueError, TypeError):  # there is no list, or its last line is cut
            for line in self._path.with_suffix(".jsonl").read_text("utf-8").splitlines():
                file, stamp, reason = json.loads(line)
                found[file] = Unreadable(tuple(stamp), reason)
        return found

    def add_undecodable(self, file: str, found: Unreadable) -> None:
        """Adds a file that cannot be decoded to the list of those."""
        path = self._path.with_suffix(".jsonl")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "a", encoding="utf-8") as stream:
                stream.write(json.dumps([file, *found]) + "\n")

    @property
    def _path(self) -> Path:
        facts = repr((FORMAT, os.path.realpath(self.root), self.side, self.how))
        return cache_folder() / "folders" / hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def _stamp(self, file: str) -> Stamp | None:
        try:
            status = os.stat(os.path.join(self.root, file))
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns


def _read(path: Path) -> dict[str, Outcome]:
    try:
        with np.load(path, allow_pickle=False) as kept:
            names = bytes(kept["names"]).decode("utf-8", "surrogateescape").split("\0")
            known = {name: Facts(*row) for name, row in zip(names, kept["table"].tolist(), strict=True)}
            bad = json.loads(str(kept["bad"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return {}  # there is none, or it is damaged
    return known | {name: Unreadable(tuple(stamp), reason) for name, stamp, reason in bad}
