"""Memories: queues go round, banks change where they are told to, checkpoints and replicas hold the same rows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo.layers.memory import Bank, Queue

DIM = 3


def unit(count, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, DIM)).astype("float32")
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def expected_queue(start, batches):
    """First in, first out, by a plain list of slots."""
    slots, position = list(start), 0
    for batch in batches:
        for row in batch:
            slots[position] = row
            position = (position + 1) % len(slots)
    return np.array(slots), position


@pytest.mark.parametrize(
    "size, counts",
    [(7, [3]), (7, [3, 3, 3, 3]), (7, [7]), (7, [4, 7, 4]), (7, [8]), (7, [2, 20, 5, 16]), (1, [1, 3]), (6, [0, 4, 0])],
    ids=str,
)
def test_a_queue_holds_the_newest_rows_in_the_order_of_their_coming(size, counts):
    queue = Queue(size, DIM)
    start = np.array(queue.rows)
    batches = [unit(count, seed) for seed, count in enumerate(counts)]
    for batch in batches:
        queue.enqueue(batch)
    slots, position = expected_queue(start, batches)
    np.testing.assert_array_equal(queue.rows, slots)
    assert int(queue.position) == position


def test_a_queue_goes_round_in_a_graph_with_batches_of_any_size():
    queue = Queue(7, DIM)
    start = np.array(queue.rows)
    enqueue = tf.function(queue.enqueue, input_signature=[tf.TensorSpec((None, DIM))])
    batches = [unit(count, seed) for seed, count in enumerate((5, 9, 2, 15))]
    for batch in batches:
        enqueue(batch)
    np.testing.assert_array_equal(queue.rows, expected_queue(start, batches)[0])


@pytest.mark.parametrize("memory", [Queue, Bank])
def test_a_memory_starts_on_the_unit_sphere_in_all_directions_and_is_not_trainable(memory):
    rows = memory(500, DIM)
    np.testing.assert_allclose(np.linalg.norm(rows.rows, axis=1), 1, rtol=1e-5)
    assert np.abs(np.mean(rows.rows, axis=0)).max() < 0.15
    assert not rows.trainable_weights and rows.rows.dtype == "float32"
    with pytest.raises(ValueError, match="needs at least one row, got 0"):
        memory(0, DIM)


def test_a_memory_takes_half_precision_and_stays_float32():
    queue, bank = Queue(4, DIM), Bank(4, DIM)
    queue.enqueue(unit(2).astype("float16"))
    bank.write(np.array([1, 2]), unit(2).astype("float16"))
    assert queue.rows.dtype == bank.rows.dtype == "float32"
    np.testing.assert_allclose(queue.rows[:2], unit(2), atol=1e-3)


def test_a_bank_changes_the_rows_of_the_batch_alone():
    bank, index = Bank(9, DIM), np.array([7, 0, 3])
    before = np.array(bank.rows)
    bank.write(index, unit(3))
    np.testing.assert_array_equal(bank.read(index), unit(3))
    rest = np.setdiff1d(np.arange(9), index)
    np.testing.assert_array_equal(np.array(bank.rows)[rest], before[rest])
    np.testing.assert_array_equal(np.array(bank.rows)[index], unit(3))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_a_bank_is_asked_by_whole_numbers_of_any_width(dtype):
    bank = Bank(5, DIM)
    bank.write(np.array([4], dtype), unit(1))
    np.testing.assert_array_equal(bank.read(np.array([4, 4], dtype)), np.repeat(unit(1), 2, axis=0))


@keras.saving.register_keras_serializable("tests")
class Holder(keras.Model):
    """A model with both memories."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.queue, self.bank = Queue(7, DIM), Bank(5, DIM)
        self.built = True


def filled():
    holder = Holder()
    holder.queue.enqueue(unit(5, 1))
    holder.queue.enqueue(unit(5, 2))
    holder.bank.write(np.array([2, 4]), unit(2, 3))
    return holder


def test_memories_are_in_a_checkpoint_and_in_saved_weights(tmp_path):
    holder = filled()
    queue, bank = np.array(holder.queue.rows), np.array(holder.bank.rows)
    path = tf.train.Checkpoint(model=holder).write(str(tmp_path / "checkpoint"))
    holder.save_weights(tmp_path / "model.weights.h5")
    for load in (
        lambda other: tf.train.Checkpoint(model=other).read(path).assert_existing_objects_matched(),
        lambda other: other.load_weights(tmp_path / "model.weights.h5"),
    ):
        other = Holder()
        load(other)
        np.testing.assert_array_equal(other.queue.rows, queue)
        np.testing.assert_array_equal(other.bank.rows, bank)
        assert int(other.queue.position) == 3


def test_memories_are_equal_on_all_replicas(mirrored):
    keras.utils.set_random_seed(0)
    alone = Holder()
    keras.utils.set_random_seed(0)
    with mirrored.scope():
        together = Holder()
    np.testing.assert_array_equal(together.queue.rows, alone.queue.rows)

    @tf.function
    def step(rows, index):
        context = tf.distribute.get_replica_context()
        rows, index = context.all_gather(rows, axis=0), context.all_gather(index, axis=0)
        together.queue.enqueue(rows)
        together.bank.write(index, rows)

    for seed in range(3):
        rows, index = unit(4, seed), np.random.default_rng(seed).permutation(5)[:4].astype("int32")

        def part(array):
            return mirrored.experimental_distribute_values_from_function(
                lambda context: tf.constant(np.split(array, 2)[context.replica_id_in_sync_group])
            )

        mirrored.run(step, (part(rows), part(index)))
        alone.queue.enqueue(rows)
        alone.bank.write(index, rows)
    for name in ("queue", "bank"):
        copies = mirrored.experimental_local_results(getattr(together, name).rows.value)
        assert len(copies) == 2
        for copy in copies:
            np.testing.assert_array_equal(copy, getattr(alone, name).rows)
    for position in mirrored.experimental_local_results(together.queue.position.value):
        assert int(position) == 12 % 7
