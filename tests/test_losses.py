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
    assert float(losses.nt_xent(z_a, z_b, temperature=temperature)) == pytest.approx(
        nt_xent_by_the_paper(z_a, z_b, temperature), rel=1e-5
    )


def test_nt_xent_of_collapsed_embeddings_is_log_2n_minus_1():
    z = np.ones((64, 8), "float32")
    assert float(losses.nt_xent(z, z, temperature=0.1)) == pytest.approx(4.8442, abs=1e-4)


@pytest.mark.parametrize("temperature, expected", [(0.1, 0.005704), (0.5, 2.89327)])
def test_nt_xent_of_aligned_orthonormal_pairs(temperature, expected):
    z = np.eye(64, dtype="float32")
    assert float(losses.nt_xent(z, z, temperature=temperature)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("temperature, expected", [(0.1, 6.651), (0.5, 6.261)])
def test_nt_xent_of_random_directions_and_its_baseline(temperature, expected):
    draws = np.random.default_rng(1).normal(size=(20, 2, 256, 128)).astype("float32")
    assert np.mean([losses.nt_xent(*z, temperature=temperature) for z in draws]) == pytest.approx(expected, abs=0.04)
    assert losses.nt_xent_baseline(256, 128, temperature=temperature) == pytest.approx(expected, abs=0.03)


def test_nt_xent_ignores_norms_order_of_images_and_of_views():
    z_a, z_b = RNG.normal(size=(2, 16, 5)).astype("float32")
    order, scale = RNG.permutation(16), RNG.uniform(0.1, 10, (16, 1)).astype("float32")
    value = float(losses.nt_xent(z_a, z_b, temperature=0.3))
    assert float(losses.nt_xent(z_a[order], z_b[order], temperature=0.3)) == pytest.approx(value, rel=1e-5)
    assert float(losses.nt_xent(z_b, z_a, temperature=0.3)) == pytest.approx(value, rel=1e-5)
    assert float(losses.nt_xent(z_a * scale, z_b, temperature=0.3)) == pytest.approx(value, rel=1e-5)


def test_nt_xent_gradients_reach_both_views_and_are_finite_at_zero():
    z_a, z_b = tf.Variable(tf.zeros((4, 3))), tf.Variable(tf.constant(RNG.normal(size=(4, 3)), "float32"))
    with tf.GradientTape() as tape:
        loss = losses.nt_xent(z_a, z_b, temperature=0.1)
    g_a, g_b = tape.gradient(loss, [z_a, z_b])
    assert np.isfinite(g_a).all() and np.isfinite(g_b).all()
    with tf.GradientTape() as tape:
        loss = losses.nt_xent(z_b, z_b + 0.1, temperature=0.1)
    assert np.abs(tape.gradient(loss, z_b)).max() > 0


def test_nt_xent_takes_half_precision_and_computes_in_float32():
    z_a, z_b = RNG.normal(size=(2, 32, 16)).astype("float16")
    value = losses.nt_xent(z_a, z_b, temperature=0.05)
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


def barlow_twins_by_the_paper(z_a, z_b, weight):
    """Equations 1 and 2 of arXiv 2103.03230 with loops, over features of mean zero and the authors' epsilon."""
    z_a, z_b = (z.astype("float64") - z.mean(axis=0, dtype="float64") for z in (z_a, z_b))
    total, dim = 0.0, z_a.shape[1]
    for i in range(dim):
        for j in range(dim):
            norm = math.sqrt((np.mean(z_a[:, i] ** 2) + 1e-5) * (np.mean(z_b[:, j] ** 2) + 1e-5))
            c = np.mean(z_a[:, i] * z_b[:, j]) / norm
            total += (1 - c) ** 2 if i == j else weight * c**2
    return total


@pytest.mark.parametrize("weight", [0.0, 0.0051, 1.0])
def test_barlow_twins_is_the_papers(weight):
    z_a, z_b = RNG.normal(size=(2, 9, 5)).astype("float32") * 3 + 1
    value = float(losses.barlow_twins(z_a, z_b, off_diagonal_weight=weight))
    assert value == pytest.approx(barlow_twins_by_the_paper(z_a, z_b, weight), rel=1e-4)


def test_barlow_twins_of_equal_and_of_independent_views():
    """Section 3 of the fact sheet: N 256, dim 128; on the diagonal D (1 + 1 / N), off it D (D - 1) / N."""
    draws = np.random.default_rng(1).normal(size=(20, 2, 256, 128)).astype("float32")
    on = np.array([losses.barlow_twins(*z, off_diagonal_weight=0.0) for z in draws])
    off = np.array([losses.barlow_twins(*z, off_diagonal_weight=1.0) for z in draws]) - on
    assert on.mean() == pytest.approx(127.99, abs=2)
    assert off.mean() == pytest.approx(62.3, abs=2)
    z = draws[0, 0]
    assert float(losses.barlow_twins(z, z, off_diagonal_weight=0.0)) == pytest.approx(0, abs=1e-6)
    assert float(losses.barlow_twins(z, z, off_diagonal_weight=1.0)) == pytest.approx(128 * 127 / 255, rel=0.1)


def test_barlow_twins_ignores_affine_maps_of_features_and_orders_but_not_signs():
    z_a, z_b = RNG.normal(size=(2, 16, 5)).astype("float32")
    value = float(losses.barlow_twins(z_a, z_b))
    images, features, scale = RNG.permutation(16), RNG.permutation(5), RNG.uniform(1, 9, 5).astype("float32")
    assert float(losses.barlow_twins(scale * z_a + 2, z_b)) == pytest.approx(value, rel=1e-3)
    assert float(losses.barlow_twins(z_a[images], z_b[images])) == pytest.approx(value, rel=1e-5)
    assert float(losses.barlow_twins(z_a[:, features], z_b[:, features])) == pytest.approx(value, rel=1e-5)
    assert float(losses.barlow_twins(z_b, z_a)) == pytest.approx(value, rel=1e-5)
    turned = z_a * np.array([-1, 1, 1, 1, 1], "float32")
    assert float(losses.barlow_twins(turned, z_a, off_diagonal_weight=0.0)) == pytest.approx(4, rel=1e-4)


def test_barlow_twins_gradients_reach_both_views_and_are_finite_for_a_constant_feature():
    z_a, z_b = (tf.Variable(tf.constant(z, "float32")) for z in RNG.normal(size=(2, 8, 4)))
    z_a[:, 0].assign(tf.ones(8))
    with tf.GradientTape() as tape:
        loss = losses.barlow_twins(z_a, z_b)
    for gradient in tape.gradient(loss, [z_a, z_b]):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


ROWS = {
    "mse": lambda a, b: np.mean([(x - y) ** 2 for x, y in zip(a.flat, b.flat, strict=True)]),
    "l1": lambda a, b: np.mean([abs(x - y) for x, y in zip(a.flat, b.flat, strict=True)]),
    "cosine": lambda a, b: 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b),
}


@pytest.mark.parametrize("name", ROWS)
def test_distances_of_rows_are_their_formulas(name):
    a, b = RNG.normal(size=(2, 6, 5)).astype("float32")
    expected = [ROWS[name](x, y) for x, y in zip(a.astype("float64"), b.astype("float64"), strict=True)]
    np.testing.assert_allclose(getattr(losses, name)(a, b), expected, rtol=1e-4)
    np.testing.assert_allclose(getattr(losses, name)(b, a), expected, rtol=1e-4)


@pytest.mark.parametrize("name", ["mse", "l1"])
def test_distances_of_images_are_means_over_pixels(name):
    a, b = RNG.uniform(size=(2, 3, 4, 5, 2)).astype("float32")
    expected = [ROWS[name](x, y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(getattr(losses, name)(a, b), expected, rtol=1e-4)


def test_cosine_distance_ignores_norms_and_is_two_for_opposite_rows():
    z = RNG.normal(size=(6, 5)).astype("float32")
    np.testing.assert_allclose(losses.cosine(z, 3 * z), 0, atol=1e-6)
    np.testing.assert_allclose(losses.cosine(z, -0.5 * z), 2, rtol=1e-5)


@pytest.mark.parametrize("name", ROWS)
def test_distances_of_equal_rows_are_exactly_zero_with_finite_gradients(name):
    z = np.concatenate([np.zeros((1, 5)), RNG.normal(size=(3, 5))]).astype("float16")
    a, b = tf.Variable(z), tf.Variable(z)
    with tf.GradientTape() as tape:
        rows = getattr(losses, name)(a, b)
        loss = tf.reduce_sum(rows)
    assert rows.dtype == "float32" and not np.any(rows)
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, [a, b]))


@pytest.mark.parametrize("name", ROWS)
def test_distances_of_rows_send_gradients_to_both_sides(name):
    a, b = (tf.Variable(tf.constant(z, "float32")) for z in RNG.normal(size=(2, 4, 3)))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(getattr(losses, name)(a, b))
    assert all(np.abs(gradient).max() > 0 for gradient in tape.gradient(loss, [a, b]))


def test_directions_hide_neither_nan_nor_infinity():
    z = np.array([[1.0, np.nan], [np.inf, 0.0], [3.0, 4.0], [0.0, 0.0]], "float32")
    found = np.array(losses.unit(z))
    assert np.isnan(found[:2]).any(axis=1).all(), "a diverging run is found by its loss"
    np.testing.assert_allclose(found[2:], [[0.6, 0.8], [0, 0]], rtol=1e-6)
