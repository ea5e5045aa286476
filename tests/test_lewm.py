"""LeWM: its predictor and its objective in NumPy, what a prediction depends on, and what is masked."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import losses
from sslzoo.layers.dynamics import HEAD, conditional_transformer
from sslzoo.testing import miniatures

RNG = np.random.default_rng(0)
N, STEPS, DIM, ACTION, HEADS = 5, 3, 8, 2, 2


def drawn(*shape):
    return RNG.normal(size=shape).astype("float32")


def predictor(depth=1, scale=0.5):
    """A predictor all of whose weights are random, so that nothing is gated off."""
    network = conditional_transformer(STEPS, DIM, ACTION, 16, depth, HEADS, 0.1)
    for weight in network.weights:
        weight.assign(scale * drawn(*weight.shape))
    return network


def normed(x, epsilon):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)


def silu(x):
    return x / (1 + np.exp(-x))


def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def test_the_predictor_is_its_formula():
    network = predictor()
    weights = {layer.name: [np.float64(w) for w in layer.get_weights()] for layer in network.layers}
    dense = lambda x, name: x @ weights[name][0] + sum(weights[name][1:])  # noqa: E731
    trained = lambda x, name: normed(x, 1e-5) * weights[name][0] + weights[name][1]  # noqa: E731
    frames, actions = drawn(N, STEPS, DIM), drawn(N, STEPS, ACTION)
    action = silu(dense(silu(dense(np.float64(actions), "action_hidden")), "action"))
    x = frames + weights["positions"][0]
    shift1, scale1, gate1, shift2, scale2, gate2 = np.split(dense(action, "block1_modulation"), 6, axis=-1)
    branch = trained(normed(x, 1e-6) * (1 + scale1) + shift1, "block1_norm1")
    mixed = np.zeros((N, STEPS, HEADS * HEAD))
    queries, keys, values = np.split(dense(branch, "block1_qkv"), 3, axis=-1)
    for head in range(HEADS):
        part = slice(head * HEAD, (head + 1) * HEAD)
        for step in range(STEPS):
            scores = np.einsum("nd,nsd->ns", queries[:, step, part], keys[:, : step + 1, part]) / math.sqrt(HEAD)
            shares = np.exp(scores - scores.max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            mixed[:, step, part] = np.einsum("ns,nsd->nd", shares, values[:, : step + 1, part])
    x = x + gate1 * dense(mixed, "block1_projection")
    branch = trained(normed(x, 1e-6) * (1 + scale2) + shift2, "block1_norm2")
    x = x + gate2 * dense(gelu(dense(branch, "block1_hidden")), "block1_output")
    np.testing.assert_allclose(network([frames, actions]), trained(x, "norm"), rtol=1e-3, atol=1e-4)


def test_a_prediction_depends_on_the_frames_and_actions_so_far():
    network, given = predictor(depth=2, scale=0.2), [drawn(N, STEPS, DIM), drawn(N, STEPS, ACTION)]
    before = np.asarray(network(given))
    for column in (0, 1):
        for step in range(STEPS):
            changed = [array.copy() for array in given]
            changed[column][:, step] += drawn(N, changed[column].shape[-1])
            after = np.asarray(network(changed))
            np.testing.assert_allclose(after[:, :step], before[:, :step], atol=1e-6)
            assert (np.abs(after - before)[:, step:].max(axis=(0, 2)) > 1e-4).all()


def test_the_gates_are_closed_at_the_start():
    keras.utils.set_random_seed(0)
    network = conditional_transformer(STEPS, DIM, ACTION, 16, 2, HEADS, 0.1)
    frames, positions = drawn(N, STEPS, DIM), network.get_layer("positions").get_weights()[0]
    found = network([frames, drawn(N, STEPS, ACTION)])
    np.testing.assert_allclose(found, normed(frames + positions, 1e-5), rtol=1e-4, atol=1e-5)
    assert np.std(conditional_transformer(9, 99, 1, 1, 1, 1, 0.0).get_layer("positions").get_weights()[0]) > 0.9


def sigreg_in_loops(places, lines):
    """SIGReg of rows (n, dim) at each of several places, their mean over places and lines."""
    knots, total = np.linspace(0, 3, 17), []
    for z in places:
        for line in (lines / np.linalg.norm(lines, axis=0)).T:
            apart = [abs(np.mean(np.exp(1j * t * (z @ line))) - math.exp(-(t**2) / 2)) ** 2 for t in knots]
            total.append(len(z) * 2 * np.trapezoid(apart * np.exp(-(knots**2) / 2), knots))
    return np.mean(total)


def test_sigreg_of_valid_rows_is_that_of_these_rows_alone():
    views, lines, valid = drawn(2, 9, DIM), drawn(DIM, 7), np.array([1, 0, 1, 1, 1, 0, 1, 1, 1])
    found = losses.sigreg(views, lines, valid)
    assert float(found) == pytest.approx(sigreg_in_loops(np.float64(views[:, valid == 1]), lines), rel=1e-4)
    assert float(losses.sigreg(views, lines, 0 * valid)) == 0


def test_the_latent_error_is_a_mean_and_passes_its_gradient_to_both():
    predictions, targets, valid = drawn(N, STEPS, DIM), drawn(N, STEPS, DIM), np.array([1, 0, 1, 1, 0])
    p, z = tf.Variable(predictions), tf.Variable(targets)
    with tf.GradientTape() as tape:
        loss = losses.latent_error(p, z, valid)
    expected = np.mean([(predictions[row] - targets[row]) ** 2 for row in np.flatnonzero(valid)])
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    of_p, of_z = tape.gradient(loss, [p, z])
    np.testing.assert_allclose(of_p, valid[:, None, None] * 2 * (predictions - targets) / (3 * STEPS * DIM), rtol=1e-5)
    np.testing.assert_array_equal(of_z, -np.asarray(of_p))


def test_the_objective_is_error_plus_sigreg_of_windows_within_an_episode():
    model = miniatures.build("lewm")
    outputs = model(miniatures.batch(model), training=False)
    valid = np.asarray(outputs["valid"])
    assert 0 < valid.mean() < 1 and outputs["z"].shape == (32, 3, 16) and outputs["p"].shape == (32, 2, 16)
    z, p = (np.float64(outputs[name])[valid == 1] for name in "zp")
    lines = np.asarray(losses.normal(model.uniform((16, 64), 0, everywhere=True)))
    expected = np.mean((p - z[:, 1:]) ** 2) + 0.09 * sigreg_in_loops(z.swapaxes(0, 1), lines)
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-4)
    other = outputs | {name: tf.where(valid[:, None, None] == 1, outputs[name], 5.0) for name in "zp"}
    assert float(model.objective(**other)) == pytest.approx(expected, rel=1e-4)


def test_collapsed_embeddings_have_a_known_loss():
    model = miniatures.build("lewm")
    outputs = model(miniatures.batch(model), training=False)
    outputs |= {name: 0 * outputs[name] for name in "zp"} | {"valid": tf.ones(32)}
    assert float(model.objective(**outputs)) == pytest.approx(0.09 * 0.402048 * 32, rel=1e-3)


def test_predictions_are_those_of_the_history_and_its_actions():
    model = miniatures.build("lewm")
    for weight in model.predictor.weights:  # actions have no effect at the start
        weight.assign(0.2 * drawn(*weight.shape))
    batch = miniatures.batch(model)
    outputs = model(batch, training=False)
    z = [model.projector(model.encoder(view)) for view in batch["views"]]
    np.testing.assert_allclose(outputs["z"], np.stack(z, axis=1), rtol=1e-4, atol=1e-5)
    mixed = np.asarray(model.predictor([outputs["z"][:, :2], tf.constant(batch["action"][:, :2])]))
    for step in range(2):
        np.testing.assert_allclose(outputs["p"][:, step], model.predictor_head(mixed[:, step]), rtol=1e-3, atol=1e-5)


def test_heads_fill_the_embedding_if_their_number_is_none():
    for dim, heads in ((16, 1), (192, 3)):
        model = miniatures.build("lewm", projection_dim=dim, predictor_heads=None)
        assert model.predictor.get_layer("block1_attention").heads == heads
