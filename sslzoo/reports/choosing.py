"""Pages of an index: thresholds of "same or not", anomalies, and examples to label first."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.catalog.knobs import nearest
from sslzoo.evaluation.neighbours import Index
from sslzoo.evaluators import selection, verification
from sslzoo.evaluators.anomaly import distances
from sslzoo.evaluators.two_class import auc_of
from sslzoo.reports import charts, examples, pages
from sslzoo.reports.pages import Page
from sslzoo.reports.searching import opened
from sslzoo.reports.study import Picture
from sslzoo.utils.plots import COLOURS

RATES = (0.001, 0.01, 0.05, 0.1)
ABNORMAL, CHOSEN = 32, 64  # examples in a picture
STRATEGIES = {"typical": selection.typical, "k_centre": selection.k_centre}


@checked()
def calibrate(
    index: Index | str | Path,
    false_positives: float = 0.01,
    pairs: int = 10_000,
    split: str | None = None,
    seed: int = 0,
    out: str | None = None,
) -> Page:
    """Finds the similarity from which two examples are of the same class, by random pairs of labelled examples.

    Args:
        index: folder of an index of labelled data, or the index.
        false_positives: target rate, the largest share of pairs of two classes that may be accepted.
        pairs: number of pairs, half of them of one class.
        split: take examples of this split alone; all if None.
        seed: of the pairs.
        out: folder of the page; by default neighbours/INDEX-calibrate.

    Returns:
        A page, whose `found` is a `sslzoo.evaluators.verification.Verification`.

    Raises:
        ValueError: no index, no labels, or a rate outside of 0..1.
    """
    index = opened(index)
    folder = pages.folder_of(index, "calibrate", out)
    rows = index.rows(split, labelled=True)
    drawn, same = verification.pairs_of(index.labels[rows], pairs, seed)
    one, two = (index.unit[rows[side]] for side in drawn.T)
    similarities = np.sum(one * two, axis=1)
    found = verification.calibrate(similarities, same, false_positives)
    table = [["target", "threshold", "precision", "recall", "F1", "false-positive rate"]]
    for rate in sorted({*RATES, false_positives}):
        table.append([f"{rate:g}", *_shown(verification.calibrate(similarities, same, rate).chosen)])
    table.append(["largest F1", *_shown(found.best)])
    chosen = found.chosen
    verdict = (
        f"threshold {chosen.threshold:.4f}: recall {chosen.recall:.1%}, precision {chosen.precision:.1%}, F1 "
        f"{chosen.f1:.3f} at a false-positive rate of {chosen.false_positive_rate:.2%}; ROC AUC {found.auc:.4f}"
    )
    text = (
        f"{len(same)} random pairs, {int(same.sum())} of them of one class; two examples are accepted as the same from "
        "a cosine similarity on. Precision and F1 hold for this share of equal pairs."
    )
    make = [("curves", lambda: _curves(found)), ("histogram", lambda: _histogram(similarities, same, chosen.threshold))]
    return pages.write(folder, index, "Same or not", text, table, verdict, make, found)


def _shown(one: verification.Threshold) -> list[str]:
    return [f"{value:.4f}" for value in one]


def _curves(found: verification.Verification) -> Picture:
    curves = {name: found.curve[1:, column] for column, name in ((1, "precision"), (2, "recall"), (3, "F1"))}

    def draw(axes, _):
        charts.lines(axes, {name: (found.curve[1:, 0], ys) for name, ys in curves.items()}, markers=False)
        axes.axvline(found.chosen.threshold, color="black", lw=0.8, ls=":")

    image = charts.panels(["Precision, recall, F1"], draw, "threshold (cosine similarity)", "", 6.4, 4.2)
    return Picture("curves", "Thresholds", "The dotted line is the threshold of the target rate.", image)


def _histogram(similarities: np.ndarray, same: np.ndarray, threshold: float) -> Picture:
    def draw(axes, _):
        for name, some, colour in (("same class", same, COLOURS[0]), ("two classes", ~same, COLOURS[3])):
            axes.hist(similarities[some], 60, range=(-1, 1), alpha=0.6, color=colour, label=name)
        axes.axvline(threshold, color="black", lw=0.8, ls=":")
        axes.legend(fontsize=8)

    image = charts.panels(["Similarities of pairs"], draw, "cosine similarity", "pairs", 6.4, 3.6)
    return Picture("histogram", "Similarities", "Pairs of one class and of two.", image)


@checked()
def anomaly(
    index: Index | str | Path,
    neighbours: int = 2,
    normal: str | None = None,
    reference: str = "train",
    split: str | None = None,
    out: str | None = None,
) -> Page:
    """Scores examples by their mean distance to the nearest reference examples (arXiv 2002.10445).

    Args:
        index: folder of an index, or the index.
        neighbours: number of nearest reference examples.
        normal: name or number of the class of normal examples: the reference are examples of this class alone, and the
            ROC AUC says how well all other classes are found. Without it all reference examples are normal.
        reference: split of the reference examples.
        split: split of the examples that are scored; by default test, or the reference if there is no test split. A
            reference example is not compared with itself.
        out: folder of the page; by default neighbours/INDEX-anomaly.

    Returns:
        A page, whose `found` is a dict of `rows` and `scores`, the most abnormal first, and `auc`, None if unknown.

    Raises:
        ValueError: no index, no such split or class, or too few reference examples.
    """
    index = opened(index)
    folder = pages.folder_of(index, "anomaly", out)
    split = split or ("test" if "test" in index.settings["parts"] else reference)
    bank, rows = index.rows(reference), index.rows(split)
    label = None if normal is None else index.label_of(normal)
    bank = bank if label is None else bank[index.labels[bank] == label]
    own = reference == split
    if len(bank) < neighbours + own:
        raise ValueError(f"neighbours={neighbours}: there are {len(bank)} reference examples")
    scores = _scores(index, bank, rows, neighbours, own)
    auc = None if label is None else auc_of(np.stack([index.labels[rows] != label, scores], axis=1))
    order = np.argsort(-scores, kind="stable")
    rows, scores = rows[order], scores[order]
    table = [["place", "row", "score", "class", "name"]]
    for place, (row, score) in enumerate(zip(rows, scores, strict=True), 1):
        table.append([place, row, f"{score:.4f}", index.class_of(row), index.name_of(row)])
    verdict = f"{len(rows)} examples scored by {len(bank)} reference examples"
    verdict += f"; ROC AUC of classes other than {normal}: {auc:.4f}" if auc is not None else ""
    text = f"Mean Euclidean distance of features to the {neighbours} nearest reference examples; the largest first."
    make = [("most abnormal", lambda: _abnormal(index, rows, scores))]
    return pages.write(folder, index, "Anomalies", text, table, verdict, make, dict(rows=rows, scores=scores, auc=auc))


def _scores(index: Index, bank: np.ndarray, rows: np.ndarray, neighbours: int, own: bool) -> np.ndarray:
    """Mean distances of rows to their nearest rows of the bank, which a row of the bank is not compared with itself."""
    features, scores = np.asarray(index.features), np.empty(len(rows))
    inside = np.isin(rows, bank) & own
    if not inside.all():
        scores[~inside] = distances(features[bank], features[rows[~inside]], neighbours)
    if inside.any():  # with itself at distance 0, the mean of one neighbour more is that of the others, diluted
        within = distances(features[bank], features[rows[inside]], neighbours + 1)
        scores[inside] = within * (neighbours + 1) / neighbours
    return scores


def _abnormal(index: Index, rows: np.ndarray, scores: np.ndarray) -> Picture:
    some, least = rows[:ABNORMAL], rows[::-1][:8]
    chosen, values = np.r_[some, least], np.r_[scores[:ABNORMAL], scores[::-1][:8]]
    texts = [examples.caption(index, row, f"{score:.3f}") for row, score in zip(chosen, values, strict=True)]
    text = f"The {len(some)} most abnormal examples and their scores, then the {len(least)} most normal ones."
    return Picture("abnormal", "Most abnormal", text, examples.sheet(examples.cells(index, chosen), texts, 8))


@checked()
def select(
    index: Index | str | Path,
    count: int,
    by: str = "typical",
    labelled: str | Any = "",
    split: str = "train",
    seed: int = 0,
    out: str | None = None,
) -> Page:
    """Selects examples to label first, and writes them to table.csv.

    Args:
        index: folder of an index, or the index.
        count: number of examples to select.
        by: "typical" (TypiClust, arXiv 2202.02794), for few labels; "k_centre" (arXiv 1708.00489), which covers
            outliers too.
        labelled: rows of the index that have labels, such as "5,17", or the table.csv of an earlier selection; in
            Python also a sequence of int.
        split: split to select from.
        seed: of the clustering of "typical".
        out: folder of the page; by default neighbours/INDEX-select.

    Returns:
        A page, whose `found` is the rows of the index, int64 (count,), in the order of the choice.

    Raises:
        ValueError: no index, no such split, or fewer examples than `count`.
    """
    if by not in STRATEGIES:
        raise ValueError(nearest("strategy", by, STRATEGIES))
    index = opened(index)
    folder = pages.folder_of(index, "select", out)
    rows = index.rows(split)
    known = _labelled(labelled)
    if foreign := sorted(set(known) - set(rows.tolist())):
        raise ValueError(f"labelled holds {foreign[0]}, which is no row of split={split!r}")
    options = {"seed": seed} if by == "typical" else {}
    features = np.asarray(index.unit if by == "typical" else index.features)[rows]
    found = rows[STRATEGIES[by](features, count, np.searchsorted(rows, known), **options)]
    table = [["place", "row", "split", "class", "name"]]
    for place, row in enumerate(found, 1):
        table.append([place, row, index.columns["split"][row], index.class_of(row), index.name_of(row)])
    verdict = f"{count} of {len(rows)} examples of {split} by {by}"
    if index.labels is not None:
        verdict += f", of {len({index.class_of(row) for row in found} - {''})} classes"
    text = "Label these examples first; they are in the order of the choice, in table.csv too."
    make = [("selected examples", lambda: _selected(index, found))]
    return pages.write(folder, index, "Examples to label", text, table, verdict, make, found)


def _labelled(given: str | Any) -> list[int]:
    """Rows, from a text of numbers, the column "row" of a CSV file, or a sequence."""
    if not isinstance(given, str | Path):
        return [int(row) for row in given]
    if str(given).endswith(".csv"):
        with open(given, encoding="utf-8", newline="") as file:
            words = [line.get("row", "") for line in csv.DictReader(file)]
    else:
        words = [word for word in str(given).split(",") if word.strip()]
    if wrong := [word for word in words if not word.strip().isdigit()]:
        raise ValueError(f"labelled={str(given)!r}: {wrong[0]!r} is no row; give numbers, or the table of a selection")
    return [int(word) for word in words]


def _selected(index: Index, found: np.ndarray) -> Picture:
    some = found[:CHOSEN]
    texts = [examples.caption(index, row) for row in some]
    text = f"The first {len(some)} examples."
    return Picture("selected", "Selected examples", text, examples.sheet(examples.cells(index, some), texts, 8))
