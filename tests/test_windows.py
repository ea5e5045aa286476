"""Probes of one long series, forecasts and anomalies, against plain loops and series whose answer is known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sslzoo.evaluators import Study
from sslzoo.evaluators.anomaly import anomalies, distances, evaluate, last_step
from sslzoo.evaluators.forecast import ALPHAS, forecast
from sslzoo.evaluators.windows import windows

RNG = np.random.default_rng(0)
STEPS = np.arange(600)
WAVE = np.stack([10 + 3 * np.sin(STEPS / 5), np.cos(STEPS / 7)], axis=1)
NOISY = WAVE + 0.3 * RNG.normal(size=WAVE.shape)


def halves(found):
    """Two features: means of both halves of the first channel; a missing value counts as the mean of the others."""
    middle = found.shape[1] // 2
    return np.stack([np.nanmean(found[:, :middle, 0], 1), np.nanmean(found[:, middle:, 0], 1)], axis=1)


def ridge(x, y, alpha):
    """Weights and intercept in closed form."""
    centred = x - x.mean(0)
    weights = np.linalg.solve(centred.T @ centred + alpha * np.eye(x.shape[1]), centred.T @ (y - y.mean(0)))
    return lambda z: (z - x.mean(0)) @ weights + y.mean(0)


def forecast_in_loops(series, window, horizon, stride):
    n = len(series)
    series, known = series.astype("float32"), series[: int(0.6 * n)]
    scaled = (series - known.mean(0)) / known.std(0)
    parts = []
    for start, stop in ((window, int(0.6 * n)), (int(0.6 * n), int(0.8 * n)), (int(0.8 * n), n)):
        ends = [end for end in range(start, stop, stride) if end + horizon <= stop]
        x = np.stack([halves(series[None, end - window : end])[0] for end in ends])
        parts.append(
            (x, np.stack([scaled[end : end + horizon].ravel() for end in ends]), [scaled[e - 1] for e in ends])
        )
    mean, deviation = parts[0][0].mean(0), parts[0][0].std(0)
    (a, b, _), (c, d, _), (e, f, last) = [((x - mean) / deviation, y, z) for x, y, z in parts]
    best = min((ridge(a, b, alpha) for alpha in ALPHAS), key=lambda one: np.mean((one(c) - d) ** 2))
    return best(e) - f, np.stack([np.tile(x, horizon) for x in last]) - f


@pytest.mark.parametrize("stride", [1, 3])
def test_a_forecast_is_that_of_plain_loops(stride):
    found = forecast(halves, NOISY, window=20, horizon=4, stride=stride).to_dict()
    for name, error in zip(("features", "last value"), forecast_in_loops(NOISY, 20, 4, stride), strict=True):
        assert found[name]["forecast_mse"]["mean"] == pytest.approx(np.mean(error**2), rel=1e-4)
        assert found[name]["forecast_mae"]["mean"] == pytest.approx(np.mean(np.abs(error)), rel=1e-4)
    assert set(found) == {"features", "raw values", "last value"}


def test_a_sum_of_waves_is_forecast_from_its_values_and_units_do_not_matter():
    found = forecast({"halves": halves}, WAVE, window=30, horizon=10).to_dict()
    assert found["raw values"]["forecast_mse"]["mean"] < 1e-3 < found["last value"]["forecast_mse"]["mean"]
    other = forecast({"halves": halves}, 50 * WAVE - 7, window=30, horizon=10).to_dict()
    for name, scores in found.items():
        assert other[name]["forecast_mse"]["mean"] == pytest.approx(scores["forecast_mse"]["mean"], rel=0.01, abs=1e-4)


def test_steps_that_are_forecast_lie_in_their_part_and_the_encoder_sees_raw_windows_before_them():
    seen = []
    forecast(lambda x: seen.append(x) or halves(x), STEPS / 1.0, window=20, horizon=4)
    train, valid, test = np.concatenate(seen[:2]), *seen[2:4]
    assert train[0, 0, 0] == 0 and train[-1, -1, 0] == 359 - 4  # of 600 steps, 60 % are 0 to 359
    assert valid[0, -1, 0] == 359 and valid[-1, -1, 0] == 479 - 4
    assert test[0, -1, 0] == 479 and test[-1, -1, 0] == 599 - 4 and train.shape[1:] == (20, 1)


def test_distances_are_those_of_loops():
    bank, queries = RNG.normal(size=(30, 5)), RNG.normal(size=(7, 5))
    every = np.sort([[np.linalg.norm(q - b) for b in bank] for q in queries], axis=1)
    np.testing.assert_allclose(distances(bank, queries, 3), every[:, :3].mean(1))
    np.testing.assert_allclose(distances(bank[:2], queries, 9), [distances(bank[:2], q[None], 2)[0] for q in queries])


def test_each_class_is_normal_once():
    labels = np.arange(90) % 3
    x = RNG.normal(size=(90, 4)) + 1.5 * np.eye(3, 4)[labels]
    (score,) = evaluate(Study(x[:60], x[60:], labels[:60], labels[60:]), neighbours=2)
    areas = [roc_auc_score(labels[60:] != c, distances(x[:60][labels[:60] == c], x[60:], 2)) for c in range(3)]
    assert score.mean == pytest.approx(np.mean(areas), abs=1e-5) and score.key == "anomaly"
    with pytest.raises(ValueError, match="or a single class"):
        next(evaluate(Study(x[:60], x[60:61], labels[:60], labels[60:61])))


def test_the_last_step_is_masked_and_compared_with_the_steps_before():
    window, reference = 10, 5
    changes = []
    for end in range(window, 80):
        one = NOISY[None, end - window : end].astype("float32")
        without = one.copy()
        without[:, -1] = np.nan
        changes.append(np.abs(halves(one) - halves(without)).sum())
    expected = [changes[i] / np.mean(changes[i - reference : i]) - 1 for i in range(reference, len(changes))]
    found = last_step(halves, NOISY[:79], window, reference)
    np.testing.assert_allclose(found[window - 1 + reference :], expected, rtol=1e-3, atol=1e-3)
    assert found.shape == (79,) and not found[: window - 1 + reference].any()


def test_spikes_are_found_by_their_step_and_shifts_by_their_neighbours():
    spikes = np.isin(STEPS, [350, 420, 555])
    found = anomalies(halves, NOISY + 8.0 * spikes[:, None], spikes, window=20).to_dict()
    assert found["features"]["last_step_auc"]["mean"] > 0.95 < found["raw values"]["last_step_auc"]["mean"]
    shift = (STEPS >= 400) & (STEPS < 450)
    found = anomalies({"halves": halves}, NOISY + 9.0 * shift[:, None], shift, window=20)
    assert found.to_dict()["halves"]["neighbours_auc"]["mean"] > 0.9 and "50 of 300 test steps" in str(found)
    nothing = anomalies(halves, NOISY, RNG.uniform(size=600) < 0.1, window=5).to_dict()
    assert all(abs(score["mean"] - 0.5) < 0.2 for scores in nothing.values() for score in scores.values())


def test_windows_end_before_their_step():
    np.testing.assert_array_equal(windows(STEPS[:, None], 3, np.array([3, 9]))[..., 0], [[0, 1, 2], [6, 7, 8]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: forecast(halves, WAVE[:50]), "too few for window=96 and horizon=24"),
        (lambda: forecast(halves, np.where(STEPS == 3, np.nan, 0.0)), "NaN or infinity"),
        (lambda: forecast(halves, WAVE[None]), r"series must be \(steps, channels\)"),
        (lambda: forecast(halves, WAVE, horizon=0), "horizon must be at least 1"),
        (lambda: forecast(lambda x: x, WAVE), r"encode gives \(.*\(windows, features\) are required"),
        (lambda: last_step(halves, WAVE, window=1), "a step is masked, 2 or more"),
        (lambda: last_step(halves, WAVE[:100]), r"window \+ reference = 117 are required"),
        (lambda: anomalies(halves, WAVE, STEPS[:5]), "labels must be one for each of 600 steps"),
        (lambda: anomalies(halves, WAVE, 0 * STEPS), "both kinds in the second"),
        (lambda: distances(np.zeros((3, 2)), np.zeros((3, 2)), neighbours=0), "neighbours must be at least 1"),
    ],
)
def test_what_cannot_be_probed_is_refused_in_one_line(call, words):
    with pytest.raises(ValueError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
