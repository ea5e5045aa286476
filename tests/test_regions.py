"""DetCon, MACL, ReSSL, NNBYOL and All4One: losses against loops and reference values, regions, queues."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from sslzoo import losses
from sslzoo.layers import regions
from sslzoo.layers.memory import Queue
from sslzoo.layers.neighbours import neighbour_transformer
from sslzoo.testing.miniatures import COUNT, batch, build
from sslzoo.views import presets

GOLDEN = Path(__file__).parent / "data" / "golden"
WANTED = json.loads((GOLDEN / "joint.json").read_text())
ARRAYS = dict(np.load(GOLDEN / "joint.npz"))
RNG = np.random.default_rng(0)


def unit(z, axis=-1):
    return z / np.linalg.norm(z, axis=axis, keepdims=True)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def with_gradients(loss, *arrays):
    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    gradients = tape.gradient(value, tensors, unconnected_gradients="zero")
    return float(value), [np.array(gradient) for gradient in gradients]


# DetCon.


def test_det_con_s_is_the_reference():
    ids = ARRAYS["ids_a"], ARRAYS["ids_b"]
    value, gradients = with_gradients(
        lambda a, b: losses.det_con(a, b, a, b, *ids, temperature=0.1), ARRAYS["pred_a"], ARRAYS["pred_b"]
    )
    assert value == pytest.approx(WANTED["detcon_s/0.1"], rel=1e-5)
    wanted = [WANTED[f"detcon_s/0.1/grad:pred_{view}"] for view in "ab"]
    assert [np.linalg.norm(gradient) for gradient in gradients] == pytest.approx(wanted, rel=1e-4)


def det_con_in_loops(z, own, other, own_ids, other_ids, t):
    z, own, other = unit(z), unit(own), unit(other)
    total, (count, samples) = [], own_ids.shape
    for n in range(count):
        for m in range(samples):
            logits = [z[n, m] @ other[k, x] / t for k in range(count) for x in range(samples)]
            logits += [
                z[n, m] @ own[k, x] / t
                for k in range(count)
                for x in range(samples)
                if k != n or own_ids[k, x] != own_ids[n, m]
            ]
            hits = [z[n, m] @ other[n, x] / t for x in range(samples) if other_ids[n, x] == own_ids[n, m]]
            share = 1 / np.sum(own_ids[n] == own_ids[n, m])
            total.append(share * (np.log(np.sum(np.exp(logits))) - np.mean(hits)) if hits else 0.0)
    return np.mean(total)


def test_det_con_is_the_papers_with_targets_apart():
    z_a, z_b, t_a, t_b = (ARRAYS[name].astype("float64") for name in ("pred_a", "pred_b", "target_a", "target_b"))
    ids_a, ids_b = ARRAYS["ids_a"], ARRAYS["ids_b"]
    expected = det_con_in_loops(z_a, t_a, t_b, ids_a, ids_b, 0.2) + det_con_in_loops(z_b, t_b, t_a, ids_b, ids_a, 0.2)
    assert float(losses.det_con(z_a, z_b, t_a, t_b, ids_a, ids_b, temperature=0.2)) == pytest.approx(expected, rel=1e-5)
    swapped = losses.det_con(z_b, z_a, t_b, t_a, ids_b, ids_a, temperature=0.2)
    assert float(swapped) == pytest.approx(expected, rel=1e-5)
    renamed = losses.det_con(z_a, z_b, t_a, t_b, 7 - ids_a, 7 - ids_b, temperature=0.2)
    assert float(renamed) == pytest.approx(expected, rel=1e-5), "ids are names"


def test_det_con_of_one_region_is_twice_nt_xent_and_0_without_common_objects():
    z_a, z_b = normal(2, 9, 1, 6)
    ids = np.zeros((9, 1), "int32")
    value = losses.det_con(z_a, z_b, z_a, z_b, ids, ids, temperature=0.3)
    assert float(value) == pytest.approx(2 * float(losses.nt_xent(z_a[:, 0], z_b[:, 0], temperature=0.3)), rel=1e-5)
    assert float(losses.det_con(z_a, z_b, z_a, z_b, ids, ids + 1, temperature=0.3)) == 0


def test_objects_are_found_by_position_and_sampled_alike():
    where = np.array([[[0.1, 0.1], [0.1, 0.9], [0.6, 0.4], [1.0, 1.0]]], "float32")
    assert np.array(regions.objects(regions.grid(2), where)).tolist() == [[0, 1, 2, 3]]
    segments = np.array([[[5, 5, 5], [7, 7, 7]]])
    assert np.array(regions.objects(segments, where)).tolist() == [[5, 5, 7, 7]]
    ids = np.tile([[4, 4, 4, 4, 4, 9, 2, 2]], (2, 1))
    drawn = np.array(regions.sample(ids, RNG.uniform(size=(2, 6000)).astype("float32")))
    for row in drawn:
        found, counts = np.unique(row, return_counts=True)
        assert found.tolist() == [2, 4, 9]
        np.testing.assert_allclose(counts / 6000, 1 / 3, atol=0.03)


def test_regions_are_means_over_the_places_of_an_object():
    feature_map = normal(2, 2, 2, 3)
    ids = np.array([[1, 1, 0, 1], [0, 0, 0, 0]])
    pooled = np.array(regions.pool(feature_map, ids, np.array([[1, 0], [0, 1]])))
    flat = feature_map.reshape(2, 4, 3)
    np.testing.assert_allclose(pooled[0, 0], flat[0, [0, 1, 3]].mean(0), rtol=1e-5)
    np.testing.assert_allclose(pooled[0, 1], flat[0, 2], rtol=1e-5)
    np.testing.assert_allclose(pooled[1], [flat[1].mean(0), np.zeros(3)], atol=1e-6)


def test_det_con_takes_a_column_of_regions_and_stops_its_targets_in_b_alone():
    names = ("p_a", "p_b", "target_a", "target_b")
    for variant in ("b", "s"):
        model = build("det_con", variant=variant)
        one = {**batch(model), "regions": np.zeros((COUNT, 4, 4), "int32")}
        outputs = {name: np.array(value) for name, value in model(one, training=True).items()}
        assert not outputs["ids_a"].any() and outputs["p_a"].shape == (COUNT, 4, 16)
        outputs = {name: np.array(value) for name, value in model(batch(model), training=True).items()}
        assert set(np.unique(outputs["ids_a"])) <= set(range(9)) and len(np.unique(outputs["ids_a"])) > 3
        ids = {name: outputs[name] for name in ("ids_a", "ids_b")}
        value, gradients = with_gradients(
            lambda *z, model=model, ids=ids: model.objective(**dict(zip(names, z, strict=True)), **ids),
            *(outputs[name] for name in names),
        )
        assert value > 0 and [bool(np.any(gradient)) for gradient in gradients] == [True] * 2 + [variant == "s"] * 2


# MACL, ReSSL.


def macl_in_loops(z_a, z_b, t, alpha, threshold):
    z, count, total = unit(np.concatenate([z_a, z_b]).astype("float64")), len(z_a), []
    partner = [(i + count) % (2 * count) for i in range(2 * count)]
    t = t * (1 + alpha * (np.mean([z[i] @ z[partner[i]] for i in range(2 * count)]) - threshold))
    for i in range(2 * count):
        logits = np.array([z[i] @ z[j] / t for j in range(2 * count) if j != i])
        p = math.exp(z[i] @ z[partner[i]] / t) / np.exp(logits).sum()
        total.append(-math.log(p) / (1 - p))
    return np.mean(total)


@pytest.mark.parametrize("alpha, threshold", [(0.5, 0.0), (1.0, 0.3), (0.0, 0.0)])
def test_macl_is_the_papers(alpha, threshold):
    z_a = normal(7, 5)
    z_b = z_a + 0.5 * normal(7, 5, seed=1)
    value = losses.macl(z_a, z_b, temperature=0.2, alpha=alpha, threshold=threshold)
    assert float(value) == pytest.approx(macl_in_loops(z_a, z_b, 0.2, alpha, threshold), rel=1e-4)


def test_no_gradient_passes_through_temperature_and_weights_of_macl():
    z_a, z_b = ARRAYS["z1"], ARRAYS["z2"]
    _, (gradient, _) = with_gradients(lambda a, b: losses.macl(a, b, temperature=0.1), z_a, z_b)
    z = unit(np.concatenate([z_a, z_b]).astype("float64"))
    t = 0.1 * (1 + 0.5 * np.mean(np.sum(unit(z_a) * unit(z_b), 1)))
    logits = z @ z.T / t - 1e9 * np.eye(32)
    p = softmax(logits)[np.arange(32), (np.arange(32) + 16) % 32]

    def weighted(a, b):
        u = losses.unit(tf.concat([a, b], 0))
        scores = tf.matmul(u, u, transpose_b=True) / t - 1e9 * tf.eye(32)
        logs = tf.nn.log_softmax(scores)
        hit = tf.gather(logs, (np.arange(32) + 16) % 32, batch_dims=1)
        return -tf.reduce_mean(tf.constant(1 / (1 - p), "float32") * hit)

    np.testing.assert_allclose(gradient, with_gradients(weighted, z_a, z_b)[1][0], rtol=1e-3, atol=1e-6)


def test_ressl_is_the_papers_and_stops_the_teacher():
    z, target, queue = ARRAYS["z1"], ARRAYS["z2"], ARRAYS["queue"]
    p = softmax(unit(target).astype("float64") @ unit(queue).T / 0.04)
    logs = np.log(softmax(unit(z).astype("float64") @ unit(queue).T / 0.1))
    value, gradients = with_gradients(losses.relational, z, target, queue)
    assert value == pytest.approx(-np.mean(np.sum(p * logs, 1)), rel=1e-5)
    assert np.any(gradients[0]) and not np.any(gradients[1])
    equal = losses.relational(np.zeros((3, 8)), np.zeros((3, 8)), queue)
    assert float(equal) == pytest.approx(math.log(20), rel=1e-6)


def test_the_teacher_of_ressl_sees_a_weak_view_and_its_embeddings_enter_the_queue():
    strong, weak = presets.ressl(224)
    assert [operation.name for operation in weak.operations] == ["crop", "flip"]
    assert [operation.name for operation in strong.operations] == ["crop", "flip", "jitter", "grayscale", "blur"]
    model = build("ressl")
    outputs = model(batch(model), training=True)
    before = np.array(model.queue.rows)
    value = losses.relational(outputs["z_a"], outputs["z_b"], before, temperature=0.1, teacher_temperature=0.04)
    assert float(model.objective(**outputs)) == pytest.approx(float(value), rel=1e-5)
    model.after_step(**outputs)
    np.testing.assert_allclose(model.queue.rows[:COUNT], unit(np.array(outputs["z_b"])), atol=1e-5)


# NNBYOL, All4One.


def queue_of(rows):
    queue = Queue(*rows.shape)
    queue.rows.assign(unit(rows))
    return queue


def test_nn_byols_targets_are_neighbours_of_the_other_view():
    model = build("nn_byol", queue_size=20, projection_dim=8)
    model.queue = queue_of(ARRAYS["queue"])
    names = dict(p_a="z1", p_b="z2", target_a="momentum1", target_b="momentum2")
    value, gradients = with_gradients(
        lambda *z: model.objective(**dict(zip(names, z, strict=True))), *(ARRAYS[name] for name in names.values())
    )
    assert value == pytest.approx(WANTED["nnbyol"], rel=1e-5)
    wanted = [WANTED["nnbyol/grad:z1"], WANTED["nnbyol/grad:z2"], 0, 0]
    assert [np.linalg.norm(gradient) for gradient in gradients] == pytest.approx(wanted, rel=1e-4)
    model.after_step(target_a=ARRAYS["momentum1"])
    np.testing.assert_allclose(model.queue.rows[:16], unit(ARRAYS["momentum1"]), atol=1e-6)


def test_neighbours_are_sorted_and_start_with_the_nearest():
    queue, z = queue_of(ARRAYS["queue"]), ARRAYS["z1"]
    near = np.array(queue.neighbours(z, 3))
    order = np.argsort(-unit(z) @ unit(ARRAYS["queue"]).T, axis=1)[:, :3]
    np.testing.assert_allclose(near, unit(ARRAYS["queue"])[order], atol=1e-6)
    np.testing.assert_allclose(near[:, 0], queue.nearest(z), atol=1e-6)


def test_the_feature_term_of_all4one_is_the_authors():
    z_a, z_b, m_a, m_b = (ARRAYS[name].astype("float64") for name in ("z1", "z2", "momentum1", "momentum2"))
    on = off = 0.0
    for target, z in ((m_a, z_b), (m_b, z_a)):
        correlation = unit(target, axis=0).T @ unit(z, axis=0)
        on += np.mean((np.diag(correlation) - 1) ** 2) / 2
        off += np.mean(correlation[~np.eye(8, dtype=bool)] ** 2) / 2
    value = float(losses.feature_agreement(z_a, z_b, m_a, m_b))
    assert value == pytest.approx(10 * (math.sqrt(on) / 2 + math.sqrt(off) / 2), rel=1e-5)
    same = np.linalg.qr(normal(16, 8))[0]
    assert float(losses.feature_agreement(same, same, same, same)) == pytest.approx(0, abs=1e-4)


def test_all4one_adds_its_three_terms():
    model = build("all4one")
    outputs = {name: np.array(value) for name, value in model(batch(model), training=True).items()}
    info_nce = losses.cross_view_info_nce
    nearest = info_nce(outputs["near_a"], outputs["p_b"], temperature=0.2)
    nearest += info_nce(outputs["near_b"], outputs["p_a"], temperature=0.2)
    centroid = info_nce(outputs["summary_a"], outputs["shifted_b"], temperature=0.1)
    centroid += info_nce(outputs["summary_b"], outputs["shifted_a"], temperature=0.1)
    features = losses.feature_agreement(*(outputs[name] for name in ("z_a", "z_b", "target_a", "target_b")))
    expected = float(nearest + centroid) / 4 + float(features) / 2
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-5)
    rates = {weight.path: model.learning_rate_of(weight, 1.0, 1.0) for weight in model.trainable_weights}
    slow = {weight.path for weight in model.transformer.trainable_weights}
    assert {path for path, rate in rates.items() if rate == pytest.approx(0.1)} == slow and len(slow) < len(rates)


def test_the_summary_depends_on_the_order_of_neighbours():
    network, near = neighbour_transformer(3, 16), normal(4, 3, 16)
    summary = np.array(network(near))
    assert summary.shape == (4, 16)
    assert np.abs(summary - np.array(network(near[:, ::-1]))).max() > 1e-2
