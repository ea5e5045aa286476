"""Details in which methods follow the authors' code: heads per resolution, schedules, denominators, near-collapse."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from families import spread

from sslzoo import catalog, losses, methods, optimizers
from sslzoo.evaluators import spectrum
from sslzoo.layers.targets import cosine_to_zero
from sslzoo.testing.miniatures import batch, batches, build
from sslzoo.training import loop
from sslzoo.training.checkpoints import Checkpoints
from sslzoo.views import presets
from sslzoo.views.colour import Solarize
from sslzoo.views.geometry import Blur, Crop
from sslzoo.views.operation import whole

RNG = np.random.default_rng(0)


def unit(z):
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


# Directions and distances.


def test_a_vector_of_zero_has_no_direction_and_gets_no_gradient():
    p, z = tf.Variable([[0.0, 0.0], [1e-9, 0.0], [3.0, 4.0]]), tf.constant([[1.0, 1.0]] * 3)
    with tf.GradientTape() as tape:
        loss = losses.negative_cosine(p, z)
    gradient = np.array(tape.gradient(loss, p))
    np.testing.assert_array_equal(gradient[:2], 0)
    assert np.abs(gradient[2]).max() > 0
    np.testing.assert_allclose(losses.unit(p), [[0, 0], [0, 0], [0.6, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(losses.unit([[1e-4, 0.0]]), [[1.0, 0.0]], rtol=1e-6)


def test_sim_siam_learns_with_a_hidden_layer_of_one_unit():
    """Half of the predictions are zero in the first step; their gradient used to move the bias out of reach."""
    model = build("sim_siam", hidden_dim=1)
    model.fit(batches(model, 30), verbose=0)
    assert float(model.objective(**model(batch(model), training=True))) < -0.2


def test_uniformity_and_mined_triplets_are_exact_near_collapse_and_for_rows_of_zero():
    z = (np.ones((12, 8)) + 1e-4 * RNG.normal(size=(12, 8))).astype("float32")
    u = unit(z.astype("float64"))
    squared = np.sum((u[:, None] - u[None]) ** 2, axis=-1)
    pairs = ~np.eye(12, dtype=bool)
    assert 0 < squared[pairs].min() < 1e-7, "below the rounding errors of 2 - 2 cos in float32"
    t = 1e7
    expected = math.log(np.exp(-t * squared)[pairs].mean())
    assert float(losses.uniformity(z, t=t)) == pytest.approx(expected, rel=1e-2)
    zeros = np.concatenate([np.zeros((1, 4)), np.eye(4)[:2]]).astype("float32")
    expected = math.log(np.mean([math.exp(-2), math.exp(-2), math.exp(-4)]))
    assert float(losses.uniformity(zeros)) == pytest.approx(expected, rel=1e-5)


def test_a_negative_of_zero_is_at_distance_one():
    z_a, z_b = np.array([[0.0, 0.0], [1.0, 0.0]], "float32"), np.array([[0.0, 0.0], [1.0, 0.0]], "float32")
    # Squared distances: 0 to the positives, 1 between the examples; 2 - 2 cos would be 2 for both.
    assert float(losses.mined_triplet(z_a, z_b, margin=3.0, mining="all")) == pytest.approx(2.0)


def test_msn_has_no_floor_for_rare_clusters():
    """Sharpened probabilities of e^-800 are kept apart, and gradients reach clusters that no anchor uses."""
    targets = np.array([[1.0, -1.0, 0.9]], "float32")
    anchors = tf.Variable([[[1.0, -1.0, 0.5]]])
    with tf.GradientTape() as tape:
        loss = losses.msn(anchors, targets, temperature=0.01, sinkhorn_iterations=0, prior_reverse=True)
    logs = np.array([1.0, -1.0, 0.5]) / 0.01
    logs = logs - np.log(np.exp(logs - logs.max()).sum()) - logs.max()
    expected = -logs[0] + np.sum((np.log(1 / 3) - logs) / 3)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert np.abs(tape.gradient(loss, anchors)[0, 0, 1]) > 1


@pytest.mark.parametrize("reverse", [False, True])
def test_pmsns_divergence_has_a_direction(reverse):
    model = build("msn", prior_exponent=0.25, prior_reverse=reverse, me_max_weight=2.0)
    outputs = model(batch(model), training=True)
    anchors = np.array(model.scores(outputs["z"])) / 0.1
    p = np.exp(anchors - anchors.max(-1, keepdims=True))
    p = (p / p.sum(-1, keepdims=True)).reshape(-1, 24)
    without = build("msn", me_max_weight=0.0)
    expected = 2 * losses.prior_divergence(p, exponent=0.25, reverse=reverse)
    assert float(model.objective(**outputs)) == pytest.approx(float(without.objective(**outputs) + expected), rel=1e-4)


# Heads, schedules, learning rates and decay.


def test_msns_head_normalizes_the_masked_view_apart_from_the_small_crops():
    model = build("msn", patch_drop=0.0)
    views = batch(model)["views"]
    dark = {**batch(model), "views": (views[0], views[1], *(0.1 * view for view in views[2:]))}
    z = model(dark, training=True)["z"]
    masked = model.projector(model.encoder(views[1]), training=True)
    np.testing.assert_allclose(z[:, 0], masked, atol=1e-4)
    features = model.encoder(np.concatenate(dark["views"][2:]))
    small = np.split(np.array(model.projector(features, training=True)), 10)
    np.testing.assert_allclose(z[:, 1:], np.stack(small, 1), atol=1e-4)


@pytest.mark.parametrize("name", spread(["byol", "tico", "msn", "dino", "moco_v3"], ["byol", "moco_v3"]))
def test_schedules_of_targets_are_read_before_the_step_but_after_it_in_moco_v3(name):
    model = build(name, ema_rate=0.5)
    model.total_steps = 4
    target, rates = model.teacher if name == "dino" else model.target, []
    target.update = lambda rate: rates.append(float(rate))
    model.run_eagerly = True
    model.fit(batches(model, 3), verbose=0)
    steps = (1, 2, 3) if name == "moco_v3" else (0, 1, 2)
    linear = [0.5 * (1 - k / 5) for k in steps]
    cosine = [0.5 * (math.cos(math.pi * k / 4) + 1) / 2 for k in steps]
    np.testing.assert_allclose(rates, linear if name == "msn" else cosine, rtol=1e-5)
    assert float(cosine_to_zero(0.5, 0.0)) == 0.5


def test_prototypes_of_msn_do_not_decay():
    model = build("msn")
    for optimizer in (optimizers.make("adam", 1.0, 0.1), optimizers.make("lars", 1.0, 0.1), keras.optimizers.AdamW()):
        model.compile(optimizer)
        model.compile(optimizer)
        kernels = [weight for weight in model.trainable_weights if len(weight.shape) > 1]
        spared = [weight.path for weight in kernels if not optimizer._use_weight_decay(weight)]
        assert spared == [model.scores.kernel.path] and len(kernels) > 5


def test_defaults_and_presets_are_the_papers():
    assert catalog.method_knobs("barlow_twins")["vector_rate"].default == 0.024
    assert catalog.method_knobs("moco_v3")["temperature"].default == 1.0
    assert methods.MoCoV3.views == "moco_v3" and methods.SupCon.views == "sup_con"
    first, second = presets.moco_v3(224)
    # BYOL's views but for the crop and for what is of PyTorch: the interpolation and the uncut blur.
    pairs = zip(presets.moco_v3(224), presets.byol(224), strict=True)
    assert all(one.operations[1:4] == other.operations[1:4] for one, other in pairs)
    assert first.operations[0] == Crop((0.2, 1.0)) and first.operations[4] == Blur(p=1.0, uncut=True)
    assert second.operations[4:] == (Blur(p=0.1, uncut=True), Solarize(p=0.2))
    view, same = presets.sup_con(224)
    crop, flip, jitter, gray = view.operations
    assert view == same and crop.scale == (0.2, 1.0) and (flip.p, gray.p) == (0.5, 0.2)
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue, jitter.p) == (0.4, 0.4, 0.4, 0.1, 0.8)


# Denominators, banks, spectra and crops.


def attract_by_the_code(z_a, z_b, labels, t):
    """Each positive against the embeddings of other labels, by loops over both views."""
    z, labels, total = unit(np.concatenate([z_a, z_b]).astype("float64")), np.tile(labels, 2), 0.0
    for i in range(len(z)):
        others = sum(math.exp(z[i] @ z[k] / t) for k in range(len(z)) if labels[k] != labels[i])
        positives = [j for j in range(len(z)) if j != i and labels[j] == labels[i]]
        scores = [math.exp(z[i] @ z[j] / t) for j in positives]
        total -= np.mean([math.log(score / (score + others)) for score in scores])
    return total / len(z)


def test_a_positive_of_spread_does_not_compete_with_others():
    z_a, z_b = RNG.normal(size=(2, 9, 5)).astype("float32")
    labels = np.arange(9) % 3
    value = losses.sup_con(z_a, z_b, labels, temperature=0.5, positives_in_denominator=False)
    assert float(value) == pytest.approx(attract_by_the_code(z_a, z_b, labels, 0.5), rel=1e-5)
    one_class = losses.sup_con(z_a, z_b, np.zeros(9), temperature=0.5, positives_in_denominator=False)
    assert float(one_class) == pytest.approx(0, abs=1e-6)
    alone = losses.sup_con(z_a, z_b, np.arange(9), temperature=0.5, positives_in_denominator=False)
    assert float(alone) == pytest.approx(float(losses.nt_xent(z_a, z_b, temperature=0.5)), rel=1e-5)


def in_parts(model):
    """Batches of eight images in turn, by step."""
    whole_batch = batch(model)

    def of(step):
        rows = slice(step % 4 * 8, (step % 4 + 1) * 8)
        return tf.nest.map_structure(lambda column: column[rows], whole_batch)

    def made(start, stop):
        parts = [of(step) for step in range(start, stop)]
        columns = tf.nest.map_structure(lambda *rows: np.stack(rows), *parts)
        return tf.data.Dataset.from_tensor_slices(columns)

    return made


@pytest.mark.long
def test_deep_cluster_fills_its_banks_before_the_first_step(tmp_path, mirrored):
    losses_found = []
    for scope in (None, mirrored.scope()):
        with scope or tf.distribute.get_strategy().scope():
            model = build("deep_cluster_v2")
        model.steps_per_epoch, seen = 4, []
        note = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda number, logs, model=model, seen=seen: seen.append(
                (number, logs["loss"], int(np.sum(np.array(model.labels) < 0)))
            )
        )
        folder = tmp_path / str(scope is None)
        loop.train(model, in_parts(model), 1, 4, Checkpoints(model, folder), [note])
        assert [missing for _, _, missing in seen] == [0] * 4, "every image has a label from the first step"
        losses_found.append(seen[0][1])
        again = build("deep_cluster_v2")
        again.prepare = None  # a resumed run has its banks
        loop.train(again, in_parts(again), 1, 4, Checkpoints(again, folder), [])
    assert losses_found[0] > 0.1 and losses_found[0] == pytest.approx(losses_found[1], rel=1e-4)


def test_alpha_req_is_fitted_to_ranks_4_to_100():
    ranks = np.arange(1.0, 301)
    variances = ranks**-1.5
    variances[:3], variances[100:] = (50, 9, 8), 1e-4 * variances[100:]
    assert spectrum.power_law(variances) == pytest.approx(1.5)
    assert spectrum.power_law(variances, first=1) != pytest.approx(1.5, abs=0.1)
    assert spectrum.power_law(np.ones(5)) is None and spectrum.power_law(np.ones(6)) == pytest.approx(0)


@pytest.mark.parametrize("sides", [(100, 400), (400, 100), (40, 60)])
@pytest.mark.parametrize("scale", [(0.08, 1.0), (0.9, 1.0), (0.2, 0.3)])
def test_crops_of_elongated_images_keep_the_ratio_and_are_central_where_none_fits(sides, scale):
    crop = Crop(scale)
    box = crop.place(whole(tf.fill((2000, 2), 1) * [sides]), crop.draw(tf.constant([1, 2]), 2000))
    top, left, height, width = (np.array(column) for column in box[:4])
    ratio = width / height
    assert (0.72 < ratio).all() and (ratio < 1.39).all(), "3/4 to 4/3, up to whole pixels"
    assert (top + height <= sides[0]).all() and (left + width <= sides[1]).all()
    if scale[0] == 0.9 and max(sides) == 400:
        largest = (100, 133) if sides[0] == 100 else (133, 100)
        assert np.array_equal(np.stack([height, width], 1), [largest] * 2000)
        central = [(side - taken) // 2 for side, taken in zip(sides, largest, strict=True)]
        assert np.array_equal(np.stack([top, left], 1), [central] * 2000)
    bound = crop.largest(*sides)
    assert height.max() <= bound[0] and width.max() <= bound[1]
