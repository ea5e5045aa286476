"""The subject of a report: an encoder and its baselines, the images they are judged on, and their features."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

import keras
import numpy as np
from tqdm import tqdm

from sslzoo.data import Dataset, Splits
from sslzoo.evaluation import judging
from sslzoo.evaluation.judging import RAW, TRAINED, UNTRAINED
from sslzoo.evaluators import linear
from sslzoo.evaluators.judge import STATISTICS, Scored, rows_of
from sslzoo.evaluators.report import Row
from sslzoo.views import inputs, presets

IMAGES_AT_ONCE = 2**28  # bytes of images that are kept in memory at a time

Score = float | None | np.ndarray | tuple  # a number; or a value per image or task; or one of them and its deviation


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture of the report: file name without suffix, title, caption, PNG bytes."""

    name: str
    title: str
    caption: str
    png: bytes


@dataclasses.dataclass
class Chapter:
    """A part of the report.

    Attributes:
        title, text: heading, and how to read what follows.
        rows: scores of the encoder and its baselines.
        pictures: in order.
        curves: data of the pictures, JSON.
        notes: what was left out and why.
        under_table: a line under the table.
        columns: name of an encoder -> column that its scores belong to, where the two differ.
    """

    title: str
    text: str
    rows: list[Row] = dataclasses.field(default_factory=list)
    pictures: list[Picture] = dataclasses.field(default_factory=list)
    curves: dict = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    under_table: str = ""
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def add(
        self, metric: str, scores: Mapping[str, Score], percent: bool = False, whole: bool = False, statistic: str = ""
    ) -> None:
        """Adds a line to the table, with the gains of "trained" and their intervals where they can be computed.

        Args:
            metric: title of the line.
            scores: name of an encoder -> its score. Encoders of one column are merged to mean and deviation. A score
                that is an array gets intervals; in a tuple, the second value is shown as its deviation.
            percent, whole: whether the score is a share, or a count.
            statistic: name in `evaluators.judge.STATISTICS` of what the score is of its array; the mean if not given.
        """
        by_column: dict[str, list] = {}
        for name, score in scores.items():
            column = self.columns.get(name, name)
            by_column.setdefault(column, []).append([_scored(metric, score, percent, statistic)])
        self.rows += [dataclasses.replace(row, whole=whole) for row in rows_of(by_column)]


def _scored(metric: str, score: Score, percent: bool, statistic: str) -> Scored:
    value, std = score if isinstance(score, tuple) else (score, None)
    if not isinstance(value, np.ndarray):
        return Scored(metric, metric, value, std, percent)
    mean = STATISTICS[statistic](value) if statistic else float(np.mean(value))
    return Scored(metric, metric, mean, std, percent, value, statistic)


class Study:
    """An encoder and its baselines on the data of a report.

    Args:
        columns: name -> encoders, as of `judging.Subject`.
        splits: data to judge on. Without a test part the training images are shown; without labels on both parts no
            score that needs them is computed.
        size: side in pixels.
        projectors: name of an encoder, as in `encoders` -> its projector, if it was kept.

    Attributes:
        encoders: "trained" -> encoder, and each untrained one: "untrained", or "untrained 1", "untrained 2", ...
        columns: name of each of them -> its column.
        train, test: the two parts; the same if there is no test part.
        labelled: whether both parts have labels.
        names: of the classes; () without labels.
    """

    def __init__(
        self,
        columns: Mapping[str, Sequence[keras.Model]],
        splits: Splits,
        size: int,
        projectors: Mapping[str, keras.Model] | None = None,
    ):
        self.encoders, self.columns = {}, {}
        for column, encoders in columns.items():
            names = [column] if len(encoders) == 1 else [f"{UNTRAINED} {k + 1}" for k in range(len(encoders))]
            self.encoders |= dict(zip(names, encoders, strict=True))
            self.columns |= dict.fromkeys(names, column)
        self.projectors, self.size, self.data = projectors or {}, size, splits
        self.train, self.test = splits.train, splits.train if splits.test is None else splits.test
        self.labelled = splits.test is not None and all(part.labels is not None for part in splits)
        self.names = _names(self.train) if self.labelled else ()

    @property
    def channels(self) -> int:
        return self.train.shape[-1]

    @property
    def start(self) -> str:
        """The untrained encoder that pictures show."""
        return next(name for name in self.encoders if name != TRAINED)

    @property
    def shown(self) -> tuple[str, str, str]:
        """What pictures show: the encoder, an untrained one and raw pixels."""
        return TRAINED, self.start, RAW

    def chapter(self, title: str, text: str) -> Chapter:
        """An empty chapter."""
        return Chapter(title, text, columns=self.columns)

    @cached_property
    def functions(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """Name -> function: images (n, size, size, channels) -> features; raw pixels are at most 32 x 32."""
        small = presets.evaluation(min(self.size, judging.RAW_SIZE))

        def raw(images):
            sizes = np.tile(np.int32(images.shape[1:3]), (len(images), 1))
            return small(images, sizes).numpy().reshape(len(images), -1)

        return {name: _in_parts(model) for name, model in self.encoders.items()} | {RAW: raw}

    @cached_property
    def features(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Name -> features of the training part and of the test part."""
        train = self._encoded(self.train)
        test = train if self.test is self.train else self._encoded(self.test)
        return {name: (train[name], test[name]) for name in self.functions}

    def _encoded(self, part: Dataset) -> dict[str, np.ndarray]:
        columns: dict[str, list] = {name: [] for name in self.functions}
        for batch in tqdm(self.batches(part), "features", -(-len(part) // 256), leave=False, disable=None):
            for name, encode in self.functions.items():
                columns[name].append(encode(batch))
        return {name: np.concatenate(parts) for name, parts in columns.items()}

    @property
    def encoder_features(self) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
        """Column -> features of the training and test part by each of its encoders; without raw pixels."""
        found: dict[str, list] = {}
        for name, column in self.columns.items():
            found.setdefault(column, []).append(self.features[name])
        return found

    @cached_property
    def probes(self) -> dict[str, linear.LogisticRegression]:
        """Name -> linear probe fitted to the whole training part."""
        return {
            name: linear.fit(linear.standardize(train, test)[0], self.train.labels)
            for name, (train, test) in self.features.items()
        }

    def probabilities(self, name: str, features: np.ndarray) -> np.ndarray:
        """Of the classes of the training part (n, classes), by the linear probe."""
        return self.probes[name].predict_proba(linear.standardize(self.features[name][0], features)[1])

    def answers(self, name: str, features: np.ndarray) -> np.ndarray:
        """Classes (n,) found by the linear probe."""
        return self.probes[name].classes_[self.probabilities(name, features).argmax(1)]

    def batches(self, part: Dataset) -> Iterator[np.ndarray]:
        return inputs.images(part, self.size)

    def few(self, part: Dataset, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Images (n, size, size, channels) and labels of at most `count` of a part, fewer if they are large."""
        part = part.sample(self.fitting(count), seed=1)
        return np.concatenate(list(self.batches(part))), None if part.labels is None else np.asarray(part.labels)

    def fitting(self, count: int) -> int:
        """At most `count`, fewer if images are large: the number that is kept in memory at a time."""
        return max(16, min(count, IMAGES_AT_ONCE // (4 * self.size**2 * self.channels)))

    def images(self, part: Dataset, rows: Sequence[int]) -> dict[int, np.ndarray]:
        """The images at these rows of a part, by row."""
        rows = np.unique(rows)
        return dict(zip(rows.tolist(), np.concatenate(list(self.batches(part.take(rows)))), strict=True))

    def per_encoder(self, score: Callable[..., Score]) -> dict[str, Score]:
        """Name -> score(train features, test features)."""
        return {name: score(*sides) for name, sides in self.features.items()}


def _names(train: Dataset) -> tuple[str, ...]:
    return train.class_names or tuple(map(str, range(int(train.labels.max()) + 1)))


def _in_parts(model):
    def encode(images, rows=256):
        parts = [model.predict_on_batch(images[start : start + rows]) for start in range(0, len(images), rows)]
        return np.concatenate(parts).astype("float32")

    return encode
