"""Every method of the zoo through its recipe, beside the untrained encoder and raw pixels: one table and one picture.

    python benchmarks/zoo.py --budget 60

Runs go seed by seed through all methods and are kept: the same command goes on where it was stopped.
"""

import argparse
import functools
import gc
import json
import re
import statistics
import sys
import time
from pathlib import Path

from sslzoo import catalog, knobs
from sslzoo.__main__ import _import_tensorflow

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
IMAGES, TEST_IMAGES = 10_000, 4000  # to train on and to judge on, at most


def recipe_of(method: str) -> Path | None:
    """The recipe of a method on the images that are at hand everywhere."""
    known = catalog.recipes()
    return next((known[name] for end in ("fashion_mnist", "digits") if (name := f"{method}_{end}") in known), None)


def measure(method: str, seed: int, epochs: int, folder: Path) -> dict:
    """Trains by the recipe and judges; figures by name."""
    import keras

    train = catalog.recipe_function(recipe_of(method))
    began = time.perf_counter()
    places = dict(
        max_images=IMAGES, name=f"{method}-{seed}", runs=str(folder), export_to=None, evaluate=False, overwrite=True
    )
    if "teacher" in knobs.read(recipe_of(method), recipe_of(method).stem):
        places["teacher"] = str(teacher(folder))
    result = train(epochs=epochs, seed=seed, **places)
    plan = result.plan
    found = {"data": plan.train_set.name, "encoder": plan.settings["encoder"], "images": len(plan.train_set)}
    last = json.loads((result.run / "metrics.jsonl").read_text("utf-8").splitlines()[-1])
    found |= {"epochs": epochs, "epoch_seconds": len(plan.train_set) / last["images_per_second"]}
    found["verdict"] = result.verdict
    trained = judge(plan.encoder(result.model), plan)
    untrained = judge_untrained(repr((plan.knobs["encoder"], found["encoder"], seed, plan.size)), plan)
    del result, train
    keras.backend.clear_session()
    gc.collect()
    found |= trained | {f"untrained {name}": value for name, value in untrained.items()}
    return found | {"seconds": time.perf_counter() - began}


def teacher(folder: Path) -> Path:
    """An exported encoder to learn from: SimCLR's."""
    if not (folder / "teacher").exists():
        train = catalog.recipe_function(recipe_of("simclr"))
        train(max_images=IMAGES, name="teacher", runs=str(folder / "of"), export_to=str(folder), overwrite=True)
    return folder / "teacher"


def judge(encoder, plan) -> dict[str, float]:
    """k-NN and a linear probe on frozen features of the plan's data."""
    from sslzoo import evaluation

    parts = (plan.train_set, few(plan.test_set))
    return scores([evaluation.encode(encoder, part, plan.size) for part in parts], parts)


def scores(features: list, parts: tuple) -> dict[str, float]:
    from sslzoo.evaluators.knn import knn
    from sslzoo.evaluators.softmax import trained_probe

    data = (features[0], parts[0].labels, features[1], parts[1].labels)
    return {"knn": knn(*data), "linear": trained_probe(*data, epochs=20)}


def few(test):
    return test.take(slice(0, TEST_IMAGES))


KEPT: dict[str, dict] = {}


def judge_untrained(key: str, plan) -> dict[str, float]:
    """The encoder as it started; equal encoders of one seed start alike."""
    key += plan.fingerprint
    if key not in KEPT:
        KEPT[key] = judge(plan.untrained, plan)
    return KEPT[key]


@functools.cache
def raw_pixels(data: str, max_images: int) -> dict[str, float]:
    from sslzoo import evaluation
    from sslzoo.data import load, restrict
    from sslzoo.plan import choose_size

    train, test = restrict(load(data), None, max_images)
    parts = (train, few(test))
    return scores([evaluation.pixels(part, choose_size(train)) for part in parts], parts)


def epochs_of(method: str, left: float, runs: int, rows: list[dict]) -> int:
    """The recipe's epochs, or fewer where `left` seconds are not enough for `runs` runs like those that are done."""
    default = whole(method)
    done = [row for row in rows if "seconds" in row]
    if not done:
        return default
    training = statistics.mean(whole(row["method"]) * row["epoch_seconds"] for row in done)
    rest = statistics.mean(row["seconds"] - row["epochs"] * row["epoch_seconds"] for row in done)
    return max(1, min(default, round(default * (left / runs - rest) / training)))


def whole(method: str) -> int:
    """The epochs of a method's recipe."""
    return catalog.recipe_knobs(recipe_of(method))["epochs"].default


def table(rows: list[dict]) -> str:
    """Markdown: a line for each method, means and deviations over its seeds."""
    head = [
        "method",
        "data",
        "encoder",
        "epochs",
        "k-NN",
        "untrained",
        "raw pixels",
        "linear",
        "untrained",
        "raw pixels",
    ]
    lines = [head, ["---"] * len(head)]
    for method in dict.fromkeys(row["method"] for row in rows):
        some = [row for row in rows if row["method"] == method and "knn" in row]
        if not some:
            lines.append([f"`{method}`", next(row["error"] for row in rows if row["method"] == method)] + [""] * 8)
            continue
        pixels = raw_pixels(some[0]["data"], some[0]["images"])
        line = [f"`{method}`", f"{some[0]['data']}, {some[0]['images']}", some[0]["encoder"]]
        line.append(" / ".join(dict.fromkeys(str(row["epochs"]) for row in some)))
        for figure in ("knn", "linear"):
            line += [percent(row[figure] for row in some), percent(row[f"untrained {figure}"] for row in some)]
            line.append(percent([pixels[figure]]))
        lines.append(line)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(values) -> str:
    values = [100 * value for value in values]
    deviation = f" +- {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{deviation}"


def fill_readme(rows: list[dict]) -> None:
    """Puts k-NN and linear, trained / untrained, into the last two cells of each method's line of README."""
    from sslzoo.files import replacing

    text = README.read_text("utf-8")
    for method in {row["method"] for row in rows if "knn" in row}:
        some = [row for row in rows if row["method"] == method and "knn" in row]
        cells = [
            f"{percent(row[figure] for row in some)} / {percent(row[f'untrained {figure}'] for row in some)}"
            for figure in ("knn", "linear")
        ]
        line = re.compile(rf"^(\| `{method}` \|[^|]*\|[^|]*\|[^|]*\|).*$", re.M)
        text = line.sub(lambda found, cells=cells: f"{found[1]} {cells[0]} | {cells[1]} |", text)
    with replacing(README) as beside:
        beside.write_text(text, "utf-8")


def draw(rows: list[dict], path: Path, command: str) -> None:
    """k-NN of every method beside its untrained encoder."""
    from matplotlib.figure import Figure

    from sslzoo import plots

    methods = list(dict.fromkeys(row["method"] for row in rows if "knn" in row))
    figure = Figure(figsize=(7, 1.2 + 0.24 * len(methods)), layout="constrained")
    axes = figure.subplots()
    for name, colour, marker in (("untrained knn", plots.GRAY, "|"), ("knn", plots.BLUE, "o")):
        points = [(100 * row[name], methods.index(row["method"])) for row in rows if name in row]
        label = "trained" if name == "knn" else "untrained"
        axes.scatter(*zip(*points, strict=True), color=colour, marker=marker, s=28, label=label)
    axes.set_yticks(range(len(methods)), methods, fontsize=8)
    axes.set_xlabel("k-NN accuracy on test images (%)")
    axes.grid(alpha=0.3)
    axes.legend()
    plots.save(figure, path, command)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=120, help="minutes in all; recipes get fewer epochs to keep it")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--methods", default="", help="some of them, with commas between; all by default")
    parser.add_argument("--runs", default="runs", help="folder of the runs")
    given = parser.parse_args()
    methods = [m for m in given.methods.split(",") if m] or [m for m in catalog.methods() if recipe_of(m)]
    _import_tensorflow()
    from sslzoo.sweep import Sweep

    ends = time.monotonic() + 60 * given.budget
    with Sweep("zoo", {}, given.runs, (Path(given.runs) / "zoo").exists(), False) as zoo:
        todo = [(method, seed) for seed in range(given.seeds) for method in methods]
        for number, (method, seed) in enumerate(todo):

            def run(chosen: dict, *_) -> dict:
                left, runs = ends - time.monotonic(), len(todo) - number  # noqa: B023
                epochs = epochs_of(chosen["method"], left, runs, zoo.rows)
                try:
                    return measure(chosen["method"], chosen["seed"], epochs, zoo.folder)
                except KeyboardInterrupt:
                    line = f"stopped; the same command goes on with {chosen['method']}, seed {chosen['seed']}"
                    raise KeyboardInterrupt(line) from None
                except Exception as error:  # the others shall not suffer
                    return {"error": f"{type(error).__name__}: {error}".split("\n")[0][:200]}

            zoo.run({"method": method, "seed": seed}, run)
        rows = sorted(zoo.rows, key=lambda row: row["method"])
    command = f"python benchmarks/zoo.py --budget {given.budget:g}"
    text = f"    {command}\n\n{table(rows)}\n\nk-NN with 20 neighbours; linear: a softmax layer, 20 epochs of Adam; "
    text += f"both on {TEST_IMAGES} test images at most; mean and deviation over {given.seeds} seeds, in %.\n"
    (HERE / "zoo.md").write_text(f"# The zoo, measured\n\n{text}\n![k-NN of every method](zoo.png)\n", "utf-8")
    draw(rows, HERE / "zoo.png", command)
    fill_readme(rows)
    print(text)
    failed = [row["method"] for row in rows if "error" in row]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    knobs.run(main)
