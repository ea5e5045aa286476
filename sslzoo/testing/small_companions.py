"""Companion columns of small batches: tokens of captions, and the actions of frames."""

import keras
import numpy as np

from sslzoo.data import relations

ACTIONS = 3  # number of discrete actions


def companions_of(model: keras.Model, count: int) -> dict[str, np.ndarray]:
    """The companion columns that a method receives with `count` examples.

    Args:
        model: the method.
        count: 32, or a multiple of 4.
    """
    columns = {"text": captions(count)} if model.captions else {}
    if not model.relation:
        return columns
    frames, rng = frames_of(model), np.random.default_rng(0)
    valid = np.ones((count, frames - 1), "float32")
    valid[::4, -1] = 0
    action = np.eye(ACTIONS, dtype="float32")[rng.integers(0, ACTIONS, (count, frames))]
    return columns | {"valid": valid, "action": action, "reward": rng.normal(size=(count, frames)).astype("float32")}


def frames_of(model: keras.Model) -> int:
    """Number of frames of an example: 1 and its partners."""
    return 1 + relations.count(model.relation, **relations.arguments(model.relation, model.get_config()))


def captions(count: int) -> np.ndarray:
    """Tokens of two captions of each example, int32 (count, 2, 4): words for its number; the second has a word more."""
    index = np.arange(count)
    words = np.stack([2 + index // 8, 6 + index % 8, 0 * index, 0 * index], axis=1)
    return np.stack([words, words + [0, 0, 1, 0]], axis=1).astype("int32")
