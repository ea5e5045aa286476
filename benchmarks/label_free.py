"""Which figure without labels predicts accuracy? Rank correlations over every run of the zoo benchmark.

    python benchmarks/label_free.py

reads zoo.jsonl, which `python benchmarks/zoo.py` writes: each method, seed and number of epochs is one point.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from sslzoo.commands import run as run_command

HERE = Path(__file__).parent
ROWS = HERE / "zoo.jsonl"
IMAGES, VIEWS = 300, 8  # test images whose views are compared, and views of each
FEATURES = {  # figure of the features -> (heading, sign: 1 if more is better)
    "rank": ("RankMe", 1),
    "lidar": ("LiDAR", 1),
    "alpha_req": ("alpha-ReQ, distance from 1", -1),
    "uniformity": ("uniformity", -1),
    "alignment": ("alignment", -1),
    "nt_xent_excess": ("NT-Xent above its value for random embeddings", -1),
    "contrast_accuracy": ("other view found", 1),
    "sigreg": ("SIGReg statistic", -1),
}
EMBEDDINGS = ("rank", "uniformity", "alignment", "nt_xent_excess", "contrast_accuracy")  # also of the embeddings
LOSS = "training loss"
DATA = "fashion_mnist"
GROUPS = {"within a method": "method", "within an encoder": "encoder", "all runs": None}
ACCURACIES = {"knn": "k-NN", "linear": "linear"}
DRAWS = 2000


def read_rows() -> list[dict]:
    """Returns the rows of zoo.jsonl: the last one of each method and seed."""
    lines = ROWS.read_text("utf-8").splitlines() if ROWS.exists() else []
    found = {(row["method"], row["seed"]): row for row in map(json.loads, lines)}
    return [found[key] for key in sorted(found)]


def figures(encoder, plan) -> dict[str, float]:
    """Returns the figures of an encoder's features that need no labels: 1000 test images, and views of 300."""
    from sslzoo.evaluators import spectrum
    from sslzoo.losses import distribution
    from sslzoo.training.monitors import health
    from sslzoo.views import inputs

    test = plan.test_set.take(slice(0, spectrum.IMAGES))
    features = inputs.encode(encoder, test, plan.size)
    few = np.concatenate(list(inputs.images(test.take(slice(0, IMAGES)), plan.size)))
    seen = [encoder.predict_on_batch(x) for x in inputs.mild_views(few, test, plan.size, VIEWS)]
    slope = spectrum.power_law(spectrum.eigenvalues(features))
    lines = np.random.default_rng(0).normal(size=(features.shape[1], 256)).astype("float32")
    centred = features - features.mean(0)
    found = health(seen[0], seen[1], 0.5) | {
        "rank": spectrum.effective_rank(features),
        "lidar": spectrum.lidar(np.stack(seen, 1)),
        "alpha_req": None if slope is None else abs(slope - 1),
        "sigreg": float(distribution.sigreg((centred / max(centred.std(), 1e-9))[None], lines)),
    }
    return {name: found[name] for name in FEATURES}


def points(rows: list[dict]) -> list[dict]:
    """Returns one dict of figures for each encoder of DATA: those before training are points too."""
    rows = [row for row in rows if row["data"] == DATA]  # accuracies on several data sets do not compare
    return [{"method": row["method"], "encoder": row["encoder"], **point} for row in rows for point in row["points"]]


def correlation(found: list[dict], figure: str, accuracy: str, group: str | None) -> float:
    """Returns Spearman's correlation of a figure and an accuracy: the mean over the groups of at least 3 points."""
    from scipy import stats

    names = dict.fromkeys(point[group] for point in found) if group else [None]
    each = []
    for name in names:
        some = [point for point in found if group is None or point[group] == name]
        pairs = [(point[figure], point[accuracy]) for point in some if point.get(figure) is not None]
        if len(pairs) >= 3 and all(len(set(column)) > 1 for column in zip(*pairs, strict=True)):
            each.append(stats.spearmanr(*zip(*pairs, strict=True)).statistic)
    return float(np.mean(each)) if each else float("nan")


def study(found: list[dict], seed: int = 0) -> dict[tuple, tuple[float, float, float]]:
    """Returns for (figure, accuracy, group) the correlation and its 95 % interval by a bootstrap over the methods."""
    rng, of_method = np.random.default_rng(seed), {}
    for point in sorted(found, key=lambda point: point["method"]):
        of_method.setdefault(point["method"], []).append(point)
    return {
        (figure, accuracy, title): measured(of_method, figure, accuracy, group, rng)
        for figure in signs()
        for accuracy in ACCURACIES
        for title, group in GROUPS.items()
        if figure != LOSS or group == "method"
    }


def measured(of_method: dict[str, list], figure: str, accuracy: str, group: str | None, rng) -> tuple:
    """Returns a correlation, the sign turned so that more is better, and its interval."""
    names = list(of_method)

    def value(some: list[str]) -> float:
        return signs()[figure] * correlation([p for name in some for p in of_method[name]], figure, accuracy, group)

    if group == "method":  # a mean over methods: its parts are computed once
        each = np.array([value([name]) for name in names])
        drawn = np.nanmean(each[rng.integers(0, len(each), (DRAWS, len(each)))], axis=1)
    else:
        chosen = rng.integers(0, len(names), (DRAWS // 10, len(names)))
        drawn = [value([names[i] for i in draw]) for draw in chosen]
    return value(names), *np.nanpercentile(drawn, [2.5, 97.5])


def signs() -> dict[str, int]:
    """Returns figure -> 1 if more is better, else -1."""
    of_features = {f"features {name}": sign for name, (_, sign) in FEATURES.items()}
    return of_features | {f"embeddings {name}": FEATURES[name][1] for name in EMBEDDINGS} | {LOSS: -1}


def heading(figure: str) -> str:
    """Returns the words of a figure in the table."""
    part, _, name = figure.partition(" ")
    return f"{FEATURES[name][0]} of {part}" if name in FEATURES else figure


def table(results: dict) -> str:
    """Formats the correlations as Markdown, the best k-NN within a method first."""
    columns = [(accuracy, title) for title in GROUPS for accuracy in ACCURACIES]
    names = ["figure without labels", *(f"{ACCURACIES[accuracy]}, {title}" for accuracy, title in columns)]
    rows = [names, ["---"] * len(names)]
    for figure in ranking(results):
        cells = [results.get((figure, *column)) for column in columns]
        rows.append([heading(figure), *("" if c is None else f"{c[0]:+.2f} [{c[1]:+.2f}, {c[2]:+.2f}]" for c in cells)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def ranking(results: dict) -> list[str]:
    """Returns the figures, the highest correlation with k-NN within a method first."""
    return sorted(signs(), key=lambda figure: -np.nan_to_num(results[figure, "knn", "within a method"][0], nan=-9))


def draw(results: dict, path: Path, command: str) -> None:
    """Plots the correlations with k-NN within a method and within an encoder, with their intervals."""
    from matplotlib.figure import Figure

    from sslzoo.utils import plots

    order = ranking(results)[::-1]
    figure = Figure(figsize=(7, 0.8 + 0.36 * len(order)), layout="constrained")
    axes = figure.subplots()
    kinds = (("within a method", plots.BLUE, "o", 0.12), ("within an encoder", plots.GRAY, "s", -0.12))
    for title, colour, marker, offset in kinds:
        some = [(place, results.get((name, "knn", title))) for place, name in enumerate(order)]
        places, values = zip(*((place + offset, value) for place, value in some if value), strict=True)
        middle, low, high = np.array(values).T
        bars = dict(xerr=[middle - low, high - middle], fmt=marker, color=colour, markersize=5, label=title)
        axes.errorbar(middle, places, **bars)
    axes.axvline(0, color=plots.GRAY, linewidth=0.8)
    axes.set_yticks(range(len(order)), [heading(name) for name in order], fontsize=8)
    axes.set_xlabel("Spearman correlation with k-NN accuracy (sign: more is better)")
    axes.grid(alpha=0.3, axis="x")
    axes.legend(fontsize=8)
    plots.save(figure, path, command)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    found = points(read_rows())
    results, command = study(found), "python benchmarks/label_free.py"
    methods = len({point["method"] for point in found})
    text = f"# Figures without labels and accuracy\n\n    {command}\n\n{table(results)}\n\n"
    text += f"Spearman correlations over {len(found)} encoders of {methods} methods on {DATA}: each seed of "
    text += "`benchmarks/zoo.py` before training, after half of its epochs, and at its end. The sign is turned so that "
    text += "+ means: a better figure, a higher accuracy. 'Within' is the mean of the correlations inside each method "
    text += "or encoder. In brackets the 95 % interval of a bootstrap over methods. Figures of features are computed "
    text += f"from 1000 test images, or from {VIEWS} views of {IMAGES} of them; figures of embeddings and the loss "
    text += "are those of the training's monitors.\n\n![correlations](label_free.png)\n"
    (HERE / "label_free.md").write_text(text, "utf-8")
    draw(results, HERE / "label_free.png", command)
    print(text)


if __name__ == "__main__":
    run_command(main)
