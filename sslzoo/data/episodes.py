"""Episodes: what belongs to the frames of a dataset, and the frames that a relation draws for each of them."""

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from sslzoo.data import relations
from sslzoo.data.relations import NUMBERS, Place

Relation = tuple[str, dict[str, Any]]  # name of a function of `relations`, and its arguments


@dataclasses.dataclass(frozen=True, eq=False)
class Episodes:
    """Companion columns of a dataset whose images are frames.

    Attributes:
        episode: int64 (count,), number of the episode of each frame.
        time: int64 (count,), number of the frame in its episode.
        action: float32 (count, dim), taken at the frame, of discrete actions as one-hot vectors; or None.
        reward: float32 (count,), received for the action; or None.
        state: float32 (count, variables), known state of the environment, for evaluation alone; or None.
        state_names: names of the variables.
        relation: draws the partners of frames in batches; None for no partners.
    """

    episode: np.ndarray
    time: np.ndarray
    action: np.ndarray | None = None
    reward: np.ndarray | None = None
    state: np.ndarray | None = None
    state_names: tuple[str, ...] = ()
    relation: Relation | None = None

    def take(self, chosen: np.ndarray) -> "Episodes":
        """Those of the frames `chosen` (n,)."""
        columns = {name: getattr(self, name) for name in ("episode", "time", "action", "reward", "state")}
        taken = {name: column[chosen] for name, column in columns.items() if column is not None}
        return dataclasses.replace(self, **taken)

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """Indices of at most `count` frames, in order: whole episodes drawn by `seed`, or the start of the first."""
        names, sizes = np.unique(self.episode, return_counts=True)
        order = np.random.default_rng(seed).permutation(len(names))
        fitting = order[np.cumsum(sizes[order]) <= count]
        if len(fitting):
            return np.flatnonzero(np.isin(self.episode, names[fitting]))
        return np.flatnonzero(self.episode == names[order[0]])[:count]

    def held_out(self) -> np.ndarray:
        """Whether each frame is of the fifth of the episodes, drawn with a fixed seed, that is held out for testing."""
        names = np.unique(self.episode)
        test = np.random.default_rng(0).permutation(len(names))[: max(1, round(len(names) / 5))]
        return np.isin(self.episode, names[test]) & (len(names) > 1)

    @functools.cached_property
    def _ranks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The frames in order of episode and time; of each frame its rank, and the ranks that end its episode."""
        order = np.lexsort((self.time, self.episode))
        ranked = self.episode[order]
        first, last = (np.searchsorted(ranked, self.episode, side) for side in ("left", "right"))
        return order, np.argsort(order), first, last - 1

    def earlier(self, count: int) -> np.ndarray:
        """Indices (n, count) of each frame, last, and of the count - 1 frames before it; the first one is repeated."""
        order, rank, first, _ = self._ranks
        return order[np.maximum(rank[:, None] + np.arange(1 - count, 1), first[:, None])]

    def content(self) -> bytes:
        """Bytes that change with what a training uses."""
        columns = (self.episode, self.time, self.action, self.reward)
        return b"".join(np.ascontiguousarray(column).tobytes() for column in columns if column is not None)

    def columns(self, index: tf.Tensor, uniform: tf.Tensor) -> dict[str, tf.Tensor]:
        """The columns of a batch that a method with a relation receives.

        Args:
            index: int64 (n,), of frames.
            uniform: float32 (n, NUMBERS), random numbers in [0, 1).

        Returns:
            `partner`, int64 (n, partners), indices of the partners; `valid`, float32 (n, partners), 0 where there is no
            such frame in the episode, or a frame between the two is missing; and `action` (n, frames, dim) and `reward`
            (n, frames) where they are known, of each frame and its partners. What is not valid is the frame itself.
        """
        name, knobs = self.relation
        order, *ends = (tf.constant(column, tf.int64) for column in self._ranks)
        place = Place(*(tf.gather(column, index) for column in ends))
        ranks = getattr(relations, name)(place, uniform, **knobs)
        inside = (ranks >= place.first[:, None]) & (ranks <= place.last[:, None])
        ranks = tf.where(inside, ranks, place.rank[:, None])
        partner, time = tf.gather(order, ranks), tf.constant(self.time, tf.int64)
        apart = tf.gather(time, partner) - tf.gather(time, index)[:, None]
        inside &= apart == ranks - place.rank[:, None]
        partner = tf.where(inside, partner, index[:, None])
        frames = tf.concat([index[:, None], partner], axis=1)
        known = {name: getattr(self, name) for name in ("action", "reward") if getattr(self, name) is not None}
        return {"partner": partner, "valid": tf.cast(inside, tf.float32)} | {
            name: tf.gather(tf.constant(column, tf.float32), frames) for name, column in known.items()
        }

    def with_relation(self, name: str, **given) -> "Episodes":
        """The same episodes with a relation.

        Args:
            name: of a function of `sslzoo.data.relations`.
            **given: values, of which the relation takes its arguments.
        """
        return dataclasses.replace(self, relation=(name, relations.arguments(name, given)))


def uniform_of(step: tf.Tensor, batch_size: int, seed: int | None) -> tf.Tensor:
    """Random numbers of a relation for the rows of the global batch at a step, (batch_size, NUMBERS)."""
    seeds = tf.stack([tf.constant(seed or 0, tf.int64), tf.cast(step, tf.int64)])
    return tf.random.stateless_uniform((batch_size, NUMBERS), seeds, alg="philox")
