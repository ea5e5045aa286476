"""Clustering and self-distillation: losses against the papers' formulas as loops, and what their methods keep."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import encoders, losses, methods
from sslzoo.layers.heads import Prototypes
from sslzoo.layers.targets import STATISTICS
from sslzoo.testing.miniatures import COUNT, SIZE, batch, batches, build, flat, transformer
from sslzoo.utils import replicas
from sslzoo.views import Views, presets

RNG = np.random.default_rng(0)


def unit(z):
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def softmax(x):
    e = np.exp(x.astype("float64") - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def cosines(*shape):
    return RNG.uniform(-1, 1, shape).astype("float32")


def sinkhorn_by_the_authors(scores, epsilon, iterations):
    """Facebook's listing in arXiv 2006.09882, appendix A, one division at a time."""
    q = np.exp(scores.astype("float64") / epsilon).T
    q /= q.sum()
    prototypes, images = q.shape
    for _ in range(iterations):
        for k in range(prototypes):
            q[k] /= q[k].sum() * prototypes
        for n in range(images):
            q[:, n] /= q[:, n].sum() * images
    return (q * images).T


@pytest.mark.parametrize("epsilon, iterations", [(0.05, 3), (0.5, 1), (0.03, 10)])
def test_codes_are_those_of_the_authors(epsilon, iterations):
    scores = cosines(9, 5)
    codes = losses.sinkhorn(scores, epsilon=epsilon, iterations=iterations)
    np.testing.assert_allclose(codes, sinkhorn_by_the_authors(scores, epsilon, iterations), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(np.sum(codes, axis=1), 1, rtol=1e-5)


def test_codes_use_all_prototypes_alike():
    codes = np.array(losses.sinkhorn(unit(RNG.normal(size=(256, 64))) @ unit(RNG.normal(size=(30, 64))).T))
    assert 7.5 < codes.sum(0).min() <= codes.sum(0).max() < 9.5, "256 / 30 is 8.53"
    np.testing.assert_allclose(
        np.sum(losses.sinkhorn(cosines(12, 4), epsilon=0.5, iterations=100), axis=0), 3, rtol=1e-4
    )


def test_codes_of_equal_scores_are_uniform_and_follow_a_permutation():
    np.testing.assert_allclose(losses.sinkhorn(np.ones((6, 4))), 0.25, rtol=1e-6)
    scores, order = cosines(8, 5), RNG.permutation(8)
    np.testing.assert_allclose(losses.sinkhorn(scores[order]), np.array(losses.sinkhorn(scores))[order], rtol=1e-4)


def test_codes_are_finite_for_a_tiny_epsilon_and_pass_no_gradient():
    assert np.isfinite(losses.sinkhorn(cosines(8, 5), epsilon=1e-3)).all()
    scores = tf.Variable(cosines(8, 5))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(losses.sinkhorn(scores) ** 2)
    assert tape.gradient(loss, scores) is None


def entropy_of_pairs(targets, logits):
    """Cross-entropies of every target view with every other view, by loops."""
    found = []
    for t in range(targets.shape[1]):
        for v in range(logits.shape[1]):
            if t != v:
                logs = np.log(softmax(logits[:, v]))
                found.append(np.mean([-targets[n, t] @ logs[n] for n in range(len(logs))]))
    return np.mean(found)


def test_each_view_is_compared_with_the_targets_of_the_others():
    targets, logits = softmax(RNG.normal(size=(5, 2, 7))), RNG.normal(size=(5, 4, 7)).astype("float32")
    value = losses.cross_view_entropy(logits, targets.astype("float32"))
    assert float(value) == pytest.approx(entropy_of_pairs(targets, logits), rel=1e-5)
    itself = targets.copy()
    itself[:, 0] = 0  # what is left of a sum over t then compares the views with target 1 alone
    alone = losses.cross_view_entropy(logits, itself.astype("float32"))
    shouting = logits.copy()
    shouting[:, 1] += 10 * RNG.normal(size=(5, 7))  # the view of target 1
    assert float(losses.cross_view_entropy(shouting, itself.astype("float32"))) == pytest.approx(float(alone), rel=1e-5)


@pytest.mark.parametrize("temperature, epsilon", [(0.1, 0.05), (0.3, 0.2)])
def test_swapped_prediction_is_the_papers(temperature, epsilon):
    a, b = cosines(6, 5), cosines(6, 5)
    q_a, q_b = (sinkhorn_by_the_authors(scores, epsilon, 3) for scores in (a, b))
    expected = entropy_of_pairs(np.stack([q_a, q_b], 1), np.stack([a, b], 1) / temperature)
    assert float(losses.swapped_prediction(a, b, temperature=temperature, epsilon=epsilon)) == pytest.approx(
        expected, rel=1e-4
    )
    assert float(losses.swapped_prediction(b, a, temperature=temperature, epsilon=epsilon)) == pytest.approx(
        expected, rel=1e-4
    )


def test_equal_scores_give_the_logarithm_of_the_prototypes():
    same = np.zeros((4, 3000), "float32")
    assert float(losses.swapped_prediction(same, same)) == pytest.approx(8.006, abs=1e-3)
    views = np.zeros((4, 2, 4096), "float32")
    assert float(losses.dino(views, views, np.zeros(4096))) == pytest.approx(8.318, abs=1e-3)
    assert float(losses.msn(views, views[:, 0])) == pytest.approx(8.318, abs=1e-3)


def test_dino_is_the_papers():
    student, teacher = cosines(5, 4, 7), cosines(5, 2, 7)
    centre = cosines(7)
    targets = softmax((teacher - centre) / 0.07)
    expected = entropy_of_pairs(targets, student / 0.1)
    assert float(
        losses.dino(student, teacher, centre, student_temperature=0.1, teacher_temperature=0.07)
    ) == pytest.approx(expected, rel=1e-4)
    assert float(
        losses.dino(student + 3, teacher - 5, centre, student_temperature=0.1, teacher_temperature=0.07)
    ) == pytest.approx(expected, rel=1e-4)


def test_dino_of_one_crop_of_the_student_and_another_of_the_teacher_is_their_cross_entropy():
    student, teacher, centre = cosines(8, 6), cosines(8, 6), cosines(6)
    expected = -np.mean(np.sum(softmax((teacher - centre) / 0.04) * np.log(softmax(student / 0.1)), axis=1))
    assert float(losses.dino(student, teacher, centre)) == pytest.approx(expected, rel=1e-5)


def test_dino_of_equal_networks_is_the_teachers_entropy_and_its_gradient_goes_to_the_student():
    logits = np.repeat(cosines(5, 1, 7), 2, axis=1)
    p = softmax(logits / 0.1)
    student, teacher = tf.Variable(logits), tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = losses.dino(student, teacher, np.zeros(7), student_temperature=0.1, teacher_temperature=0.1)
    assert float(loss) == pytest.approx(-np.mean(np.sum(p * np.log(p), -1)), rel=1e-4)
    of_student, of_teacher = tape.gradient(loss, [student, teacher])
    assert of_teacher is None
    np.testing.assert_allclose(of_student, 0, atol=1e-6)  # its minimum


def test_sharpening_is_a_power():
    np.testing.assert_allclose(losses.sharpen([[0.5, 0.3, 0.2]]), [[0.8657, 0.1122, 0.0222]], atol=1e-4)
    np.testing.assert_allclose(losses.sharpen([[1.0, 0.0]]), [[1, 0]], atol=1e-6)


def test_mean_entropy_is_zero_for_even_use_and_log_k_for_one_cluster():
    assert float(losses.me_max(np.eye(8))) == pytest.approx(0, abs=1e-6)
    assert float(losses.me_max(np.full((3, 8), 1 / 8))) == pytest.approx(0, abs=1e-6)
    assert float(losses.me_max(np.tile(np.eye(8)[3], (5, 1)))) == pytest.approx(np.log(8), rel=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_prior_is_a_power_law(reverse):
    prior = np.arange(1, 1025) ** -0.25
    prior /= prior.sum()
    assert -np.sum(prior * np.log(prior)) == pytest.approx(6.8894, abs=1e-4)
    rows = np.tile(prior, (2, 1)).astype("float32")
    assert float(losses.prior_divergence(rows, exponent=0.25, reverse=reverse)) == pytest.approx(0, abs=1e-5)
    assert float(losses.me_max(rows)) == pytest.approx(0.042, abs=1e-3)
    p = softmax(RNG.normal(size=(6, 1024))).mean(0)
    expected = np.sum(prior * np.log(prior / p)) if reverse else np.sum(p * np.log(p / prior))
    assert float(losses.prior_divergence(p[None], exponent=0.25, reverse=reverse)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("iterations, weight, exponent", [(3, 1.0, 0.0), (0, 2.0, 0.25)])
def test_msn_is_the_papers(iterations, weight, exponent):
    anchors, targets = cosines(6, 3, 5), cosines(6, 5)
    sharp = softmax(targets / 0.1) ** (1 / 0.25)
    codes = sharp / sharp.sum(1, keepdims=True)
    codes = sinkhorn_by_the_authors(np.log(codes), 1.0, iterations) if iterations else codes
    p = softmax(anchors / 0.1)
    entropies = [-codes[n] @ np.log(p[n, view]) for n in range(6) for view in range(3)]
    prior = np.arange(1, 6) ** -float(exponent)
    mean = p.reshape(-1, 5).mean(0)
    expected = np.mean(entropies) + weight * np.sum(mean * np.log(mean / (prior / prior.sum())))
    value = losses.msn(
        anchors,
        targets,
        temperature=0.1,
        sharpening=0.25,
        sinkhorn_iterations=iterations,
        me_max_weight=weight,
        prior_exponent=exponent,
    )
    assert float(value) == pytest.approx(expected, rel=1e-4)


def blobs(count=60):
    """Rows around three orthogonal directions, and which."""
    label = np.arange(count) % 3
    return unit(np.eye(8)[label] + 0.15 * RNG.normal(size=(count, 8))).astype("float32"), label


def test_kmeans_finds_three_blobs_and_never_gets_worse():
    rows, label = blobs()
    centroids, last = rows[:3], -1.0
    for _ in range(5):
        value = np.mean(np.max(rows @ np.array(centroids).T, axis=1))
        assert value >= last - 1e-6
        centroids, last = losses.kmeans_step(rows, centroids), value
    np.testing.assert_allclose(centroids, losses.spherical_kmeans(rows, rows[:3], iterations=5), atol=1e-6)
    found = np.array(losses.nearest_centroid(rows, centroids))
    assert len({(a, b) for a, b in zip(found, label, strict=True)}) == 3
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1, rtol=1e-5)


def test_a_step_of_kmeans_is_the_normalized_mean_of_the_members():
    rows, centroids = unit(RNG.normal(size=(20, 4))).astype("float32"), unit(RNG.normal(size=(6, 4))).astype("float32")
    centroids[5] = -unit(rows.sum(0))  # few rows, perhaps none
    weights = (np.arange(20) < 12).astype("float32")
    expected = centroids.copy()
    for k in range(6):
        members = [row for row, weight in zip(rows, weights, strict=True) if weight and np.argmax(centroids @ row) == k]
        expected[k] = unit(np.sum(members, axis=0)) if members else centroids[k]
    np.testing.assert_allclose(losses.kmeans_step(rows, centroids, weights=weights), expected, atol=1e-5)


def test_many_rows_are_compared_in_parts(monkeypatch):
    rows, centroids = RNG.normal(size=(50, 4)).astype("float32"), RNG.normal(size=(7, 4)).astype("float32")
    whole = losses.nearest_centroid(rows, centroids)
    monkeypatch.setattr("sslzoo.losses.clustering.BLOCK", 16)
    np.testing.assert_array_equal(losses.nearest_centroid(rows, centroids), whole)
    np.testing.assert_array_equal(whole, np.argmax(rows @ unit(centroids).T, axis=1))


def test_images_without_a_cluster_count_for_nothing():
    scores, labels = cosines(4, 3, 5), np.array([2, -1, 0, -1])
    logs = np.log(softmax(scores / 0.1))
    expected = -np.mean([logs[n, v, labels[n]] for n in (0, 2) for v in range(3)])
    assert float(losses.cluster_cross_entropy(scores, labels)) == pytest.approx(expected, rel=1e-5)
    variable = tf.Variable(scores)
    with tf.GradientTape() as tape:
        loss = losses.cluster_cross_entropy(variable, np.full(4, -1))
    assert float(loss) == 0 and not np.any(tape.gradient(loss, variable))


def test_groups_move_to_the_mean_of_what_they_gain():
    groups, z = unit(RNG.normal(size=(12, 4))).astype("float32"), RNG.normal(size=(9, 4)).astype("float32")
    own = np.argmax(unit(z) @ groups.T, axis=1)
    expected = groups.copy()
    for k in set(own):
        expected[k] = 0.9 * groups[k] + 0.1 * unit(z)[own == k].mean(0)
    np.testing.assert_allclose(losses.update_groups(groups, z, rate=0.1), expected, atol=1e-5)
    unused = sorted(set(range(12)) - set(own))
    assert unused and np.array_equal(np.array(losses.update_groups(groups, z, rate=0.1))[unused], groups[unused])
    np.testing.assert_array_equal(losses.update_groups(groups, z, rate=0.0), groups)


def test_smog_classifies_predictions_as_groups_whose_update_passes_the_gradient():
    groups, p = RNG.normal(size=(5, 4)).astype("float32"), RNG.normal(size=(9, 4)).astype("float32")
    labels = RNG.integers(0, 5, 9)
    logs = np.log(softmax(unit(p) @ unit(groups).T / 0.2))
    expected = -np.mean([logs[n, labels[n]] for n in range(9)])
    assert float(losses.group_cross_entropy(p, labels, groups, temperature=0.2)) == pytest.approx(expected, rel=1e-5)
    z = tf.Variable(RNG.normal(size=(9, 4)).astype("float32"))
    with tf.GradientTape() as tape:
        loss = losses.group_cross_entropy(p, labels, losses.update_groups(groups, z, rate=0.5), temperature=0.2)
    assert np.abs(tape.gradient(loss, z)).max() > 1e-4


# Against lightly's own values, where it can be imported.


def test_sinkhorn_and_swav_are_lightlys():
    torch, swav_loss = pytest.importorskip("torch"), pytest.importorskip("lightly.loss.swav_loss")
    high, low, queue = [cosines(8, 6) for _ in range(2)], [cosines(8, 6)], [cosines(16, 6) for _ in range(2)]
    np.testing.assert_allclose(losses.sinkhorn(high[0]), swav_loss.sinkhorn(torch.tensor(high[0])), rtol=1e-3)
    parts = ([torch.tensor(x) for x in part] for part in (high, low, queue))
    codes = [losses.sinkhorn(np.concatenate([q, x]))[16:] for q, x in zip(queue, high, strict=True)]
    value = losses.cross_view_entropy(np.stack([*high, *low], 1) / 0.1, np.stack(codes, 1))
    assert float(value) == pytest.approx(float(swav_loss.SwaVLoss()(*parts)), rel=1e-4)


def test_dino_is_lightlys():
    torch, loss = pytest.importorskip("torch"), pytest.importorskip("lightly.loss")
    student, teacher, centre = cosines(8, 4, 6), cosines(8, 2, 6), cosines(6)
    theirs = loss.DINOLoss(6)
    theirs.center.data = torch.tensor(centre)[None, None]
    lists = ([torch.tensor(x[:, view]) for view in range(x.shape[1])] for x in (teacher, student))
    assert float(losses.dino(student, teacher, centre)) == pytest.approx(float(theirs(*lists)), rel=1e-4)


@pytest.mark.parametrize("exponent", [0.0, 0.25])
def test_msn_is_lightlys(exponent):
    torch, loss = pytest.importorskip("torch"), pytest.importorskip("lightly.loss")
    anchors, targets, prototypes = RNG.normal(size=(8, 3, 5)), RNG.normal(size=(8, 5)), RNG.normal(size=(6, 5))
    theirs = loss.PMSNLoss(power_law_exponent=exponent) if exponent else loss.MSNLoss()
    views = np.concatenate([anchors[:, view] for view in range(3)])
    expected = float(theirs(*(torch.tensor(x) for x in (views, targets, prototypes))))
    scores = unit(anchors) @ unit(prototypes).T, unit(targets) @ unit(prototypes).T
    value = float(losses.msn(*scores, me_max_weight=0.0))
    p = softmax(scores[0] / 0.1).reshape(-1, 6)
    value += float(losses.prior_divergence(p, exponent=exponent, reverse=bool(exponent)))
    assert value == pytest.approx(expected, rel=1e-4)


# Views.


@pytest.mark.parametrize("name, local, least", [("multi_crop", 6, 0.14), ("dino", 8, 0.4), ("msn", 10, 0.3)])
def test_small_crops_show_less_of_the_image_than_any_large_one(name, local, least):
    views = getattr(presets, name)(224)
    assert [view.size for view in views] == [224] * 2 + [96] * local
    scales = [view.operations[0].scale for view in views]
    assert scales == [(least, 1.0)] * 2 + [(0.05, least)] * local
    assert [view.size for view in getattr(presets, name)(32, local_crops=2)] == [32] * 4
    assert [view.size for view in getattr(presets, name)(96, local_crops=1)] == [96, 96, 48]
    assert [view.size for view in getattr(presets, name)(32, local_crops=1, local_size=16)] == [32, 32, 16]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["multi_crop", "dino", "msn"])
def test_crops_of_all_sizes_are_made_by_one_batch(name, channels):
    chain = getattr(presets, name)(96, channels, local_crops=2)
    rows = np.arange(4, dtype="int32")
    image = RNG.integers(0, 256, (4, 100, 90, channels)).astype("uint8")
    sizes = np.tile([[100, 90]], (4, 1)).astype("int32")
    made = Views(chain, 4, xla=False)({"image": image, "size": sizes, "row": rows, "step": 0 * rows})["views"]
    assert [view.shape[1:] for view in made] == [(side, side, channels) for side in (96, 96, 48, 48)]
    assert all(np.isfinite(view).all() and 0 <= np.min(view) and np.max(view) <= 1 for view in made)
    assert not np.array_equal(made[2], made[3]), "equal chains draw apart"


@pytest.mark.parametrize("knobs", [{"min_scale": 0.02}, {"local_crops": -1}, {"local_min_scale": 0.0}])
def test_crops_that_make_no_sense_are_refused(knobs):
    with pytest.raises(ValueError, match=next(iter(knobs)) if "min_scale" not in knobs else "local_min_scale"):
        presets.multi_crop(32, **knobs)


# Methods.


def step(model, **numbers):
    """One training step on the usual batch, with what pretraining tells a model of its length."""
    for name, number in numbers.items():
        setattr(model, name, number)
    return model.fit(batches(model, 1), verbose=0).history["loss"][0]


def swav_by_loops(model, outputs, queues=(None, None)):
    z, c = unit(np.array(outputs["z"], "float64")), np.array(model.scores.kernel)
    scores, codes = z @ c, []
    for view, queue in enumerate(queues):
        before = np.zeros((0, c.shape[1])) if queue is None else queue @ c
        codes.append(sinkhorn_by_the_authors(np.concatenate([before, scores[:, view]]), 0.05, 3)[len(before) :])
    return entropy_of_pairs(np.stack(codes, 1), scores / model.temperature)


def test_swav_is_the_papers_with_and_without_a_queue():
    model = build("swav")
    outputs = model(batch(model), training=True)
    assert outputs["z"].shape == (COUNT, 8, 16)
    assert float(model.objective(**outputs)) == pytest.approx(swav_by_loops(model, outputs), rel=1e-4)
    model.total_steps = 10
    model.optimizer.iterations.assign(1)  # 32 of 48 rows
    assert float(model.objective(**outputs)) == pytest.approx(swav_by_loops(model, outputs), rel=1e-4)
    model.optimizer.iterations.assign(2)
    queues = [np.array(queue.rows, "float64") for queue in model.queues]
    full = swav_by_loops(model, outputs, queues)
    assert float(model.objective(**outputs)) == pytest.approx(full, rel=1e-4)
    assert full != pytest.approx(swav_by_loops(model, outputs), rel=1e-3)
    model.queue_start = 0.5
    assert float(model.objective(**outputs)) == pytest.approx(swav_by_loops(model, outputs), rel=1e-4)


def test_swav_queues_hold_the_large_crops_and_may_be_left_out():
    model = build("swav")
    outputs = model(batch(model), training=True)
    model.after_step(**outputs)
    for view, queue in enumerate(model.queues):
        np.testing.assert_allclose(queue.rows[:COUNT], unit(np.array(outputs["z"][:, view])), atol=1e-5)
    without = methods.SwAV(encoders.make("mlp", (SIZE, SIZE, 3)), prototypes=8, queue_size=0)
    assert without.queues == []


def test_swav_leaves_prototypes_alone_for_an_epoch_and_keeps_their_norm():
    model = build("swav", optimizer=keras.optimizers.AdamW(1e-2, weight_decay=0.1))
    before = np.array(model.scores.kernel)
    encoder = flat(model.encoder)
    for _ in range(2):
        step(model, steps_per_epoch=2)
    assert np.array_equal(before, model.scores.kernel), "bitwise"
    assert not np.array_equal(encoder, flat(model.encoder))
    step(model)
    assert not np.array_equal(before, model.scores.kernel)
    np.testing.assert_allclose(np.linalg.norm(model.scores.kernel, axis=0), 1, rtol=1e-5)


@pytest.mark.long
def test_swav_with_its_queue_trains_the_same_on_two_replicas(mirrored):
    def train():
        model = build("swav", optimizer=keras.optimizers.SGD(0.05))
        return [step(model, total_steps=10, steps_per_epoch=1) for _ in range(4)], flat(model)

    found, weights = train()
    with mirrored.scope():
        of_two, weights_of_two = train()
    np.testing.assert_allclose(of_two, found, rtol=1e-4)
    np.testing.assert_allclose(weights_of_two, weights, atol=1e-3)


def test_prototypes_compare_by_cosines():
    layer, z = Prototypes(4, 6, weight_norm=True), RNG.normal(size=(3, 2, 4)).astype("float32")
    layer.kernel.assign(layer.kernel * 7)
    kernel = np.array(layer.kernel)
    np.testing.assert_allclose(layer(z), unit(z) @ unit(kernel.T).T, atol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(z, frozen=True))
    assert not np.any(tape.gradient(loss, layer.kernel.value))


def test_dino_centre_follows_the_teachers_mean():
    model = build("dino")
    outputs = model(batch(model), training=True)
    assert outputs["teacher"].shape == (COUNT, 2, 24) and outputs["student"].shape == (COUNT, 10, 24)
    model.after_step(**outputs)
    mean = np.array(outputs["teacher"]).mean((0, 1))
    np.testing.assert_allclose(model.centre, 0.1 * mean, atol=1e-6)
    model.after_step(**outputs)
    np.testing.assert_allclose(model.centre, 0.19 * mean, atol=1e-6)


def parameters(network):
    return [np.array(weight) for weight in network.weights if weight.name not in STATISTICS]


@pytest.mark.parametrize("rate, moves", [(0.0, False), (1.0, True)])
def test_dino_teacher_follows_at_its_rate(rate, moves):
    model = build("dino")
    model.ema_rate = rate
    before = [parameters(teacher) for teacher in model.teacher.copies]
    step(model)
    expected = [parameters(student) for student in (model.encoder, model.head, model.last_layer)] if moves else before
    for found, wanted in zip(model.teacher.copies, expected, strict=True):
        for one, two in zip(parameters(found), wanted, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-6)
    assert not any(weight.trainable for teacher in model.teacher.copies for weight in teacher.weights)


def test_dino_warms_its_teacher_and_freezes_its_last_layer_for_an_epoch():
    model = build("dino", optimizer=keras.optimizers.Adam(1e-3))
    outputs = model(batch(model), training=True)
    rows = [np.array(outputs[key]) for key in ("student", "teacher")]
    for done, temperature in [(0, 0.04), (15, 0.055), (30, 0.07), (90, 0.07)]:
        model.total_steps = 100
        model.optimizer.iterations.assign(done)
        expected = losses.dino(*rows, np.zeros(24), student_temperature=0.1, teacher_temperature=temperature)
        assert float(model.objective(**outputs)) == pytest.approx(float(expected), rel=1e-5)
    model.optimizer.iterations.assign(0)
    before = np.array(model.last_layer.kernel)
    step(model, steps_per_epoch=1)
    assert np.array_equal(before, model.last_layer.kernel)
    step(model)
    assert not np.array_equal(before, model.last_layer.kernel)


@pytest.mark.parametrize("name, norm", [("resnet18", True), ("conv6", False)])
def test_dino_head_has_batchnorm_where_the_encoder_has_it(name, norm):
    model = methods.DINO(encoders.make(name, (16, 16, 3), width=0.125), hidden_dim=8, prototypes=4)
    kinds = [type(layer) for layer in model.head.layers]
    assert (keras.layers.BatchNormalization in kinds) == norm


@pytest.mark.long
def test_deep_cluster_labels_what_it_has_seen_and_ignores_the_rest():
    model = build("deep_cluster_v2")
    first = {key: value[:8] if key != "views" else tuple(v[:8] for v in value) for key, value in batch(model).items()}
    first["boxes"] = tuple(box[:8] for box in batch(model)["boxes"])
    model.steps_per_epoch = 3
    model.fit(tf.data.Dataset.from_tensors(first), verbose=0)
    labels = np.array(model.labels)
    assert labels.shape == (3, COUNT) and (labels[:, :8] >= 0).all() and (labels[:, 8:] == -1).all()
    rest = {key: value[8:] if key != "views" else tuple(v[8:] for v in value) for key, value in batch(model).items()}
    rest["boxes"] = tuple(box[8:] for box in batch(model)["boxes"])
    encoder = parameters(model.encoder)
    model.compile(keras.optimizers.SGD(0.05))
    model.optimizer.iterations.assign(1)
    assert model.fit(tf.data.Dataset.from_tensors(rest), verbose=0).history["loss"][0] == 0
    assert all(np.array_equal(a, b) for a, b in zip(encoder, parameters(model.encoder), strict=True))
    assert np.array_equal(labels, model.labels) and np.all(np.array(model.seen) == 1)
    model.optimizer.iterations.assign(3)  # the next epoch
    assert step(model) > 0
    assert (np.array(model.labels) >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(model.centroids, axis=-1), 1, rtol=1e-4)


def test_deep_cluster_gives_every_image_its_nearest_centroid_of_the_bank_in_turn():
    model = build("deep_cluster_v2")
    outputs = model(batch(model), training=True)
    model.after_step(**outputs)
    z = unit(np.array(outputs["z"], "float64"))
    for view, bank in enumerate((model.bank_a, model.bank_b)):
        np.testing.assert_allclose(bank.rows, z[:, view], atol=1e-5)
    for clustering in range(3):
        near = np.argmax(z[:, clustering % 2] @ np.array(model.centroids[clustering]).T, axis=1)
        np.testing.assert_array_equal(model.labels[clustering], near)
    assert not np.array_equal(model.labels[0], model.labels[2]), "two clusterings of a bank start apart"
    logs = np.log(softmax(np.einsum("nvd,ckd->cnvk", z, model.centroids) / 0.1))
    labels = np.array(model.labels)
    expected = -np.mean([logs[c, n, :, labels[c, n]].mean() for c in range(3) for n in range(COUNT)])
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-4)


def test_deep_cluster_centroids_stay_within_an_epoch():
    model = build("deep_cluster_v2")
    step(model, steps_per_epoch=2)
    before = np.array(model.centroids)
    step(model)
    assert np.array_equal(before, model.centroids)
    step(model)
    assert not np.array_equal(before, model.centroids)


def test_msn_needs_a_vision_transformer_and_says_so():
    with pytest.raises(ValueError, match="take a vision transformer") as caught:
        methods.MSN(encoders.make("mlp", (SIZE, SIZE, 3)))
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="patch_drop"):
        methods.MSN(transformer(), patch_drop=1.0)


def test_msn_drops_patches_of_the_second_view_in_training_alone():
    model = build("msn")
    model.patch_drop = 0.3
    tokens = np.array(model.tokens(batch(model)["views"][1]))
    kept = np.array(model._drop(tf.constant(tokens)))
    assert kept.shape == (COUNT, 1 + 12, 32), "16 patches lose int(4.8)"
    np.testing.assert_array_equal(kept[:, 0], tokens[:, 0])
    found = [[int(np.argmin(np.abs(tokens[n] - row).sum(1))) for row in kept[n]] for n in range(COUNT)]
    assert all(len(set(rows)) == 13 for rows in found)
    assert len({tuple(sorted(rows)) for rows in found}) > 20, "drawn for each image"
    model.optimizer.iterations.assign(1)
    assert not np.array_equal(kept, model._drop(tf.constant(tokens))), "and for each step"
    whole = model(batch(model), training=False)["z"][:, 0]
    expected = model.projector(model.encoder(batch(model)["views"][1], training=False), training=False)
    np.testing.assert_allclose(whole, expected, atol=1e-5)
    np.testing.assert_allclose(model.embedded_views(batch(model))[1], expected, atol=1e-5)


def test_msn_tokens_and_trunk_are_the_encoder():
    model, image = build("msn"), batch(build("msn"))["views"][0]
    np.testing.assert_allclose(model.trunk(model.tokens(image)), model.encoder(image), atol=1e-6)
    assert len({id(weight) for weight in model.weights}) == len(model.weights)


def test_msn_objective_is_its_loss_of_cosines():
    model = build("msn")
    outputs = model(batch(model), training=True)
    c = unit(np.array(model.scores.kernel).T)
    anchors, targets = (unit(np.array(outputs[key])) @ c.T for key in ("z", "target"))
    assert anchors.shape == (COUNT, 11, 24)
    expected = losses.msn(anchors.astype("float32"), targets.astype("float32"))
    assert float(model.objective(**outputs)) == pytest.approx(float(expected), rel=1e-4)


def test_random_numbers_of_replicas_are_rows_of_one_draw(mirrored):
    expected = replicas.uniform((8, 5), (0, 3))
    found = mirrored.run(lambda: replicas.uniform((4, 5), (0, 3)))
    np.testing.assert_array_equal(
        np.concatenate([x.numpy() for x in mirrored.experimental_local_results(found)]), expected
    )
    assert not np.array_equal(replicas.uniform((8, 5), (0, 4)), expected)


def test_smog_views_change_roles_with_every_step():
    model = build("smog")
    view_a, view_b = batch(model)["views"]
    for done, (view, other) in enumerate([(view_a, view_b), (view_b, view_a)]):
        model.optimizer.iterations.assign(done)
        outputs = model(batch(model), training=False)
        z = model.projector(model.encoder(view, training=False), training=False)
        target = model.target(other, training=False)
        np.testing.assert_allclose(outputs["z"], z, atol=1e-5)
        np.testing.assert_allclose(outputs["target"], target, atol=1e-5)


def test_smog_is_the_papers():
    model = build("smog")
    outputs = model(batch(model), training=True)
    groups = np.array(model.groups)
    labels = np.argmax(np.array(outputs["target"]) @ groups.T, axis=1)
    moved = np.array(losses.update_groups(groups, outputs["z"], rate=0.01))
    logs = np.log(softmax(unit(np.array(outputs["p"])) @ unit(moved).T / 0.1))
    expected = -np.mean(logs[np.arange(COUNT), labels])
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-4)
    model.optimizer.iterations.assign(1)  # as after a step
    model.after_step(**outputs)
    np.testing.assert_allclose(model.groups, moved, atol=1e-6)


def test_smog_starts_its_groups_afresh_and_lets_the_slow_network_catch_up():
    model = build("smog")
    model.reset_interval = 3
    for _ in range(2):
        step(model)
    apart = [
        np.abs(a - b).max() for a, b in zip(*map(parameters, (model.encoder, model.target.copies[0])), strict=True)
    ]
    assert max(apart) > 0 and np.linalg.norm(model.groups, axis=1).min() < 1 - 1e-5
    step(model)
    for one, two in zip(parameters(model.encoder), parameters(model.target.copies[0]), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(model.groups, axis=1), 1, rtol=1e-5)
    rows = np.array(model.queue.rows)
    np.testing.assert_allclose(model.groups, losses.spherical_kmeans(rows, rows[::2], iterations=10), atol=1e-4)


def test_smog_wants_embeddings_for_its_groups():
    with pytest.raises(ValueError, match="raise queue_size"):
        methods.SMoG(encoders.make("mlp", (SIZE, SIZE, 3)), prototypes=50, queue_size=49)
