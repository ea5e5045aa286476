"""Every method of the zoo through its recipe, next to the untrained encoder and raw pixels: one table and one picture.

    python benchmarks/zoo.py

Each row, a method and a seed, is added to zoo.jsonl as soon as it is measured. The same command measures the rows that
the file lacks; two of them with different --methods can run at a time. `--again` measures rows that it has. The emoji
of `colorization` and `igpt` come with `npm install emoji-datasource-google`.
"""

import argparse
import base64
import functools
import gc
import json
import re
import statistics
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import label_free
import numpy as np

from sslzoo import catalog
from sslzoo.catalog import options
from sslzoo.catalog import recipe as recipes
from sslzoo.commands import import_tensorflow
from sslzoo.commands import run as run_command

HERE = Path(__file__).parent
METHODS = HERE.parent / "docs" / "methods.md"
COMMAND = "python benchmarks/zoo.py"
IMAGES, TEST_IMAGES = 10_000, 4000  # maximum numbers of training and test images


def recipe_of(method: str) -> Path | None:
    """Returns the recipe of a method on a dataset that comes with a package."""
    names = (f"{method}_{data}" for data in ("fashion_mnist", "digits", "emoji"))
    return next((path for name in names if (path := catalog.recipes().get(name))), None)


def judged(method: str) -> bool:
    """Whether the method has such a recipe and learns from images alone."""
    return recipe_of(method) is not None and not options.needs_captions(method)


def measure(method: str, seed: int, folder: Path) -> dict:
    """Trains with the recipe and evaluates; returns figures by name."""
    import keras

    train, epochs = recipes.load(recipe_of(method)), settings_of(method)["epochs"]
    began = time.perf_counter()
    kept = weights_at({max(1, epochs // 2)} - {epochs})
    places = dict(max_images=IMAGES, name=f"{method}-{seed}", runs=str(folder), export_to=None, evaluate=False)
    places |= dict(overwrite=True, callbacks=(kept,))
    if "teacher" in settings_of(method):
        places["teacher"] = str(teacher(folder, "mae" if method == "salt" else "simclr"))
    result = train(seed=seed, **places)
    plan = result.plan
    found = {"method": method, "seed": seed, "data": plan.train_set.name, "images": len(plan.train_set)}
    found["size"] = plan.size
    found |= {"encoder": plan.settings["encoder"], "epochs": epochs, "verdict": result.verdict}
    found["epoch_seconds"] = len(plan.train_set) / result.history["images_per_second"][-1]
    untrained, trained = once(result.untrained, plan), judge(result.encoder, plan)
    found["points"] = list(along(result, kept.weights, {0: untrained, epochs: trained}))
    del result, train, kept
    keras.backend.clear_session()
    gc.collect()
    return found | packed(trained[0], untrained[0]) | {"seconds": time.perf_counter() - began}


def weights_at(epochs: set[int]):
    """Returns a callback that keeps the weights of the model after these epochs as `weights`, a dict."""
    import keras

    class Weights(keras.callbacks.Callback):
        weights: dict[int, list] = {}

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            if epoch + 1 in epochs:
                self.weights[epoch + 1] = self.model.get_weights()

    return Weights()


def along(result, weights: dict[int, list], judged: dict[int, tuple]) -> Iterator[dict]:
    """Yields the accuracies and the figures without labels of a run before, during and after its training.

    Args:
        result: result of `sslzoo.pretrain`.
        weights: epochs -> weights of the method, of encoders that are to be evaluated.
        judged: epochs -> what `judge` returns, of encoders that have been.
    """
    for epoch in sorted(weights | judged):
        if epoch in weights:
            result.model.set_weights(weights[epoch])
            judged[epoch] = judge(result.plan.calibrated(result.model), result.plan)
        answers, figures = judged[epoch]
        point = {"epochs": epoch} | {name: float(right.mean()) for name, right in answers.items()}
        point |= {f"features {name}": value for name, value in figures.items()}
        point |= {f"embeddings {name}": result.history[name][epoch] for name in label_free.EMBEDDINGS}
        yield point | {label_free.LOSS: result.history["loss"][epoch]}


def teacher(folder: Path, method: str) -> Path:
    """Returns the exported encoder of a method, the teacher of another."""
    name = f"teacher_{method}"
    if not (folder / name).exists():
        train = recipes.load(recipe_of(method))
        train(max_images=IMAGES, name=name, runs=str(folder / "of"), export_to=str(folder), overwrite=True)
    return folder / name


def judge(encoder, plan) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Returns the answers of k-NN and a linear probe on frozen features, and the figures without labels."""

    from sslzoo.views import inputs

    parts = (plan.train_set, few(plan.test_set))
    right = answers([inputs.encode(encoder, part, plan.size) for part in parts], parts)
    return right, label_free.figures(encoder, plan)


def answers(features: list, parts: tuple) -> dict[str, np.ndarray]:
    """Returns for each test image whether k-NN and a linear probe are right."""
    from sslzoo.evaluators import Study
    from sslzoo.evaluators.judge import run

    study = Study(*features, *(part.labels for part in parts))
    scores = {"knn": run("knn", study), "linear": run("softmax", study, epochs=20)}
    return {name: next(found).answers.astype(bool) for name, found in scores.items()}


def few(test):
    return test.take(slice(0, TEST_IMAGES))


KEPT: dict[str, tuple] = {}


def once(encoder, plan) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Judges an untrained encoder; equal encoders, those of a seed in many methods, are judged once."""

    from sslzoo.exports.contract import checksum

    key = f"{checksum(encoder)} {encoder.output_shape} {plan.fingerprint} {plan.size}"
    if key not in KEPT:
        KEPT[key] = judge(encoder, plan)
    return KEPT[key]


@functools.cache
def raw_pixels(data: str, max_images: int, size: int) -> dict[str, np.ndarray]:
    from sslzoo.data import load, restrict
    from sslzoo.views import inputs

    train, test = restrict(load(data), None, max_images)
    parts = (train, few(test))
    return answers([inputs.pixels(part, size) for part in parts], parts)


def gain(rows: list[dict], figure: str) -> str:
    """Returns the gain over the untrained encoders in points, with its 95 % interval over images and seeds."""
    from sslzoo.evaluators.bootstrap import paired_difference

    parts = (np.stack([unpacked(row["answers"][name]) for row in rows]) for name in (figure, f"untrained {figure}"))
    difference = paired_difference(*parts)
    mean, low, high = (f"{100 * value:+.1f}" for value in difference)
    return f"**{mean}** [{low}, {high}]" if difference.clear else f"{mean} [{low}, {high}]"


def packed(trained: dict[str, np.ndarray], untrained: dict[str, np.ndarray]) -> dict[str, dict[str, str]]:
    """Returns the answers of a row: of each the number of test images, and one bit for each image in base 64."""
    found = trained | {f"untrained {name}": right for name, right in untrained.items()}
    bits = {name: base64.b64encode(np.packbits(right)).decode() for name, right in found.items()}
    return {"answers": {name: f"{len(found[name])} {text}" for name, text in bits.items()}}


def unpacked(text: str) -> np.ndarray:
    """Returns for each test image whether the answer was right."""
    count, bits = text.split()
    return np.unpackbits(np.frombuffer(base64.b64decode(bits), np.uint8), count=int(count)).astype(bool)


def settings_of(method: str) -> dict:
    """Returns the settings of a method's recipe by name."""
    return recipes.read(recipe_of(method)).settings


HEAD = "method,data,encoder,epochs,k-NN,untrained (gain),raw pixels,linear,untrained (gain),raw pixels".split(",")


def lines_of(rows: list[dict]) -> dict[str, list[str]]:
    """Returns the cells of each method: means and deviations over its seeds, and gains with intervals."""
    lines = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        some = [row for row in rows if row["method"] == method]
        pixels = raw_pixels(some[0]["data"], some[0]["images"], some[0]["size"])
        line = [f"{some[0]['data']}, {some[0]['images']}", some[0]["encoder"]]
        line.append(" / ".join(dict.fromkeys(str(row["epochs"]) for row in some)))
        for figure in ("knn", "linear"):
            line += [*scores(some, figure), f"{100 * pixels[figure].mean():.1f}"]
        lines[method] = line
    return lines


def table(lines: dict[str, list[str]], before: str) -> dict[str, list[str]]:
    """Returns the cells of all methods; those that were not measured keep their previous ones."""
    return dict(sorted((dict(cells_in(before)) | lines).items()))


def cells_in(page: str) -> list[tuple[str, list[str]]]:
    """Returns the method of each line of a table, its first cell, and the other cells."""
    return [(method, rest.split(" | ")) for method, rest in re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.M)]


def scores(rows: list[dict], figure: str) -> list[str]:
    """Returns two cells: the trained encoders, and the untrained ones with the gain."""
    trained, untrained = (
        [unpacked(row["answers"][name]).mean() for row in rows] for name in (figure, f"untrained {figure}")
    )
    return [percent(trained), f"{percent(untrained)} ({gain(rows, figure)})"]


def percent(shares: list[float]) -> str:
    """Returns the mean in %, and the deviation where there are several."""
    values = [100 * share for share in shares]
    deviation = f" +- {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{deviation}"


def fill_methods(lines: dict[str, list[str]]) -> None:
    """Puts k-NN and linear, trained / untrained (gain), into the last two cells of each line of docs/methods.md."""
    from sslzoo.utils.files import replacing

    text = METHODS.read_text("utf-8")
    for method, cells in lines.items():
        shown = f"{cells[3]} / {cells[4]} | {cells[6]} / {cells[7]}"
        line = re.compile(rf"^(\| `{method}` \|[^|]*\|[^|]*\|[^|]*\|).*$", re.M)
        text = line.sub(lambda found, shown=shown: f"{found[1]} {shown} |", text)
    with replacing(METHODS) as beside:
        beside.write_text(text, "utf-8")


def measured() -> list[dict]:
    """Returns the rows of zoo.jsonl that have an answer for each test image; rows of earlier versions have none."""
    return [row for row in label_free.read_rows() if "answers" in row]


def add(row: dict) -> None:
    with label_free.ROWS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def draw(lines: dict[str, list[str]], path: Path) -> None:
    """Plots the k-NN accuracy of every method and of its untrained encoder."""
    from matplotlib.figure import Figure

    from sslzoo.utils import plots

    figure = Figure(figsize=(7, 1.2 + 0.24 * len(lines)), layout="constrained")
    axes = figure.subplots()
    for label, cell, colour, marker in (("untrained", 4, plots.GRAY, "|"), ("trained", 3, plots.BLUE, "o")):
        values = [float(cells[cell].split()[0]) for cells in lines.values()]
        axes.scatter(values, range(len(lines)), color=colour, marker=marker, s=28, label=label)
    axes.set_yticks(range(len(lines)), list(lines), fontsize=8)
    axes.set_xlabel("k-NN accuracy on test images (%)")
    axes.grid(alpha=0.3)
    axes.legend()
    plots.save(figure, path, COMMAND)


def write(rows: list[dict]) -> None:
    """Writes zoo.md, zoo.png and the table of docs/methods.md."""
    from sslzoo.evaluators.report import grid

    file, lines = HERE / "zoo.md", lines_of(rows)
    whole_table = table(lines, file.read_text("utf-8") if file.exists() else "")
    text = grid(HEAD, [[f"`{method}`", *cells] for method, cells in whole_table.items()]) + "\n\n"
    text += f"k-NN with 20 neighbours; linear: a softmax layer, 20 epochs of Adam; both on {TEST_IMAGES} test images "
    text += "at most; in %: mean and deviation over the seeds; lines without a deviation are of one seed. Gains over "
    text += "the untrained encoder in points, with the 95 % interval of a bootstrap over test images and seeds; bold "
    text += "if it excludes zero.\n"
    page = f"# The zoo, measured\n\n    {COMMAND}\n\n{text}\n![k-NN of every method](zoo.png)\n"
    file.write_text(page, "utf-8")
    draw(whole_table, HERE / "zoo.png")
    fill_methods(lines)
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--methods", default="", help="comma-separated names of methods; all by default")
    parser.add_argument("--again", action="store_true", help="measure rows that zoo.jsonl has")
    parser.add_argument("--runs", default="runs/zoo", help="folder of the runs")
    given = parser.parse_args()
    methods = [m for m in given.methods.split(",") if m] or [m for m in catalog.methods() if judged(m)]
    import_tensorflow()
    done = set() if given.again else {(row["method"], row["seed"]) for row in measured()}
    todo = [(method, seed) for method in methods for seed in range(given.seeds) if (method, seed) not in done]
    failed = []
    for number, (method, seed) in enumerate(todo, 1):
        print(f"--- {number} of {len(todo)}: {method}, seed {seed}", flush=True)
        try:
            add(measure(method, seed, Path(given.runs)))
        except Exception:  # an error in one method must not stop the others
            traceback.print_exc()
            failed.append(f"{method}, seed {seed}")
    write(measured())
    if failed:
        sys.exit(f"failed: {'; '.join(failed)}")


if __name__ == "__main__":
    run_command(main)
