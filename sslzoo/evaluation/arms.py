"""Supervised training on few labels, from scratch, from the start and from the pretrained encoder, by one recipe."""

import dataclasses
import functools
from collections.abc import Sequence

import keras
import numpy as np

from sslzoo.evaluation import baseline
from sslzoo.evaluators import unit_length
from sslzoo.evaluators.finetuning import tuned_answers
from sslzoo.evaluators.linear import fit, standardize
from sslzoo.evaluators.overlap import search
from sslzoo.views import inputs

SCRATCH, FROZEN, TUNED = "from scratch", "frozen", "fine-tuned"
HELD_OUT = 5  # one of this number of labelled images is held out to choose the learning rate
LEAST_STEPS = 200  # of a training, so that few labels are trained on long enough


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The training of all arms.

    Attributes:
        epochs: passes over the labelled images, at least; more where they would give fewer than LEAST_STEPS steps.
        batch_size: images of a step.
        learning_rates: of which each arm takes the one with the best accuracy on held-out images.
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rates: tuple[float, ...] = (1e-3, 3e-4)

    def settings(self, images: int) -> dict[str, int]:
        """Epochs and batch size for a number of labelled images."""
        batch = min(self.batch_size, images)
        return {"epochs": max(self.epochs, -(-LEAST_STEPS * batch // images)), "batch_size": batch}


class Arm:
    """One way to use the labels.

    Args:
        name: column of its scores.
        encoder: that it starts from; the architecture alone for SCRATCH.
        data: inputs and labels of the training and of the test part.
    """

    def __init__(self, name: str, encoder: keras.Model, data: Sequence[tuple[np.ndarray, np.ndarray]]):
        self.name, self.encoder = name, encoder
        (self.train_x, self.train_y), self.test = data

    def answers(self, rows: np.ndarray, recipe: Recipe, learning_rate: float, seed: int) -> np.ndarray:
        """Whether each test image is classified correctly after training on some rows: bool (n,)."""
        if self.name.endswith(FROZEN):
            return self._probed(rows, seed)
        return self._tuned(rows, self.test, recipe, learning_rate, seed)

    def chosen(self, rows: np.ndarray, recipe: Recipe, seed: int = 0) -> float:
        """The learning rate with the best accuracy on held-out ones of the rows; the first where there are few."""
        known, held = divided(self.train_y[rows], seed)
        if self.name.endswith(FROZEN) or len(recipe.learning_rates) == 1 or not len(held):
            return recipe.learning_rates[0]
        test = self.train_x[rows[held]], self.train_y[rows[held]]
        found = [self._tuned(rows[known], test, recipe, rate, seed).mean() for rate in recipe.learning_rates]
        return recipe.learning_rates[int(np.argmax(found))]

    def _tuned(self, rows, test, recipe, learning_rate, seed) -> np.ndarray:
        encoder = baseline.fresh(self.encoder, seed) if self.name == SCRATCH else self.encoder
        train = self.train_x[rows], self.train_y[rows]
        options = recipe.settings(len(rows)) | {"learning_rate": learning_rate, "seed": seed}
        return np.asarray(tuned_answers(encoder, train, test, **options))

    @functools.cached_property
    def features(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of the training and the test part, not standardized."""
        return tuple(self.encoder.predict(x, 256, verbose=0).astype("float32") for x in (self.train_x, self.test[0]))

    def _probed(self, rows: np.ndarray, seed: int) -> np.ndarray:
        train, test = standardize(*self.features)
        return fit(train[rows], self.train_y[rows], seed).predict(test) == self.test[1]


def divided(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sorted rows to train on and rows to hold out, one of HELD_OUT of each class; none of a smaller class."""
    random, held = np.random.default_rng(seed), []
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        held.append(rows[: len(rows) // HELD_OUT])
    held = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), held), held


def drawn(labels: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """Sorted rows of `per_class` images of each class, of all where a class has fewer."""
    random = np.random.default_rng(seed)
    rows = [random.permutation(np.flatnonzero(labels == label))[:per_class] for label in np.unique(labels)]
    return np.sort(np.concatenate(rows))


def repeated(train: np.ndarray, test: np.ndarray, similarity: float) -> np.ndarray:
    """Whether each test image has a near-duplicate among the training images: bool (test images,).

    Args:
        train, test: features, from which the mean of the training images is subtracted.
        similarity: cosine from which two images are near-duplicates.
    """
    mean = train.mean(0, keepdims=True)
    bank, queries = unit_length(train - mean), unit_length(test - mean)
    return search(bank, queries, 1)[1][:, 0] >= similarity


def arrays(data, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels of a labelled dataset, in memory."""
    return np.concatenate(list(inputs.images(data, size))), np.asarray(data.labels)
