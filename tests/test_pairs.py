"""Losses of labelled pairs against the papers' formulas as NumPy loops, and what holds for all of them."""

import math

import numpy as np
import pytest
import tensorflow as tf

from sslzoo import losses, methods
from sslzoo.layers.memory import LabelledQueue
from sslzoo.methods.metric import LOSSES
from sslzoo.testing.method_checks import check_learning, check_replicas
from sslzoo.testing.miniatures import batch, build, losses_of

RNG = np.random.default_rng(0)
LABELS = np.array([0, 1, 0, 2, 1, 0, 2, 3])  # the last one has no positive
Z = RNG.normal(size=(8, 5)).astype("float32") * 3
MEMORY, MEMORY_LABELS = RNG.normal(size=(6, 5)).astype("float32"), np.array([3, 1, -1, 0, 2, -1])


def cosines_and_pairs(z, labels, memory=(), memory_labels=()):
    """Cosines, and the lists of positives and negatives of each anchor, by loops."""
    z, memory = (np.asarray(part, "float64").reshape(-1, np.shape(z)[1]) for part in (z, memory))
    keys = np.concatenate([z, memory])
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    every = [*labels, *memory_labels]
    positives = [[k for k in range(len(keys)) if k != i and every[k] == one] for i, one in enumerate(labels)]
    negatives = [[k for k in range(len(keys)) if every[k] not in (one, -1)] for one in labels]
    return keys[: len(z)] @ keys.T, keys, positives, negatives


def multi_similarity(*args, positive_scale=2.0, negative_scale=50.0, base=0.5, epsilon=0.1):
    s, _, positives, negatives = cosines_and_pairs(*args)
    total = 0.0
    for i, (same, other) in enumerate(zip(positives, negatives, strict=True)):
        far = [k for k in same if other and s[i, k] < max(s[i, n] for n in other) + epsilon]
        near = [k for k in other if same and s[i, k] > min(s[i, p] for p in same) - epsilon]
        total += math.log(1 + sum(math.exp(-positive_scale * (s[i, k] - base)) for k in far)) / positive_scale
        total += math.log(1 + sum(math.exp(negative_scale * (s[i, k] - base)) for k in near)) / negative_scale
    return total / len(s)


def circle(*args, margin=0.4, scale=80.0):
    s, _, positives, negatives = cosines_and_pairs(*args)
    total = 0.0
    for i, (same, other) in enumerate(zip(positives, negatives, strict=True)):
        pull = sum(math.exp(-scale * max(0, 1 + margin - s[i, k]) * (s[i, k] - (1 - margin))) for k in same)
        push = sum(math.exp(scale * max(0, s[i, k] + margin) * (s[i, k] - margin)) for k in other)
        total += math.log(1 + pull * push)
    return total / len(s)


def lifted_structure(*args, margin=1.0):
    s, keys, positives, negatives = cosines_and_pairs(*args)
    distances = np.linalg.norm(keys[: len(s), None] - keys[None], axis=-1)
    pairs = [(i, j) for i, same in enumerate(positives) for j in same]
    total = 0.0
    for i, j in pairs:
        row = sum(math.exp(margin - distances[i, k]) for k in negatives[i])
        column = sum(math.exp(margin - distances[k, j]) for k in range(len(s)) if j in negatives[k])
        total += max(0, math.log(row + column) + distances[i, j]) ** 2
    return total / (2 * len(pairs))


def soft_nearest_neighbour(*args, temperature=1.0):
    _, keys, positives, negatives = cosines_and_pairs(*args)
    values = []
    for i, (same, other) in enumerate(zip(positives, negatives, strict=True)):
        near = {k: math.exp(-((keys[i] - keys[k]) ** 2).sum() / temperature) for k in same + other}
        if same:
            values.append(-math.log(sum(near[k] for k in same) / sum(near.values())))
    return np.mean(values)


def positive_negative(*args, margin=None):
    s, keys, positives, negatives = cosines_and_pairs(*args)
    distance, values = 1 - keys @ keys.T, []
    for i, (same, other) in enumerate(zip(positives, negatives, strict=True)):
        if not (same and other):
            continue
        p = max(same, key=lambda k: distance[i, k])
        beyond = [k for k in other if distance[i, k] > distance[i, p]]
        n = min(beyond, key=lambda k: distance[i, k]) if beyond else max(other, key=lambda k: distance[i, k])
        difference = distance[i, p] - min(distance[i, n], distance[p, n])
        values.append(math.log(1 + math.exp(difference)) if margin is None else max(0, difference + margin))
    return np.mean(values)


BY_THE_PAPERS = [
    (multi_similarity, {}),
    (multi_similarity, dict(positive_scale=5.0, negative_scale=10.0, base=0.2, epsilon=0.5)),
    (circle, {}),
    (circle, dict(margin=0.25, scale=16.0)),
    (lifted_structure, {}),
    (lifted_structure, dict(margin=0.3)),
    (soft_nearest_neighbour, {}),
    (soft_nearest_neighbour, dict(temperature=0.2)),
    (positive_negative, {}),
    (positive_negative, dict(margin=0.2)),
]
NAMES = sorted({formula.__name__ for formula, _ in BY_THE_PAPERS})
each_loss = pytest.mark.parametrize("loss", [getattr(losses, name) for name in NAMES], ids=NAMES)


@pytest.mark.parametrize("formula, knobs", BY_THE_PAPERS, ids=lambda part: getattr(part, "__name__", str(part)))
@pytest.mark.parametrize("memory", [(), (MEMORY, MEMORY_LABELS)], ids=["batch", "memory"])
def test_losses_are_the_papers(formula, knobs, memory):
    ours = getattr(losses, formula.__name__)(Z, LABELS, *memory, **knobs)
    assert ours.dtype == "float32"
    assert float(ours) == pytest.approx(formula(Z, LABELS, *memory, **knobs), rel=2e-4)


@each_loss
def test_order_norms_and_names_of_labels_do_not_matter(loss):
    value = float(loss(Z, LABELS, MEMORY, MEMORY_LABELS))
    order, scale = RNG.permutation(len(Z)), RNG.uniform(0.5, 8, (len(Z), 1)).astype("float32")
    assert float(loss(Z[order], LABELS[order], MEMORY, MEMORY_LABELS)) == pytest.approx(value, rel=1e-5)
    assert float(loss(scale * Z, LABELS, 3 * MEMORY, MEMORY_LABELS)) == pytest.approx(value, rel=1e-4)
    renamed, of_memory = (3 - LABELS) * 7, np.where(MEMORY_LABELS < 0, -1, (3 - MEMORY_LABELS) * 7)
    assert float(loss(Z, renamed, MEMORY, of_memory)) == pytest.approx(value, rel=1e-5)


@each_loss
def test_a_memory_without_labels_is_as_none_and_one_with_labels_is_not(loss):
    value = float(loss(Z, LABELS))
    assert float(loss(Z, LABELS, MEMORY, np.full(6, -1))) == pytest.approx(value, rel=1e-6)
    assert float(loss(Z, LABELS, MEMORY, MEMORY_LABELS)) != pytest.approx(value, rel=1e-3)


@each_loss
@pytest.mark.parametrize("labels", [np.arange(8), np.zeros(8, "int32")], ids=["all differ", "one class"])
def test_without_positives_or_negatives_the_loss_and_its_gradient_are_finite(loss, labels):
    z = tf.Variable(Z)
    with tf.GradientTape() as tape:
        value = loss(z, labels)
    assert np.isfinite(value) and np.isfinite(tape.gradient(value, z)).all()
    if len(set(labels)) > 1:
        assert float(value) == 0


@each_loss
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_gradients_are_finite_in_half_precision_where_embeddings_coincide_or_vanish(loss, dtype):
    z = tf.Variable(tf.cast(np.concatenate([Z, Z[:4], 0 * Z[:4], 1e3 * Z]), dtype))
    labels = np.concatenate([LABELS, LABELS[:4], [0, 1, 2, 3], LABELS])
    with tf.GradientTape() as tape:
        value = loss(z, labels)
    gradient = tf.cast(tape.gradient(value, z), "float32")
    assert value.dtype == "float32" and np.isfinite(value) and np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


@each_loss
def test_classes_apart_have_a_smaller_loss_than_classes_mixed(loss):
    apart = np.eye(4, 5, dtype="float32")[LABELS] + 0.05 * Z
    assert float(loss(apart, LABELS)) < 0.7 * float(loss(Z, LABELS))


def test_weights_of_the_circle_loss_have_no_gradient():
    """The gradient of a negative's cosine is proportional to s + margin, not to 2 s."""
    angle = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        z = tf.stack([[1.0, 0.0], [1.0, 0.0], [tf.cos(angle), tf.sin(angle)]])
        value = losses.circle(z, [0, 0, 1], margin=0.25, scale=1.0)
    s = math.cos(1.0)
    pull, push = math.exp(-0.25 * 0.25), math.exp((s + 0.25) * (s - 0.25))
    # Two anchors have a positive; the third has none. The key's gradient counts too.
    expected = 2 / 3 * pull * push / (1 + pull * push) * (s + 0.25) * -math.sin(1.0)
    assert float(tape.gradient(value, angle)) == pytest.approx(expected, rel=1e-4)


def test_a_labelled_queue_holds_directions_and_their_labels():
    queue = LabelledQueue(5, 3)
    assert set(np.array(queue.labels)) == {-1}
    rows = RNG.normal(size=(7, 3)).astype("float32")
    queue.enqueue(rows[:3], [4, 5, 6])
    np.testing.assert_array_equal(queue.labels, [4, 5, 6, -1, -1])
    queue.enqueue(rows[3:], [7, 8, 9, 0])
    np.testing.assert_array_equal(queue.labels, [9, 0, 6, 7, 8])
    expected = rows[[5, 6, 2, 3, 4]]
    np.testing.assert_allclose(queue.rows, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)


def test_the_objective_of_the_method_compares_all_views_and_the_queue():
    model = build("metric", pair_loss="circle", circle_scale=16.0, circle_margin=0.3, queue_size=70)
    losses_of(model, 1)  # fills 64 rows
    outputs = model(batch(model), training=False)
    z, labels = np.reshape(outputs["z"], (-1, 16)), np.repeat(outputs["labels"], 2)
    known = np.array(model.queue.labels)
    assert (known >= 0).sum() == 64
    expected = circle(z, labels, np.array(model.queue.rows), known, margin=0.3, scale=16.0)
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-3)
    model.total_steps, model.queue_start = 10, 0.5
    expected = circle(z, labels, margin=0.3, scale=16.0)
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-3), "not used before its start"


def test_an_unknown_loss_gets_the_nearest_name():
    with pytest.raises(ValueError, match="no pair_loss 'circles': did you mean circle"):
        build("metric", pair_loss="circles")
    assert methods.Metric.supervised


@pytest.mark.long
@pytest.mark.parametrize("name", LOSSES)
def test_two_replicas_train_like_one_with_every_loss(name, mirrored):
    check_replicas("metric", pair_loss=name)
    if name != "lifted_structure":  # its bound falls slowly
        check_learning("metric", pair_loss=name)
