"""Relations: which frames of its episode belong to a frame, as functions of uniform random numbers.

A function of this file with the arguments `place` and `uniform` is a relation, which a method names in its class
attribute `relation`. The first is a `Place`, the second are random numbers in [0, 1), float32 (n, NUMBERS). Further
arguments are knobs of the method of the same name. It returns int64 (n, partners), ranks that may be outside the
episode.
"""

import inspect
from typing import Any, NamedTuple

import tensorflow as tf

NUMBERS = 2  # random numbers for each frame


class Place(NamedTuple):
    """Where frames are in the order of episodes and times: int64 (n,), ranks of the frames and ends of their episodes.

    Attributes:
        rank: of each frame.
        first, last: rank of the first and of the last frame of its episode.
    """

    rank: tf.Tensor
    first: tf.Tensor
    last: tf.Tensor


def later(place: Place, uniform: tf.Tensor, interval: int = 1) -> tf.Tensor:
    """The frame `interval` steps later."""
    return (place.rank + interval)[:, None]


def following(place: Place, uniform: tf.Tensor, horizon: int = 5) -> tf.Tensor:
    """The next `horizon` frames, in order."""
    return place.rank[:, None] + tf.range(1, horizon + 1, dtype=tf.int64)


def same_episode(place: Place, uniform: tf.Tensor) -> tf.Tensor:
    """Another frame of the same episode, each with the same probability; none for an episode of one frame."""
    others = place.last - place.first
    ahead = 1 + _below(uniform[:, 0], others)
    other = place.first + (place.rank - place.first + ahead) % (others + 1)
    return tf.where(others > 0, other, place.last + 1)[:, None]


def goal(place: Place, uniform: tf.Tensor) -> tf.Tensor:
    """A later frame as goal, a frame from this one up to the last before the goal, and the frame after that (VIP)."""
    goal = place.rank + 1 + _below(uniform[:, 0], place.last - place.rank)
    between = place.rank + _below(uniform[:, 1], goal - place.rank)
    return tf.stack([goal, between, between + 1], axis=1)


def clip(place: Place, uniform: tf.Tensor, language_weight: float = 0.0) -> tf.Tensor:
    """An earlier frame, and this frame or a later one; with language also the first and last of the episode (R3M)."""
    earlier = place.first + _below(uniform[:, 0], place.rank - place.first)
    later = place.rank + _below(uniform[:, 1], place.last - place.rank + 1)
    ends = [place.first, place.last] if language_weight else []
    return tf.stack([tf.minimum(earlier, place.rank - 1), later, *ends], axis=1)


def names() -> list[str]:
    """Names of the relations."""
    return sorted(name for name, thing in globals().items() if inspect.isfunction(thing) and _is_relation(thing))


def arguments(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Those of the given values that are arguments of a relation."""
    return {key: value for key, value in given.items() if key in inspect.signature(globals()[name]).parameters}


def count(name: str, **knobs) -> int:
    """Number of partners of a frame."""
    one = tf.zeros((1,), tf.int64)
    return globals()[name](Place(one, one, one), tf.zeros((1, NUMBERS)), **knobs).shape[1]


def _is_relation(function) -> bool:
    return [*inspect.signature(function).parameters][:2] == ["place", "uniform"]


def _below(uniform: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Integers from 0 to count - 1; 0 where count is below 1."""
    drawn = tf.cast(tf.cast(uniform, tf.float64) * tf.cast(count, tf.float64), tf.int64)
    return tf.maximum(tf.minimum(drawn, count - 1), 0)
