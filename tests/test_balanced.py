"""Class-balanced batches: classes in turn, examples in turn, a function of the step alone."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from sslzoo.data import load_episodes
from sslzoo.data.made import in_memory
from sslzoo.data.moving_dot import moving_dot
from sslzoo.data.order import shuffled

LABELS = np.repeat(np.arange(6), [3, 40, 8, 9, 12, 28])  # from 3 to 40 examples


def data(labels=LABELS):
    return in_memory("made", np.zeros((len(labels), 4, 4, 1), "uint8"), labels=labels)


def steps(dataset, batch_size, each, **options):
    batches = dataset.batches(batch_size, seed=1, examples_per_class=each, **options)
    return [{name: column.numpy() for name, column in batch.items()} for batch in batches]


@pytest.mark.parametrize("batch_size, each", [(12, 4), (20, 5), (24, 4), (48, 4), (36, 2), (14, 1)])
def test_each_class_has_its_number_of_examples_and_its_turns(batch_size, each):
    taken = steps(data(), batch_size, each, stop=30)
    turns = np.array([batch["label"][::each] for batch in taken])
    for batch in taken:
        np.testing.assert_array_equal(batch["label"], np.repeat(batch["label"][::each], each))
        np.testing.assert_array_equal(batch["label"], LABELS[batch["index"]])
        of_class = np.bincount(batch["label"][::each], minlength=6)
        if batch_size // each <= 6:
            assert of_class.max() == 1
        assert of_class.max() - of_class.min() <= 2
    counts = np.bincount(turns.reshape(-1), minlength=6)
    assert counts.min() > 0.6 * counts.mean(), "rare classes have as many turns as frequent ones"


def test_a_class_gives_all_its_examples_before_one_comes_again():
    taken = np.concatenate([batch["index"] for batch in steps(data(), 24, 4, stop=20)])  # all six classes in each batch
    for label, size in enumerate(np.bincount(LABELS)):
        mine = taken[LABELS[taken] == label]
        passes = [mine[start : start + size] for start in range(0, len(mine) - size + 1, size)]
        assert all(len(set(one.tolist())) == size for one in passes) and len(mine) == 80
        if size > 8 and len(passes) > 1:
            assert not np.array_equal(passes[0], passes[1])


def test_batches_depend_on_the_step_and_workers_share_them():
    whole, late = steps(data(), 24, 4, stop=9), steps(data(), 24, 4, start=7, stop=9)
    parts = [steps(data(), 24, 4, stop=9, share=(worker, 2)) for worker in (0, 1)]
    for step in (7, 8):
        for name in whole[step]:
            np.testing.assert_array_equal(late[step - 7][name], whole[step][name])
            halves = np.concatenate([part[step][name] for part in parts])
            np.testing.assert_array_equal(halves, whole[step][name])
    others = [batch["index"].numpy() for batch in data().batches(24, seed=2, examples_per_class=4, stop=1)]
    assert not np.array_equal(others[0], whole[0]["index"])


def test_frames_without_labels_are_balanced_by_episodes():
    dataset = load_episodes(moving_dot(10)).train
    for batch in steps(dataset, 24, 8, stop=3):
        episodes = dataset.episodes.episode[batch["index"]]
        np.testing.assert_array_equal(episodes, np.repeat(episodes[::8], 8))
        assert len(set(batch["index"].tolist())) == 24 and len(set(episodes.tolist())) == 3
    labelled = dataclasses.replace(dataset, labels=np.arange(len(dataset)) % 4)
    (batch,) = steps(labelled, 24, 8, stop=1)
    np.testing.assert_array_equal(batch["label"], np.repeat(batch["label"][::8], 8))


def test_the_order_without_classes_is_that_of_earlier_versions():
    rows = tf.range(10, dtype=tf.int64)
    ours = shuffled(rows, 100, 3, tf.constant(2, tf.int64))
    seed = tf.constant([3, 2, 0], tf.int64)
    plain = tf.raw_ops.RandomIndexShuffle(index=rows, seed=seed, max_index=tf.constant(99, tf.int64), rounds=24)
    np.testing.assert_array_equal(ours, plain)
