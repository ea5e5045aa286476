"""Notebooks of four journeys: own images, own series, an own table, and an encoder in other projects.

    pip install -e ".[docs]"
    python docs/notebooks.py

makes them of the examples of the gallery, executes them, and writes them with their outputs to docs/_build/notebooks.
"""

import argparse
import json
import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
from sphinx_gallery.notebook import jupyter_notebook
from sphinx_gallery.py_source_parser import split_code_and_text_blocks
from tqdm import tqdm

HERE = Path(__file__).parent
JOURNEYS = ("own_folder", "own_series", "own_table", "search_and_export")


def made(journey: str) -> nbformat.NotebookNode:
    """The notebook of an example, not executed."""
    _, blocks = split_code_and_text_blocks(str(HERE / "examples" / f"plot_{journey}.py"))
    cells = jupyter_notebook(blocks, dict(DEFAULT_GALLERY_CONF), str(HERE / "examples"))
    return nbformat.reads(json.dumps(cells), as_version=4)


def executed(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Runs all cells; the first error ends it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return NotebookClient(notebook, timeout=900, kernel_name="python3").execute(cwd=str(HERE.parent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "_build" / "notebooks", help="folder (default %(default)s)")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for journey in tqdm(JOURNEYS, unit="notebook"):
        nbformat.write(executed(made(journey)), out / f"{journey}.ipynb")
    print(f"wrote {len(JOURNEYS)} notebooks to {out}")


if __name__ == "__main__":
    main()
