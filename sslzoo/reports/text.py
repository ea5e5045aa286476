"""The report as Markdown and as JSON."""

import json
import math
from collections.abc import Sequence

from sslzoo.evaluators.report import escaped, grid, markdown
from sslzoo.reports.front import Front
from sslzoo.reports.study import Chapter, Picture


def as_markdown(front: Front, chapters: Sequence[Chapter]) -> str:
    """Tables, and pictures as links to the folder pictures/."""
    parts = [f"# {escaped(front.title)}", ""]
    parts += [f"**{escaped(front.verdict)}**", ""] if front.verdict else []
    parts += [f"- {name}: {escaped(value)}" for name, value in front.facts.items()]
    for picture in front.pictures:
        parts += _picture(picture)
    for chapter in chapters:
        parts += ["", f"## {escaped(chapter.title)}", "", escaped(chapter.text)]
        parts += [f"\n{escaped(note)}" for note in chapter.notes]
        parts += ["", markdown(chapter.rows), ""] if chapter.rows else []
        if chapter.grid:
            head, *lines = ([escaped(cell) for cell in line] for line in chapter.grid)
            parts += ["", grid(head, lines), ""]
        parts += [escaped(chapter.under_table)] if chapter.under_table else []
        for picture in chapter.pictures:
            parts += _picture(picture)
    return "\n".join(parts) + "\n"


def _picture(picture: Picture) -> list[str]:
    title = escaped(picture.title)
    image = f"![{title}](pictures/{picture.name}.png)"
    return ["", f"### {title}", "", image, "", escaped(picture.caption)]


def as_json(front: Front, chapters: Sequence[Chapter]) -> str:
    """All numbers, and the data of the pictures."""
    made = {
        chapter.title: {
            "scores": [row.as_dict() for row in chapter.rows],
            "curves": chapter.curves,
            "notes": chapter.notes,
        }
        for chapter in chapters
    }
    content = {"facts": front.facts, "verdict": front.verdict, "history": front.history, "chapters": made}
    return json.dumps(_finite(content), indent=1, allow_nan=False) + "\n"


def _finite(value):
    """The value with None in place of NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
