"""k-NN and linear accuracy after each block of the vision transformers that benchmarks/zoo.py has trained.

    python benchmarks/blocks.py

Features are those of all patches, or their mean. The runs are those that `python benchmarks/zoo.py` keeps;
the table is blocks.md, where the lines of other methods than those of --methods stay.
"""

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zoo

from sslzoo.catalog import recipe as recipes
from sslzoo.commands import import_tensorflow
from sslzoo.commands import run as run_command

PAGE = Path(__file__).parent / "blocks.md"
METHODS = ("mae", "sim_mim", "i_jepa", "data2vec", "salt", "nepa")


def measure(method: str, folder: Path) -> Iterator[list[str]]:
    """Yields the lines of a method: how patches are pooled, and accuracies of its start and after each block."""
    import keras

    with tempfile.TemporaryDirectory() as copy:  # opening a run writes to it
        shutil.copytree((folder / f"{method}-0").resolve(), Path(copy) / "run", ignore=shutil.ignore_patterns("lock"))
        places = dict(name="run", runs=copy, max_images=zoo.IMAGES, export_to=None, evaluate=False, resume=True)
        places |= dict(features_after=None, change=True)  # the whole encoder
        if "teacher" in zoo.settings_of(method):
            places["teacher"] = str(zoo.teacher(folder, "mae"))
        result = recipes.load(zoo.recipe_of(method))(seed=0, **places)
    parts = result.plan.train_set, zoo.few(result.plan.test_set)
    found = {
        name: {
            key: zoo.answers([side[key] for side in sides], parts)
            for sides in [[patches(encoder, part, result.plan.size) for part in parts]]
            for key in sides[0]
        }
        for name, encoder in (("start", result.untrained), ("trained", result.encoder))
    }
    keras.backend.clear_session()
    blocks = list(dict.fromkeys(block for block, _ in found["start"]))
    for figure in ("knn", "linear"):
        for pooled in ("all patches", "mean"):
            first = found["start"][blocks[-1], pooled][figure].mean()
            rest = [found["trained"][block, pooled][figure].mean() for block in blocks]
            yield [
                f"`{method}`",
                figure.replace("knn", "k-NN"),
                pooled,
                *(f"{100 * one:.1f}" for one in (first, *rest)),
            ]


def patches(encoder, part, size: int) -> dict[tuple[str, str], np.ndarray]:
    """Block and pooling -> features of the images of a part: of all patches, and their mean."""
    import keras

    from sslzoo.views import inputs

    blocks = [layer for layer in encoder.layers if re.fullmatch(r"block\d+", layer.name)]
    model = keras.Model(encoder.input, [block.output for block in blocks])
    extra = encoder.get_layer("tokens").extra
    found = [
        [np.asarray(one)[:, extra:] for one in model.predict_on_batch(batch)] for batch in inputs.images(part, size)
    ]
    tokens = {block.name: np.concatenate(some) for block, some in zip(blocks, zip(*found, strict=True), strict=True)}
    flat = {(name, "all patches"): x.reshape(len(x), -1) for name, x in tokens.items()}
    return flat | {(name, "mean"): x.mean(axis=1) for name, x in tokens.items()}


def kept() -> dict[str, list[list[str]]]:
    """Method -> its lines in blocks.md."""
    lines = {}
    for method, cells in zoo.cells_in(PAGE.read_text("utf-8")):
        lines.setdefault(method, []).append([f"`{method}`", *cells])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default=",".join(METHODS), help="comma-separated names of methods")
    parser.add_argument("--runs", default="runs/zoo", help="folder of the runs of benchmarks/zoo.py")
    given = parser.parse_args()
    import_tensorflow()
    from sslzoo.evaluators.report import grid

    found = kept() | {method: list(measure(method, Path(given.runs))) for method in given.methods.split(",")}
    rows = [row for method in METHODS for row in found.get(method, ())]
    head = ["method", "accuracy", "features", "start, last block", *(f"block {n + 1}" for n in range(len(rows[0]) - 4))]
    text = "Accuracy in % on 4000 test images of Fashion-MNIST, as in zoo.md; one seed.\n"
    page = f"# By block\n\n    python benchmarks/blocks.py\n\n{text}\n{grid(head, rows)}\n"
    PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    sys.exit(run_command(main))
