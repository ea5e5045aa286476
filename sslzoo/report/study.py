"""What the chapters of a report look at: an encoder beside its baselines, some images, their features."""

import dataclasses
from collections.abc import Callable
from functools import cached_property

import keras
import numpy as np
from tqdm import tqdm

from sslzoo import evaluation
from sslzoo.data import Dataset, Splits
from sslzoo.evaluators import linear
from sslzoo.evaluators.report import Row
from sslzoo.views import presets

TRAINED, UNTRAINED, RAW = "trained", "untrained", "raw pixels"
IMAGES_AT_ONCE = 2**28  # bytes of images that are kept in memory at a time


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture of the report: file name without suffix, title, what it shows, PNG bytes."""

    name: str
    title: str
    caption: str
    png: bytes


@dataclasses.dataclass
class Chapter:
    """A part of the report.

    Attributes:
        title, text: heading, and how to read what follows.
        rows: scores, each beside its baselines.
        pictures: in order.
        curves: what the pictures are drawn from, JSON.
        notes: what was left out and why.
    """

    title: str
    text: str
    rows: list[Row] = dataclasses.field(default_factory=list)
    pictures: list[Picture] = dataclasses.field(default_factory=list)
    curves: dict = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)

    def add(self, metric: str, scores: dict[str, float | tuple], percent: bool = False) -> None:
        """A line of the table: name of the features -> score, or (score, its spread)."""
        for name, score in scores.items():
            mean, spread = score if isinstance(score, tuple) else (score, None)
            self.rows.append(Row(metric, name, mean, spread, percent))


class Study:
    """The encoder and its baselines over a part of the data, drawn with a fixed seed.

    Args:
        encoders: "trained" and "untrained".
        splits: labelled data with a test part.
        size: side in pixels.
        images: of the training part at most so many are looked at, of the test part two fifths of it.
        projectors: by the same names, where there are any.
    """

    def __init__(
        self,
        encoders: dict[str, keras.Model],
        splits: Splits,
        size: int,
        images: int = 5000,
        projectors: dict[str, keras.Model] | None = None,
    ):
        self.projectors = projectors or {}
        self.encoders, self.size, self.total = encoders, size, splits
        self.train, self.test = splits.train.sample(images), splits.test.sample(images * 2 // 5)
        self.names = self.train.class_names or tuple(map(str, range(int(self.train.labels.max()) + 1)))

    @property
    def channels(self) -> int:
        return self.train.shape[-1]

    @cached_property
    def functions(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """Name -> images (n, size, size, channels) -> features; raw pixels at most at 32 px, as everywhere."""
        small = presets.evaluation(min(self.size, evaluation.RAW_SIZE))

        def raw(images):
            return (
                small(images, np.tile(np.int32(images.shape[1:3]), (len(images), 1))).numpy().reshape(len(images), -1)
            )

        return {name: _in_parts(model) for name, model in self.encoders.items()} | {RAW: raw}

    @cached_property
    def features(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Name -> features of the training part and of the test part."""
        columns = {name: ([], []) for name in self.functions}
        for side, part in enumerate((self.train, self.test)):
            bar = tqdm(self.batches(part), "features", -(-len(part) // 256), leave=False, disable=None)
            for batch in bar:
                for name, encode in self.functions.items():
                    columns[name][side].append(encode(batch))
        return {name: tuple(map(np.concatenate, sides)) for name, sides in columns.items()}

    @cached_property
    def probes(self) -> dict[str, linear.LogisticRegression]:
        """Name -> linear probe fitted to the training part."""
        return {
            name: linear.fit(linear.standardize(train, test)[0], self.train.labels)
            for name, (train, test) in self.features.items()
        }

    def probabilities(self, name: str, features: np.ndarray) -> np.ndarray:
        """Of the classes of the training part (n, classes), by the linear probe."""
        return self.probes[name].predict_proba(linear.standardize(self.features[name][0], features)[1])

    def batches(self, part: Dataset):
        return evaluation.images(part, self.size)

    def few(self, part: Dataset, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Images (n, size, size, channels) and labels of at most `count` of a part, fewer where they are large."""
        bound = IMAGES_AT_ONCE // (4 * self.size**2 * self.channels)
        part = part.sample(max(16, min(count, bound)), seed=1)
        return np.concatenate(list(self.batches(part))), np.asarray(part.labels)

    def per_encoder(self, score: Callable[..., float | tuple]) -> dict[str, float | tuple]:
        """Name -> score(train features, test features)."""
        return {name: score(*sides) for name, sides in self.features.items()}


def _in_parts(model):
    def encode(images, rows=256):
        parts = [model.predict_on_batch(images[start : start + rows]) for start in range(0, len(images), rows)]
        return np.concatenate(parts).astype("float32")

    return encode
