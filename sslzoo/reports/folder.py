"""The folder of a report: files that sslzoo wrote are recognized by checksums, and no other file is replaced."""

import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

from sslzoo.utils.files import replacing

PICTURES = "pictures"
LIST = ".sslzoo"  # file of the pictures' folder: name of each picture -> checksum
PAGES = ("report.json", "report.md", "report.html")
SEAL = re.compile(rb"<!-- sslzoo ([0-9a-f]{8}) -->\n\Z")


def refuse_foreign(folder: Path) -> None:
    """Checks that a report in `folder` replaces only files of an earlier report.

    Raises:
        ValueError: the report would replace a file of the user, or one that was edited.
    """
    pictures = folder / PICTURES
    listed = _listed(pictures)
    found = [file for file in pictures.iterdir() if file.name != LIST] if pictures.is_dir() else [pictures]
    foreign = [file for file in found if file.exists() and not (file.is_file() and listed.get(file.name) == _sum(file))]
    foreign += [file for name in PAGES if (file := folder / name).exists() and not _is_page(file)]
    if foreign:
        line = f"{foreign[0]} was not written by sslzoo, or was changed since: choose another folder with out=..."
        raise ValueError(line)


def write(folder: Path, pictures: Mapping[str, bytes], pages: Mapping[str, str]) -> None:
    """Writes a report.

    Args:
        folder: of the report, after `refuse_foreign`.
        pictures: file name -> PNG.
        pages: file name, one of PAGES -> text.
    """
    with replacing(folder / PICTURES) as temporary:
        temporary.mkdir()
        for name, data in pictures.items():
            (temporary / name).write_bytes(data)
        (temporary / LIST).write_text(json.dumps({name: zlib.crc32(data) for name, data in pictures.items()}))
    for name, text in pages.items():
        with replacing(folder / name) as temporary:
            data = text.encode("utf-8", "backslashreplace")
            seal = b"" if name.endswith(".json") else b"<!-- sslzoo %08x -->\n" % zlib.crc32(data)
            temporary.write_bytes(data + seal)


def _listed(pictures: Path) -> dict[str, int]:
    try:
        found = json.loads((pictures / LIST).read_text("utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def _sum(file: Path) -> int:
    return zlib.crc32(file.read_bytes())


def _is_page(file: Path) -> bool:
    if not file.is_file():
        return False
    data = file.read_bytes()
    if file.suffix == ".json":
        return _is_json(data)
    seal = SEAL.search(data)
    return bool(seal) and zlib.crc32(data[: seal.start()]) == int(seal[1], 16)


def _is_json(data: bytes) -> bool:
    try:
        return {"facts", "chapters", "history"} <= set(json.loads(data))
    except (ValueError, TypeError):
        return False
