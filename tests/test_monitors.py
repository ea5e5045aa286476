"""Label-free figures and their verdict, against closed forms."""

import math
import time

import numpy as np
import pytest
import tensorflow as tf

from sslzoo import monitors

RNG = np.random.default_rng(0)


def test_spread_is_one_for_random_directions_and_zero_for_one():
    assert monitors.spread(RNG.normal(size=(4000, 64))) == pytest.approx(1, abs=0.01)
    assert monitors.spread(np.ones((10, 64))) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("rows, expected", [(2048, 126.97), (256, 118.7)])
def test_effective_rank_of_gaussian_embeddings(rows, expected):
    assert monitors.effective_rank(RNG.normal(size=(rows, 128))) == pytest.approx(expected, abs=0.3)


def test_effective_rank_counts_equal_directions():
    assert monitors.effective_rank(np.tile(np.eye(16)[:5], (20, 1))) == pytest.approx(5, abs=1e-3)
    assert monitors.effective_rank(np.outer(RNG.normal(size=50), np.ones(16))) == pytest.approx(1, abs=1e-3)


def test_agreement_is_by_hand():
    z_a, z_b = RNG.normal(size=(2, 12, 4))
    unit_a, unit_b = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (z_a, z_b))
    hits, entropy = 0, 0.0
    for i in range(12):
        p = np.exp([unit_a[i] @ unit_b[j] / 0.5 for j in range(12)])
        p /= p.sum()
        hits += np.argmax(p) == i
        entropy -= np.sum(p * np.log(p)) / 12
    assert monitors.agreement(z_a, z_b, 0.5) == pytest.approx((hits / 12, entropy), rel=1e-5)


def test_agreement_of_equal_views_is_perfect_and_of_collapse_is_chance():
    z = RNG.normal(size=(50, 32))
    assert monitors.agreement(z, z, 0.05)[0] == 1.0
    assert monitors.agreement(np.ones((50, 4)), np.ones((50, 4)), 0.5)[1] == pytest.approx(math.log(50), rel=1e-5)


def test_excess_over_the_baseline_is_zero_for_random_directions():
    z = RNG.normal(size=(2, 1024, 128))
    assert monitors.health(*z, temperature=0.5)["nt_xent_excess"] == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize(
    "name, words",
    [
        ("learned", "learning: rank"),
        ("random", "not learning yet"),
        ("point", "collapsing: all embeddings point one way"),
        ("line", "collapsing: rank 1 of 64"),
        ("nan", "diverged"),
    ],
)
def test_the_verdict_is_in_words(name, words):
    base = RNG.normal(size=(256, 64))
    z_a, z_b = {
        "learned": (base, base + 0.3 * RNG.normal(size=base.shape)),
        "random": (base, RNG.normal(size=base.shape)),
        "point": (np.ones((256, 64)) + 0.001 * base, np.ones((256, 64)) + 0.001 * base[::-1]),
        "line": (np.outer(base[:, 0], np.ones(64)), np.outer(base[:, 0], np.ones(64))),
        "nan": (base, base),
    }[name]
    figures = monitors.health(z_a, z_b, 0.5)
    figures |= {"spread": math.nan} if name == "nan" else {}
    assert monitors.verdict(figures, 256, 64).startswith(words)


def test_waiting_for_data_is_measured_and_working_is_not():
    def slow(x):
        time.sleep(0.05)
        return x

    batches = tf.data.Dataset.range(6).map(lambda x: tf.numpy_function(slow, [x], tf.int64))
    throughput = monitors.Throughput(batch_size=1, total_epochs=1, steps_per_epoch=6)
    for _ in throughput.watch(batches):
        time.sleep(0.1)
    assert 0.25 < float(throughput.waited) < 0.5

    ready = tf.data.Dataset.range(6)
    throughput.waited.assign(0.0)
    for _ in throughput.watch(ready):
        time.sleep(0.05)
    assert float(throughput.waited) < 0.05
