"""Losses against the papers' formulas as NumPy loops, their closed forms and invariances."""

import math

import numpy as np
import pytest
import tensorflow as tf

from sslzoo import losses

RNG = np.random.default_rng(0)


def unit(z):
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def nt_xent_by_the_paper(z_a, z_b, temperature):
    """Equation 1 of arXiv 2002.05709 and Algorithm 1, with loops."""
    z = unit(np.concatenate([z_a, z_b]).astype("float64"))
    n, total = len(z_a), 0.0
    for i in range(2 * n):
        j = (i + n) % (2 * n)
        denominator = sum(math.exp(z[i] @ z[k] / temperature) for k in range(2 * n) if k != i)
        total -= math.log(math.exp(z[i] @ z[j] / temperature) / denominator)
    return total / (2 * n)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
def test_nt_xent_is_the_papers(temperature):
    z_a, z_b = RNG.normal(size=(2, 7, 5)).astype("float32") * 3
    assert float(losses.nt_xent(z_a, z_b, temperature)) == pytest.approx(
        nt_xent_by_the_paper(z_a, z_b, temperature), rel=1e-5
    )


def test_nt_xent_of_collapsed_embeddings_is_log_2n_minus_1():
    z = np.ones((64, 8), "float32")
    assert float(losses.nt_xent(z, z, 0.1)) == pytest.approx(4.8442, abs=1e-4)


@pytest.mark.parametrize("temperature, expected", [(0.1, 0.005704), (0.5, 2.89327)])
def test_nt_xent_of_aligned_orthonormal_pairs(temperature, expected):
    z = np.eye(64, dtype="float32")
    assert float(losses.nt_xent(z, z, temperature)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("temperature, expected", [(0.1, 6.651), (0.5, 6.261)])
def test_nt_xent_of_random_directions_and_its_baseline(temperature, expected):
    draws = np.random.default_rng(1).normal(size=(20, 2, 256, 128)).astype("float32")
    assert np.mean([losses.nt_xent(*z, temperature) for z in draws]) == pytest.approx(expected, abs=0.04)
    assert losses.nt_xent_baseline(256, 128, temperature) == pytest.approx(expected, abs=0.03)


def test_nt_xent_ignores_norms_order_of_images_and_of_views():
    z_a, z_b = RNG.normal(size=(2, 16, 5)).astype("float32")
    order, scale = RNG.permutation(16), RNG.uniform(0.1, 10, (16, 1)).astype("float32")
    value = float(losses.nt_xent(z_a, z_b, 0.3))
    assert float(losses.nt_xent(z_a[order], z_b[order], 0.3)) == pytest.approx(value, rel=1e-5)
    assert float(losses.nt_xent(z_b, z_a, 0.3)) == pytest.approx(value, rel=1e-5)
    assert float(losses.nt_xent(z_a * scale, z_b, 0.3)) == pytest.approx(value, rel=1e-5)


def test_nt_xent_gradients_reach_both_views_and_are_finite_at_zero():
    z_a, z_b = tf.Variable(tf.zeros((4, 3))), tf.Variable(tf.constant(RNG.normal(size=(4, 3)), "float32"))
    with tf.GradientTape() as tape:
        loss = losses.nt_xent(z_a, z_b, 0.1)
    g_a, g_b = tape.gradient(loss, [z_a, z_b])
    assert np.isfinite(g_a).all() and np.isfinite(g_b).all()
    with tf.GradientTape() as tape:
        loss = losses.nt_xent(z_b, z_b + 0.1, 0.1)
    assert np.abs(tape.gradient(loss, z_b)).max() > 0


def test_nt_xent_takes_half_precision_and_computes_in_float32():
    z_a, z_b = RNG.normal(size=(2, 32, 16)).astype("float16")
    value = losses.nt_xent(z_a, z_b, 0.05)
    assert value.dtype == "float32"
    assert float(value) == pytest.approx(nt_xent_by_the_paper(z_a, z_b, 0.05), rel=1e-3)


def test_alignment_is_zero_for_equal_and_four_for_opposite_directions():
    z = RNG.normal(size=(16, 8)).astype("float32")
    assert float(losses.align(z, 3 * z)) == pytest.approx(0, abs=1e-6)
    assert float(losses.align(z, -z)) == pytest.approx(4, rel=1e-5)


def test_alignment_and_uniformity_are_the_papers():
    z_a, z_b = RNG.normal(size=(2, 9, 4)).astype("float32")
    a, b = unit(z_a), unit(z_b)
    expected = np.mean([np.linalg.norm(a[i] - b[i]) ** 3 for i in range(9)])
    assert float(losses.align(z_a, z_b, alpha=3)) == pytest.approx(expected, rel=1e-5)
    pairs = [math.exp(-1.5 * np.sum((a[i] - a[j]) ** 2)) for i in range(9) for j in range(i)]
    assert float(losses.uniformity(z_a, t=1.5)) == pytest.approx(math.log(np.mean(pairs)), rel=1e-4)


def test_alignment_gradient_is_finite_where_embeddings_coincide():
    z = tf.Variable(tf.constant(RNG.normal(size=(4, 3)), "float32"))
    with tf.GradientTape() as tape:
        loss = losses.align(z, tf.identity(z), alpha=1)
    assert np.isfinite(tape.gradient(loss, z)).all()


@pytest.mark.parametrize("dim, expected", [(2, -1.575), (8, -3.0825), (128, -3.9375)])
def test_uniformity_of_uniform_directions(dim, expected):
    assert float(losses.uniformity(RNG.normal(size=(2000, dim)).astype("float32"))) == pytest.approx(expected, abs=0.02)


def test_uniformity_of_collapsed_embeddings_is_zero():
    assert float(losses.uniformity(np.ones((8, 3), "float32"))) == pytest.approx(0, abs=1e-5)
