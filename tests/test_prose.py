"""The prose: docstrings, help texts, messages and documents contain no phrase of a list."""

import ast
import re
from pathlib import Path

import pytest

from sslzoo import commands

ROOT = Path(__file__).parents[1]

# Words and constructions that a reader of Keras or scikit-learn would not expect in a reference manual.
PHRASES = (
    "so many",
    "so few",
    "beside",
    "whoever",
    "what it knows",
    "what it is",
    "which the data has not",
    "has not any",
    "if not given",
    "stays as it is",
    "stays if not",
    "as it stands",
    "goes on",
    "go on",
    "going on",
    "lets go",
    "where there is none",
    "where there are none",
    "where it is asked for",
    "at hand",
    "of its own accord",
    "the one line",
    "is told",
    "are told",
    "tell the",
    "tells the",
    "tell what",
    "tells what",
    "stands for",
    "stand for",
    "stands beside",
    "stands under",
    "stands once",
    "lives in",
    "live in",
    "follows slowly",
    "slowly following",
    "copy of oneself",
    "no matter",
    "backbone",
    "projection head",
)
PATTERN = re.compile(r"\b(" + "|".join(r"\s+".join(phrase.split()) for phrase in PHRASES) + r")\b", re.IGNORECASE)

FOLDERS = ("sslzoo", "recipes", "benchmarks", "docs/examples", "docs/extensions")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "objectives.toml", *sorted((ROOT / "docs").glob("*.md"))]
FOREIGN = "coming_from.md"  # the page with names of other libraries, which are code there


def texts(path: Path) -> list[tuple[int, str]]:
    """(line, text) of all string literals of a source file, including docstrings; of a document, its whole text."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        return [(1, re.sub(r"`[^`\n]*`", "``", text) if path.name == FOREIGN else text)]
    nodes = ast.walk(ast.parse(text))
    return [(n.lineno, n.value) for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def offences(path: Path) -> list[str]:
    """One line for each phrase in a file, with the file and the line of the phrase."""
    return [
        f"{path.relative_to(ROOT)}:{line + text.count(chr(10), 0, match.start())}: {match[0]!r}"
        for line, text in texts(path)
        for match in PATTERN.finditer(text)
    ]


@pytest.mark.parametrize("path", SOURCES + DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_have_no_phrase_of_the_list(path):
    found = offences(path)
    assert not found, "\n".join(found)


def test_a_phrase_is_found_with_its_line_across_line_breaks_and_in_any_case(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    source = tmp_path / "module.py"
    source.write_text(
        '"""Summary.\n\nIt keeps So\n    many of them.\n"""\nNAME = "beside the point"\nbeside = besides = "side"\n'
    )
    assert offences(source) == ["module.py:3: 'So\\n    many'", "module.py:6: 'beside'"]


@pytest.mark.parametrize("path", [*SOURCES, *DOCUMENTS], ids=lambda path: path.name)
def test_every_command_that_a_text_names_exists(path):
    named = {name for _, text in texts(path) for name in re.findall(r"`sslzoo\s+([a-z][a-z-]*)", text)}
    assert named <= commands.names().keys()
