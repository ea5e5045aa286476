"""The order of examples, and marks by which their content is recognized."""

import functools
import hashlib
from typing import Any

import numpy as np
import tensorflow as tf

# TensorFlow's default of 4 rounds leaves two epochs of 60 000 images in nearly the same order (correlation 0.9);
# from 12 rounds on the orders of epochs and seeds are as unrelated as those of true permutations.
SHUFFLE_ROUNDS = 24
MARKED_BYTES = 2**26  # of pixels that are copied at a time for a fingerprint


def mark(content: bytes | np.ndarray) -> int:
    """64 bits that change with some content."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "little")


def marks_of(images: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Marks (n,) uint64 of examples (n, ..., channels) and their sizes (n, axes)."""
    pixels = np.ascontiguousarray(images).reshape(len(images), -1).view(np.uint8)
    marks = (mark(row) ^ _packed(size) for row, size in zip(pixels, sizes.tolist(), strict=True))
    return np.fromiter(marks, np.uint64, len(images))


def _packed(size: list[int]) -> int:
    """One integer of an extent: of an image height << 32 ^ width."""
    return functools.reduce(lambda before, side: before << 32 ^ side, size, 0)


def shuffled(position: tf.Tensor, count, seed: int, epoch: tf.Tensor, stream=0) -> tf.Tensor:
    """The indices at these positions of an epoch's order of `count` examples.

    Args:
        position: int64 (n,), each less than its count.
        count: int, or int64 (n,).
        seed: int.
        epoch: int64 scalar, or (n,).
        stream: int, or int64 (n,); the orders of two streams are unrelated.
    """
    count, epoch, stream = (tf.convert_to_tensor(one, tf.int64) for one in (count, epoch, stream))
    shape = tf.broadcast_dynamic_shape(tf.shape(epoch), tf.shape(stream))
    seeds = (tf.fill(shape, tf.constant(seed, tf.int64)), epoch, stream)
    return tf.raw_ops.RandomIndexShuffle(
        index=position,
        seed=tf.stack([tf.broadcast_to(one, shape) for one in seeds], axis=-1),
        max_index=count - 1,
        rounds=SHUFFLE_ROUNDS,
    )


def classes_of(dataset: Any) -> np.ndarray | None:
    """What class-balanced batches of a Dataset balance: labels, or the episodes of frames without; (count,) or None."""
    return dataset.episodes.episode if dataset.labels is None and dataset.episodes else dataset.labels


def balanced(labels: np.ndarray, step: tf.Tensor, batch_size: int, seed: int, each: int) -> tf.Tensor:
    """The indices of a class-balanced batch: `each` examples of one class, then of the next.

    The classes come in rounds, in a new order in each round. A round has every class once, or as many classes as fill
    whole batches, so that a batch with room for fewer classes than there are has none twice. In round r a class gives
    the examples r * each to (r + 1) * each - 1 of its own order, which is drawn anew after each pass over the class.

    Args:
        labels: int (count,), the class of each example.
        step: int64 scalar.
        batch_size: int, a multiple of `each`.
        seed: int.
        each: int, examples of a class.

    Returns:
        int64 (batch_size,), a function of the other arguments alone.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    members, starts = np.argsort(labels, kind="stable"), np.cumsum(sizes) - sizes
    turns = batch_size // each
    length = len(classes) // turns * turns or len(classes)  # turns of a round
    turn = step * turns + tf.range(turns, dtype=tf.int64)
    which = tf.repeat(shuffled(turn % length, len(classes), seed, turn // length), each)
    size, start = tf.gather(tf.constant(sizes, tf.int64), which), tf.gather(tf.constant(starts, tf.int64), which)
    place = tf.repeat(turn // length, each) * each + tf.tile(tf.range(each, dtype=tf.int64), [turns])
    chosen = start + shuffled(place % size, size, seed, place // size, stream=which + 1)
    return tf.gather(tf.constant(members, tf.int64), chosen)


def indices(
    count: int, batch_size: int, seed: int | None, labels: np.ndarray | None, each: int, step: tf.Tensor
) -> tf.Tensor:
    """The indices of a step's whole batch: in order without a seed, else shuffled, class-balanced if `each` is not 0.

    Args:
        count: int, number of examples.
        batch_size: int.
        seed: int, or None.
        labels: int (count,), needed if `each` is not 0.
        each: int, examples of a class.
        step: int64 scalar.

    Returns:
        int64 (batch_size,).
    """
    rows = tf.range(batch_size, dtype=tf.int64)
    if seed is None:
        return step * batch_size + rows
    if each:
        return balanced(labels, step, batch_size, seed, each)
    steps = count // batch_size
    return shuffled(step % steps * batch_size + rows, count, seed, epoch=step // steps)
