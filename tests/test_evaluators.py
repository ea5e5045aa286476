"""Evaluators against plain loops and known numbers; what must not leak, what must not crash, what is refused."""

import itertools
import json
import pickle
import sys

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_samples, silhouette_score
from sklearn.neighbors import KNeighborsClassifier

from sslzoo.evaluators import clustering as clustering_
from sslzoo.evaluators import linear, lloyd
from sslzoo.evaluators.agreement import adjusted_rand, mutual_information
from sslzoo.evaluators.bootstrap import paired_difference
from sslzoo.evaluators.clustering import cluster_answers, clustering, scores
from sslzoo.evaluators.judge import judge
from sslzoo.evaluators.knn import CHUNK, knn, top, vote
from sslzoo.evaluators.linear import label_subset, linear_answers, linear_probe, linear_probes, standardize
from sslzoo.evaluators.remember import remembered
from sslzoo.evaluators.report import Row, code, escaped, markdown, note, table
from sslzoo.evaluators.scores import Scores
from sslzoo.evaluators.silhouette import silhouettes


def blobs(images, classes=3, width=6, spread=0.3, seed=0):
    """Features around one centre a class, and the classes."""
    centres = 3 * np.eye(classes, width)
    random = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    return (centres[labels] + spread * random.normal(size=(images, width))).astype("float32"), labels


TRAIN_X, TRAIN_Y = blobs(300)
TEST_X, TEST_Y = blobs(90, seed=1)
NOISY_X, NOISY_Y = blobs(300, spread=2.5)
NOISY_TEST_X, NOISY_TEST_Y = blobs(CHUNK + 31, spread=2.5, seed=1)


def vote_in_loops(bank, labels, queries, k, temperature):
    """Section 3.4 of InstDisc, one query and one neighbour at a time."""
    winners = []
    for query in queries:
        similarities = [row @ query / np.linalg.norm(row) / np.linalg.norm(query) for row in bank]
        votes = dict.fromkeys(sorted(set(labels)), 0.0)
        for index in np.argsort(similarities)[::-1][:k]:
            votes[labels[index]] += np.exp(similarities[index] / temperature)
        winners.append(max(votes, key=votes.get))
    return np.array(winners)


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (5, 0.07), (20, 0.5), (300, 1.0)])
def test_the_vote_is_that_of_the_paper(k, temperature):
    expected = vote_in_loops(NOISY_X, NOISY_Y, NOISY_TEST_X, k, temperature)
    np.testing.assert_array_equal(vote(NOISY_X, NOISY_Y, NOISY_TEST_X, k, temperature), expected)
    assert knn(NOISY_X, NOISY_Y, NOISY_TEST_X, NOISY_TEST_Y, k, temperature) == np.mean(expected == NOISY_TEST_Y)


def test_a_temperature_near_zero_leaves_the_decision_to_the_nearest():
    nearest = vote(NOISY_X, NOISY_Y, NOISY_TEST_X, k=1)
    np.testing.assert_array_equal(vote(NOISY_X, NOISY_Y, NOISY_TEST_X, k=30, temperature=1e-6), nearest)


def test_a_high_temperature_counts_heads():
    bank = np.array([[1, 0], [1, 0.5], [1, 0.6], [-1, 0]], "float32")
    labels, query = np.array(["near", "far", "far", "away"]), np.array([[1, 0]], "float32")
    assert vote(bank, labels, query, k=3, temperature=1e6) == ["far"]
    assert vote(bank, labels, query, k=3, temperature=0.01) == ["near"]


@pytest.mark.parametrize("count", [1000, 64 * 20, 64 * 21, 64 * 50])
@pytest.mark.parametrize("k", [1, 5, 20])
def test_a_search_in_blocks_finds_the_largest_similarities(count, k):
    similarity = np.random.default_rng(count).normal(size=(7, count)).astype("float32")
    similarity[:, -3:] = 9  # of equal ones, those that fit in
    found = top(similarity, k)
    assert all(len(set(row)) == k for row in found.tolist())
    values = np.take_along_axis(similarity, found, axis=1)
    np.testing.assert_array_equal(np.sort(values, 1), np.sort(similarity, 1)[:, -k:])


@pytest.mark.parametrize("padding", [0, 20])
@pytest.mark.parametrize("k, count", [(5, 64 * 30), (5, 37), (40, 64 * 30)])
def test_of_equal_similarities_the_first_are_chosen(k, count, padding):
    similarity = np.random.default_rng(0).integers(0, 40, (50, count)).astype("float32")
    images = count - padding
    similarity[:, images:] = -np.inf
    expected = np.argsort(-similarity[:, :images], axis=1, kind="stable")[:, : min(k, images)]
    found = top(similarity, min(k, images), images)
    np.testing.assert_array_equal(np.sort(found, 1), np.sort(expected, 1))


def test_images_of_no_features_at_all_vote_as_the_first_of_the_bank():
    bank, labels = np.zeros((300, 4), "float32"), np.repeat([1, 2, 3], 100)
    assert vote(bank, labels, np.zeros((3, 4), "float32")).tolist() == [1, 1, 1]


def test_a_vote_in_blocks_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    bank, queries = (rng.normal(size=(count, 16)).astype("float32") for count in (3001, 400))
    labels = rng.integers(0, 7, len(bank))
    weights = lambda distance: np.exp((1 - distance) / 0.07)  # noqa: E731
    expected = KNeighborsClassifier(20, weights=weights, algorithm="brute", metric="cosine").fit(bank, labels)
    np.testing.assert_array_equal(vote(bank, labels, queries), expected.predict(queries))


def test_equal_votes_go_to_the_first_class():
    assert vote(np.eye(2), np.array([7, 3]), np.ones((1, 2)), k=2) == [3]


def test_the_order_of_the_bank_and_the_chunk_do_not_matter(monkeypatch):
    expected = vote(NOISY_X, NOISY_Y, NOISY_TEST_X)
    order = np.random.default_rng(0).permutation(len(NOISY_X))
    np.testing.assert_array_equal(vote(NOISY_X[order], NOISY_Y[order], NOISY_TEST_X), expected)
    monkeypatch.setattr("sslzoo.evaluators.knn.CHUNK", 7)
    np.testing.assert_array_equal(vote(NOISY_X, NOISY_Y, NOISY_TEST_X), expected)


def test_more_neighbours_than_images_are_all_images():
    assert knn(TRAIN_X, TRAIN_Y, TEST_X, TEST_Y, k=10**6) == knn(TRAIN_X, TRAIN_Y, TEST_X, TEST_Y, k=300)


def test_images_of_the_bank_find_themselves():
    assert knn(NOISY_X, NOISY_Y, NOISY_X, NOISY_Y, k=1) == 1.0


def test_features_of_zero_length_are_no_nan():
    assert 0 <= knn(np.zeros((6, 2)), np.arange(6) % 2, np.zeros((4, 2)), np.arange(4) % 2) <= 1


@pytest.mark.parametrize(("k", "temperature"), [(0, 0.07), (5, 0.0)])
def test_a_vote_of_nobody_or_without_temperature_is_refused(k, temperature):
    with pytest.raises(ValueError, match="must be (at least 1|above 0), got 0"):
        knn(TRAIN_X, TRAIN_Y, TEST_X, TEST_Y, k, temperature)


def test_separable_classes_are_probed_without_error():
    assert linear_probe(TRAIN_X, TRAIN_Y, TEST_X, TEST_Y) == 1.0


def test_labels_that_have_nothing_to_do_with_the_features_are_probed_at_chance():
    random = np.random.default_rng(0)
    x, y = TRAIN_X[random.integers(0, 300, 3000)], random.integers(0, 3, 3000)
    x = x + random.normal(size=x.shape)
    assert linear_probe(x[:2000], y[:2000], x[2000:], y[2000:]) == pytest.approx(1 / 3, abs=0.06)


def test_one_loud_feature_does_not_drown_the_others():
    loud = 1000 * np.random.default_rng(0).normal(size=(390, 1))
    assert linear_probe(np.hstack([TRAIN_X, loud[:300]]), TRAIN_Y, np.hstack([TEST_X, loud[300:]]), TEST_Y) == 1.0


def test_standardization_knows_the_train_part_alone():
    train, test = standardize(NOISY_X, NOISY_TEST_X)
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(0), 1, atol=1e-5)
    np.testing.assert_allclose(test, (NOISY_TEST_X - NOISY_X.mean(0)) / NOISY_X.std(0), atol=1e-4)
    assert np.abs(test.mean(0)).max() > 0.01


def test_constant_features_become_zero_and_give_no_nan():
    constant = np.full((300, 1), 0.1, "float32")
    train, _ = standardize(np.hstack([TRAIN_X, constant]), TEST_X[:, [0, 1, 2, 3, 4, 5, 5]])
    np.testing.assert_array_equal(train[:, -1], 0)
    x, test_x = np.ones((30, 4)), np.ones((9, 4))
    assert linear_probe(x, np.arange(30) % 3, test_x, np.arange(9) % 3) == pytest.approx(1 / 3)


@pytest.mark.parametrize("fraction", [0.1, 1.0])
def test_the_test_labels_change_no_prediction(fraction):
    shares = [linear_probe(NOISY_X, NOISY_Y, NOISY_TEST_X, np.full(len(NOISY_TEST_X), c), fraction) for c in range(3)]
    assert sum(shares) == pytest.approx(1.0)
    assert max(shares) < 0.9


def test_the_regularization_is_chosen_on_the_labels_in_use_alone(monkeypatch):
    seen = []
    fit = linear.fit  # chooses and fits, and sees nothing else
    monkeypatch.setattr(linear, "fit", lambda x, y, seed: seen.append((x, y)) or fit(x, y, seed))
    linear_probe(NOISY_X, NOISY_Y, NOISY_TEST_X, NOISY_TEST_Y, fraction=0.1, seed=3)
    rows = label_subset(NOISY_Y, 0.1, seed=3)
    np.testing.assert_array_equal(seen[0][0], standardize(NOISY_X, NOISY_TEST_X)[0][rows])
    np.testing.assert_array_equal(seen[0][1], NOISY_Y[rows])


def test_noise_asks_for_strong_regularization_and_one_image_a_class_for_the_fallback():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(400, 200)), np.arange(400) % 2
    x[:, :20] += 0.2 * (2 * y[:, None] - 1)
    assert linear.choose_strength(x.astype("float32"), y) < 0.1
    assert linear.choose_strength(TRAIN_X[:3], TRAIN_Y[:3]) == linear.FALLBACK_STRENGTH


def test_a_share_of_the_labels_is_stratified_and_never_forgets_a_class():
    labels = np.repeat([0, 1, 2], [1000, 100, 5])
    rows = label_subset(labels, 0.1, seed=0)
    np.testing.assert_array_equal(np.bincount(labels[rows]), [100, 10, 1])
    assert len(set(rows)) == len(rows)
    assert set(label_subset(labels, 0.1, seed=1)) != set(rows)
    np.testing.assert_array_equal(label_subset(labels, 1.0), np.arange(1105))


def test_probes_over_label_shares_tell_their_spread_but_not_for_all_labels():
    found = linear_probes(NOISY_X, NOISY_Y, NOISY_TEST_X, NOISY_TEST_Y, (0.05, 1.0), seeds=3)
    runs = [linear_probe(NOISY_X, NOISY_Y, NOISY_TEST_X, NOISY_TEST_Y, 0.05, seed) for seed in range(3)]
    assert found[0.05] == (pytest.approx(np.mean(runs)), pytest.approx(np.std(runs, ddof=1)))
    assert found[1.0] == (linear_probe(NOISY_X, NOISY_Y, NOISY_TEST_X, NOISY_TEST_Y), None)


@pytest.mark.parametrize(("fraction", "draws"), [(0.05, 3), (1.0, 1)])
def test_linear_answers_are_what_the_probes_average(fraction, draws):
    answers = linear_answers(NOISY_X, NOISY_Y, NOISY_TEST_X, NOISY_TEST_Y, fraction, seeds=3)
    assert answers.shape == (draws, len(NOISY_TEST_Y)) and answers.dtype == bool
    mean, _ = linear_probes(NOISY_X, NOISY_Y, NOISY_TEST_X, NOISY_TEST_Y, (fraction,), seeds=3)[fraction]
    assert answers.mean() == pytest.approx(mean)
    last = draws - 1
    assert answers[last].mean() == linear_probe(NOISY_X, NOISY_Y, NOISY_TEST_X, NOISY_TEST_Y, fraction, seed=last)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.5])
def test_an_impossible_share_of_the_labels_is_refused(fraction):
    with pytest.raises(ValueError, match="fraction must be above 0 and at most 1"):
        linear_probe(TRAIN_X, TRAIN_Y, TEST_X, TEST_Y, fraction)


def test_wrong_features_and_labels_are_refused_in_one_line():
    broken = TRAIN_X.copy()
    broken[3, 2] = np.nan
    cases = [
        ((TRAIN_X[:, :, None], TRAIN_Y, TEST_X, TEST_Y), r"train_x must be \(N, dim\), got shape"),
        ((broken, TRAIN_Y, TEST_X, TEST_Y), "NaN or infinity"),
        ((TRAIN_X, TRAIN_Y[:-1], TEST_X, TEST_Y), "one label per example"),
        ((TRAIN_X, 0 * TRAIN_Y, TEST_X, TEST_Y), "single class"),
    ]
    for arguments, words in cases:
        with pytest.raises(ValueError, match=words) as error:
            linear_probe(*arguments)
        assert "\n" not in str(error.value)


def test_cluster_scores_are_the_known_numbers():
    by_label = scores(np.arange(4.0)[:, None], np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1]))
    assert by_label["ari"] == pytest.approx(0.5714, abs=1e-4)
    assert by_label["nmi"] == pytest.approx(0.8)
    assert by_label["accuracy"] == 0.75
    by_shape = scores(np.array([[0.0], [1], [4], [5]]), np.array([0, 0, 1, 1]))
    assert by_shape == {"silhouette": pytest.approx(0.746032, abs=1e-6), "davies_bouldin": pytest.approx(0.25)}


@pytest.mark.parametrize("clusters", [None, 2, 6])
def test_cluster_answers_are_what_the_scores_average(clusters):
    found = cluster_answers(NOISY_X, NOISY_Y, clusters)
    expected = clustering(NOISY_X, NOISY_Y, clusters)
    unit = NOISY_X / np.linalg.norm(NOISY_X, axis=1, keepdims=True)
    np.testing.assert_array_equal(found.rows, np.arange(300))
    np.testing.assert_array_equal(found.right, found.matched == NOISY_Y)
    assert found.right.mean() == pytest.approx(expected["accuracy"])
    assert found.silhouette.mean() == pytest.approx(silhouette_score(unit, found.clusters), abs=1e-5)
    assert expected == pytest.approx(scores(unit, found.clusters, NOISY_Y))
    assert len(np.unique(found.matched[found.matched >= 0])) == min(3, clusters or 3)
    assert (found.matched == -1).any() == (clusters == 6)


def test_cluster_answers_name_the_rows_that_were_drawn(monkeypatch):
    monkeypatch.setattr("sslzoo.evaluators.clustering.IMAGES", 40)
    monkeypatch.setattr("sslzoo.evaluators.clustering.SILHOUETTE_IMAGES", 25)
    found = cluster_answers(TRAIN_X, np.array(["b", "c", "a"])[TRAIN_Y], seed=1)
    assert len(set(found.rows)) == len(found.clusters) == 40
    np.testing.assert_array_equal(found.matched, np.array([1, 2, 0])[TRAIN_Y[found.rows]])
    assert np.isfinite(found.silhouette).sum() == 25
    unlabelled = cluster_answers(TRAIN_X, clusters=3)
    assert unlabelled.matched is None and unlabelled.right is None


def test_starts_on_principal_axes_end_at_an_optimum_of_all_features():
    x = np.random.default_rng(0).normal(size=(600, 160)) + 4 * np.eye(5, 160)[np.arange(600) % 5]
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    found = cluster_answers(x, clusters=5).clusters
    means = np.stack([unit[found == cluster].mean(0) for cluster in range(5)])
    distances = ((unit[:, None] - means) ** 2).sum(2)
    np.testing.assert_array_equal(distances.argmin(1), found)
    best = KMeans(5, n_init=10, random_state=0).fit(unit).inertia_
    assert distances.min(1).sum() == pytest.approx(best, rel=1e-3)


def lloyd_in_loops(x, means):
    """Every image compared with every mean, until nothing changes."""
    found = None
    for iterations in itertools.count(1):
        new = ((x[:, None].astype("float64") - means) ** 2).sum(2).argmin(1)
        if found is not None and (new == found).all():
            return found, means, iterations
        found = new
        means = np.stack([x[found == k].mean(0, dtype="float64") for k in range(len(means))])


@pytest.mark.parametrize("offset", [0, 30])
@pytest.mark.parametrize("rows", [7, 4096])
def test_lloyd_skips_comparisons_that_change_nothing(offset, rows, monkeypatch):
    monkeypatch.setattr("sslzoo.evaluators.lloyd.ROWS", rows)
    compared, nearest = [], lloyd._nearest
    monkeypatch.setattr(lloyd, "_nearest", lambda x, *others: compared.append(len(x)) or nearest(x, *others))
    x = NOISY_X + np.float32(offset)
    found, means, iterations = lloyd_in_loops(x, x[:6])
    ours = lloyd.lloyd(x, x[:6], tolerance=0)
    np.testing.assert_array_equal(ours.clusters, found)
    np.testing.assert_allclose(ours.means, means, rtol=1e-5, atol=1e-5)
    assert ours.inertia == pytest.approx(((x - means[found]) ** 2).sum(), rel=1e-4)
    assert len(x) < sum(compared) < 0.7 * iterations * len(x)


def test_k_means_is_as_good_as_that_of_scikit_learn():
    x = np.random.default_rng(0).normal(size=(2000, 20)).astype("float32") * np.logspace(0, -1, 20, dtype="float32")
    found = clustering_.k_means(x, 12)
    means = np.stack([x[found == k].mean(0) for k in range(12)])
    best = KMeans(12, n_init=10, random_state=0).fit(x).inertia_
    assert ((x - means[found]) ** 2).sum() < 1.003 * best
    np.testing.assert_array_equal(found, clustering_.k_means(x, 12))


def test_lloyd_keeps_the_mean_of_a_cluster_without_images():
    means = np.float32([[0] * 6, [3, 0, 0, 0, 0, 0], [99] * 6])
    found = lloyd.lloyd(TRAIN_X, means, tolerance=0)
    assert set(found.clusters) == {0, 1} and (found.means[2] == 99).all()


@pytest.mark.parametrize("offset", [0, 100])
def test_silhouettes_are_those_of_scikit_learn(offset):
    clusters = np.array([7, 3, 3])[NOISY_Y]
    clusters[0] = 9  # alone
    expected = silhouette_samples(NOISY_X.astype("float64"), clusters)
    np.testing.assert_allclose(silhouettes(NOISY_X + offset, clusters), expected, atol=1e-5 if not offset else 1e-4)


def test_clusters_are_found_whatever_the_length_of_the_features_and_the_names_of_the_classes():
    lengths = np.random.default_rng(0).uniform(0.1, 10, size=(300, 1))
    found = clustering(TRAIN_X * lengths, np.array(["b", "c", "a"])[TRAIN_Y])
    assert (found["accuracy"], found["ari"], found["nmi"]) == (1.0, 1.0, pytest.approx(1.0))
    assert found["silhouette"] > 0.7


def test_without_labels_the_shape_is_scored_alone():
    assert set(clustering(TRAIN_X, clusters=3)) == {"silhouette", "davies_bouldin"}


def test_clusters_need_not_be_as_many_as_classes():
    assert clustering(TRAIN_X, TRAIN_Y, clusters=6)["accuracy"] < 1
    assert clustering(TRAIN_X, TRAIN_Y, clusters=2)["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_a_collapsed_encoder_is_scored_and_crashes_nothing():
    found = clustering(np.ones((30, 4)), np.arange(30) % 3)
    assert found["silhouette"] is None
    assert found["davies_bouldin"] is None
    assert found["ari"] == 0.0


def test_at_most_so_many_images_are_clustered(monkeypatch):
    monkeypatch.setattr("sslzoo.evaluators.clustering.IMAGES", 30)
    assert clustering(TRAIN_X, TRAIN_Y, seed=1) == clustering(TRAIN_X, TRAIN_Y, seed=1)
    with pytest.raises(ValueError, match="more examples: 30 clusters, 30 examples"):
        clustering(TRAIN_X, TRAIN_Y, clusters=30)


@pytest.mark.parametrize("clusters", [1, 300, 301])
def test_too_few_or_too_many_clusters_are_refused(clusters):
    with pytest.raises(ValueError, match="at least 2 clusters and more examples"):
        clustering(TRAIN_X, TRAIN_Y, clusters)


def test_clustering_without_labels_must_know_how_many():
    with pytest.raises(ValueError, match="give clusters"):
        clustering(TRAIN_X)


RNG = np.random.default_rng(0)
SETS = {"trained": [(TRAIN_X, TEST_X)], "raw pixels": [(NOISY_X, blobs(90, spread=2.5, seed=1)[0])]}


def test_every_set_of_features_gets_every_score_and_gains_where_images_answer():
    rows, scores = judge(SETS, TRAIN_Y, TEST_Y, fractions=(0.1, 1.0), seeds=2)
    assert (rows[0].metric, rows[0].features) == ("linear probe, 30 labels (10 %)", "trained")
    assert [row.key for row in rows[:8]] == [row.key for row in rows[8:]]
    assert {row.features for row in rows} == set(SETS)
    assert rows[2].mean == knn(TRAIN_X, TRAIN_Y, TEST_X, TEST_Y)
    assert json.loads(json.dumps([row.as_dict() for row in rows]))[0]["std"] == rows[0].std
    assert [Row(**row.as_dict()) for row in rows] == rows
    right = [scores[name][0][2].answers for name in SETS]
    assert rows[2].gains == {"raw pixels": paired_difference(*right)}
    assert not any(row.gains for row in rows[8:])


def test_the_baseline_of_several_encoders_is_their_mean_and_deviation():
    noise = [(RNG.normal(size=TRAIN_X.shape), RNG.normal(size=TEST_X.shape)) for _ in range(3)]
    rows, scores = judge({"trained": [(TRAIN_X, TEST_X)], "untrained": noise}, TRAIN_Y, TEST_Y, evaluators=("knn",))
    means = [one[0].mean for one in scores["untrained"]]
    assert (rows[1].mean, rows[1].std) == pytest.approx((np.mean(means), np.std(means, ddof=1)))
    assert rows[0].gains["untrained"].mean == pytest.approx(rows[0].mean - np.mean(means), abs=1e-6)


def test_equal_features_gain_nothing_and_noise_gains_nothing_measurable():
    sets = {"trained": [(TRAIN_X, TEST_X)], "same": [(TRAIN_X, TEST_X)]}
    rows = judge(sets, TRAIN_Y, TEST_Y, fractions=(0.1, 1.0))[0]
    assert {row.gains["same"] for row in rows if row.gains} == {(0, 0, 0)}
    assert all(row.better("same") is None for row in rows)


def test_a_share_of_labels_is_named_as_it_was_used_and_no_share_comes_twice():
    few = np.concatenate([np.flatnonzero(TRAIN_Y == label)[:4] for label in np.unique(TRAIN_Y)])
    part = {"trained": [(TRAIN_X[few], TEST_X)]}
    rows = judge(part, TRAIN_Y[few], TEST_Y, evaluators=("linear",), fractions=(0.01, 0.1, 1.0))[0]
    assert [row.metric for row in rows] == ["linear probe, 3 labels (25 %)", "linear probe, all 12 labels"]


def test_the_note_has_chance_the_largest_class_and_what_is_missing():
    assert "{" not in note([0, 1], [0, 1], "rows") and "2 labelled training rows, 2 test rows" in note(
        [0, 1], [0, 1], "rows"
    )
    said = note([0, 0, 0, 1, 2], [0, 1, 1, 3])
    for part in ("5 labelled training images, 4 test images", "one answer is 25 points", "chance 33.3 %"):
        assert part in said
    assert "always the largest class 25.0 %" in said
    assert "classes 3 have no training images" in said and "classes 2 have no test images" in said


def test_scores_of_the_same_inputs_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("SSLZOO_CACHE", str(tmp_path))
    made, scores = [], judge(SETS, TRAIN_Y, TEST_Y, seeds=2)[1]["raw pixels"][0]

    def make():
        made.append(1)
        return scores

    for _ in range(2):
        found = remembered((TRAIN_X, {"seeds": 2}), make)
    assert len(made) == 1
    assert [one._replace(answers=None) for one in found] == [one._replace(answers=None) for one in scores]
    for one, two in zip(found, scores, strict=True):
        np.testing.assert_array_equal(one.answers, two.answers)
    remembered((TRAIN_X, {"seeds": 3}), make)
    remembered((TRAIN_X + 1, {"seeds": 2}), make)
    assert len(made) == 3
    next((tmp_path / "scores").glob("*.npz")).write_bytes(b"half")
    for _ in range(3):
        remembered((TRAIN_X, {"seeds": 2}), make)
    assert len(made) <= 4


def test_without_labels_the_message_says_what_works_and_it_does():
    with pytest.raises(
        ValueError, match=r"linear: labels .* are required.*knn: labels .* give clusters=<number>"
    ) as error:
        judge(SETS)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="give clusters"):
        judge(SETS, evaluators=("clustering",))
    rows = judge(SETS, evaluators=("clustering",), clusters=3)[0]
    assert [row.metric for row in rows[:2]] == [
        "k-means, silhouette",
        "k-means, Davies-Bouldin (lower is better)",
    ]
    with pytest.raises(ValueError, match="no evaluator is called nearest; choose from anomaly, attentive, .*, or pass"):
        judge(SETS, TRAIN_Y, TEST_Y, evaluators=("nearest",))


ROWS = [
    Row("linear probe", "trained", 0.91234, 0.0049, percent=True),
    Row("silhouette", "trained", 0.5),
    Row("linear probe", "raw pixels", 0.84, percent=True),
    Row("silhouette", "raw pixels", None),
]


def test_the_table_has_a_column_for_each_baseline():
    assert table(ROWS).splitlines() == [
        "metric        trained        raw pixels",
        "linear probe  91.2 +- 0.5 %  84.0 %",
        "silhouette    0.500          -",
    ]
    assert markdown(ROWS).splitlines() == [
        "| metric | trained | raw pixels |",
        "| --- | --- | --- |",
        "| linear probe | 91.2 +- 0.5 % | 84.0 % |",
        "| silhouette | 0.500 | - |",
    ]


def test_a_gain_whose_interval_excludes_zero_is_bold():
    gains = {"untrained": (0.021, 0.011, 0.032), "raw pixels": (0.004, -0.006, 0.015)}
    lower = {"untrained": (-0.25, -0.5, -0.125)}
    rows = [Row("k-NN", "trained", 0.9, percent=True, gains=gains), Row("error (lower is better)", "trained", 0.5)]
    assert markdown(rows).splitlines()[2] == "| k-NN | 90.0 % | **+2.1 [+1.1, +3.2]** | +0.4 [-0.6, +1.5] |"
    assert rows[0].better("untrained") is True and rows[0].better("raw pixels") is None
    assert Row("error (lower is better)", "trained", 0.5, gains=lower).better("untrained") is True
    assert str(Row("rank", "trained", 36.7, whole=True)) == "37"


def test_scores_are_rows_that_print_as_their_table_and_go_elsewhere(monkeypatch):
    scores = Scores(
        [*ROWS, Row("k-NN, 3", "trained", 0.9, percent=True, key="knn", gains={"raw": (0.1, 0.05, 0.2)})], ["a note"]
    )
    assert list(scores) == scores and scores[1] is ROWS[1] and scores + [] == [*scores]
    assert str(scores) == repr(scores) == table(scores) + "\na note"
    assert scores.to_markdown() == markdown(scores)
    assert scores.to_dict()["trained"]["knn"]["mean"] == 0.9
    assert scores.to_dict()["trained"]["knn"]["title"] == "k-NN, 3"
    assert json.loads(json.dumps(scores.to_dict()))["raw pixels"]["silhouette"]["mean"] is None
    assert pickle.loads(pickle.dumps(scores)).notes == ("a note",)
    assert str(Scores()) == "no scores"
    frame = pytest.importorskip("pandas") and scores.to_pandas()
    assert list(frame["features"]) == [row.features for row in scores]
    assert frame["low over raw"].iloc[-1] == 0.05
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"^to_pandas\(\) needs pandas: pip install pandas$"):
        scores.to_pandas()


EVIL = ["<img src=x onerror=alert(1)>", "a|b", "[link](http://x)", "`rm`", "line\nline", "# head", "~~a~~", "$x$"]


@pytest.mark.parametrize("name", EVIL)
def test_names_from_outside_are_text_in_html_and_markdown(name):
    scores = Scores([Row(name, name, 0.5, gains={name: (0.1, 0.0, 0.2)})], [name])
    page, text = scores._repr_html_(), scores.to_markdown()
    assert "<img" not in page and "<img" not in text
    assert "[link](" not in text and len(text.splitlines()) == 3
    assert [line.replace("\\|", "").count("|") for line in text.splitlines()] == [4, 4, 4]
    assert "\n" not in escaped(name) and "\n" not in code(name)


def test_code_may_hold_backticks():
    assert code("a`b") == "`` a`b ``" and code("a b") == "`a b`" and code("a|b") == "`a\\|b`"


@pytest.mark.parametrize("classes, clusters", [(1, 1), (1, 3), (3, 1), (2, 2), (4, 7), (30, 20)])
def test_agreement_with_classes_is_that_of_sklearn(classes, clusters):
    rng = np.random.default_rng(classes)
    for rows in (rng.integers(0, (classes, clusters), (50, 2)), np.repeat(rng.integers(0, classes, (9, 1)), 2, 1)):
        assert adjusted_rand(rows) == pytest.approx(adjusted_rand_score(*rows.T), abs=1e-12)
        assert mutual_information(rows) == pytest.approx(normalized_mutual_info_score(*rows.T), abs=1e-12)
    apart = np.stack([np.arange(5), np.zeros(5)], 1)
    assert adjusted_rand(apart) == adjusted_rand_score(*apart.T)


def test_a_few_unequal_labels_are_not_answered_by_the_largest_class_alone():
    features, labels = blobs(400, classes=2, width=32, spread=1.5)
    train, test = (features[:5], labels[:5]), (features[5:], labels[5:])  # three of one class and two of the other
    predicted = linear.linear_predictions(train[0], train[1], test[0]).labels[0]
    assert len(np.unique(predicted)) == 2
    noise = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    rare = np.arange(60) % 4 == 0
    assert linear.choose_strength(noise, rare) == linear.STRENGTHS[0], "enough images show that there is nothing"
