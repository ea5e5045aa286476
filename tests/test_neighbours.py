"""Search, duplicates, verification and selection on features, against NumPy."""

import numpy as np
import pytest

from sslzoo.evaluators.duplicates import duplicates, groups
from sslzoo.evaluators.overlap import neighbours, search
from sslzoo.evaluators.selection import k_centre, typical, typicality
from sslzoo.evaluators.verification import calibrate, pairs_of

RNG = np.random.default_rng(0)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def clusters(count=6, each=30, dim=8, spread=0.05):
    centres = RNG.normal(size=(count, dim))
    labels = np.repeat(np.arange(count), each)
    return (centres[labels] + spread * RNG.normal(size=(len(labels), dim))).astype("float32"), labels


@pytest.mark.parametrize("k", [1, 5, 700])
def test_search_is_brute_force(k):
    bank, queries = unit(RNG.normal(size=(700, 6))).astype("float32"), unit(RNG.normal(size=(301, 6))).astype("float32")
    rows, similarities = search(bank, queries, k)
    cosines = queries.astype("float64") @ bank.T.astype("float64")
    np.testing.assert_allclose(similarities, -np.sort(-cosines, axis=1)[:, :k], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(cosines, rows, axis=1), similarities, atol=1e-6)


def test_small_blocks_ties_and_own_rows(monkeypatch):
    bank = unit(np.repeat(RNG.normal(size=(20, 4)), 3, axis=0)).astype("float32")  # each row three times
    whole = search(bank, bank, 4, own=np.arange(60))
    assert not (whole[0] == np.arange(60)[:, None]).any()
    monkeypatch.setattr("sslzoo.evaluators.overlap.VALUES", 7 * 60)
    for one, two in zip(search(bank, bank, 4, own=np.arange(60)), whole, strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(neighbours(bank, 4)[0], whole[0])
    np.testing.assert_array_equal(search(bank, bank[:1], 3)[0], [[0, 1, 2]])


def test_planted_duplicates_are_found_and_grouped(monkeypatch):
    features = RNG.normal(size=(200, 32)).astype("float32")
    features[50], features[120], features[150] = features[3], 2 * features[3], features[7] + 0.01 * RNG.normal(size=32)
    for values in (2**24, 900):
        monkeypatch.setattr("sslzoo.evaluators.duplicates.VALUES", values)
        found = duplicates(features, 0.99)
        assert {tuple(pair) for pair in found.rows.tolist()} == {(3, 50), (3, 120), (50, 120), (7, 150)}
        assert (np.diff(found.scores) <= 0).all() and found.scores[-1] < 0.9999 < found.scores[0]
    assert [some.tolist() for some in groups(found.rows, 200)] == [[3, 50, 120], [7, 150]]
    assert groups(duplicates(features[:3], 0.99).rows, 3) == []


def test_calibration_of_separable_pairs_is_perfect_and_of_noise_keeps_its_rate():
    features, labels = clusters()
    rows, same = pairs_of(labels, 2000)
    assert same.sum() == 1000 and len(same) == 2000
    np.testing.assert_array_equal(labels[rows[:, 0]] == labels[rows[:, 1]], same)
    assert (rows[:, 0] != rows[:, 1]).all()
    cosines = np.sum(unit(features)[rows[:, 0]] * unit(features)[rows[:, 1]], axis=1)
    found = calibrate(cosines, same, 0.0)
    assert found.auc == found.chosen.precision == found.chosen.recall == found.chosen.f1 == 1.0
    assert found.chosen.false_positive_rate == 0
    noise = RNG.normal(size=4000) + 0.5 * (np.arange(4000) < 2000)
    for target in (0.0, 0.01, 0.2):
        one = calibrate(noise, np.arange(4000) < 2000, target).chosen
        accepted = noise >= one.threshold
        assert one.false_positive_rate == pytest.approx(accepted[2000:].mean()) and one.false_positive_rate <= target
        assert one.recall == pytest.approx(accepted[:2000].mean())
        allowed = [t for t in noise if (noise[2000:] >= t).mean() <= target]
        assert one.recall == max((np.mean(noise[:2000] >= t) for t in allowed), default=0)


def test_equal_similarities_are_accepted_together():
    found = calibrate([0.9, 0.5, 0.5, 0.5, 0.1], [1, 1, 0, 1, 0], 0.0)
    assert found.chosen.threshold == 0.9 and found.chosen.recall == pytest.approx(1 / 3)
    assert found.best.threshold == 0.5 and found.best.f1 == pytest.approx(6 / 7)
    none = calibrate([0.9, 0.5], [0, 1], 0.0).chosen
    assert none.threshold > 0.9 and none.recall == none.precision == 0


@pytest.mark.parametrize("choose", [k_centre, typical])
def test_choices_cover_planted_clusters(choose):
    features, labels = clusters()
    chosen = choose(features, 6)
    assert sorted(labels[chosen]) == list(range(6))
    more = choose(features, 5, labelled=chosen[:1])
    assert sorted([labels[chosen[0]], *labels[more]]) == list(range(6))
    everything = choose(features, len(features))
    assert sorted(everything) == list(range(len(features)))


def test_k_centre_is_greedy_and_typical_ones_lie_in_the_middle():
    line = np.array([[0.0], [1.0], [2.0], [10.0], [5.5]], "float32")
    assert k_centre(line, 4).tolist() == [2, 3, 4, 0]  # nearest to the mean 3.7, then the farthest
    assert k_centre(line, 2, labelled=[3]).tolist() == [0, 4]
    features, _ = clusters(1, 60)
    ring = typicality(unit(features))
    centre = np.linalg.norm(unit(features) - unit(features).mean(0), axis=1)
    assert np.corrcoef(ring, centre)[0, 1] < -0.5


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: k_centre(np.eye(4), 5), "count=5: there are 4 examples"),
        (lambda: typical(np.eye(4), 1, labelled=[4]), "labelled holds 4: rows are 0 to 3"),
        (lambda: k_centre(np.eye(4), 0), "count must be at least 1"),
        (lambda: duplicates(np.eye(4), 1.5), "similarity must be at least 0 and at most 1"),
        (lambda: calibrate([1.0, 2.0], [1, 1]), "pairs of one class and pairs of two"),
        (lambda: calibrate([1.0, np.nan], [1, 0]), "one finite similarity per pair"),
        (lambda: calibrate([1.0, 2.0], [1, 0], 1.5), "false_positives must be at least 0 and at most 1"),
        (lambda: pairs_of([1, 1, 1]), "pairs of one class and of two are required"),
    ],
)
def test_bad_input_is_one_line(call, words):
    with pytest.raises(ValueError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
