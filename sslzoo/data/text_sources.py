"""Texts from files, from Debian's packages of fortunes and WordNet, and from lists of strings."""

import csv
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sslzoo.catalog.knobs import nearest
from sslzoo.data.dataset import DataError

PARTS = ("train", "test")
TEXT = ("text", "sentence", "texts", "content", "document", "review", "title")  # names of a column of texts
LABEL = ("label", "class", "target", "category")  # and of classes, where the user gives no name
FORTUNES, WORDNET = Path("/usr/share/games/fortunes"), Path("/usr/share/wordnet")
NOUNS = (  # lexicographer files 03 to 28 of WordNet
    *("tops", "act", "animal", "artifact", "attribute", "body", "cognition", "communication", "event", "feeling"),
    *("food", "group", "location", "motive", "object", "person", "phenomenon", "plant", "possession", "process"),
    *("quantity", "relation", "shape", "state", "substance", "time"),
)
FEWEST = 100  # texts of a class of fortunes
GIVE = "give a list of strings, a pair (texts, labels), a .txt, .csv or .jsonl file, or text:NAME"


class Source(NamedTuple):
    """Texts as they were found.

    Attributes:
        name: of the data.
        texts: "train", and "test" if there is one -> strings.
        labels: part -> class of each text, None where it is not known; None without classes.
        notes: lines for the user.
    """

    name: str
    texts: dict[str, Sequence[str]]
    labels: dict[str, Sequence] | None = None
    notes: tuple[str, ...] = ()


def read(data: Any, labels: str = "auto") -> Source:
    """The texts of any data; the arguments are those of `sslzoo.data.texts.parts`.

    Raises:
        DataError: a line that says what is wrong and what to do.
    """
    if isinstance(data, str) and data.startswith("text:"):
        name = data.removeprefix("text:")
        if name not in NAMED:
            raise DataError(nearest("text", name, NAMED))
        texts, classes = zip(*NAMED[name](), strict=True)
        return Source(name, {"train": texts}, None if labels == "none" else {"train": classes})
    if isinstance(data, str | os.PathLike):
        return _of_file(Path(data).expanduser(), labels)
    if labels not in ("auto", "none"):
        raise DataError(f"labels={labels!r}: for files; give labels of a list as a pair (texts, labels)")
    pair = isinstance(data, tuple) and len(data) == 2
    pairs = pair and all(isinstance(one, tuple) and len(one) == 2 for one in data)
    given = dict(zip(PARTS, data, strict=True)) if pairs else {"train": data if pair else (data, None)}
    texts = {part: checked(some) for part, (some, _) in given.items()}
    known = labels != "none" and all(y is not None for _, y in given.values())
    return Source("texts", texts, {part: list(y) for part, (_, y) in given.items()} if known else None)


def checked(texts: Any) -> list[str]:
    """A list of the strings that are given.

    Raises:
        DataError: these are no strings, or none.
    """
    found = [] if isinstance(texts, str) or not hasattr(texts, "__iter__") else list(texts)
    if not found or not all(isinstance(text, str) for text in found):
        raise DataError(f"data is a {type(texts).__name__}, which holds no texts: {GIVE}")
    return [str(text) for text in found]


def _of_file(path: Path, labels: str) -> Source:
    stem = re.sub("_(train|test)$", "", path.stem, flags=re.I)
    columns = _columns(path, stem)
    text, label = _names([*columns["train"]], labels, path)
    if any(name not in table for table in columns.values() for name in (text, label) if name):
        raise DataError(f"{path}: training and test part have other columns")
    kept = {
        part: [row for row, one in enumerate(table[text]) if str(one or "").strip()] for part, table in columns.items()
    }
    texts = {part: [str(columns[part][text][row]) for row in rows] for part, rows in kept.items()}
    empty = sum(len(table[text]) for table in columns.values()) - sum(map(len, texts.values()))
    if not all(texts.values()):
        raise DataError(f"{path} has no texts")
    notes = (f"{empty} lines without a text are left out",) if empty else ()
    notes += (f"texts are those of the column {text!r}",) if len(columns["train"]) > 1 else ()
    y = {part: [columns[part][label][row] for row in rows] for part, rows in kept.items()} if label else None
    return Source(stem, texts, y, notes)


def _names(names: list[str], labels: str, path: Path) -> tuple[str, str | None]:
    """The column of texts and that of classes, or None."""
    if labels not in ("auto", "none", *names):
        raise DataError(nearest("column of labels", labels, names))
    alike = [name for name in names if name.lower() in LABEL]
    label = labels if labels in names else alike[0] if len(alike) == 1 else None
    others = [name for name in names if name != label]
    known = [name for name in others if name.lower() in TEXT] or others
    if len(known) != 1:
        raise DataError(f"{path} has the columns {', '.join(names)}: call that of the texts {TEXT[0]!r}")
    return known[0], None if labels == "none" else label


def _columns(path: Path, stem: str) -> dict[str, dict[str, list]]:
    """The columns of each part: of a file, or of STEM_train and STEM_test next to each other."""
    if path.suffix.lower() not in READERS:
        raise DataError(f"{path} is no file of texts: give one that ends in {', '.join(READERS)}, or text:NAME")
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    both = {part: path.with_name(f"{stem}_{part}{path.suffix}") for part in PARTS}
    files = both if all(file.is_file() for file in both.values()) else {"train": path}
    try:
        return {part: READERS[path.suffix.lower()](file) for part, file in files.items()}
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _of_lines(path: Path) -> dict[str, list]:
    return {"text": path.read_text("utf-8-sig").splitlines()}


def _of_csv(path: Path) -> dict[str, list]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        head, *rows = [row for row in csv.reader(file) if row] or [[]]
    if any(len(row) != len(head) for row in rows):
        raise ValueError(f"not every line has {len(head)} cells")
    return {name: [row[number] for row in rows] for number, name in enumerate(head)}


def _of_jsonl(path: Path) -> dict[str, list]:
    rows = [json.loads(line) for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("each line must be an object")
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}


READERS = {".txt": _of_lines, ".csv": _of_csv, ".jsonl": _of_jsonl}


def _fortunes() -> Iterator[tuple[str, str]]:
    """Texts of Debian's package fortunes and their topics, those with FEWEST texts or more."""
    files = [path for path in sorted(FORTUNES.glob("*")) if path.is_file() and not path.suffix]
    if not files:
        raise DataError("text:fortunes needs Debian's packages: apt install fortunes fortunes-min")
    for path in files:
        texts = [one.strip() for one in re.split(r"\n%\s*\n?", path.read_text("utf-8", "replace")) if one.strip()]
        if len(texts) >= FEWEST:
            yield from ((text, path.name) for text in texts)


def _wordnet() -> Iterator[tuple[str, str]]:
    """Glosses of the nouns of Debian's package wordnet-base and their lexicographer files."""
    path = WORDNET / "data.noun"
    if not path.is_file():
        raise DataError("text:wordnet needs Debian's package: apt install wordnet-base")
    for line in path.read_text("utf-8", "replace").splitlines():
        if not line.startswith("  "):
            facts, gloss = line.split(" | ", 1)
            yield gloss.strip(), NOUNS[int(facts.split()[1]) - 3]


NAMED = {"fortunes": _fortunes, "wordnet": _wordnet}
