"""What a report is made from: an encoder and its baselines, the images they are judged on, and their features."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

import keras
import numpy as np

from sslzoo import evaluators
from sslzoo.catalog.kinds import KINDS, Kind
from sslzoo.data import Dataset, Splits
from sslzoo.evaluation import places
from sslzoo.evaluation.judging import TRAINED, UNTRAINED
from sslzoo.evaluators import Score
from sslzoo.evaluators.judge import STATISTICS, rows_of
from sslzoo.evaluators.linear import probe
from sslzoo.evaluators.report import Row
from sslzoo.evaluators.scores import Scores
from sslzoo.utils.bars import bar
from sslzoo.views import inputs
from sslzoo.views.baselines import Baseline

IMAGES_AT_ONCE = 2**28  # bytes of images that are kept in memory at a time
FAULTS = (ValueError, ArithmeticError, LookupError)  # of a part of a report that the data do not allow

Value = float | None | np.ndarray  # a number, or a value for each image


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
        columns: name of an encoder -> column of its scores, if the two differ.
        grid: head and lines of a table of any cells.
    """

    title: str
    text: str
    rows: list[Row] = dataclasses.field(default_factory=list)
    pictures: list[Picture] = dataclasses.field(default_factory=list)
    curves: dict = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    under_table: str = ""
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    grid: Sequence[Sequence] = ()

    def add(
        self,
        key: str,
        title: str,
        values: Mapping[str, Value],
        percent: bool = False,
        whole: bool = False,
        statistic: str = "",
    ) -> None:
        """Adds a line to the table, with the gains of "trained" and their intervals if they can be computed.

        Args:
            key, title: identifier of the score, and title of the line.
            values: name of an encoder -> its score. Encoders of one column are merged to mean and deviation. A score
                that is an array gets intervals.
            percent, whole: whether the score is a share, or a count.
            statistic: name in `evaluators.judge.STATISTICS` of the function of the array; "" is the mean.
        """
        by_column: dict[str, list] = {}
        for name, value in values.items():
            answers = value if isinstance(value, np.ndarray) else None
            mean = value if answers is None else STATISTICS[statistic](value) if statistic else float(np.mean(value))
            score = Score(key, mean, title, None, percent, whole, answers, statistic)
            by_column.setdefault(self.columns.get(name, name), []).append([score])
        self.rows += rows_of(by_column)

    def take(self, scores: Scores) -> None:
        """Adds the scores and notes of a `judge`."""
        self.rows += scores
        self.notes += [note for note in scores.notes if note not in self.notes]

    def attempt(self, part: str, make: Callable[[], None]) -> None:
        """Makes a part of the chapter; if the data do not allow it, a note says why."""
        try:
            make()
        except FAULTS as error:
            self.notes.append(left_out(part, error))


def left_out(part: str, error: Exception) -> str:
    """The note for a part that could not be made."""
    return f"Left out: {part}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"


class Study:
    """An encoder and its baselines on the data of a report.

    Args:
        columns: name -> encoders, as of `judging.Subject`.
        splits: data to judge on. Without a test part, the training images are shown; scores that need labels are
            computed if both parts have them.
        size: side in pixels.
        projectors: name of an encoder, as in `encoders` -> its projector, if it was exported.

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
        self.names = _names(self.train, self.test) if self.labelled else ()

    @property
    def channels(self) -> int:
        return self.train.shape[-1]

    @property
    def start(self) -> str:
        """The untrained encoder that pictures show."""
        return next(name for name in self.encoders if name != TRAINED)

    @property
    def shown(self) -> tuple[str, str, str]:
        """What pictures show: the encoder, an untrained one and the raw inputs."""
        return TRAINED, self.start, self.raw

    @property
    def kind(self) -> Kind:
        """The kind of the data."""
        return KINDS[self.train.kind]

    @cached_property
    def baselines(self) -> dict[str, Baseline]:
        """Name -> the baselines of the kind of data that are features, the raw inputs first."""
        known = self.kind.functions.baselines(self.size, self.train)
        return {name: found for name, found in known.items() if not found.instead}

    @property
    def raw(self) -> str:
        """Name of the first baseline, which are the raw inputs, such as "raw pixels"."""
        return next(iter(self.baselines))

    def chapter(self, title: str, text: str) -> Chapter:
        """An empty chapter."""
        return Chapter(title, text, columns=self.columns)

    @cached_property
    def functions(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """Name -> function of inputs, such as images (n, size, size, channels), -> features; raw pixels are small."""

        def without(found: Baseline) -> Callable:
            smaller = self.kind.functions.evaluation(found.size)

            def features(inputs: np.ndarray) -> np.ndarray:
                sizes = np.tile(np.int32(inputs.shape[1:-1]), (len(inputs), 1))
                return found.features(smaller(inputs, sizes).numpy())

            return features

        known = {name: without(found) for name, found in self.baselines.items()}
        return {name: _in_parts(model) for name, model in self.encoders.items()} | known

    @cached_property
    def features(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Name -> features of the training part and of the test part."""
        train = self._encoded(self.train)
        test = train if self.test is self.train else self._encoded(self.test)
        return {name: (train[name], test[name]) for name in self.functions}

    def _encoded(self, part: Dataset) -> dict[str, np.ndarray]:
        columns: dict[str, list] = {name: [] for name in self.functions}
        for batch in bar(self.batches(part), "features", -(-len(part) // 256)):
            for name, encode in self.functions.items():
                columns[name].append(encode(batch))
        return {name: np.concatenate(parts) for name, parts in columns.items()}

    @property
    def encoder_features(self) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
        """Column -> features of the training and test part by each of its encoders; without the baselines."""
        found: dict[str, list] = {}
        for name, column in self.columns.items():
            found.setdefault(column, []).append(self.features[name])
        return found

    @cached_property
    def studies(self) -> dict[str, evaluators.Study]:
        """Name -> features and labels, as evaluators take them."""
        labels = (self.train.labels, self.test.labels) if self.labelled else ()
        return {
            name: evaluators.Study(*sides, *labels, tokens=self._tokens(name)) for name, sides in self.features.items()
        }

    def _tokens(self, name: str) -> places.Tokens | None:
        if name in self.encoders:
            return places.of_encoder(self.encoders[name], Splits(self.train, self.test), self.size)
        if self.kind.pixels:
            return places.of_pixels(self.features[name], self.baselines[name].size)
        return None

    def studies_of(self, columns: Mapping[str, str]) -> dict[str, list[evaluators.Study]]:
        """Column -> studies of its encoders; names that are no key of `columns` are columns of their own."""
        found: dict[str, list] = {}
        for name, study in self.studies.items():
            found.setdefault(columns.get(name, name), []).append(study)
        return found

    def answers(self, name: str, features: np.ndarray) -> np.ndarray:
        """Classes (n,) predicted by the linear probe of an encoder."""
        return probe(self.studies[name]).answers(features)

    def batches(self, part: Dataset) -> Iterator[np.ndarray]:
        return inputs.images(part, self.size)

    def few(self, part: Dataset, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Images (n, size, size, channels) and labels of at most `count` of a part, fewer if they are large."""
        part = part.sample(self.fitting(count), seed=1)
        return np.concatenate(list(self.batches(part))), None if part.labels is None else np.asarray(part.labels)

    def fitting(self, count: int) -> int:
        """At most `count`, fewer if images are large: the number of images in memory at a time."""
        return max(16, min(count, IMAGES_AT_ONCE // (4 * self._values)))

    @property
    def _values(self) -> int:
        """Numbers of an input."""
        return int(np.prod(self.kind.functions.input_shape(self.size, self.channels)))

    def images(self, part: Dataset, rows: Sequence[int]) -> dict[int, np.ndarray]:
        """The images at these rows of a part, by row."""
        rows = np.unique(rows)
        return dict(zip(rows.tolist(), np.concatenate(list(self.batches(part.take(rows)))), strict=True))


def _names(train: Dataset, test: Dataset) -> tuple[str, ...]:
    """Names of the classes of both parts; numbers if they are not known."""
    known = train.class_names or test.class_names or ()
    count = 1 + int(max(part.labels.max() for part in (train, test)))
    return (*known, *map(str, range(len(known), count)))


def _in_parts(model):
    def encode(images, rows=256):
        parts = [model.predict_on_batch(images[start : start + rows]) for start in range(0, len(images), rows)]
        return np.concatenate(parts).astype("float32")

    return encode
