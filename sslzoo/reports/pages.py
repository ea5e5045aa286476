"""Pages about an index of features: one chapter, its table and its pictures, written to a folder."""

import csv
import dataclasses
import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sslzoo.evaluation.neighbours import Index
from sslzoo.evaluators.scores import html_table
from sslzoo.reports import folder
from sslzoo.reports.front import Front
from sslzoo.reports.page import as_html
from sslzoo.reports.study import Chapter
from sslzoo.reports.text import as_json, as_markdown
from sslzoo.utils import provenance
from sslzoo.utils.files import replacing
from sslzoo.utils.text_table import text_table

TABLE = "table.csv"  # has all lines of the table
PRINTED, SHOWN = 12, 1000  # lines of it that are printed, and on the page


@dataclasses.dataclass(frozen=True, repr=False)
class Page(os.PathLike):
    """A written page; prints as its table, and is a path to its folder.

    Attributes:
        folder: with report.html, report.md, report.json, table.csv and pictures/.
        verdict: one sentence.
        table: head and lines.
        notes: what was left out and why.
        found: the result as arrays or numbers.
    """

    folder: Path
    verdict: str
    table: Sequence[Sequence]
    notes: Sequence[str]
    found: Any

    @property
    def html(self) -> Path:
        return self.folder / "report.html"

    def __fspath__(self) -> str:
        return str(self.folder)

    def __str__(self) -> str:
        more = len(self.table) - 1 - PRINTED
        lines = [text_table(self.table[: PRINTED + 1]), f"... {more} more lines" * (more > 0), *self.notes]
        return "\n".join([*filter(None, lines), self.verdict, f"page: {self.html}"])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.verdict)}</p>{html_table(self.table[0], self.table[1:])}"


def folder_of(index: Index, command: str, out: str | None) -> Path:
    """The folder of a page, which may be written: `out`, or by default neighbours/INDEX-COMMAND.

    Raises:
        ValueError: there is a file that is not of an earlier page.
    """
    name = index.folder.name if index.folder else "index"
    found = Path(out or f"neighbours/{name}-{command}")
    folder.refuse_foreign(found)
    if (found / TABLE).exists() and not (found / "report.json").exists():
        raise ValueError(f"{found / TABLE} was not written by sslzoo: choose another folder with out=...")
    return found


def write(
    out: Path, index: Index, title: str, text: str, table: Sequence[Sequence], verdict: str, make: Sequence, found: Any
) -> Page:
    """Writes a page.

    Args:
        out: as of `folder_of`.
        index: the index.
        title: of the page and its pictures' alternative text.
        text: how to read it.
        table: head and lines.
        verdict: one sentence.
        make: pairs of the name of a picture and a function without arguments that makes it. A picture that the data
            do not allow is left out, and a note says why.
        found: the result, an attribute of the page.
    """
    chapter = Chapter(title, text, grid=table[: SHOWN + 1])
    if len(table) - 1 > SHOWN:
        chapter.under_table = f"The first {SHOWN} of {len(table) - 1} lines; {TABLE} has all."
    for name, picture in make:
        chapter.attempt(name, lambda picture=picture: chapter.pictures.append(picture()))
    settings = index.settings
    facts = {"encoder": settings["encoder"], "data": settings["data"], "examples": len(index)}
    command = provenance.command()
    facts |= {"command": command} if command.startswith("sslzoo ") else {}
    front = Front(title, verdict, facts)
    pages = {"report.json": as_json, "report.md": as_markdown, "report.html": as_html}
    texts = {name: form(front, [chapter]) for name, form in pages.items()}
    folder.write(out, {f"{picture.name}.png": picture.png for picture in chapter.pictures}, texts)
    with replacing(out / TABLE) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(table)
    return Page(out, verdict, table, chapter.notes, found)
