"""Pages of the repository outside of docs/ as pages of the site, and links that are right in both places.

Measured tables, recipes and cards of exported encoders stay where they are. Each is copied to docs/repository/ under
its own path, with its pictures. Links between pages are written for the repository; this module changes them for the
site when a page is read.
"""

import os
import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
COPIES = DOCS / "repository"
PAGES = ("benchmarks/*.md", "recipes/*.md", "exported_models/*.md", "exported_models/*/README.md")
LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)#\s]+)(?=[)#])")
ROW = re.compile(r"^\| `(\w+)` \|", re.M)  # a row of a method in docs/methods.md
METHODS = "```{toctree}\n:hidden:\n:glob:\n\nmethods/*\n```\n"


def pages() -> list[Path]:
    """The pages of the repository that are copied."""
    return sorted(path for pattern in PAGES for path in ROOT.glob(pattern))


def links(text: str) -> list[str]:
    """The relative targets of links and pictures of a page, without anchors."""
    return LINK.findall(text)


def copy_pages(app: Sphinx) -> None:
    """Copies the pages and the pictures that they show, if they are new."""
    kept = set()
    for page in pages():
        pictures = [target for target in links(page.read_text("utf-8")) if target.endswith((".png", ".svg"))]
        for path in (page, *((page.parent / target).resolve() for target in pictures)):
            place = COPIES / path.relative_to(ROOT)
            kept.add(place)
            if not place.exists() or place.read_bytes() != path.read_bytes():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
    for place in [path for path in COPIES.rglob("*") if path.is_file() and path not in kept]:
        place.unlink()


def change(text: str, docname: str) -> str:
    """The text of a page with the links of the site.

    Args:
        text: as in the repository.
        docname: name of the page in the site, such as "repository/benchmarks/zoo".
    """
    here = DOCS / docname
    origin = ROOT / here.relative_to(COPIES) if here.is_relative_to(COPIES) else here

    def changed(match: re.Match) -> str:
        target = (origin.parent / match[1]).resolve()
        if target.is_dir() or not target.is_relative_to(ROOT):
            return match[1]
        inside = target if target.is_relative_to(DOCS) else COPIES / target.relative_to(ROOT)
        return os.path.relpath(inside if inside.exists() else target, here.parent)

    return LINK.sub(changed, text)


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Called by Sphinx for each page that it reads."""
    source[0] = change(source[0], docname)
    if docname == "methods":
        source[0] = ROW.sub(r"| [`\1`](methods/\1.md) |", source[0]) + METHODS


def setup(app: Sphinx) -> dict:
    app.connect("builder-inited", copy_pages)
    app.connect("source-read", read)
    return {"parallel_read_safe": True}
