"""Report: every score of every set of features, with the intervals of what training gained over the baselines."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from tqdm.auto import tqdm

from sslzoo.evaluators import as_features
from sslzoo.evaluators.bootstrap import Difference, difference_of, paired_difference
from sslzoo.evaluators.clustering import clustering
from sslzoo.evaluators.dense import iou_of
from sslzoo.evaluators.knn import vote
from sslzoo.evaluators.linear import label_subset, linear_answers

METRICS = ("linear", "knn", "clustering")
TRAINED = "trained"
CLUSTERING = {
    "accuracy": "k-means, accuracy",
    "ari": "k-means, adjusted Rand index",
    "nmi": "k-means, mutual information",
    "silhouette": "k-means, silhouette",
    "davies_bouldin": "k-means, Davies-Bouldin (lower is better)",
}
LOWER = {"davies_bouldin"}  # keys of scores of which the lower one is better


class Scored(NamedTuple):
    """One score of one set of features.

    Attributes:
        key, metric: identifier, and title for tables.
        mean, std: the score, None where it is not defined, and its deviation over draws of the labels or over seeds.
        percent: whether it is a share.
        answers: what an interval is computed from, or None: a value for each test image (images,), or (draws of the
            labels, images); with `statistic`, rows (images, ...) of which the score is a function.
        statistic: name in STATISTICS.
    """

    key: str
    metric: str
    mean: float | None
    std: float | None = None
    percent: bool = False
    answers: np.ndarray | None = None
    statistic: str = ""


STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    "ari": lambda rows: adjusted_rand_score(rows[:, 0], rows[:, 1]),
    "nmi": lambda rows: normalized_mutual_info_score(rows[:, 0], rows[:, 1]),
    "iou": iou_of,
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One score of one set of features, as tables show it.

    Attributes:
        metric: what was measured, readable as it stands.
        features: name of the set of features.
        mean: the score; None where it is not defined.
        std: standard deviation over label subsets or seeds; None where there was one run.
        percent: whether the score is a share, to be shown as a percentage.
        key: identifies the score in all tables, whatever its title; "" in exports of version 0.1.
        whole: whether the score is a count, shown as a whole number.
        gains: name of a baseline -> what this set of features gains over it, with the 95 % interval.
    """

    metric: str
    features: str
    mean: float | None
    std: float | None = None
    percent: bool = False
    key: str = ""
    whole: bool = False
    gains: Mapping[str, Difference] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gains", {name: Difference(*gain) for name, gain in self.gains.items()})

    def as_dict(self) -> dict:
        """Plain values alone, ready for JSON."""
        return dataclasses.asdict(self)

    @property
    def lower(self) -> bool:
        """Whether the lower score is the better one."""
        return self.key in LOWER or "lower is better" in self.metric

    def better(self, name: str) -> bool | None:
        """Whether this is better than the baseline `name`: None where the interval includes zero, or there is none."""
        gain = self.gains.get(name)
        return (gain.mean < 0) == self.lower if gain and gain.clear else None

    def gain(self, name: str) -> str:
        """The gain over a baseline with its interval, in points where the score is a share; "" where there is none."""
        gain = self.gains.get(name)
        if gain is None:
            return ""
        scale, digits = (100, 1) if self.percent else (1, 3)
        mean, low, high = (f"{scale * value:+.{digits}f}" for value in gain)
        return f"{mean} [{low}, {high}]"

    def __str__(self):
        if self.mean is None:
            return "-"
        numbers = [number for number in (self.mean, self.std) if number is not None]
        digits = 0 if self.whole else 1 if self.percent else 3
        shown = [f"{100 * number if self.percent else number:.{digits}f}" for number in numbers]
        return " +- ".join(shown) + (" %" if self.percent else "")


Column = Sequence[tuple[np.ndarray, np.ndarray]]  # of one set of features: (train, test) of each encoder in it


def judge(
    columns: Mapping[str, Column],
    train_y=None,
    test_y=None,
    *,
    metrics: Sequence[str] = METRICS,
    fractions: Sequence[float] = (0.01, 0.1, 1.0),
    seeds: int = 5,
    k: int = 20,
    temperature: float = 0.07,
    clusters: int | None = None,
    known: Mapping[str, Sequence[Sequence[Scored]]] | None = None,
) -> tuple[list[Row], dict[str, list[list[Scored]]]]:
    """Every score of every set of features, with paired intervals of what "trained" gains over each other set.

    Args:
        columns: name -> one or more (train features, test features); several are encoders with other seeds, whose mean
            and deviation are taken. For example "trained", "untrained", "raw pixels".
        train_y, test_y: labels; None where there are none, and then `metrics` can be ("clustering",) alone.
        metrics: some of "linear", "knn", "clustering".
        fractions, seeds: shares of the labels for the linear probe, and draws of each share.
        k, temperature: of the k-NN vote.
        clusters: for k-means; as many as there are classes where it is None.
        known: name -> scores of a set of features that were computed before, which is then not in `columns`.

    Returns:
        Rows, and for each name the scores of each of its encoders.

    Raises:
        ValueError: for an unknown metric, or one that needs labels without them.
    """
    _check(metrics, train_y, test_y, clusters)
    scorers = {
        "linear": lambda train, test: _linear(train, train_y, test, test_y, fractions, seeds),
        "knn": lambda train, test: _knn(train, train_y, test, test_y, k, temperature),
        "clustering": lambda train, test: _clustering(test, test_y, clusters),
    }
    count = sum(map(len, columns.values())) * len(metrics)
    with tqdm(total=count, desc="scores", unit="score", leave=False, disable=None) as bar:

        def score(part: tuple[np.ndarray, np.ndarray]) -> list[Scored]:
            found = []
            for metric in metrics:
                found += scorers[metric](*map(as_features, part))
                bar.update()
            return found

        scores = {name: [score(part) for part in column] for name, column in columns.items()}
    scores |= {name: [*map(list, encoders)] for name, encoders in (known or {}).items()}
    return rows_of(scores), scores


def rows_of(scores: Mapping[str, Sequence[Sequence[Scored]]]) -> list[Row]:
    """Rows of the table of `judge`: name of a set of features -> the scores of each of its encoders."""
    by_key = {name: {same[0].key: same for same in zip(*encoders, strict=True)} for name, encoders in scores.items()}
    return [
        _row(name, same, _gains(key, same, by_key) if name == TRAINED else {})
        for name, found in by_key.items()
        for key, same in found.items()
    ]


def _row(name: str, same: Sequence[Scored], gains: dict[str, Difference]) -> Row:
    first = same[0]
    mean, std = first.mean, first.std
    if len(same) > 1:
        means = [one.mean for one in same if one.mean is not None]
        mean, std = (float(np.mean(means)), float(np.std(means, ddof=1))) if len(means) > 1 else (None, None)
    return Row(first.metric, name, mean, std, first.percent, first.key, gains=gains)


def _gains(key: str, same: Sequence[Scored], by_key: Mapping[str, Mapping]) -> dict[str, Difference]:
    others = {name: found[key] for name, found in by_key.items() if name != TRAINED and key in found}
    pairs = {name: (same[0].answers, [one.answers for one in found]) for name, found in others.items()}
    return {
        name: _difference(same[0].statistic, one, rest)
        for name, (one, rest) in pairs.items()
        if one is not None and all(other is not None for other in rest)
    }


def _difference(statistic: str, one: np.ndarray, others: Sequence[np.ndarray]) -> Difference:
    if statistic:
        return difference_of(STATISTICS[statistic], one, others)
    return paired_difference(one, np.mean(others, axis=0))


def table(rows: Iterable[Row]) -> str:
    """Plain text, aligned: a line for each metric, a column for each set of features and for each gain."""
    cells = _cells(rows)
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def markdown(rows: Iterable[Row]) -> str:
    """The same as a Markdown table; gains whose interval excludes zero are bold."""
    head, *body = _cells(rows, bold=True)
    return grid(head, body)


def grid(head: Sequence[str], lines: Iterable[Sequence]) -> str:
    """A Markdown table of any cells."""
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in (head, ["---"] * len(head), *lines))


def note(train_y, test_y) -> str:
    """What a reader needs to weigh accuracies: number of images, chance, the largest class, missing classes."""
    train_y, test_y = np.asarray(train_y), np.asarray(test_y)
    classes, counts = np.unique(train_y, return_counts=True)
    largest = float(np.mean(test_y == classes[counts.argmax()]))
    lines = [f"{len(train_y)} labelled training images, {len(test_y)} test images"]
    lines.append(f"one test image is {100 / len(test_y):.2g} points")
    lines.append(f"chance {100 / len(classes):.1f} %, always the largest class {100 * largest:.1f} %")
    if unseen := sorted(set(np.unique(test_y).tolist()) - set(classes.tolist())):
        lines.append(f"classes {', '.join(map(str, unseen))} have no training images: all answers for them are wrong")
    if missing := sorted(set(classes.tolist()) - set(np.unique(test_y).tolist())):
        lines.append(f"classes {', '.join(map(str, missing))} have no test images")
    lines.append("gains: difference with the 95 % interval of a paired bootstrap over the test images")
    return "; ".join(lines)


def _check(metrics, train_y, test_y, clusters):
    unknown = [metric for metric in metrics if metric not in METRICS]
    if unknown:
        raise ValueError(f"no metric is called {', '.join(unknown)}; choose from {', '.join(METRICS)}")
    if {"linear", "knn"} & set(metrics) and (train_y is None or test_y is None):
        raise ValueError(
            "the linear probe and k-NN need labels of the train and test images; without labels judge with "
            "metrics=('clustering',) and clusters=<number>, which gives silhouette and Davies-Bouldin"
        )
    if test_y is None and clusters is None:
        raise ValueError("without labels the number of clusters is not known; give clusters=<number>")


def _linear(train_x, train_y, test_x, test_y, fractions, seeds) -> Iterator[Scored]:
    before = 0
    for fraction in fractions:
        labels = len(label_subset(np.asarray(train_y), fraction))
        if labels == before:  # so few images that a smaller share already took them all
            continue
        before, whole = labels, labels == len(train_y)
        right = linear_answers(train_x, train_y, test_x, test_y, fraction, 1 if whole else seeds)
        shares = right.mean(1)
        std = float(np.std(shares, ddof=1)) if len(shares) > 1 else None
        title = (
            f"linear probe, {'all ' * whole}{labels} labels" + (not whole) * f" ({100 * labels / len(train_y):.2g} %)"
        )
        yield Scored(f"linear_{fraction:g}", title, float(np.mean(shares)), std, True, right.astype("float32"))


def _knn(train_x, train_y, test_x, test_y, k, temperature) -> Iterator[Scored]:
    right = (vote(train_x, train_y, test_x, k, temperature) == test_y).astype("float32")
    yield Scored("knn", f"k-NN, {min(k, len(train_x))} neighbours", float(right.mean()), None, True, right)


def _clustering(test_x, test_y, clusters) -> Iterator[Scored]:
    found = clustering(test_x, test_y, clusters)
    for key in found:
        yield Scored(key, CLUSTERING[key], found[key], None, key == "accuracy")


def _cells(rows, bold=False):
    """Head and body of the table as text; a score that was not computed is an empty cell."""
    rows = list(rows)
    columns = list(dict.fromkeys(row.features for row in rows))
    over = list(dict.fromkeys(name for row in rows for name in row.gains))
    lines: dict[str, dict[str, str]] = {row.metric: dict.fromkeys(columns, "") for row in rows}
    for row in rows:
        lines[row.metric][row.features] = str(row)
        for name in over if row.gains else ():
            mark = "**" if bold and row.better(name) is not None else ""
            lines[row.metric][f"gain over {name}"] = f"{mark}{row.gain(name)}{mark}"
    heads = [*columns, *(f"gain over {name}" for name in over)]
    return [["metric", *heads], *([metric, *(line.get(h, "") for h in heads)] for metric, line in lines.items())]
