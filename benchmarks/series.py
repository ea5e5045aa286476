"""Methods on sets of the UCR archive, with baselines and published figures, and SimCLR with single augmentations.

    python benchmarks/series.py
    python benchmarks/series.py --augmentations

Both write a table to series.md. Runs are kept: the same command continues an interrupted benchmark.
"""

import argparse
import gc
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from zoo import percent

from sslzoo.commands import import_tensorflow
from sslzoo.commands import run as run_command

HERE = Path(__file__).parent
SETS = ("GunPoint", "ItalyPowerDemand", "ArrowHead", "OSULeaf", "ACSF1")
AUGMENTED = ("GunPoint", "ArrowHead", "OSULeaf")  # sets of the table of augmentations
STEPS, SEEDS = 200, 3
METHODS = {  # settings that differ from the defaults
    "ts2vec": dict(encoder="dilated_conv", batch_size=8),
    "simclr": dict(encoder="inception_time", batch_size=16, temperature=0.2),
    "mixup_contrast": dict(encoder="fcn_1d", batch_size=16),
    "ts_tcc": dict(encoder="conv_pool_1d", batch_size=16),
    "masked_series": dict(encoder="patch_series", batch_size=16),
}
# Accuracies of the given test parts: re-runs by the authors of RankSCL, and of MCL by its own authors (1-NN).
PUBLISHED = {
    "TS2Vec": (0.983, 0.958, 0.834, 0.831, 0.870),
    "TS-TCC": (0.879, 0.940, 0.694, 0.498, 0.438),
    "MCL": (0.999, 0.936, 0.822, 0.870, 0.896),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--augmentations", action="store_true", help="SimCLR with one augmentation at a time")
    parser.add_argument("--methods", default=",".join(METHODS), help="comma-separated names of methods")
    parser.add_argument("--sets", default="", help=f"comma-separated names of sets (default {','.join(SETS)})")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"steps of each training (default {STEPS})")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"trainings of each setting (default {SEEDS})")
    parser.add_argument("--runs", default="runs", help="folder of the runs")
    given = parser.parse_args()
    import_tensorflow()
    from sslzoo.tuning.sweep import Sweep

    sets = given.sets.split(",") if given.sets else AUGMENTED if given.augmentations else SETS
    title = "augmentations" if given.augmentations else "series"
    with Sweep(title, {"steps": given.steps}, given.runs, (Path(given.runs) / title).exists(), False) as sweep:
        write = augmentations if given.augmentations else methods
        write(sweep, sets, given)


def methods(sweep, sets: tuple[str, ...], given) -> None:
    """Trains each method on each set, and writes the table of accuracies."""
    names = given.methods.split(",")

    def measure(knobs: dict, *_) -> dict:
        return trained(knobs["method"], knobs["data"], knobs["seed"], given.steps, sweep.folder)

    rows = [
        sweep.run({"method": method, "data": data, "seed": seed}, measure)
        for data in sets
        for method in names
        for seed in range(given.seeds)
    ]
    head, section = ["features", "", *sets], f"methods, {given.sets}" if given.sets else "methods"
    lines = measured(section, head) | accuracies(rows, sets, names)  # those of methods that this run leaves out
    lines |= {key: lines.pop(key) for key in [*lines] if key[1] == "published"}  # at the end
    text = "Accuracy in %: a support vector machine on features, as TS2Vec evaluates; mean and deviation over "
    text += f"{given.seeds} seeds, {given.steps} steps each; the test part of the archive."
    some = f" --methods {given.methods}" if given.sets and len(names) < len(METHODS) else ""
    command = f"python benchmarks/series.py{some}{of_sets(given)}"
    put(section, command, text, head, [[*name, *cells] for name, cells in lines.items()])


def accuracies(rows: list[dict], sets: tuple[str, ...], names: list[str]) -> dict[tuple[str, str], list[str]]:
    """Returns (title, which) -> a cell for each set: baselines, untrained and trained encoders, published figures."""
    lines = {}
    for data in sets:
        for title, found in baselines(data).items():
            lines.setdefault((title, ""), []).append(percent([found]))
        for method in names:
            some = [row for row in rows if (row["method"], row["data"]) == (method, data)]
            kind = f"`{method}`, {METHODS.get(method, {}).get('encoder', '')}"
            for which in ("untrained", "trained"):
                lines.setdefault((kind, which), []).append(percent([row[which] for row in some]))
        if data in SETS:
            for title, found in PUBLISHED.items():
                lines.setdefault((title, "published"), []).append(f"{100 * found[SETS.index(data)]:.1f}")
    return lines


def measured(name: str, head: list[str]) -> dict[tuple[str, str], list[str]]:
    """Returns the lines of a table of series.md, (title, which) -> cells, if it is of the same sets."""
    file = HERE / "series.md"
    _, _, section = (file.read_text("utf-8") if file.exists() else "").partition(f"## {name}\n")
    table = [line[2:-2].split(" | ") for line in section.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    return {(cells[0], cells[1]): cells[2:] for cells in table[2:]} if table[:1] == [head] else {}


def augmentations(sweep, sets: tuple[str, ...], given) -> None:
    """Trains SimCLR with each operation alone in both views, and writes the table of accuracies."""

    def measure(knobs: dict, *_) -> dict:
        return trained("simclr", knobs["data"], knobs["seed"], given.steps, sweep.folder, alone(knobs["views"]))

    every = operations()
    rows = [
        sweep.run({"views": views, "data": data, "seed": seed}, measure)
        for data in sets
        for views in every
        for seed in range(given.seeds)
    ]

    def cell(views: str, data: str) -> str:
        return percent([row["trained"] for row in rows if (row["views"], row["data"]) == (views, data)])

    untrained = [percent([row["untrained"] for row in rows if row["data"] == data]) for data in sets]
    body = [["untrained encoder", *untrained], *([views, *(cell(views, data) for data in sets)] for views in every)]
    text = "SimCLR on FCN with one augmentation alone in both views; accuracy as above, mean and deviation over "
    text += f"{given.seeds} seeds, {given.steps} steps each."
    put("augmentations", f"python benchmarks/series.py --augmentations{of_sets(given)}", text, ["views", *sets], body)


def of_sets(given) -> str:
    """The words of the command that name the sets, if any are given."""
    return f" --sets {given.sets}" if given.sets else ""


def operations() -> dict[str, Callable[[], list]]:
    """Augmentations by title: functions that return the operations of a view."""
    from sslzoo.views import series_time as time
    from sslzoo.views import series_values as values

    return {
        "none (the series itself)": lambda: [],
        "jitter": lambda: [values.Jitter(0.1)],
        "scaling": lambda: [values.Scale(0.5)],
        "magnitude warp": lambda: [values.MagnitudeWarp()],
        "permutation of segments": lambda: [time.Permute(5)],
        "time warp": lambda: [time.TimeWarp()],
        "crop": lambda: [time.Crop((0.5, 1.0))],
        "reversal": lambda: [time.Reverse()],
        "mask": lambda: [values.Mask()],
        "frequency mask": lambda: [values.FrequencyMask()],
        "crop, scaling, jitter (the preset)": lambda: [time.Crop((0.5, 1.0)), values.Jitter(), values.Scale()],
    }


def alone(views: str) -> Callable:
    """A preset: two views by the operations of a title."""
    from sslzoo.views import SeriesView

    def preset(length: int, channels: int = 1) -> list:
        return [SeriesView(operations()[views](), length, channels)] * 2

    return preset


def trained(method: str, data: str, seed: int, steps: int, folder: Path, preset: Callable | None = None) -> dict:
    """Trains; returns the accuracies on features of the trained and of the untrained encoder."""
    import keras

    import sslzoo
    from sslzoo.data import load
    from sslzoo.views import inputs

    splits = load(f"ucr:{data}")
    settings = dict(METHODS.get(method, {}))
    if preset is not None:
        settings |= dict(encoder="fcn_1d", preset=preset)
    batch = min(settings.pop("batch_size", 32), len(splits.train))
    epochs = max(1, round(steps / (len(splits.train) // batch)))
    places = dict(runs=str(folder), name="run", overwrite=True, export_to=None, evaluate=False)
    result = sslzoo.pretrain(method, splits, **settings, batch_size=batch, epochs=epochs, seed=seed, **places)
    found = {}
    for name, encoder in (("trained", result.encoder), ("untrained", result.untrained)):
        found[name] = machine(*(inputs.encode(encoder, part, result.plan.size) for part in splits), splits)
    keras.backend.clear_session()
    gc.collect()
    return found


def baselines(data: str) -> dict[str, float]:
    """The accuracies on features that need no encoder, by title."""
    from sslzoo.catalog.kinds import KINDS
    from sslzoo.data import load
    from sslzoo.views.inputs import without_encoder

    splits = load(f"ucr:{data}")
    every = KINDS["series"].functions.baselines(splits.train.shape[0], splits.train)
    return {title: machine(*(without_encoder(part, one) for part in splits), splits) for title, one in every.items()}


def machine(train_x: np.ndarray, test_x: np.ndarray, splits) -> float:
    """Accuracy of a support vector machine as in TS2Vec's evaluation.

    Its penalty is chosen by cross-validation in five folds, or infinite where a class has fewer than 5 series or there
    are fewer than 50; features are standardized.
    """
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    train_y, test_y = splits.train.labels, splits.test.labels
    model = make_pipeline(StandardScaler(), SVC(C=1e9, max_iter=10_000_000))
    if len(train_y) >= 50 and len(train_y) // len(set(train_y)) >= 5:
        model = GridSearchCV(model, {"svc__C": [*(10.0**power for power in range(-4, 5)), 1e9]}, cv=5)
    return float((model.fit(train_x, train_y).predict(test_x) == test_y).mean())


def put(name: str, command: str, text: str, head: list[str], body: list[list[str]]) -> None:
    """Replaces the section of a table in series.md."""
    from sslzoo.evaluators.report import grid
    from sslzoo.utils.files import replacing

    file, mark = HERE / "series.md", f"## {name}\n"
    before = file.read_text("utf-8") if file.exists() else "# Series, measured\n"
    parts = before.split("\n## ")
    parts = [part for part in parts if not part.startswith(f"{name}\n")]
    parts.append(f"{mark[3:]}\n    {command}\n\n{text}\n\n{grid(head, body)}\n")
    with replacing(file) as beside:
        beside.write_text("\n## ".join(part.rstrip("\n") + "\n" for part in parts), "utf-8")


if __name__ == "__main__":
    sys.exit(run_command(main))
