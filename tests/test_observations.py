"""Judging of frames: states, rewards and values along episodes; recording of environments."""

import re
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.linear_model import Ridge

import sslzoo
from sslzoo.data import DataError, load_episodes
from sslzoo.data.moving_dot import LENGTH, moving_dot
from sslzoo.data.recording import record
from sslzoo.evaluation.observations import draw_values, observation_scores
from sslzoo.evaluators.observations import ALPHAS, alignment, monotone, r2, reward_score, state_sums, values
from sslzoo.exports.savedmodel import export

RNG = np.random.default_rng(0)
EPISODES = np.repeat(np.arange(12), 10)


def state_scores(train, test, train_state, test_state, episodes):
    """R2 of each variable, on test episodes of ten frames."""
    return r2(state_sums(train, test, train_state, test_state, episodes, np.arange(len(test)) // 10))


def test_a_linear_state_has_r2_1_noise_about_0_and_a_constant_none():
    train, test = RNG.normal(size=(120, 6)), RNG.normal(size=(60, 6))
    mix = RNG.normal(size=(6, 1))
    states = [np.concatenate([x @ mix, RNG.normal(size=(len(x), 1)), np.ones((len(x), 1))], 1) for x in (train, test)]
    linear, noise, constant = state_scores(train, test, *states, EPISODES)
    assert linear > 0.999 and abs(noise) < 0.3 and np.isnan(constant)
    shifted = [state * 1000 + 5 for state in states]
    np.testing.assert_allclose(state_scores(train, test, *shifted, EPISODES)[0], linear, atol=1e-3)


@pytest.mark.parametrize("width", [6, 200], ids=["more frames", "more features"])
def test_the_scores_are_those_of_a_ridge_of_the_best_strength(width):
    train, test = RNG.normal(3, 2, (120, width)), RNG.normal(3, 2, (60, width))
    states = [x[:, :3] @ np.ones((3, 2)) + RNG.normal(size=(len(x), 2)) + 7 for x in (train, test)]
    x, new = standardized(train, train), standardized(test, train)
    found = [Ridge(alpha=alpha).fit(x, states[0]).score(new, states[1], None) for alpha in ALPHAS]
    assert np.abs(np.mean(state_scores(train, test, *states, EPISODES)) - found).min() < 1e-4


def test_r2_over_episodes_is_that_of_their_frames():
    """By scikit-learn, over all episodes and over some of them, one twice, as a bootstrap draws them."""
    train, test = RNG.normal(size=(120, 3)), RNG.normal(size=(60, 3))
    states = [1000 + 3 * x[:, :2] + RNG.normal(size=(len(x), 2)) for x in (train, test)]
    sums = state_sums(train, test, *states, EPISODES, np.repeat(np.arange(6), 10))
    predicted = Ridge(alpha=0.1).fit(standardized(train, train), states[0]).predict(standardized(test, train))
    errors = np.stack([((states[1] - predicted) ** 2)[10 * k : 10 * k + 10].sum(0) for k in range(6)])
    np.testing.assert_allclose(sums[:, 0], errors, rtol=0.05)
    drawn = [0, 2, 2, 5]
    frames = np.concatenate([np.arange(10) + 10 * k for k in drawn])
    expected = 1 - sums[drawn, 0].sum(0) / (len(frames) * states[1][frames].var(0))
    np.testing.assert_allclose(r2(sums[drawn]), expected, rtol=1e-6)


def standardized(x, train):
    return (x - train.mean(0)) / train.std(0)


def test_the_strength_of_the_ridge_is_chosen_on_other_episodes():
    """A feature that names the episode, on which no other episode can be predicted, does not count."""
    train_names = np.eye(12)[EPISODES]
    offset = RNG.normal(size=12)
    state = offset[EPISODES][:, None]
    test = np.zeros((40, 12))
    assert state_scores(train_names, test, state, RNG.normal(size=(40, 1)), EPISODES)[0] < 0.1
    with pytest.raises(ValueError, match="at least 2 are needed"):
        state_scores(train_names, test, state, np.ones((40, 1)), EPISODES * 0)


def test_the_reward_score_is_an_auc():
    train, test = RNG.normal(size=(120, 3)), RNG.normal(size=(200, 3))
    rewards = [(x[:, 0] > 1).astype("float32") for x in (train, test)]
    assert reward_score(train, test, *rewards) > 0.98
    assert 0.3 < reward_score(train[:, 1:], test[:, 1:], *rewards) < 0.7
    with pytest.raises(ValueError, match="some frames of each part have one"):
        reward_score(train, test, rewards[0] * 0, rewards[1])


def test_values_are_distances_to_the_last_frame_in_order_of_time():
    features = np.array([[0.0, 0], [3, 4], [0, 2], [1, 1], [5, 5]])
    first, second = values(features, [7, 7, 7, 2, 2], [0, 2, 1, 1, 0])
    np.testing.assert_allclose(first, [-np.hypot(4, 4), 0])
    np.testing.assert_allclose(second, [-5, -np.hypot(3, 2), 0])


def test_a_straight_path_is_monotone_and_a_detour_is_not():
    straight, back = np.array([-4.0, -3, -2, -1, 0]), np.array([-1.0, -2, -3, -4, 0])
    correlation, rising = monotone([straight, back, np.array([-1.0, -1, -1, 0]), straight[-3:]])
    np.testing.assert_allclose(correlation, [1, -1, 0], atol=1e-12)
    assert rising.tolist() == [1, 0, 1], "short episodes are left out"


def test_alignment_is_the_progress_of_the_nearest_frame_of_another_episode():
    rng = np.random.default_rng(0)
    episodes, times = rng.permutation(np.repeat([3, 5, 8, 9], [4, 6, 3, 1])), rng.permutation(14)
    features = rng.normal(size=(14, 3))
    progress = np.array([np.sum(times[episodes == e] < t) for e, t in zip(episodes, times, strict=True)], float)
    counts = np.array([np.sum(episodes == e) for e in episodes])
    progress /= np.maximum(counts - 1, 1)
    expected, chance = [], []
    for episode in (3, 5, 8):
        others = [k for k in range(14) if episodes[k] not in (episode, 9)]
        rows = [k for k in range(14) if episodes[k] == episode]
        near = [min(others, key=lambda k, row=row: np.linalg.norm(features[k] - features[row])) for row in rows]
        expected.append(1 - np.mean([abs(progress[a] - progress[b]) for a, b in zip(rows, near, strict=True)]))
        chance.append(1 - np.mean([abs(progress[a] - progress[b]) for a in rows for b in others]))
    found = alignment(features, episodes, times)
    np.testing.assert_allclose(found, [expected, chance])


def test_features_that_are_the_progress_align_episodes():
    episodes, times = np.repeat([0, 1, 2], 11), np.tile(np.arange(11), 3)
    found, chance = alignment(times[:, None] / 10, episodes, times)
    np.testing.assert_allclose(found, 1)
    np.testing.assert_allclose(
        chance, 1 - 4 / 11
    )  # the mean distance of two of 11 places is (11^2 - 1) / (3 * 11 * 10)
    with pytest.raises(ValueError, match="at least 2"):
        alignment(times[:, None], np.zeros(33), times)


@pytest.fixture(scope="module")
def data():
    return load_episodes(moving_dot(10))


def flat(images):
    return keras.Model(images, keras.layers.Flatten()(images))


def test_frames_are_scored_next_to_raw_pixels(data, tmp_path):
    model = flat(keras.Input((32, 32, 3)))
    found = observation_scores({"trained": [model], "untrained": [model]}, data, 32)
    by_key = {(row.key, row.features): row for row in found}
    keys = {"state_agent_x", "state_agent_y", "state_mean", "reward_auc", "value_spearman", "value_monotone"}
    keys |= {"time_alignment"}
    for key in keys:
        pixels = by_key[key, "raw pixels"].mean
        assert by_key[key, "trained"].mean == pytest.approx(pixels, abs=1e-4), "the same features"
    gain = by_key["value_spearman", "trained"].gains["raw pixels"]
    assert gain.mean == pytest.approx(0, abs=1e-6) and "2 test episodes" in found.notes[0]
    gain = by_key["state_mean", "trained"].gains["untrained"]
    assert tuple(gain) == pytest.approx((0, 0, 0), abs=1e-6)
    assert draw_values({"trained": [model]}, data.test, 32, tmp_path / "values.png").stat().st_size > 10_000


def test_evaluate_takes_episodes_without_labels(data):
    model = flat(keras.Input((32, 32, 3)))
    found = sslzoo.evaluate(model, data, untrained=model)
    assert {row.features for row in found} == {"trained", "untrained", "raw pixels", "chance"}
    assert any(row.key == "state_ball_x" for row in found)


class Line:
    """An environment as Gymnasium has them: a dot on a line of 5 places; action 1 moves it, the end is rewarded."""

    def __init__(self):
        self.unwrapped, self.spec = self, types.SimpleNamespace(id="Line-v0")
        self.observation_space = types.SimpleNamespace(shape=(1,))
        self.action_space = types.SimpleNamespace(seed=self.start, sample=lambda: int(self.rng.integers(2)))
        self.closed = False

    def start(self, seed):
        self.rng = np.random.default_rng(seed)

    def reset(self, seed):
        self.place = 0
        return np.array([0.0]), {}

    def step(self, action):
        self.place += action
        return np.array([float(self.place)]), float(self.place == 4), self.place == 4, False, {}

    def render(self):
        frame = np.zeros((8, 20, 3), "uint8")
        frame[:, 4 * self.place : 4 * self.place + 4] = 255
        return frame

    def close(self):
        self.closed = True


@pytest.fixture
def gym(monkeypatch):
    module = types.ModuleType("gymnasium")
    module.error = types.SimpleNamespace(Error=KeyError)
    made = {"Line-v0": Line}
    module.make = lambda name, **options: made[name]()
    monkeypatch.setitem(sys.modules, "gymnasium", module)


def test_a_recording_has_the_frames_before_each_action_and_the_last_one(gym, tmp_path):
    path = record("Line-v0", tmp_path / "line", episodes=6, frame_size=16)
    splits = load_episodes(path)
    assert (
        path.name == "line.npz"
        and len(splits.train) + len(splits.test) == sum(len(part) for part in splits)
        and splits.train.shape == (16, 16, 3)
    )
    for part in splits:
        episodes = part.episodes
        for one in np.unique(episodes.episode):
            rows = np.flatnonzero(episodes.episode == one)
            places, actions = episodes.state[rows, 0], episodes.action[rows].argmax(1)
            np.testing.assert_array_equal(places[1:], places[:-1] + actions[:-1])
            assert places[0] == 0 and places[-1] == 4
            np.testing.assert_array_equal(episodes.reward[rows], (np.arange(len(rows)) == len(rows) - 2).astype(float))
        lit = part.arrays()[0][..., 0].mean(1).argmax(1)
        np.testing.assert_allclose(lit / 16 * 5, episodes.state[:, 0], atol=0.8)


def test_what_cannot_be_recorded_is_said_in_one_line(gym, tmp_path, monkeypatch):
    for environment, options, words in (
        ("Nowhere-v0", {}, "no environment 'Nowhere-v0'"),
        ("Line-v0", dict(policy="expert"), "known for BabyAI alone"),
        ("Line-v0", dict(policy="exprt"), "did you mean expert"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            record(environment, tmp_path / "x", **options)
        assert "\n" not in str(caught.value)
    record("Line-v0", tmp_path / "x", episodes=1)
    with pytest.raises(DataError, match="x.npz exists: give another name, or overwrite=True"):
        record("Line-v0", tmp_path / "x", episodes=1)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(DataError, match=r"need the package gymnasium .*pip install 'sslzoo\[rl\]'"):
        record("Line-v0", tmp_path / "y")


def test_the_python_blocks_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[1] / "docs" / "observations.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) == 2
    for block in blocks:
        encoder, episodes = re.search(r'"(exported_models/\w+)"', block)[1], re.search(r'"(\w+\.npz)"', block)[1]
        np.savez(episodes, **moving_dot(6))
        export(flat(keras.Input((32, 32, 3))), encoder, np.zeros((4, 32, 32, 3), "float32"), {"name": "flat"})
        space = {}
        exec(block, space)  # noqa: S102, our own page
        if "distances" in space:
            assert len(space["distances"]) == LENGTH and space["distances"][-1] == 0 < space["distances"][0]
        else:
            assert space["features"].shape == (6 * LENGTH, 32 * 32 * 3) and space["test"].sum() == 4 * LENGTH
            assert np.isfinite(space["r2"]) and space["r2"] < 1
