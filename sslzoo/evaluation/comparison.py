"""Encoders compared on the same examples: accuracies, intervals of their differences, and shared neighbours."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.catalog.kinds import KINDS
from sslzoo.data import Splits
from sslzoo.evaluation import baseline, judging, sources
from sslzoo.evaluators import Score
from sslzoo.evaluators.bootstrap import Difference
from sslzoo.evaluators.judge import difference, judge
from sslzoo.evaluators.overlap import nearest, shared
from sslzoo.evaluators.report import Row, escaped, grid, note
from sslzoo.evaluators.scores import html_table, pandas
from sslzoo.exports.inputs import accepted_splits, exported_extent, exported_kind, input_extent
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.utils.bars import bar
from sslzoo.views import inputs
from sslzoo.views.baselines import Baseline

NEIGHBOURS = 10
METRICS = {"knn": "k-NN", "linear_1": "linear probe"}
TWO_CLASSES = {"auc_1": "linear probe, AUC"}  # shown where there are two classes of unequal size
INTERVALS = (
    "Differences with their 95 % interval, a paired bootstrap over the test part; `*` marks those whose interval "
    "excludes zero. They do not cover the spread over training seeds."
)


class Compared(NamedTuple):
    """What is compared of an encoder.

    Attributes:
        size: side of its images in pixels.
        features: of the test examples, (examples, dim).
        scores: by key.
        untrained: the same of each encoder of its untrained baseline.
    """

    size: int
    features: np.ndarray
    scores: dict[str, Score]
    untrained: list[dict[str, Score]]


@dataclasses.dataclass(frozen=True, repr=False)
class Comparison:
    """Encoders compared on the same examples; prints as Markdown.

    Attributes:
        encoders: name -> what is compared; the last ones are the baselines of the kind of data, such as raw pixels.
        head: data, chance and number of examples.
        notes: what was left out and why.
    """

    encoders: dict[str, Compared]
    head: str
    notes: tuple[str, ...] = ()

    def gains(self, name: str, key: str) -> dict[str, Difference]:
        """What an encoder has over its untrained baseline and over the first encoder, if it is another one.

        Args:
            name: of the encoder.
            key: of a score.
        """
        one, first = self.encoders[name], next(iter(self.encoders.values()))
        others = {"untrained": [scores[key] for scores in one.untrained if key in scores]}
        others["first"] = [first.scores[key]] if one is not first and key in first.scores else []
        if key not in one.scores:
            return {}
        return {whom: gain for whom, found in others.items() if found and (gain := difference(one.scores[key], found))}

    @functools.cached_property
    def overlap(self) -> dict[str, dict[str, float]]:
        """Encoder -> encoder -> share of the nearest test examples that both have in common."""
        near = {name: nearest(one.features, self._neighbours) for name, one in self.encoders.items()}
        return {a: {b: shared(x, y) for b, y in near.items()} for a, x in near.items()}

    @property
    def _images(self) -> int:
        return len(next(iter(self.encoders.values())).features)

    @property
    def _neighbours(self) -> int:
        return min(NEIGHBOURS, self._images - 1)

    def to_dict(self) -> dict[str, dict]:
        """Encoder -> size, features, scores with their gains, and overlap; plain values, ready for JSON."""
        overlap = self.overlap
        return {name: self._values(name) | {"overlap": overlap[name]} for name in self.encoders}

    def _values(self, name: str) -> dict:
        one = self.encoders[name]
        scores = {
            key: {"mean": score.mean} | {f"over {whom}": list(gain) for whom, gain in self.gains(name, key).items()}
            for key, score in one.scores.items()
        }
        return {"size": one.size, "features": one.features.shape[1], "scores": scores}

    def to_pandas(self):
        """The scores as a DataFrame: encoder, key, mean, and gain, low and high over untrained and first.

        Raises:
            ImportError: pandas is not installed.
        """
        return pandas().DataFrame([line for name in self.encoders for line in self._lines(name)])

    def _lines(self, name: str) -> Iterator[dict]:
        for key, score in self.encoders[name].scores.items():
            line = {"encoder": name, "key": key, "mean": score.mean}
            for whom, gain in self.gains(name, key).items():
                line |= {f"gain over {whom}": gain.mean, f"low over {whom}": gain.low, f"high over {whom}": gain.high}
            yield line

    def __str__(self) -> str:
        tables = self._tables()
        parts = [escaped(self.head), _markdown(tables[0]), INTERVALS, *map(escaped, self.notes)]
        return "\n\n".join([*parts, self._about_overlap, _markdown(tables[1])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        scores, overlaps = self._tables()
        return f"{html_table(*scores)}<p>{self._about_overlap}</p>{html_table(*overlaps)}"

    @property
    def _metrics(self) -> dict[str, str]:
        """Key of a score -> its title in the table."""
        known = set().union(*(one.scores for one in self.encoders.values()))
        return METRICS | {key: title for key, title in TWO_CLASSES.items() if key in known}

    @property
    def _about_overlap(self) -> str:
        k, chance = self._neighbours, 100 * self._neighbours / (self._images - 1)
        return f"Share of the {k} nearest test examples that two encoders have in common; chance is {chance:.1f} %."

    def _tables(self) -> tuple[tuple[list[str], list[list[str]]], ...]:
        """Head and lines of the scores, and of the overlaps."""
        head = ["encoder", "size", "features", "RankMe"]
        for title in self._metrics.values():
            head += [title, "over its untrained", "over the first"]
        overlap = [[name, *(f"{100 * share:.0f} %" for share in row.values())] for name, row in self.overlap.items()]
        return (head, [self._cells(name) for name in self.encoders]), (["", *self.encoders], overlap)

    def _cells(self, name: str) -> list[str]:
        one = self.encoders[name]
        rank = one.scores["rank"].mean if "rank" in one.scores else None
        found = [name, str(one.size), str(one.features.shape[1]), "-" if rank is None else f"{rank:.0f}"]
        for key, title in self._metrics.items():
            score = one.scores.get(key)
            percent = score is not None and score.percent
            row = Row(title, name, score and score.mean, percent=percent, gains=self.gains(name, key))
            found += [str(row), *(_shown(row, whom) for whom in ("untrained", "first"))]
        return found


@checked()
def compare(
    encoders: Sequence[str | Path],
    data: Any,
    classes: int | None = None,
    max_images: int | None = None,
    image_size: int | None = None,
    labels: str = "auto",
    splits: str = "auto",
    value_range: str | None = None,
    scan: str | None = None,
) -> Comparison:
    """Judges exported encoders on the same examples, each next to its untrained baseline, with intervals.

    Args:
        encoders: paths of exported encoders, two or more.
        data: as for `pretrain`, with labels.
        classes: keep only the first `classes` classes; by default as in training of the first encoder if the data are
            the same.
        max_images: maximum number of training examples and of test examples, drawn with a fixed seed; by default as in
            training of the first encoder if the data are the same. Never more than 10 000 and 5000.
        image_size: side in pixels for all; by default each encoder gets that of its export.
        labels: "auto", "folders", "none" or a CSV file of rows FILE,CLASS; as for `data.load`.
        splits: "auto", "none" or the folders of each split, "train=a+b,test=c"; as for `data.load`.
        value_range: pixel values of black and white, such as "0,4095"; as for `data.load`.
        scan: "headers" or "full", as for `data.load`; by default as in the training of the first
            encoder.

    Returns:
        A table of accuracies with the baselines of the kind of data, such as raw pixels, as the last lines, and one of
        shared neighbours; prints as Markdown.

    Raises:
        ValueError: fewer than two encoders, no labels, channels that an encoder does not accept, or no exported
            encoder.
    """
    if isinstance(encoders, str | Path) or len(encoders) < 2:
        raise ValueError("encoders=...: name two encoders or more to compare")
    names, facts = _names(encoders), [read_facts(path) for path in encoders]
    if len(kinds := {exported_kind(told) for told in facts}) > 1:
        raise ValueError(f"the encoders take several kinds of data, {' and '.join(sorted(kinds))}: compare one kind")
    reading = dict(labels=labels, splits=splits, value_range=value_range, kind=kinds.pop(), scan=scan)
    loaded = sources.read(data, facts[0], **reading)
    data = judging.judged(loaded, facts[0], classes, max_images)
    if min(map(len, data)) < 10:
        raise ValueError(f"fewer than 10 {data.train.noun} are too few to compare encoders on: take more")
    notes: dict[str, None] = {}
    parts = bar(list(zip(names, encoders, facts, strict=True)), "compare", unit="encoder")
    found = {name: _judged(path, told, data, image_size, notes) for name, path, told in parts}
    baselines = KINDS[data.train.kind].functions.baselines(min(one.size for one in found.values()), data.train)
    found |= {name: _raw(data, one, notes) for name, one in baselines.items() if not one.instead}
    head = f"{data.train.name}: {note(data.train.labels, data.test.labels, KINDS[data.train.kind].noun)}."
    return Comparison(found, head, tuple(notes))


def _names(paths):
    """The last part of each path, or the whole path if last parts are equal."""
    short = [Path(path).name for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def _judged(path, facts: dict, splits: Splits, image_size: int | None, notes: dict) -> Compared:
    model = load_encoder(path)
    size = input_extent(model, image_size, exported_extent(facts), splits.train.kind)
    seen = accepted_splits(splits, model)
    (untrained,) = judging.untrained_column(model, baseline.restore(path), seen.train, size).values()
    features, *others = ([inputs.encode(encoder, part, size) for part in seen] for encoder in (model, *untrained))
    return Compared(size, features[1], _scored(features, seen, notes), [_scored(x, seen, notes) for x in others])


def _raw(splits: Splits, found: Baseline, notes: dict) -> Compared:
    parts = [inputs.without_encoder(part, found) for part in splits]
    return Compared(found.size, parts[1], _scored(parts, splits, notes), [])


def _scored(features, splits: Splits, notes: dict) -> dict[str, Score]:
    """Scores by key; adds to `notes` what was left out."""
    labels = splits.train.labels, splits.test.labels
    options = dict(evaluators=("knn", "linear", "spectrum"), fractions=(1.0,))
    rows, scores = judge({"it": [features]}, *labels, **options)
    notes |= dict.fromkeys(rows.notes)
    return {score.key: score for score in scores["it"][0]}


def _shown(row: Row, whom: str) -> str:
    gain = row.gains.get(whom)
    return f"{row.gain(whom)}{' %' * row.percent}{' *' * gain.clear}" if gain else ""


def _markdown(table: tuple[list[str], list[list[str]]]) -> str:
    head, lines = table
    return grid([escaped(cell) for cell in head], [[escaped(line[0]), *line[1:]] for line in lines])
