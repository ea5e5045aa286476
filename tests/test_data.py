"""The data room: what is dealt out at which step, from arrays."""

import dataclasses
import time

import numpy as np
import pytest
import tensorflow as tf

from sslzoo.data import DataError, Dataset, Splits, from_array, load, restrict

RNG = np.random.default_rng(0)


def numbered(count: int, labels: bool = True) -> Dataset:
    """A dataset whose image i is filled with i and labelled i modulo 7."""
    pixels = np.broadcast_to(np.arange(count, dtype=np.uint16)[:, None, None, None], (count, 2, 3, 1))
    return from_array(pixels, np.arange(count) % 7 if labels else None, name="numbered")


def rows(batches: tf.data.Dataset) -> list[dict[str, np.ndarray]]:
    return list(batches.as_numpy_iterator())


def order(batches: tf.data.Dataset) -> np.ndarray:
    return np.concatenate([batch["index"] for batch in rows(batches)])


# What a step holds


def test_the_order_is_a_function_of_seed_epoch_and_position():
    first, second = order(numbered(50).batches(7, seed=3, stop=30)), order(numbered(50).batches(7, seed=3, stop=30))
    other_seed, in_twos = (
        order(numbered(50).batches(7, seed=4, stop=30)),
        order(numbered(50).batches(14, seed=3, stop=3)),
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other_seed).any()
    np.testing.assert_array_equal(first[:42], in_twos)  # the batch size only cuts the epoch's order into pieces


def test_the_order_stays_as_it_is_across_versions():
    assert order(numbered(50).batches(5, seed=0, stop=2)).tolist() == [11, 20, 48, 41, 45, 37, 49, 25, 42, 0]


@pytest.mark.parametrize("start", [1, 6, 7, 20])
def test_starting_late_gives_what_an_uninterrupted_run_gives_then(start):
    whole, late = (
        rows(numbered(50).batches(7, seed=3, stop=30)),
        rows(numbered(50).batches(7, seed=3, start=start, stop=30)),
    )
    assert len(late) == 30 - start
    for there, here in zip(whole[start:], late, strict=True):
        for name in there:
            np.testing.assert_array_equal(there[name], here[name], err_msg=name)


def test_starting_at_a_far_step_takes_no_time():
    began = time.monotonic()
    step = next(numbered(50).batches(7, seed=3, start=10**12).as_numpy_iterator())["step"]
    assert step.tolist() == [10**12] * 7
    assert time.monotonic() - began < 5


def test_no_image_comes_twice_in_an_epoch_and_all_come_over_the_epochs():
    epochs = order(numbered(50).batches(7, seed=1, stop=7 * 20)).reshape(20, 49)
    assert all(len(set(epoch)) == 49 for epoch in epochs)
    assert set(epochs.ravel()) == set(range(50))


def test_epochs_and_seeds_have_unrelated_orders():
    count = 60_000
    orders = [order(numbered(count).batches(count, seed=seed, start=epoch, stop=epoch + 1)) for seed, epoch in
              [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0)]]  # fmt: skip
    correlations = np.corrcoef(orders)[np.triu_indices(5, 1)]
    neighbours = [np.corrcoef(order[1:], order[:-1])[0, 1] for order in orders]
    assert np.abs([*correlations, *neighbours]).max() < 5 / np.sqrt(count)


def test_the_columns_say_image_step_row_index_and_label():
    for step, batch in enumerate(rows(numbered(50).batches(7, seed=0, stop=9))):
        assert set(batch) == {"image", "size", "index", "row", "step", "label"}
        np.testing.assert_array_equal(
            batch["image"], np.broadcast_to(batch["index"][:, None, None, None], (7, 2, 3, 1))
        )
        np.testing.assert_array_equal(batch["label"], batch["index"] % 7)
        assert batch["row"].tolist() == list(range(7)) and batch["step"].tolist() == [step] * 7
        assert batch["size"].tolist() == [[2, 3]] * 7
    assert {name: column.dtype.name for name, column in batch.items()} == {
        "image": "uint16", "size": "int32", "index": "int64", "row": "int32", "step": "int64", "label": "int32",
    }  # fmt: skip


def test_there_is_no_label_column_without_labels():
    assert "label" not in numbered(10, labels=False).batches(5).element_spec


@pytest.mark.parametrize("in_memory", [True, False])
def test_shapes_are_static_where_batches_are_full(in_memory):
    dataset = dataclasses.replace(numbered(10), in_memory=in_memory)
    shapes = {name: tuple(spec.shape) for name, spec in dataset.batches(4).element_spec.items()}
    assert shapes == {"image": (4, 2, 3, 1), "size": (4, 2), "index": (4,), "row": (4,), "step": (4,), "label": (4,)}


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_pass_in_order_ends_with_a_short_batch_if_asked_to(in_memory):
    dataset = dataclasses.replace(numbered(10), in_memory=in_memory)
    assert order(dataset.batches(4)).tolist() == list(range(8))
    assert [batch["row"].tolist() for batch in rows(dataset.batches(4, drop_remainder=False))] == [
        [0, 1, 2, 3], [0, 1, 2, 3], [0, 1],
    ]  # fmt: skip
    assert order(dataset.batches(4, drop_remainder=False, start=1)).tolist() == list(range(4, 10))
    assert order(dataset.batches(99, drop_remainder=False)).tolist() == list(range(10))


def test_one_image_can_be_dealt_out_for_ever():
    assert order(numbered(1).batches(1, seed=0, stop=3)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("size", [0, -1, 11])
def test_a_batch_that_cannot_be_filled_is_refused_with_both_numbers(size):
    with pytest.raises(DataError, match=f"10 images.*batch of {size}: set the batch size between 1 and 10"):
        numbered(10).batches(size)


def test_shuffled_batches_cannot_be_short():
    with pytest.raises(DataError, match="always full"):
        numbered(10).batches(3, seed=0, drop_remainder=False)


def test_batches_come_fast_enough_from_memory():
    dataset = from_array(np.zeros((5000, 32, 32, 3), np.uint8))
    batches = dataset.batches(250, seed=0, stop=440)
    for warm in (True, False):
        began = time.monotonic()
        count = sum(1 for _ in batches.take(40 if warm else 440))
    assert count * 250 / (time.monotonic() - began) > 20_000  # 400 000 on two idle cores


def test_a_part_keeps_its_own_labels_and_images():
    part = numbered(20).take([3, 11, 5]).take(slice(1, None))
    assert len(part) == 2 and part.labels.tolist() == [4, 5]
    assert part.arrays()[0][:, 0, 0, 0].tolist() == [11, 5]
    assert len(numbered(20).take(np.arange(20) % 2 == 0)) == 10
    with pytest.raises(IndexError):
        numbered(20).take([20])


def test_the_fingerprint_changes_with_pixels_labels_and_shape():
    pixels, labels = RNG.integers(0, 256, (9, 4, 4, 1), np.uint8), np.arange(9)
    other = pixels.copy()
    other[8, 3, 3] += 1
    prints = [
        from_array(pixels, labels).fingerprint(),
        from_array(other, labels).fingerprint(),
        from_array(pixels, labels[::-1]).fingerprint(),
        from_array(pixels).fingerprint(),
        from_array(pixels.reshape(9, 2, 8, 1), labels).fingerprint(),
    ]
    assert len(set(prints)) == 5 and all(len(text) == 16 for text in prints)
    assert prints[0] == from_array(pixels.copy(), labels, name="other").fingerprint()


# Arrays


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 4, 6), (5, 4, 6, 1), (5, 4, 6, 13)])
def test_arrays_keep_their_pixels(shape, dtype):
    pixels = RNG.integers(0, 2, shape).astype(dtype)
    train, test = load(pixels)
    assert test is None and train.shape == (4, 6, shape[3] if len(shape) == 4 else 1)
    assert train.dtype == (np.float32 if dtype == np.float64 else dtype)
    np.testing.assert_array_equal(train.arrays()[0].reshape(shape), pixels)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((4, 4)), r"images have shape \(4, 4\)"),
        (np.zeros((0, 4, 4)), r"images have shape \(0, 4, 4\)"),
        (np.full((4, 4, 4), 255.0), r"floats from 255 to 255: scale them to \[0, 1\]"),
        (np.full((4, 4, 4), np.nan), r"NaN pixels in 4 of 4 images, the first of them images\[0\]"),
        (np.zeros((4, 4, 4), np.int64), "images are int64: convert them"),
        ((np.zeros((4, 4, 4)), np.zeros(3, int)), "4 images and 3 labels"),
        ((np.zeros((4, 4, 4)), np.zeros(4)), "labels are float64"),
        ((np.zeros((4, 4, 4)), np.zeros((4, 2), int)), r"labels are int64 of shape \(4, 2\)"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused_in_one_line(data, words):
    with pytest.raises(DataError, match=words) as error:
        load(data)
    assert "\n" not in str(error.value)


def test_a_fifth_of_each_class_is_held_out_where_there_are_labels_and_no_test_split():
    train, test = load((np.zeros((100, 2, 2), np.uint8), np.repeat([0, 1], 50)))
    assert np.bincount(train.labels).tolist() == [40, 40] and np.bincount(test.labels).tolist() == [10, 10]
    assert "20 of the 100 images are held out" in train.notes[-1]


def test_a_class_of_one_image_does_not_prevent_holding_out():
    train, test = load((np.zeros((10, 2, 2), np.uint8), np.arange(10)))
    assert (len(train), len(test)) == (8, 2)


def test_holding_out_takes_no_image_twice_and_is_the_same_every_time():
    first, second = (load(numbered(50)) for _ in range(2))
    assert sorted([*first.train.arrays()[0][:, 0, 0, 0], *first.test.arrays()[0][:, 0, 0, 0]]) == list(range(50))
    assert first.train.fingerprint() == second.train.fingerprint()


def test_datasets_splits_and_pairs_of_pairs_are_taken_as_they_are():
    splits = Splits(numbered(10), numbered(5))
    assert load(splits) is splits
    assert load(numbered(10, labels=False)).test is None
    train, test = load(
        ((np.zeros((6, 2, 2), np.uint8), np.zeros((6, 1), int)), (np.zeros((3, 2, 2), np.uint8), np.ones(3, int)))
    )
    assert (len(train), len(test)) == (6, 3) and train.labels.shape == (6,)


def test_some_classes_and_some_images_are_a_fixed_choice():
    whole = Splits(numbered(70), numbered(35))
    few = restrict(whole, classes=3, max_images=20)
    assert set(few.train.labels) == {0, 1, 2} and len(few.train) == 20
    assert len(few.test) == 15, "the test part keeps all images of those classes"
    assert np.array_equal(few.train.arrays()[0][:, 0, 0, 0] % 7, few.train.labels)
    assert few.train.fingerprint() == restrict(whole, 3, 20).train.fingerprint() != whole.train.fingerprint()


@pytest.mark.parametrize(
    "choice, line", [((8, None), "7 classes: choose 2 to 7"), ((1, None), "choose 2 to 7"), ((None, 1), "at least 2")]
)
def test_a_choice_that_the_data_has_not_gets_one_line(choice, line):
    with pytest.raises(DataError, match=line):
        restrict(Splits(numbered(70)), *choice)
