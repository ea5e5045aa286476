"""Report: every score of every set of features, so that the trained encoder never stands without its baselines."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from sslzoo.evaluators.clustering import clustering
from sslzoo.evaluators.knn import knn
from sslzoo.evaluators.linear import linear_probes

METRICS = ("linear", "knn", "clustering")
CLUSTERING = {
    "accuracy": "k-means, accuracy",
    "ari": "k-means, adjusted Rand index",
    "nmi": "k-means, mutual information",
    "silhouette": "k-means, silhouette",
    "davies_bouldin": "k-means, Davies-Bouldin (lower is better)",
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One score of one set of features.

    Attributes:
        metric: what was measured, readable as it stands.
        features: name of the set of features.
        mean: the score; None where it is not defined.
        std: standard deviation over label subsets; None where there was one run.
        percent: whether the score is a share, to be shown as a percentage.
    """

    metric: str
    features: str
    mean: float | None
    std: float | None = None
    percent: bool = False

    def as_dict(self) -> dict:
        """Plain values alone, ready for JSON."""
        return dataclasses.asdict(self)

    def __str__(self):
        if self.mean is None:
            return "-"
        numbers = [number for number in (self.mean, self.std) if number is not None]
        shown = [f"{100 * number:.1f}" if self.percent else f"{number:.3f}" for number in numbers]
        return " +- ".join(shown) + (" %" if self.percent else "")


def judge(
    encoders: Mapping[str, tuple[np.ndarray, np.ndarray]],
    train_y=None,
    test_y=None,
    *,
    metrics: Sequence[str] = METRICS,
    fractions: Sequence[float] = (0.01, 0.1, 1.0),
    seeds: int = 5,
    k: int = 20,
    temperature: float = 0.07,
    clusters: int | None = None,
) -> Iterator[Row]:
    """Yields score after score, one set of features after the other: linear probes, k-NN, k-means of the test part.

    Args:
        encoders: name -> (train features, test features), e.g. "trained", "untrained encoder", "raw pixels".
        train_y, test_y: labels; None where there are none, and then `metrics` can be ("clustering",) alone.
        metrics: some of "linear", "knn", "clustering".
        fractions, seeds: shares of the labels for the linear probe, and draws of each share.
        k, temperature: of the k-NN vote.
        clusters: for k-means; as many as there are classes where it is None.

    Raises:
        ValueError: for an unknown metric, or one that needs labels without them. At the call, not at the first score.
    """
    _check(metrics, train_y, test_y, clusters)
    scorers = {
        "linear": lambda train, test: _linear(train, train_y, test, test_y, fractions, seeds),
        "knn": lambda train, test: _knn(train, train_y, test, test_y, k, temperature),
        "clustering": lambda train, test: _clustering(test, test_y, clusters),
    }
    return (
        Row(metric, name, *score)
        for name, (train, test) in encoders.items()
        for chosen in metrics
        for metric, *score in scorers[chosen](train, test)
    )


def table(rows: Iterable[Row]) -> str:
    """Plain text, aligned: a line for each metric, a column for each set of features."""
    cells = _cells(rows)
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def markdown(rows: Iterable[Row]) -> str:
    """The same as a Markdown table."""
    head, *body = _cells(rows)
    return grid(head, body)


def grid(head: Sequence[str], lines: Iterable[Sequence]) -> str:
    """A Markdown table of any cells."""
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in (head, ["---"] * len(head), *lines))


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


def _linear(train_x, train_y, test_x, test_y, fractions, seeds):
    for fraction, score in linear_probes(train_x, train_y, test_x, test_y, fractions, seeds).items():
        yield f"linear probe, {100 * fraction:g} % of the labels", *score, True


def _knn(train_x, train_y, test_x, test_y, k, temperature):
    used = min(k, len(train_x))
    yield f"k-NN, {used} neighbours", knn(train_x, train_y, test_x, test_y, k, temperature), None, True


def _clustering(test_x, test_y, clusters):
    found = clustering(test_x, test_y, clusters)
    for key in found:
        yield CLUSTERING[key], found[key], None, key == "accuracy"


def _cells(rows):
    """Head and body of the table as text; a score that was not computed is an empty cell."""
    rows = list(rows)
    columns = list(dict.fromkeys(row.features for row in rows))
    lines = {row.metric: dict.fromkeys(columns, "") for row in rows}
    for row in rows:
        lines[row.metric][row.features] = str(row)
    return [["metric", *columns], *([metric, *line.values()] for metric, line in lines.items())]
