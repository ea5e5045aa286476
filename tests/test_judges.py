"""Evaluators of rank, retrieval, few shots, calibration, overlap and places, against loops and closed forms."""

import itertools

import numpy as np
import pytest
from golden import ARRAYS, golden

from sslzoo.evaluators import corruptions, scenes, spectrum
from sslzoo.evaluators.bootstrap import paired_difference
from sslzoo.evaluators.calibration import reliability
from sslzoo.evaluators.dense import (
    box_iou,
    enlarge,
    localization_probe,
    mean_iou,
    segmentation_probe,
    shrink_masks,
)
from sslzoo.evaluators.few_shot import episode, few_shot
from sslzoo.evaluators.linear import linear_probe
from sslzoo.evaluators.mlp import mlp_probe
from sslzoo.evaluators.overlap import nearest, neighbour_overlap
from sslzoo.evaluators.retrieval import retrieval
from sslzoo.training import monitors


def gaussian(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_the_rank_counts_equal_directions_and_the_monitor_has_the_same_one():
    assert spectrum.effective_rank(np.tile(np.eye(16)[:5], (20, 1))) == pytest.approx(5, abs=1e-3)
    assert monitors.effective_rank is spectrum.effective_rank


def test_the_spectrum_is_that_of_the_covariance():
    x = gaussian(60, 8) * np.arange(1, 9) + 3
    expected = np.sort(np.linalg.eigvalsh(np.cov(x.T)))[::-1]
    np.testing.assert_allclose(spectrum.eigenvalues(x), expected, rtol=1e-9)
    assert spectrum.eigenvalues(gaussian(5, 8)).shape == (4,)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_a_power_law_is_found_and_rounding_left_out(alpha):
    variances = 3 * np.arange(1.0, 101) ** -alpha
    assert spectrum.power_law(variances) == pytest.approx(alpha)
    assert spectrum.power_law(np.concatenate([variances, np.full(50, 1e-12)])) == pytest.approx(alpha)
    assert spectrum.power_law(np.array([1.0, 1e-9, 1e-9])) is None


def lidar_in_loops(views, delta):
    images, count, dim = views.shape
    grand, between, within = views.mean((0, 1)), np.zeros((dim, dim)), delta * np.eye(dim)
    for image in views:
        mean = image.mean(0)
        between += np.outer(mean - grand, mean - grand) / (images - 1)
        for view in image:
            within += np.outer(view - mean, view - mean) / (images * (count - 1))
    values = np.linalg.eigvals(np.linalg.solve(within, between)).real
    p = values / values.sum() + 1e-8
    return np.exp(-np.sum(p * np.log(p)))


def test_lidar_has_the_golden_value():
    assert spectrum.lidar(ARRAYS["lidar"]) == golden("lidar/1e-4")


def test_lidar_is_that_of_the_paper():
    views = gaussian(30, 1, 6) * np.arange(1, 7) + 0.3 * gaussian(30, 5, 6, seed=1)
    assert spectrum.lidar(views) == pytest.approx(lidar_in_loops(views, 1e-4), rel=1e-6)
    turned = views @ np.linalg.qr(gaussian(6, 6, seed=2))[0]
    assert spectrum.lidar(turned) == pytest.approx(spectrum.lidar(views), rel=1e-6)


def test_lidar_of_isotropic_features_is_their_width_even_when_they_are_noise():
    signal, noise = gaussian(1000, 1, 32), gaussian(1000, 10, 32, seed=1)
    assert spectrum.lidar(signal + 0.1 * noise) == pytest.approx(31.4, abs=0.3)
    assert spectrum.lidar(noise) == pytest.approx(31.4, abs=0.3)


def test_wide_features_are_narrowed_to_their_principal_axes_before_lidar():
    views = np.concatenate([gaussian(40, 4, 8), 1e-9 * gaussian(40, 4, 20, seed=1)], axis=2)
    assert spectrum.lidar(views, components=8) == pytest.approx(spectrum.lidar(views[..., :8]), rel=1e-6)
    with pytest.raises(ValueError, match=r"views must be \(N, views, dim\)"):
        spectrum.lidar(views[:, 0])


def test_lidar_of_features_wider_than_their_number_needs_no_matrix_of_their_width():
    narrow = gaussian(20, 3, 30)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(30_000, 30)))[0]  # a matrix of 30 000 x 30 000 has 7 GB
    found = spectrum.lidar(narrow @ turn.T + 5)
    assert found == pytest.approx(spectrum.lidar(narrow), rel=1e-5)


def retrieval_in_loops(x, y, depth):
    precisions, recalls, averages = [], [], []
    for query in range(len(x)):
        others = [i for i in range(len(x)) if i != query]
        order = sorted(others, key=lambda i: -unit(x)[i] @ unit(x)[query])
        right = [y[i] == y[query] for i in order]
        if any(right):
            precisions.append(sum(right[:depth]) / depth)
            recalls.append(any(right[:depth]))
            averages.append(np.mean([sum(right[: k + 1]) / (k + 1) for k in range(len(right)) if right[k]]))
    return np.mean(precisions), np.mean(recalls), np.mean(averages)


@pytest.mark.parametrize("depth", [1, 3, 10])
def test_retrieval_is_that_of_plain_loops(depth, monkeypatch):
    x, y = gaussian(40, 5).astype("float32"), np.array([*np.arange(39) % 6, 99])
    monkeypatch.setattr("sslzoo.evaluators.retrieval.CHUNK", 7)
    found = retrieval(x, y, (depth,))
    expected = retrieval_in_loops(x.astype("float64"), y, depth)
    assert [found[name] for name in (f"P@{depth}", f"R@{depth}", "mAP")] == pytest.approx(expected, rel=1e-5)


def test_retrieval_finds_duplicates_first_and_refuses_classes_of_one():
    x = np.repeat(gaussian(10, 4), 2, axis=0)
    assert retrieval(x, np.repeat(np.arange(10), 2), (1,)) == {"P@1": 1.0, "R@1": 1.0, "mAP": 1.0}
    with pytest.raises(ValueError, match="nothing can be retrieved"):
        retrieval(x, np.arange(20))


def test_retrieval_with_fewer_queries_searches_all_images(monkeypatch):
    x, y = gaussian(300, 5).astype("float32"), np.arange(300) % 6
    full = retrieval(x, y)
    monkeypatch.setattr("sslzoo.evaluators.retrieval.QUERIES", 300)
    assert retrieval(x, y) == full
    monkeypatch.setattr("sslzoo.evaluators.retrieval.QUERIES", 250)
    assert retrieval(x, y) == retrieval(x, y) != full
    assert retrieval(x, y) == pytest.approx(full, abs=0.03)
    duplicates = np.repeat(gaussian(150, 4), 2, axis=0)
    monkeypatch.setattr("sslzoo.evaluators.retrieval.QUERIES", 20)
    assert retrieval(duplicates, np.repeat(np.arange(150), 2))["P@1"] == 1.0


def test_an_episode_goes_to_the_nearest_mean():
    x, chosen = gaussian(40, 3), np.arange(40).reshape(4, 10)
    hits = []
    for label, query in itertools.product(range(4), range(2, 10)):
        means = [x[chosen[k, :2]].mean(0) for k in range(4)]
        distances = [np.linalg.norm(x[chosen[label, query]] - mean) for mean in means]
        hits.append(np.argmin(distances) == label)
    assert episode(x, chosen, 2) == pytest.approx(np.mean(hits))


def test_few_shots_are_perfect_on_separate_classes_and_at_chance_on_noise():
    labels = np.arange(200) % 5
    assert few_shot(np.eye(5)[labels], labels, shots=1, episodes=20) == (1.0, 0.0)
    mean, half = few_shot(gaussian(200, 8), labels, shots=1, queries=15, episodes=400)
    assert abs(mean - 0.2) < 3 * half
    assert 0 < half < 0.02
    assert few_shot(gaussian(200, 8), labels, episodes=1600)[1] < 0.75 * few_shot(gaussian(200, 8), labels)[1]


def test_few_shots_need_enough_images_of_enough_classes():
    with pytest.raises(ValueError, match="5 ways need 5 such classes"):
        few_shot(gaussian(60, 3), np.arange(60) % 4)
    with pytest.raises(ValueError, match="shots must be at least 1"):
        few_shot(gaussian(60, 3), np.arange(60) % 4, shots=0)


def test_neighbours_are_those_of_loops_and_never_oneself():
    x, y = gaussian(30, 4), gaussian(30, 6, seed=1)
    sets = []
    for side in (unit(x), unit(y)):
        ranked = [sorted((j for j in range(30) if j != i), key=lambda j: -side[i] @ side[j]) for i in range(30)]  # noqa: B023
        sets.append([set(order[:5]) for order in ranked])
    expected = np.mean([len(a & b) / 5 for a, b in zip(*sets, strict=True)])
    assert neighbour_overlap(x, y, 5) == pytest.approx(expected)
    assert all(i not in row for i, row in enumerate(nearest(x, 29)))


def test_overlap_is_one_after_a_turn_and_chance_for_strangers():
    x = gaussian(300, 8)
    assert neighbour_overlap(x, 3 * x @ np.linalg.qr(gaussian(8, 8, seed=1))[0]) == 1.0
    assert neighbour_overlap(x, gaussian(300, 8, seed=2)) == pytest.approx(10 / 299, abs=0.015)
    with pytest.raises(ValueError, match="must be .* 300 as in one, got 299"):
        neighbour_overlap(x, x[:-1])


def ece_in_loops(probabilities, labels, bins):
    error, n = 0.0, len(labels)
    for low in np.arange(bins) / bins:
        inside = [i for i in range(n) if low < probabilities[i].max() <= low + 1 / bins]
        if inside:
            accuracy = np.mean([probabilities[i].argmax() == labels[i] for i in inside])
            error += len(inside) / n * abs(accuracy - np.mean([probabilities[i].max() for i in inside]))
    return error


def test_the_calibration_error_is_that_of_the_paper():
    p = np.random.default_rng(0).dirichlet(np.ones(4), 200)
    labels = np.arange(200) % 4
    found = reliability(p, labels, 10)
    assert found.error == pytest.approx(ece_in_loops(p, labels, 10))
    assert found.count.sum() == 200
    assert np.isnan(found.accuracy[0])


def test_a_probe_that_is_right_as_often_as_it_says_has_no_error():
    p = np.tile([0.8, 0.2], (100, 1))
    assert reliability(p, (np.arange(100) % 5 == 0).astype(int)).error == pytest.approx(0)
    assert reliability(p, np.ones(100, int)).error == pytest.approx(0.8)
    with pytest.raises(ValueError, match="sum to 1"):
        reliability(2 * p, np.ones(100, int))


def test_the_mlp_reads_an_exclusive_or_that_the_linear_probe_cannot():
    x = np.random.default_rng(0).uniform(-1, 1, (900, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    parts = (x[:600], y[:600], x[600:], y[600:])
    assert mlp_probe(*parts, epochs=100) > 0.93
    assert linear_probe(*parts) < 0.65
    with pytest.raises(ValueError, match="single class"):
        mlp_probe(x, 0 * y, x, y)


def test_the_bootstrap_of_pairs_is_that_of_loops():
    random = np.random.default_rng(0)
    one, other = random.random(150) < 0.8, random.random(150) < 0.7
    found = paired_difference(one, other, draws=20000)
    means = []
    for _ in range(4000):
        rows = random.integers(0, 150, 150)
        means.append(one[rows].mean() - other[rows].mean())
    assert found.mean == pytest.approx(one.mean() - other.mean())
    assert (found.low, found.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.01)


def test_a_difference_is_clear_when_zero_is_outside():
    right = np.ones(100, bool)
    assert paired_difference(right, right) == (0, 0, 0)
    assert not paired_difference(right, right).clear
    assert paired_difference(right, np.arange(100) % 3 > 0).clear
    assert str(paired_difference(right, ~right)) == "+100.0 [+100.0, +100.0] %"
    with pytest.raises(ValueError, match="same examples"):
        paired_difference(right, right[1:])


def test_boxes_and_masks_are_compared_as_by_hand():
    one = np.array([[0, 0, 2, 2], [0, 0, 1, 1], [1, 1, 0, 0]], float)
    other = np.array([[1, 1, 3, 3], [2, 2, 3, 3], [0, 0, 1, 1]], float)
    assert box_iou(one, other) == pytest.approx([1 / 7, 0, 0])
    masks, found = np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]])
    assert mean_iou(found, masks, 3) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_masks_shrink_to_the_class_of_most_pixels_and_scores_enlarge_bilinearly():
    masks = np.zeros((1, 6, 6), int)
    masks[0, :3, 1:] = 2
    np.testing.assert_array_equal(shrink_masks(masks, (2, 2), 3), [[[2, 2], [0, 0]]])
    row = enlarge(np.array([0.0, 1.0]).reshape(1, 1, 2, 1), (1, 4)).ravel()
    np.testing.assert_allclose(row, [0, 0.25, 0.75, 1])


def test_a_map_that_shows_the_mask_is_segmented_and_noise_is_not():
    made, test = scenes.scenes(60, 16, 1, seed=0), scenes.scenes(30, 16, 1, seed=1)
    maps = [np.eye(4)[part.masks] for part in (made, test)]
    assert segmentation_probe(maps[0], made.masks, maps[1], test.masks) == 1.0
    noise = [gaussian(*m.shape, seed=k) for k, m in enumerate(maps)]
    assert segmentation_probe(noise[0], made.masks, noise[1], test.masks) < 0.3


def test_where_no_place_holds_a_shape_all_is_background():
    made = scenes.scenes(12, 16, 1)
    maps = gaussian(12, 1, 1, 3)
    masks = np.where(np.arange(16) < 12, 0, made.masks)
    assert segmentation_probe(maps, masks, maps, masks) < np.mean(masks == 0)


def test_a_map_that_shows_the_shape_gives_its_box():
    made, test = scenes.scenes(600, 16, 1, seed=0), scenes.scenes(100, 16, 1, seed=1)
    maps = [(part.masks > 0)[..., None].astype("float32") for part in (made, test)]
    known = localization_probe(maps[0], made.boxes, maps[1], test.boxes)
    noise = [gaussian(*m.shape, seed=k) for k, m in enumerate(maps)]
    constant = box_iou(np.tile(made.boxes.mean(0), (100, 1)), test.boxes).mean()
    assert known > 1.25 * constant
    assert localization_probe(noise[0], made.boxes, noise[1], test.boxes) < 1.1 * constant


def test_scenes_hold_one_shape_whose_box_and_area_fit():
    made = scenes.scenes(300, 32, 3, seed=0)
    assert made.images.shape == (300, 32, 32, 3)
    assert made.images.min() >= 0 and made.images.max() <= 1
    for mask, box, shape in zip(made.masks, made.boxes, made.shapes, strict=True):
        assert set(np.unique(mask)) == {0, shape}
        top, left, bottom, right = (32 * box).astype(int)
        share = (mask > 0).sum() / ((bottom - top) * (right - left))
        assert share == pytest.approx({1: np.pi / 4, 2: 1, 3: 0.5}[shape], abs=0.15)
        assert (mask[top:bottom, left:right] > 0).sum() == (mask > 0).sum()
    np.testing.assert_array_equal(made.images, scenes.scenes(300, 32, 3, seed=0).images)
    assert set(made.shapes) == {1, 2, 3}


@pytest.mark.parametrize("name", corruptions.names())
def test_a_corruption_grows_with_its_severity_and_is_the_same_twice(name):
    images = np.random.default_rng(0).uniform(0.2, 0.8, (20, 16, 16, 3)).astype("float32")
    damage = []
    for severity in corruptions.SEVERITIES:
        spoiled = corruptions.corrupt(images, name, severity)
        assert spoiled.dtype == np.float32 and spoiled.shape == images.shape
        assert spoiled.min() >= 0 and spoiled.max() <= 1
        np.testing.assert_array_equal(spoiled, corruptions.corrupt(images, name, severity))
        damage.append(np.mean((spoiled - images) ** 2))
    assert damage[0] >= 0 and all(np.diff(damage) > 0)


def test_corruptions_by_hand():
    images = np.arange(16, dtype="float32").reshape(1, 4, 4, 1) / 20
    pixelated = corruptions.corrupt(images, "pixelate", 3)[0, :, :, 0]
    np.testing.assert_allclose(pixelated[:2, :2], images[0, :2, :2, 0].mean(), rtol=1e-6)
    contrast = corruptions.corrupt(images, "contrast", 2)
    np.testing.assert_allclose(contrast, images.mean() + 0.5 * (images - images.mean()), rtol=1e-5)
    with pytest.raises(ValueError, match="there are gaussian noise"):
        corruptions.corrupt(images, "fog", 1)
