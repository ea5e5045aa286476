"""Label-free figures and their verdict, against closed forms."""

import math
import re
import time

import numpy as np
import pytest
import tensorflow as tf

from sslzoo.training import monitors
from sslzoo.training.loop import EpochLine
from sslzoo.training.verdict import Snapshot, verdict

RNG = np.random.default_rng(0)


def test_spread_is_one_for_random_directions_and_zero_for_one():
    assert monitors.spread(RNG.normal(size=(4000, 64))) == pytest.approx(1, abs=0.01)
    assert monitors.spread(np.ones((10, 64))) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("rows, expected", [(2048, 126.97), (256, 118.7)])
def test_effective_rank_of_gaussian_embeddings(rows, expected):
    assert monitors.effective_rank(np.random.default_rng(0).normal(size=(rows, 128))) == pytest.approx(
        expected, abs=0.3
    )


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


def snapshot(z_a, z_b, right=None):
    figures = monitors.health(z_a, z_b, 0.5) | ({} if right is None else {"knn": float(np.mean(right))})
    hits = np.argmax(unit(z_a) @ unit(z_b).T, axis=1) == np.arange(len(z_a))
    return Snapshot(figures, hits, hits, right, z_a.shape[1])


def unit(z):
    return z / np.linalg.norm(z, axis=1, keepdims=True)


BASE = RNG.normal(size=(256, 64))
RANDOM = (BASE, RNG.normal(size=BASE.shape))
LEARNED = (BASE, BASE + 0.3 * RNG.normal(size=BASE.shape))
POINT = (np.ones((256, 64)) + 0.001 * BASE, np.ones((256, 64)) + 0.001 * BASE[::-1])
LINE = (np.outer(BASE[:, 0], np.ones(64)),) * 2
NEARLY = np.arange(1000) % 50 > 0
FEW, MANY = np.arange(1000) % 10 < 3, np.arange(1000) % 10 < 6  # right for 30 % and for 60 % of the images


@pytest.mark.parametrize(
    "start, end, words",
    [
        (RANDOM, LEARNED, "learning: mild view found by features among 256 in 100.0 % "),
        (RANDOM, RANDOM, "no measurable gain over the untrained encoder: .*raise the learning rate"),
        (LEARNED, RANDOM, "worse than the untrained encoder: .*sslzoo views"),
        (RANDOM, POINT, "collapsing: all embeddings point one way"),
        (RANDOM, LINE, "collapsing: rank 1 of 64"),
        (POINT, POINT, "no measurable gain"),
        (LINE, LINE, "no measurable gain"),
        ((*RANDOM, FEW), (*LEARNED, MANY), r"learning: k-NN 60.0 % \(start 30.0 %, gain \+30.0 \[\+2"),
        ((*RANDOM, FEW), (*LEARNED, FEW), "no measurable gain .*the objective is learned"),
        ((*RANDOM, NEARLY), (*LEARNED, NEARLY), "no measurable gain .*compare the scores with few labels"),
        ((*RANDOM, MANY), (*LEARNED, FEW), "worse than the untrained encoder: k-NN 30.0 %"),
    ],
)
def test_the_verdict_is_about_the_gain_over_the_start(start, end, words):
    found = verdict(snapshot(*start), snapshot(*end))
    assert re.match(words, found), found
    assert "\n" not in found


def test_a_gain_of_one_image_in_a_thousand_is_not_measurable():
    more = FEW.copy()
    more[np.flatnonzero(~FEW)[0]] = True
    assert verdict(snapshot(*RANDOM, FEW), snapshot(*RANDOM, more)).startswith("no measurable gain")


def test_figures_that_are_not_finite_have_diverged():
    end = snapshot(*LEARNED)
    end.figures["spread"] = math.nan
    assert verdict(snapshot(*RANDOM), end).startswith("diverged")


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


def test_progress_counts_what_the_data_are(capsys):
    EpochLine(3, "series").record(1, 7, {"loss": 0.5, "images_per_second": 12.3})
    assert capsys.readouterr().out == "epoch 1/3  loss 0.500  12 series/s\n"
    throughput = monitors.Throughput(4, 1, 2, "rows")
    throughput.on_epoch_begin(0)
    throughput.on_train_batch_end(0, {"loss": 0.5})
    assert " rows/s, data wait " in throughput.bar.postfix
    throughput.on_epoch_end(0, {})
