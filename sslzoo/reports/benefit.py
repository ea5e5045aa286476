"""Benefit of an encoder: how many labels pretraining saves, compared with supervised training from scratch."""

import dataclasses
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.catalog.ranges import check_number
from sslzoo.data import Splits, describe
from sslzoo.evaluation import judging
from sslzoo.evaluation.arms import FROZEN, SCRATCH, TUNED, Arm, Recipe, arrays, drawn, repeated
from sslzoo.evaluation.judging import START, TRAINED, Subject
from sslzoo.evaluators.bootstrap import paired_difference
from sslzoo.evaluators.linear import label_subset
from sslzoo.evaluators.report import Row, note
from sslzoo.evaluators.scores import Scores
from sslzoo.reports import charts, folder
from sslzoo.reports.front import Front
from sslzoo.reports.page import as_html
from sslzoo.reports.saving import verdict
from sslzoo.reports.study import Chapter, Picture
from sslzoo.reports.text import as_json, as_markdown
from sslzoo.utils import provenance
from sslzoo.utils.bars import progress

MEMORY = 300_000_000  # values of the training examples that are kept in memory
TITLE = "Accuracy and labels"
TEXT = (
    "Accuracy on the test examples after supervised training on some of the labels. From scratch: new weights, all of "
    "them trained. Frozen: a linear probe on features. Fine-tuned: all weights are trained. All arms have the same "
    "optimizer, steps and learning rates to choose from, by accuracy on held-out examples of the same labels. Means "
    "over {seeds} draws of labels and weights; gains with the 95 % interval of a paired bootstrap over both."
)


@dataclasses.dataclass(frozen=True, repr=False)
class Benefit:
    """The result of `benefit`; prints as a table.

    Attributes:
        verdict: one sentence.
        scores: a row for each number of labels and each arm.
        without: the same without test examples that have a near-duplicate in the training part; empty if none has.
        duplicates: number of these test examples.
        folder: of report.html, report.md, report.json and the plot.
    """

    verdict: str
    scores: Scores
    without: Scores
    duplicates: int
    folder: Path

    def __str__(self) -> str:
        parts = [str(self.scores), f"test examples with near-duplicates in the training part: {self.duplicates}"]
        parts += [f"without them:\n{self.without}"] if self.without else []
        return "\n".join([*parts, f"verdict: {self.verdict}", f"report: {self.folder / 'report.html'}"])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(self.verdict)}</b>{self.scores._repr_html_()}"


@checked()
def benefit(
    encoder: keras.Model | str | Path,
    data: Any,
    out: str | Path | None = None,
    fractions: tuple[float, ...] = (0.01, 0.1, 1.0),
    per_class: tuple[int, ...] | None = None,
    seeds: int = 3,
    epochs: int = 10,
    batch_size: int = 128,
    learning_rates: tuple[float, ...] = (1e-3, 3e-4),
    similarity: float = 0.98,
    image_size: int | None = None,
    classes: int | None = None,
    max_images: int | None = None,
    labels: str = "auto",
    splits: str = "auto",
    value_range: str | None = None,
    kind: str | None = None,
    scan: str | None = None,
) -> Benefit:
    """Compares an encoder, frozen and fine-tuned, with training from scratch and with the weights of its start.

    Writes report.html, report.md and report.json with a plot of accuracy against labels.

    Args:
        encoder: path of an exported encoder, or a Keras model.
        data: as for `pretrain`, with labels in its training and its test part.
        out: folder of the report; by default benefit/NAME.
        fractions: shares of the training labels, each in (0, 1].
        per_class: labels of each class, in place of `fractions`.
        seeds: draws of the labels and of new weights.
        epochs: passes over the labelled examples, at least; more where they would give fewer than 200 steps.
        batch_size: examples of a step.
        learning_rates: peak learning rates of Adam, of which each arm takes the best on held-out examples.
        similarity: cosine of centred features from which a test and a training example count as near-duplicates.
        image_size: side in pixels; by default that of the export, or of the encoder's input.
        classes: keep only the first `classes` classes; by default as in training if the data are the same.
        max_images: maximum number of training examples and of test examples, drawn with a fixed seed; by default as in
            training if the data are the same. Never more than 10 000 training and 5000 test examples.
        labels: "auto", "folders", "none" or a CSV file of rows FILE,CLASS; as for `data.load`.
        splits: "auto", "none" or the folders of each split, "train=a+b,test=c"; as for `data.load`.
        value_range: pixel values of black and white, such as "0,4095"; as for `data.load`.
        kind: kind of the data, "image", "series", "audio", "rows" or "text"; by default that of the encoder.
        scan: "headers" or "full", as for `data.load`; by default as in the training.

    Raises:
        ValueError: no labels, no exported encoder, or an argument out of range; one line.
    """
    for name, values, whole in (("fractions", fractions, False), ("per_class", per_class or (1,), True)):
        for value in values if isinstance(values, tuple | list) and values else (values,):
            check_number(name, value, 1 if whole else 0, np.inf if whole else 1, above=not whole, whole=whole)
    for value in learning_rates if isinstance(learning_rates, tuple | list) and learning_rates else (learning_rates,):
        check_number("learning_rates", value, 0, 1e3, above=True)
    name = encoder.name if isinstance(encoder, keras.Model) else Path(encoder).name
    out = Path(out or f"benefit/{name}")
    folder.refuse_foreign(out)
    reading = dict(labels=labels, splits=splits, value_range=value_range, kind=kind, scan=scan)
    subject = judging.prepare(encoder, data, None, image_size, classes, max_images, **reading)
    subject = dataclasses.replace(subject, data=fitting(subject.data, subject.size))
    recipe = Recipe(epochs, batch_size, tuple(learning_rates))
    arms = arms_of(subject)
    subsets = subsets_of(arms[0].train_y, fractions, per_class, seeds)
    found: dict[int, dict[str, np.ndarray]] = {count: {} for count in subsets}
    work = [(count, arm) for count in subsets for arm in arms]
    for count, arm in progress(work, "benefit", len(work)):
        found[count][arm.name] = answers_of(arm, subsets[count], recipe)
    copies = repeated(*next(arm for arm in arms if arm.name == f"{TRAINED}, {FROZEN}").features, similarity)
    return written(name, subject, found, copies, out, seeds)


def fitting(data: Splits, size: int) -> Splits:
    """The data, with as many training examples as fit into memory."""
    values = size ** (len(data.train.shape) - 1) * data.train.shape[-1] if data.train.shape else 1
    return Splits(data.train.sample(max(100, MEMORY // values)), data.test)


def arms_of(subject: Subject) -> list[Arm]:
    """The arms that a subject allows; a start with random weights is only probed, since tuned it is from scratch."""
    data = [arrays(part, subject.size) for part in subject.data]
    columns = [(name, models[0]) for name, models in subject.columns.items()]
    (_, pretrained), (before, start) = columns[0], columns[-1]
    before = before.partition(" (")[0]  # of several untrained encoders, the first
    arms = [Arm(SCRATCH, pretrained, data), Arm(f"{before}, {FROZEN}", start, data)]
    arms += [Arm(f"{before}, {TUNED}", start, data)] if before == START else []
    return [*arms, Arm(f"{TRAINED}, {FROZEN}", pretrained, data), Arm(f"{TRAINED}, {TUNED}", pretrained, data)]


def subsets_of(
    labels: np.ndarray, fractions: Sequence[float], per_class: Sequence[int] | None, seeds: int
) -> dict[int, list[np.ndarray]]:
    """Number of labels -> the rows of each draw."""
    found = {}
    for amount in sorted(per_class or fractions):
        draw = drawn if per_class else label_subset
        rows = [draw(labels, amount, seed) for seed in range(seeds)]
        found[len(rows[0])] = rows
    return found


def answers_of(arm: Arm, subsets: Sequence[np.ndarray], recipe: Recipe) -> np.ndarray:
    """Whether an arm classifies each test example correctly, (draws, test examples)."""
    rate = arm.chosen(subsets[0], recipe)
    return np.stack([arm.answers(rows, recipe, rate, seed) for seed, rows in enumerate(subsets)])


def rows_of(found: Mapping[int, Mapping[str, np.ndarray]], total: int, kept: np.ndarray | None = None) -> Scores:
    """Rows of the table: for each number of labels and each arm the mean, the spread and the gains.

    Args:
        found: number of labels -> name of the arm -> answers (draws, test examples).
        total: number of labelled training examples.
        kept: test examples to count; all if None.
    """
    rows = []
    for count, answers in found.items():
        answers = {name: some if kept is None else some[:, kept] for name, some in answers.items()}
        others = [name for name in answers if not name.startswith(TRAINED)]
        for name, own in answers.items():
            gains = {o: paired_difference(own, answers[o]) for o in others} if name.startswith(TRAINED) else {}
            means = own.mean(1)
            spread = float(means.std(ddof=1)) if len(means) > 1 else None
            title = f"{count} labels ({100 * count / total:.2g} %)"
            rows.append(Row(title, name, float(means.mean()), spread, True, f"labels_{count}", gains=gains))
    return Scores(rows)


def named(rows: Scores) -> Scores:
    """The rows with the name of their arm at each gain, since tables have one column for all gains of a name."""
    gains = [{f"{other} ({row.features})": gain for other, gain in row.gains.items()} for row in rows]
    return Scores([dataclasses.replace(row, gains=own) for row, own in zip(rows, gains, strict=True)])


def written(name: str, subject: Subject, found: Mapping, copies: np.ndarray, out: Path, seeds: int) -> Benefit:
    """Writes the report, and returns the result."""
    train, test = subject.data
    scores, without = rows_of(found, len(train)), Scores()
    if copies.any() and not copies.all():
        without = rows_of(found, len(train), ~copies)
    chapter = Chapter(TITLE, TEXT.format(seeds=seeds), rows=scores, under_table=note(train.labels, test.labels))
    chapter.pictures.append(_plot(scores))
    copied = f"{int(copies.sum())} of {len(test)}"
    chapter.notes.append(f"Test examples with near-duplicates in the training part: {copied}.")
    chapters = [chapter]
    if without:
        text = f"The same {len(test) - int(copies.sum())} test examples for all arms."
        chapters.append(Chapter("Without near-duplicates", text, rows=without))
    told = {
        "data": describe(train),
        "command": provenance.command(),
        "pretrained": str(subject.facts.get("method", "")),
    }
    front = Front(f"Benefit of {name}", verdict(scores), told)
    scores, without = named(scores), named(without)
    for one, rows in zip(chapters, (scores, without), strict=False):
        one.rows = rows
    pages = {"report.json": as_json, "report.md": as_markdown, "report.html": as_html}
    texts = {page: make(front, chapters) for page, make in pages.items()}
    folder.write(out, {f"{picture.name}.png": picture.png for picture in chapter.pictures}, texts)
    return Benefit(front.verdict, scores, without, int(copies.sum()), out)


def _plot(scores: Sequence[Row]) -> Picture:
    curves: dict[str, tuple[list[int], list[float]]] = {}
    for row in scores:
        xs, ys = curves.setdefault(row.features, ([], []))
        xs.append(int(row.key.rpartition("_")[2]))
        ys.append(100 * row.mean)

    def draw(axes, _):
        for number, (name, (xs, ys)) in enumerate(curves.items()):
            colour, marker, _ = charts.style("", number)
            axes.plot(xs, ys, color=colour, marker=marker, ms=4.5, lw=1.6, label=name)
        axes.set_xscale("log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)

    image = charts.panels([TITLE], draw, "labels", "accuracy (%)", 6.4, 4.6)
    return Picture("labels", TITLE, "Means over draws of the labels.", image)
