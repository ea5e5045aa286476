"""R3M's term for language: its formula in NumPy, its constants, and the sentences of a training."""

import types

import keras
import numpy as np
import pytest

import sslzoo
from sslzoo import losses
from sslzoo.data import DataError, relations
from sslzoo.data.moving_dot import moving_dot
from sslzoo.data.relations import Place
from sslzoo.evaluation.missions import mission_scores
from sslzoo.layers.text import word_means
from sslzoo.testing import miniatures
from sslzoo.testing.method_checks import check_gradients, check_replicas, check_saving

RNG = np.random.default_rng(0)
N, TERMS, NEGATIVES = 6, 3, 3
TINY = dict(width=0.25, epochs=1, batch_size=64, hidden_dim=16, text_dim=8, optimizer="adam")


def drawn(*shape):
    return RNG.normal(size=shape).astype("float32")


def in_loops(right, wrong, others, told, valid):
    total = 0.0
    for row in np.flatnonzero(valid):
        for term in range(TERMS):
            rest = np.exp(wrong[row, term]) + np.exp(others[row, term]).sum()
            hit = np.exp(right[row, term])
            total -= told[row] * np.log(hit / (hit + rest)) / TERMS
    return total / valid.sum()


def test_the_contrast_is_its_formula_and_rows_without_a_sentence_stay_in_the_mean():
    right, wrong, others = drawn(N, TERMS), drawn(N, TERMS), drawn(N, TERMS, NEGATIVES)
    told, valid = np.array([1, 1, 0, 1, 0, 1]), np.array([1, 0, 1, 1, 1, 1])
    expected = in_loops(*map(np.float64, (right, wrong, others)), told, valid)
    assert float(losses.language_contrast(right, wrong, others, told, valid)) == pytest.approx(expected, rel=1e-5)
    assert float(losses.language_contrast(right, wrong, others, 0 * told, valid)) == 0


def test_equal_scores_of_any_size_have_a_contrast_of_log_5():
    for score in (0.0, 200.0, -200.0):  # the exponential of which float32 does not hold
        same = np.full((N, TERMS), score, "float32")
        found = losses.language_contrast(same, same, np.full((N, TERMS, NEGATIVES), score, "float32"))
        assert float(found) == pytest.approx(np.log(5), rel=1e-5)
    half = losses.language_contrast(same, same, np.full((N, TERMS, NEGATIVES), score, "float32"), np.arange(N) % 2)
    assert float(half) == pytest.approx(np.log(5) / 2, rel=1e-5)


def test_a_sentence_is_the_mean_of_its_words_in_any_order():
    model = word_means(9, 4, 5)
    vectors = np.asarray(model.get_layer("vectors").embeddings)
    tokens = np.array([[2, 7, 3, 0], [3, 2, 7, 0], [4, 0, 0, 0], [0, 0, 0, 0]], "int32")
    found = np.asarray(model(tokens))
    np.testing.assert_allclose(found[0], vectors[[2, 7, 3]].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)
    np.testing.assert_allclose(found[2:], [vectors[4], 0 * vectors[4]], rtol=1e-5)
    assert not model.trainable_weights


def test_a_clip_has_the_ends_of_its_episode_for_language_alone():
    rank = np.arange(10, 16)
    place = Place(rank, np.full(6, 10), np.full(6, 15))
    uniform = RNG.uniform(size=(6, relations.NUMBERS)).astype("float32")
    clip, more = relations.clip(place, uniform), relations.clip(place, uniform, language_weight=1.0)
    assert clip.shape == (6, 2)
    np.testing.assert_array_equal(more[:, :2], clip)
    np.testing.assert_array_equal(more[:, 2:], np.tile([10, 15], (6, 1)))


def test_the_objective_adds_the_contrast_of_scores_with_shuffled_clips():
    model = miniatures.build("r3m", language_weight=0.5, hidden_dim=16, text_dim=8)
    batch = miniatures.batch(model)
    batch["text"][::3] = 0
    outputs = model(batch, training=False)
    told, valid = np.asarray(outputs["told"]), np.asarray(outputs["valid"])
    np.testing.assert_array_equal(told, np.arange(len(told)) % 3 > 0)
    first, s0, s1, s2, last, words = (
        np.asarray(outputs[name]) for name in ("first", "z_a", "z_b", "later", "last", "sentence")
    )
    frames = [model.embed(view) for view in batch["views"]]
    for found, view in zip((s1, s0, s2, first, last), frames, strict=True):
        np.testing.assert_allclose(found, view, rtol=1e-4, atol=1e-5)
    score = lambda *parts: np.float64(model.score(np.concatenate(parts, axis=1)))[:, 0]  # noqa: E731
    pairs = ((last, first), (s1, s0), (s2, s1))
    right, wrong = (np.stack([score(first, pair[side], words) for pair in pairs], 1) for side in (0, 1))
    orders = np.argsort(np.asarray(outputs["drawn"]), axis=0).T
    others = np.stack([[score(first[o], pair[0][o], words) for o in orders] for pair in pairs]).transpose(2, 0, 1)
    without = dict(outputs, told=0 * outputs["told"])
    gained = float(model.objective(**outputs)) - float(model.objective(**without))
    assert gained == pytest.approx(0.5 * in_loops(right, wrong, others, told, valid), rel=1e-3)
    assert len(model.score.weights) == 10 and model.score.input_shape == (None, 2 * s1.shape[1] + 8)


@pytest.mark.parametrize("check", [check_gradients, check_saving], ids=lambda check: check.__name__)
def test_the_contract_with_language(check):
    check("r3m", language_weight=1.0)


@pytest.mark.long
def test_two_replicas_train_like_one_with_language(mirrored):
    check_replicas("r3m", language_weight=1.0)


def test_without_language_there_are_no_sentences():
    model = miniatures.build("r3m")
    outputs = model(miniatures.batch(model), training=False)
    assert not model.captions and "sentence" not in outputs and len(miniatures.batch(model)["views"]) == 3


@pytest.mark.long
def test_missions_train_the_score_and_their_words_are_found(tmp_path):
    places = dict(runs=tmp_path / "runs", export_to=tmp_path / "exported")
    result = sslzoo.pretrain("r3m", "episodes:dot", "conv_rl", language_weight=1.0, **TINY, **places)
    assert sorted(result.model.vocabulary) == ["go", "goal", "lower", "the", "to", "upper"]
    assert not (result.exported / "text").exists()
    assert {"value_spearman", "time_alignment", "episode_to_mission_r1"} <= {row.key for row in result.scores}
    before = keras.ops.convert_to_numpy(result.model.sentence(np.array([[2, 3] + 75 * [0]])))
    assert np.isfinite(before).all() and np.isfinite(result.history["loss"][1:]).all()


def test_data_without_missions_are_refused(tmp_path):
    arrays = {name: column for name, column in moving_dot(5).items() if name != "mission"}
    data = sslzoo.data.load_episodes(arrays)
    line = "r3m with language_weight above 0 needs missions and episodes has none: give episodes with an array mission"
    with pytest.raises(DataError, match=line):
        sslzoo.pretrain("r3m", data, "conv_rl", language_weight=1.0, **TINY, runs=tmp_path)


def test_missions_are_retrieved_by_the_score_of_the_last_frame():
    colours = np.tile(np.arange(6), 5)  # the mission of each of 30 episodes, and the colour of its last frame
    frames = np.zeros((30, 3, 8, 8, 3), "uint8")
    frames[:, 2] = (40 * colours)[:, None, None, None]
    words = [f"place{colour}" for colour in range(6)]
    columns = {"episode": np.repeat(np.arange(30), 3), "mission": np.repeat(np.array(words)[colours], 3)}
    data = sslzoo.data.load_episodes(dict(frames=frames.reshape(90, 8, 8, 3), **columns))
    images, rows = keras.Input((8, 8, 3)), keras.Input((3,))
    encoder = keras.Model(images, keras.layers.GlobalAveragePooling2D()(images[..., :1]))
    tokens = keras.Input((4,), dtype="int32")
    model = types.SimpleNamespace(
        sentence=keras.Model(tokens, keras.ops.cast(tokens[:, :1] - 2, "float32") * 40 / 255),
        score=keras.Model(rows, -keras.ops.abs(rows[:, 1:2] - rows[:, 2:])),
        vocabulary=words,
        text_length=4,
    )
    found = mission_scores(model, encoder, encoder, data, 8)
    by_key = {(row.key, row.features): row.mean for row in found}
    count = len({*np.concatenate(data.test.captions.texts)})
    for key in ("episode_to_mission_r1", "mission_to_episode_r1"):
        assert by_key[key, "trained"] == 1
    assert by_key["episode_to_mission_r1", "chance"] == pytest.approx(1 / count)
    assert by_key["episode_to_mission_r1", "raw pixels, 5 neighbours"] == 1, "the colour is in the pixels"
    model.vocabulary = words[::-1]
    turned = {(row.key, row.features): row.mean for row in mission_scores(model, encoder, encoder, data, 8)}
    assert turned["episode_to_mission_r1", "trained"] < 0.2, "each word has the place of another one"
