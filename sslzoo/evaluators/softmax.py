"""Trained probe: one dense layer on frozen features, fitted by gradient descent with epochs and a learning rate."""

from collections.abc import Iterator

import keras
import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study, as_features, as_labels
from sslzoo.evaluators.linear import standardize


def evaluate(study: Study, *, epochs: int = 100, learning_rate: float = 1e-3) -> Iterator[Score]:
    """Accuracy of `trained_probe`."""
    labels, test_labels = study.labels
    right = trained_answers(study.train, labels, study.test, test_labels, epochs, learning_rate)
    yield Score("softmax", float(np.mean(right)), f"softmax layer, {epochs} epochs", percent=True, answers=right)


def trained_probe(train_x, train_y, test_x, test_y, *args, **knobs) -> float:
    """Accuracy on the test part, in [0, 1], of a softmax layer trained by Adam; arguments of `trained_answers`."""
    return float(np.mean(trained_answers(train_x, train_y, test_x, test_y, *args, **knobs)))


@checked("N dim", "", "M dim", "")
def trained_answers(
    train_x,
    train_y,
    test_x,
    test_y,
    epochs: int = 100,
    learning_rate: float = 1e-3,
    batch_size: int = 512,
    seed: int = 0,
) -> np.ndarray:
    """Whether a softmax layer trained by Adam is right: bool (test examples,).

    Args:
        train_x, test_x: features (examples, features), standardized here.
        train_y, test_y: labels (examples,), from 0.
        epochs: passes over the train part.
        learning_rate: of Adam, constant.
        batch_size: examples of a step.
        seed: of weights and order.
    """
    train_x, test_x = as_features(train_x), as_features(test_x)
    train_y, test_y = as_labels(train_y, train_x), as_labels(test_y, test_x)
    train_x, test_x = standardize(train_x, test_x)
    keras.utils.set_random_seed(seed)
    probe = keras.Sequential([keras.Input(train_x.shape[1:]), keras.layers.Dense(int(train_y.max()) + 1)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Several small steps per call, since most of their cost is that of the call.
    probe.compile(keras.optimizers.Adam(learning_rate), loss, steps_per_execution=8, jit_compile=False)
    probe.fit(train_x, train_y, batch_size, epochs, verbose=0)
    return probe.predict(test_x, batch_size, verbose=0).argmax(1) == test_y
