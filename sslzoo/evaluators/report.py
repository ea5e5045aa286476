"""Report: scores as rows of a table with a column for each baseline, and the intervals of what training gained."""

import dataclasses
import html
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from sslzoo.evaluators.bootstrap import Difference
from sslzoo.utils.text_table import text_table

LOWER = {"davies_bouldin", "calibration", "alignment", "uniformity"}  # keys of scores of which the lower is better


@dataclasses.dataclass(frozen=True)
class Row:
    """One score of one set of features, as tables show it.

    Attributes:
        metric: title for tables.
        features: name of the set of features.
        mean: the score; None if it is not defined.
        std: standard deviation over label subsets or seeds; None for a single run.
        percent: whether the score is a share, to be shown as a percentage.
        key: identifier of the score in all tables; "" in exports of version 0.1.
        whole: whether the score is a count, shown as a whole number.
        gains: name of a baseline -> gain of this set of features over it, with the 95 % interval.
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
        """Whether this is better than the baseline `name`; None if the interval includes zero, or there is none."""
        gain = self.gains.get(name)
        return (gain.mean < 0) == self.lower if gain and gain.clear else None

    def gain(self, name: str) -> str:
        """The gain over a baseline with its interval, in points if the score is a share; "" if there is none."""
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


def table(rows: Iterable[Row]) -> str:
    """Plain text, aligned: a line for each metric, a column for each set of features and for each gain."""
    return text_table(cells(rows))


def markdown(rows: Iterable[Row]) -> str:
    """The same as a Markdown table; gains whose interval excludes zero are bold."""
    head, *body = cells(map(_safe, rows), bold=True)
    return grid(head, body)


def escaped(text: object) -> str:
    """Text from outside as Markdown shows it literally, on one line: no HTML, no links, no tables."""
    line = html.escape(" ".join(str(text).split()), quote=False)
    return re.sub(r"([\\`*\[\]|~])", r"\\\1", line)


def code(text: object) -> str:
    """Text from outside as Markdown code, on one line, also inside of a table."""
    line = " ".join(str(text).split()).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def _safe(row: Row) -> Row:
    gains = {escaped(name): gain for name, gain in row.gains.items()}
    return dataclasses.replace(row, metric=escaped(row.metric), features=escaped(row.features), gains=gains)


def grid(head: Sequence[str], lines: Iterable[Sequence]) -> str:
    """A Markdown table of any cells."""
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in (head, ["---"] * len(head), *lines))


def note(train_y, test_y, noun: str = "images") -> str:
    """The context of accuracies: number of examples, chance, the largest class, missing classes."""
    train_y, test_y = np.asarray(train_y), np.asarray(test_y)
    classes, counts = np.unique(train_y, return_counts=True)
    largest = float(np.mean(test_y == classes[counts.argmax()]))
    lines = [f"{len(train_y)} labelled training {noun}, {len(test_y)} test {noun}"]
    lines.append(f"one answer is {float(f'{100 / len(test_y):.2g}'):g} points")
    lines.append(f"chance {100 / len(classes):.1f} %, always the largest class {100 * largest:.1f} %")
    if unseen := sorted(set(np.unique(test_y).tolist()) - set(classes.tolist())):
        lines.append(f"classes {', '.join(map(str, unseen))} have no training {noun}: all answers for them are wrong")
    if missing := sorted(set(classes.tolist()) - set(np.unique(test_y).tolist())):
        lines.append(f"classes {', '.join(map(str, missing))} have no test {noun}")
    lines.append(f"gains: difference with the 95 % interval of a paired bootstrap over the test {noun}")
    return "; ".join(lines)


def cells(rows: Iterable[Row], bold: bool = False) -> list[list[str]]:
    """Head and body of the table as text; a score that was not computed is an empty cell.

    Args:
        rows: of the table.
        bold: mark gains whose interval excludes zero as Markdown does.
    """
    rows = list(rows)
    columns = list(dict.fromkeys(row.features for row in rows))
    over = list(dict.fromkeys(name for row in rows for name in row.gains))
    lines: dict[str, dict[str, str]] = {row.metric: dict.fromkeys(columns, "") for row in rows}
    for row in rows:
        lines[row.metric][row.features] = str(row)
        for name in row.gains:
            mark = "**" if bold and row.better(name) is not None else ""
            lines[row.metric][f"gain over {name}"] = f"{mark}{row.gain(name)}{mark}"
    heads = [*columns, *(f"gain over {name}" for name in over)]
    return [["metric", *heads], *([metric, *(line.get(h, "") for h in heads)] for metric, line in lines.items())]
