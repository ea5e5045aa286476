"""First screen of a report: verdict, main scores, training curve, views and facts."""

import dataclasses
import json
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sslzoo.data import describe
from sslzoo.evaluation.judging import START, TRAINED, UNTRAINED
from sslzoo.evaluators.report import Row
from sslzoo.exports.contract import HISTORY, RECONSTRUCTION, VIEWS
from sslzoo.reports import charts
from sslzoo.reports.study import Chapter, Picture, Study
from sslzoo.utils import provenance
from sslzoo.utils.plots import BLUE, COLOURS, GRAY

WIDTH = 6.4  # inches of a picture: half a page
FIGURES = {"knn": (100, "k-NN accuracy (%)"), "probe_linear": (100, "linear probe, probe data (%)")}
WITHOUT = {"contrast_accuracy": (100, "other view found (%)")}  # shown if there are none of these


@dataclasses.dataclass
class Front:
    """The first screen.

    Attributes:
        title: of the report.
        verdict: one line, "" if none is known.
        facts: name -> value.
        pictures: in order.
        history: figures of each epoch of the run, epoch 0 first; [] if they are not known.
    """

    title: str
    verdict: str = ""
    facts: dict[str, str] = dataclasses.field(default_factory=dict)
    pictures: list[Picture] = dataclasses.field(default_factory=list)
    history: list[dict] = dataclasses.field(default_factory=list)


def front(name: str, study: Study, known: dict, source: Path | None, chapters: Sequence[Chapter]) -> Front:
    """The first screen of a report.

    Args:
        name: of the encoder.
        study: data and encoders.
        known: recipe.json of an exported encoder, or {}.
        source: folder that may hold HISTORY, VIEWS and RECONSTRUCTION, or None.
        chapters: of the report; the first has the main scores if there are labels.
    """
    history = read_history(source / HISTORY) if source else []
    made = Front(name, str(known.get("verdict", "")), facts(study, known, history), history=history)
    main = main_scores(chapters[0].rows) if study.labelled else {}
    if main:
        made.verdict = made.verdict or headline(main)
        made.pictures.append(_bars(main, study.train.labels, study.test.labels))
    if len(history) > 1:
        chance = 100 / len(np.unique(study.train.labels)) if study.train.labels is not None else 0
        made.pictures.append(_training(history, chance))
    made.pictures += kept_pictures(source) if source else []
    return made


def kept_pictures(source: Path) -> list[Picture]:
    """Pictures that the training left in a folder: its views, and reconstructions if its method makes some."""
    known = (
        (VIEWS, "Views", "Examples and their views, as the encoder was trained on them."),
        (
            RECONSTRUCTION,
            "Reconstruction",
            "Input, visible patches, and predictions of the others, with the true mean and deviation of a patch.",
        ),
    )
    there = [(source / file, title, caption) for file, title, caption in known if (source / file).is_file()]
    return [Picture(path.stem, title, caption, path.read_bytes()) for path, title, caption in there]


def read_history(path: Path) -> list[dict]:
    """Figures of each epoch from a run's metrics.jsonl; [] without the file. Damaged lines are left out."""
    found = []
    for line in path.read_text("utf-8", "replace").splitlines() if path.is_file() else ():
        try:
            figures = {name: value for name, value in json.loads(line).items() if _finite(value)}
        except (ValueError, AttributeError):
            continue
        found += [figures] if "epoch" in figures else []
    return found


def _finite(value) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def facts(study: Study, known: dict, history: Sequence[dict]) -> dict[str, str]:
    """Method, data, encoder and course of the training, and the data of the report; unknown facts are left out."""
    model, knobs = study.encoders[TRAINED], known.get("knobs", {})
    parts = [f"{len(study.train)} training"] + [f"{len(study.test)} test"] * (study.test is not study.train)
    untrained = next(column for name, column in study.columns.items() if name == study.start)
    extent = f"{study.kind.noun} at {study.size} {study.kind.unit}"
    found = {
        "method": ", ".join(str(known[name]) for name in ("method", "paper") if known.get(name)),
        "data": str(known.get("data", "")) or describe(study.train),
        "encoder": f"{model.name}, {model.count_params():,} parameters, {model.output_shape[-1]} features",
        "epochs": f"{knobs['epochs']}, batch size {knobs.get('batch_size', '?')}" if "epochs" in knobs else "",
        "time": _time(history, knobs.get("batch_size")),
        "command": str(known.get("command", "")),
        "judged on": f"{describe(study.train).split(':')[0]}: {' and '.join(parts)} {extent}",
        "labels": "" if study.labelled else "none; the chapters that need labels are left out",
        "probe": str(known.get("probe", "")),
        "baselines": f"{untrained}; {_without(study)}",
        "versions": ", ".join(f"{name} {version}" for name, version in provenance.versions().items()),
    }
    return {name: value for name, value in found.items() if value}


def _without(study: Study) -> str:
    """The baselines without an encoder, and the extent of their inputs where it is smaller."""
    return ", ".join(f"{name} at most at {one.size} {study.kind.unit}" for name, one in study.baselines.items())


def _time(history, batch_size) -> str:
    """Training time from examples per second; "" if they are not known."""
    pairs = zip(history[1:], history, strict=False)
    timed = [(one["step"] - before["step"], one["images_per_second"]) for one, before in pairs if _timed(one, before)]
    if not timed or not _finite(batch_size):
        return ""
    seconds = sum(steps * batch_size / rate for steps, rate in timed)
    shown = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return f"{shown} of training on {provenance.machine()}"


def _timed(one, before) -> bool:
    return "step" in one and "step" in before and one.get("images_per_second", 0) > 0


def main_scores(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Metric -> column -> row: the linear probe with all and with few labels, k-NN, k-means accuracy."""
    keys = list(dict.fromkeys(row.key for row in rows))
    probes = [key for key in keys if key.startswith("linear_")]
    chosen = [*dict.fromkeys(probes[-1:] + probes[:1]), *(key for key in ("knn", "accuracy") if key in keys)]
    found = {key: {row.features: row for row in rows if row.key == key} for key in chosen}
    columns = {row.features for row in rows}
    return {key: by for key, by in found.items() if by.keys() == columns and TRAINED in by}


def headline(main: dict[str, dict[str, Row]]) -> str:
    """A verdict from the test examples, for encoders of an unknown training."""
    row = main["knn"][TRAINED] if "knn" in main else next(iter(main.values()))[TRAINED]
    if not row.gains:
        return ""
    name = next(iter(row.gains))
    judged = {True: "better than", False: "worse than", None: "no measurable gain over"}[row.better(name)]
    before = "start" if name == START else "untrained encoder"
    return f"{judged} the {before}: {row.metric} {row}, gain over {name} {row.gain(name)} on the test examples"


def _bars(main, train_y, test_y) -> Picture:
    classes, counts = np.unique(train_y, return_counts=True)
    chance, largest = 100 / len(classes), 100 * float(np.mean(test_y == classes[counts.argmax()]))
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    axes = figure.subplots()
    columns = list(next(iter(main.values())))
    for number, column in enumerate(columns):
        _bar(axes, column, number, len(columns), [by[column] for by in main.values() if column in by], chance)
    for place, by_column in enumerate(main.values()):
        _gains(axes, place, by_column[TRAINED])
    _levels(axes, chance, largest, [100 * row.mean for by in main.values() for row in by.values()])
    axes.set_xticks(range(len(main)), [_wrapped(by[TRAINED].metric) for by in main.values()], fontsize=9)
    axes.set_ylabel("accuracy (%)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8.5, frameon=False)
    caption = (
        "Accuracy on the test examples; the axis starts at chance. Above: gain in points over each baseline with the "
        f"95 % interval of a paired bootstrap, in colour if it excludes zero. One test example is "
        f"{100 / len(test_y):.2g} points."
    )
    return Picture("scores", "Main scores", caption, charts.png(figure))


def _levels(axes, chance, largest, heights):
    """Lines at chance and at the largest class; the axis starts at chance, or at the lowest bar if that is lower."""
    axes.axhline(chance, color="black", lw=1.5, label=f"chance, {chance:.1f} %")
    axes.axhline(largest, color="black", lw=1, ls=(0, (4, 3)), label=f"largest class, {largest:.1f} %")
    lowest = min([chance, *heights])
    axes.set_ylim(min(99, lowest - 0.01 * (100 - lowest)), 100)


def _bar(axes, column, number, count, rows, chance):
    """The bars of one column, one per metric."""
    width = 0.8 / count
    places = np.arange(len(rows)) + (number - (count - 1) / 2) * width
    heights = np.array([100 * row.mean for row in rows])
    spread = [100 * (row.std or 0) for row in rows]
    colour = charts.style(column)[0]
    axes.bar(places, heights - chance, 0.94 * width, bottom=chance, color=colour, label=column)
    axes.errorbar(places, heights, spread, fmt="none", ecolor="black", lw=1)
    ink = "black" if column.startswith((UNTRAINED, START)) else "white"
    for x, height in zip(places, heights, strict=True):
        place = dict(xytext=(0, 3), textcoords="offset points", ha="center", va="bottom")
        axes.annotate(f"{height:.1f}", (x, chance), fontsize=8, color=ink, **place)


def _gains(axes, place, row):
    """The gains of a metric above its bars, the last one lowest."""
    for line, name in enumerate(reversed(row.gains)):
        colour = {True: BLUE, False: COLOURS[3], None: GRAY}[row.better(name)]
        text = f"over {name.split(' (')[0]}\n{row.gain(name)}"
        place_of = dict(xytext=(0, 4 + 24 * line), textcoords="offset points", xycoords=axes.get_xaxis_transform())
        axes.annotate(text, (place, 1), ha="center", va="bottom", fontsize=8, color=colour, **place_of)


def _wrapped(metric: str) -> str:
    """In lines of at most 20 characters, the first one up to the comma."""
    head, comma, rest = metric.partition(", ")
    return "\n".join([head + comma.strip(), *textwrap.wrap(rest, 20)])


def _training(history, chance: float) -> Picture:
    recorded = {name for one in history for name in one}
    shown = {name: (name, *how) for figures in (FIGURES, WITHOUT) for name, how in figures.items() if name in recorded}
    chosen = [name for name in FIGURES if name in shown] or list(shown)
    panels = {"loss": ("loss", 1, "loss (no unit)")} | {name: shown[name] for name in chosen}

    def draw(axes, title):
        name, scale, label = panels[title]
        points = np.array([(one["epoch"], scale * one[name]) for one in history if name in one]).reshape(-1, 2)
        axes.plot(*points.T, "-", color=BLUE, marker="o" if len(points) <= 30 else None, ms=3.5, lw=1.6)
        axes.plot(*points[:1].T, "s", color=COLOURS[1], ms=7, label="untrained" if points[0, 0] == 0 else "first")
        axes.set(xlabel="epoch (0 = before the first step)", ylabel=label, title="")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if name == "knn" and chance:
            charts.from_chance(axes, chance, points[:, 1])
        elif name in WITHOUT:
            axes.set_ylim(0, None)

    image = charts.panels([*reversed(panels)], draw, width=WIDTH / len(panels), height=2.9)
    caption = "Course of the training. k-NN: leave-one-out on training examples; loss at epoch 0: of the first batch."
    return Picture("training", "Training", caption, image)
