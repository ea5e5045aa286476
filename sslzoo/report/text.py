"""The report as Markdown and as JSON."""

import json
from collections.abc import Sequence

from sslzoo.evaluators.report import markdown
from sslzoo.report.study import Chapter


def as_markdown(facts: dict[str, str], chapters: Sequence[Chapter]) -> str:
    """Tables and pictures, those as files of the folder pictures/."""
    parts = [f"# {facts['encoder']}", *(f"- {name}: {value}" for name, value in facts.items())]
    for chapter in chapters:
        parts += ["", f"## {chapter.title}", "", chapter.text, *(f"\n{note}" for note in chapter.notes)]
        parts += ["", markdown(chapter.rows)] if chapter.rows else []
        for picture in chapter.pictures:
            parts += [
                "",
                f"### {picture.title}",
                "",
                f"![{picture.title}](pictures/{picture.name}.png)",
                "",
                picture.caption,
            ]
    return "\n".join(parts) + "\n"


def as_json(facts: dict[str, str], chapters: Sequence[Chapter]) -> str:
    """Every number, and what the curves are drawn from."""
    made = {
        chapter.title: {
            "scores": [row.as_dict() for row in chapter.rows],
            "curves": chapter.curves,
            "notes": chapter.notes,
        }
        for chapter in chapters
    }
    return json.dumps({"facts": facts, "chapters": made}, indent=1, allow_nan=False) + "\n"
