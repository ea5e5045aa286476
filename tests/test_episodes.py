"""Episodes: frames with companion columns, splits by episode, and the partners that a relation draws."""

import dataclasses

import cv2
import numpy as np
import pytest
import tensorflow as tf

from sslzoo.data import DataError, load, load_episodes, relations
from sslzoo.data.episodes import Episodes
from sslzoo.data.moving_dot import GRAY, LENGTH, MOVES, moving_dot
from sslzoo.views import Views, presets

LENGTHS = (5, 1, 7, 4)
EPISODE = np.repeat(np.arange(4), LENGTHS)
COUNT = len(EPISODE)
FRAMES = np.random.default_rng(0).integers(0, 255, (COUNT, 20, 20, 3), "uint8")


def arrays(**changes):
    found = dict(frames=FRAMES, episode=EPISODE, action=np.arange(COUNT) % 3, reward=np.arange(COUNT) / 10)
    return found | dict(state=np.arange(2 * COUNT).reshape(COUNT, 2)) | changes


def all_episodes():
    """The four episodes in one part, in an order that is not that of time."""
    order = np.random.default_rng(1).permutation(COUNT)
    time = np.concatenate([np.arange(length) for length in LENGTHS])
    made = load_episodes({name: value[order] for name, value in arrays(time=time).items()})
    return made, order


def related(relation, **knobs):
    episodes = Episodes(EPISODE, np.concatenate([np.arange(length) for length in LENGTHS]))
    return episodes.with_relation(relation, **knobs)


def partners(relation, uniform=None, **knobs):
    """The partners of all frames, and which are valid."""
    index = tf.range(COUNT, dtype=tf.int64)
    uniform = tf.zeros((COUNT, relations.NUMBERS)) if uniform is None else tf.constant(uniform, tf.float32)
    found = related(relation, **knobs).columns(index, uniform)
    return found["partner"].numpy(), found["valid"].numpy()


def test_the_parts_have_whole_episodes_with_their_columns():
    splits, order = all_episodes()
    assert {*splits.train.episodes.episode} & {*splits.test.episodes.episode} == set()
    assert len(splits.train) + len(splits.test) == COUNT
    for part in splits:
        for row, image in enumerate(part.arrays()[0]):
            place = np.flatnonzero((FRAMES == image).all(axis=(1, 2, 3)))[0]
            assert part.episodes.episode[row] == EPISODE[place]
            assert part.episodes.action[row].argmax() == place % 3
            assert part.episodes.reward[row] == pytest.approx(place / 10)
            assert part.episodes.state[row, 0] == 2 * place


@pytest.mark.parametrize("name", relations.names())
def test_no_partner_is_of_another_episode(name):
    for seed in range(20):
        uniform = np.random.default_rng(seed).uniform(size=(COUNT, relations.NUMBERS))
        partner, _ = partners(name, uniform)
        assert (EPISODE[partner] == EPISODE[:, None]).all()


def test_later_and_following_frames_count_steps_and_end_with_the_episode():
    partner, valid = partners("later", interval=2)
    time = related("later").time
    remaining = np.array(LENGTHS)[EPISODE] - 1 - time
    np.testing.assert_array_equal(valid[:, 0], remaining >= 2)
    np.testing.assert_array_equal(partner[:, 0], np.arange(COUNT) + 2 * (remaining >= 2))
    partner, valid = partners("following", horizon=3)
    np.testing.assert_array_equal(valid, remaining[:, None] >= np.arange(1, 4))
    assert partner.shape == (COUNT, 3) and relations.count("following", horizon=3) == 3


def test_a_goal_is_later_and_the_frames_between_are_neighbours():
    drawn = [
        partners("goal", np.random.default_rng(seed).uniform(size=(COUNT, relations.NUMBERS))) for seed in range(200)
    ]
    start, time = np.arange(COUNT), related("goal").time
    last = np.isin(time + 1, LENGTHS) & (time + 1 == np.array(LENGTHS)[EPISODE])
    for partner, valid in drawn:
        np.testing.assert_array_equal(valid.all(1), ~last)
        goal, before, after = partner[~last].T
        assert (goal > start[~last]).all() and (after == before + 1).all()
        assert (before >= start[~last]).all() and (after <= goal).all()
    goals = np.stack([partner[0, 0] for partner, _ in drawn])
    assert {*goals} == {1, 2, 3, 4}, "every later frame of the episode"
    assert {*np.stack([partner[0, 1] for partner, _ in drawn])} == {0, 1, 2, 3}


def test_a_clip_has_an_earlier_frame_and_this_or_a_later_one():
    drawn = [partners("clip", np.random.default_rng(seed).uniform(size=(COUNT, 2)))[0] for seed in range(200)]
    time = related("clip").time
    _, valid = partners("clip")
    np.testing.assert_array_equal(valid[:, 0], time > 0)
    assert {*np.stack(drawn)[:, 8, 0]} == {6, 7} and {*np.stack(drawn)[:, 8, 1]} == {8, 9, 10, 11, 12}


def test_another_frame_is_any_but_the_frame_itself():
    drawn = np.stack(
        [
            partners("same_episode", np.random.default_rng(s).uniform(size=(COUNT, relations.NUMBERS)))[0]
            for s in range(200)
        ]
    )
    assert {*drawn[:, 7, 0]} == {6, 8, 9, 10, 11, 12}
    _, valid = partners("same_episode")
    np.testing.assert_array_equal(valid[:, 0], np.array(LENGTHS)[EPISODE] > 1)


def test_frames_that_are_left_out_make_a_pair_invalid():
    some = np.delete(np.arange(COUNT), 2)  # of the first episode
    found = (
        related("later", interval=1)
        .take(some)
        .columns(tf.range(COUNT - 1, dtype=tf.int64), tf.zeros((COUNT - 1, relations.NUMBERS)))
    )
    assert found["valid"].numpy()[:4, 0].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("lazy", [False, True])
def test_batches_have_the_partners_and_depend_on_seed_step_and_row_alone(lazy):
    dataset = load_episodes(moving_dot(5)).train
    dataset = dataclasses.replace(dataset, in_memory=not lazy, episodes=dataset.episodes.with_relation("goal"))
    batches = list(dataset.batches(8, seed=3, stop=5))
    for batch in batches:
        np.testing.assert_array_equal(batch["partners"][:, 1], dataset.arrays()[0][batch["partner"][:, 1]])
        assert batch["partners"].shape == (8, 3, 32, 32, 3) and batch["partner_size"].shape == (8, 3, 2)
        assert batch["action"].shape == (8, 4, len(MOVES)) and batch["reward"].shape == (8, 4)
        np.testing.assert_array_equal(batch["action"][:, 2], dataset.episodes.action[batch["partner"][:, 1]])
    late = list(dataset.batches(8, seed=3, start=4, stop=5))[0]
    np.testing.assert_array_equal(late["partner"], batches[4]["partner"])
    second = list(dataset.batches(8, seed=3, stop=5, share=(1, 2)))
    for whole, half in zip(batches, second, strict=True):
        np.testing.assert_array_equal(whole["partner"][4:], half["partner"])
    other = next(iter(dataset.batches(8, seed=4)))
    assert not np.array_equal(
        other["partner"] - other["index"][:, None], batches[0]["partner"] - batches[0]["index"][:, None]
    )


def test_each_frame_has_one_view_and_a_clip_shares_its_crop():
    dataset = load_episodes(moving_dot(5)).train
    dataset = dataclasses.replace(dataset, episodes=dataset.episodes.with_relation("following", horizon=3))
    batch = next(iter(dataset.batches(8, seed=0)))
    same = tf.tile(batch["image"][:, None], (1, 3, 1, 1, 1))
    shared = Views(presets.same_crop(24), 8)(batch | {"partners": same})
    assert len(shared["views"]) == 4 and "partners" not in shared and "valid" in shared
    for view in shared["views"][1:]:
        np.testing.assert_array_equal(view, shared["views"][0])
    own = Views(presets.random_shift(32), 8)(batch | {"partners": same})["views"]
    assert not np.array_equal(own[1], own[2]) and not np.array_equal(own[2], own[3])


def test_a_shift_moves_pixels_and_repeats_the_border():
    images, sizes = tf.constant(FRAMES), tf.fill((COUNT, 2), 20)
    view = presets.random_shift(20, pad=3)[0]
    draws = view.sample(tf.constant([0, 1]), COUNT)
    shifted = view.apply(images, sizes, draws).numpy()
    down, right = draws[0]["down"].numpy(), draws[0]["right"].numpy()
    for row in range(COUNT):
        padded = np.pad(FRAMES[row] / np.float32(255), ((3, 3), (3, 3), (0, 0)), mode="edge")
        top, left = 3 + down[row], 3 + right[row]
        np.testing.assert_allclose(shifted[row], padded[top : top + 20, left : left + 20], atol=1e-6)
    many = view.sample(tf.constant([0, 2]), 2000)[0]["down"].numpy()
    values, counts = np.unique(many, return_counts=True)
    assert values.tolist() == [*range(-3, 4)] and counts.min() > 200, "7 positions, both ends included"


def test_intensity_is_a_factor_within_two_deviations():
    view = presets.spr(20, intensity=0.1)[0]
    draws = view.sample(tf.constant([0, 1]), 4000)
    factor = draws[1]["factor"].numpy()
    assert factor.min() == pytest.approx(0.8, abs=1e-5) and factor.max() == pytest.approx(1.2, abs=1e-5)
    assert factor.std() == pytest.approx(0.1 * 0.954, rel=0.05)  # of a normal cut off at 2


def test_a_stack_has_the_frames_before_along_the_channels():
    found = load_episodes(arrays(), stack=3)
    for part in found:
        images, episodes = part.arrays()[0], part.episodes
        assert part.shape == (20, 20, 9)
        for row in range(len(part)):
            whole = np.flatnonzero((FRAMES == images[row, ..., 6:]).all(axis=(1, 2, 3)))[0]
            for back in (1, 2):
                expected = FRAMES[whole - min(back, int(episodes.time[row]))]
                np.testing.assert_array_equal(images[row, ..., 6 - 3 * back : 9 - 3 * back], expected)


def test_files_and_videos_are_read(tmp_path):
    np.savez(tmp_path / "walk.npz", **arrays(mission=np.array(["go left", "go right"])[EPISODE % 2]))
    splits = load(f"episodes:{tmp_path / 'walk.npz'}")
    assert splits.train.name == "walk" and splits.train.kind == "image"
    assert "4 episodes of 4.2 frames on average" in splits.train.notes
    assert splits.train.captions.texts[0] in (("go left",), ("go right",))
    for number in range(3):
        writer = cv2.VideoWriter(str(tmp_path / f"{number}.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
        for shade in range(6 + number):
            writer.write(np.full((48, 64, 3), (10 * shade, 0, 80 * number), "uint8"))  # blue, green, red
        writer.release()
    parts = load(f"episodes:{tmp_path}", max_size=32)
    assert sorted(np.concatenate([np.bincount(part.episodes.episode)[-3:] for part in parts]))[-3:] == [6, 7, 8]
    assert parts.train.shape == (24, 32, 3)
    images, _ = parts.train.arrays()
    np.testing.assert_allclose(images[..., 0].mean((1, 2)), 80 * parts.train.episodes.episode, atol=6)
    np.testing.assert_allclose(images[..., 2].mean((1, 2)), 10 * parts.train.episodes.time, atol=6)


@pytest.mark.parametrize(
    "changes, words",
    [
        (dict(episode=EPISODE[:-1]), "episode has 16 entries, there are 17 frames"),
        (dict(episode=EPISODE / 2), "episode is float64: give integers"),
        (dict(time=np.zeros(COUNT, int)), "two frames of an episode have the same time"),
        (dict(action=np.arange(COUNT) - 1), "actions are integers of several columns or below 0"),
        (dict(frames=FRAMES[..., 0] * 1.0), "frames|floats from"),
    ],
)
def test_wrong_arrays_are_refused_in_one_line(changes, words):
    with pytest.raises(DataError, match=words) as caught:
        load_episodes(arrays(**changes))
    assert "\n" not in str(caught.value)


def test_a_folder_without_videos_and_a_file_of_something_else_are_refused(tmp_path):
    with pytest.raises(DataError, match="no episodes in"):
        load(f"episodes:{tmp_path}")
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be read"):
        load(f"episodes:{tmp_path / 'broken.npz'}")
    np.savez(tmp_path / "other.npz", x=FRAMES)
    with pytest.raises(DataError, match="no array episode and frames: give"):
        load(f"episodes:{tmp_path / 'other.npz'}")


def test_a_plain_floor_is_one_gray_and_changes_nothing_else():
    plain, other = moving_dot(4, plain=True), moving_dot(4)
    for name in ("action", "state", "reward", "episode"):
        np.testing.assert_array_equal(plain[name], other[name])
    floor = (plain["frames"] == GRAY).all(axis=-1)
    assert (floor.sum(axis=(1, 2)) >= 32 * 32 - 3 * 9).all()
    np.testing.assert_array_equal(plain["frames"][~floor], other["frames"][~floor])
    assert len(load("episodes:plain_dot:20").train) == 16 * LENGTH and len(load("episodes:dot").train) == 48 * LENGTH


def test_a_sample_has_whole_episodes_and_the_fingerprint_depends_on_actions():
    train = load_episodes(moving_dot(10)).train
    some = train.sample(3 * LENGTH + 5)
    assert len(some) == 3 * LENGTH and len({*some.episodes.episode}) == 3
    assert len(train.sample(7)) == 7 and len({*train.sample(7).episodes.episode}) == 1
    other = dataclasses.replace(train.episodes, action=train.episodes.action[::-1])
    assert dataclasses.replace(train, episodes=other).fingerprint() != train.fingerprint()


def test_the_generated_environment_has_as_many_episodes_as_its_name_says():
    counts = [
        len(np.unique(np.concatenate([part.episodes.episode for part in load(name)])))
        for name in ("episodes:dot", "episodes:dot:7")
    ]
    assert counts == [60, 7]
    with pytest.raises(DataError, match="no episodes in dot:0"):
        load("episodes:dot:0")
