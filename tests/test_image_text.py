"""Images and texts: losses against the papers in NumPy, the text tower, captions of data, retrieval, and the method."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import losses
from sslzoo.data import DataError, Splits, load
from sslzoo.data.caption_files import from_file, of_folder
from sslzoo.data.captions import Captions, held_out, normal
from sslzoo.data.made import in_memory
from sslzoo.data.selection import hold_out
from sslzoo.evaluation.image_text import image_text_scores, pairs_of
from sslzoo.evaluators import image_text
from sslzoo.exports.text import export_text, load_text, tower_of
from sslzoo.layers.text import Tokenizer, fit_vocabulary, text_tower
from sslzoo.testing import miniatures
from sslzoo.testing.require import precision

RNG = np.random.default_rng(0)
COUNT, DIM = 6, 5
SAME = np.eye(COUNT, dtype=bool)
SAME[0, 2] = SAME[2, 0] = True


def cosines(images, texts):
    images, texts = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (images, texts))
    return images @ texts.T


@pytest.fixture
def pair():
    return RNG.normal(size=(COUNT, DIM)), RNG.normal(size=(COUNT, DIM))


@pytest.mark.parametrize("same", [None, SAME])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_softmax_is_the_cross_entropy_of_both_directions(pair, same, smoothing):
    logits, total = 8.0 * cosines(*pair), 0.0
    for turned in (logits, logits.T):
        for i in range(COUNT):
            mine = np.eye(COUNT)[i] if same is None else same[i] / same[i].sum()
            target = (1 - smoothing) * mine + smoothing / COUNT
            total -= sum(target[j] * (turned[i, j] - np.log(np.exp(turned[i]).sum())) for j in range(COUNT)) / COUNT
    found = losses.image_text_softmax(*pair, same, scale=8.0, label_smoothing=smoothing)
    np.testing.assert_allclose(found, total / 2, rtol=1e-5)


@pytest.mark.parametrize("same", [None, SAME])
def test_sigmoid_is_one_decision_for_each_pair(pair, same):
    logits, total = 9.0 * cosines(*pair) - 3.0, 0.0
    for i in range(COUNT):
        for j in range(COUNT):
            y = 1 if (i == j if same is None else same[i, j]) else -1
            total += np.log1p(np.exp(-y * logits[i, j])) / COUNT
    np.testing.assert_allclose(losses.image_text_sigmoid(*pair, same, scale=9.0, offset=3.0), total, rtol=1e-5)


def test_constants_of_the_losses():
    equal = np.ones((COUNT, DIM))
    np.testing.assert_allclose(losses.image_text_softmax(equal, equal, scale=14.3), math.log(COUNT), rtol=1e-6)
    found = losses.image_text_sigmoid(equal, equal, scale=10.0, offset=10.0)
    np.testing.assert_allclose(found, COUNT * math.log(2), rtol=1e-6)
    np.testing.assert_allclose(losses.image_text_softmax(equal[:1], -equal[:1], scale=14.3), 0, atol=1e-6)
    # Random directions: log N + scale^2 / (2 dim), and the decisions of SigLIP's start.
    a, b = RNG.normal(size=(2, 512, 512))
    expected = math.log(512) + 14.3**2 / 1024
    np.testing.assert_allclose(losses.image_text_softmax(a, b, scale=14.3), expected, atol=0.03)
    expected = 10 + 511 * 4.5e-5 * math.exp(50 / 512)
    np.testing.assert_allclose(losses.image_text_sigmoid(a, b, scale=10.0, offset=10.0), expected, atol=0.05)
    # The floor of label smoothing is the entropy of the target.
    floor = losses.image_text_softmax(np.eye(3), np.eye(3), scale=math.log(28.0), label_smoothing=0.1)
    np.testing.assert_allclose(floor, 0.291, atol=1e-3)


def test_the_order_of_a_batch_and_norms_do_not_matter(pair):
    order = RNG.permutation(COUNT)
    moved = [3.0 * x[order] for x in pair], SAME[np.ix_(order, order)]
    for loss, knobs in ((losses.image_text_softmax, {}), (losses.image_text_sigmoid, {"offset": 2.0})):
        one, other = loss(*pair, SAME, scale=5.0, **knobs), loss(*moved[0], moved[1], scale=5.0, **knobs)
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_words_are_numbered_by_frequency_and_unknown_ones_are_one():
    words = fit_vocabulary(["A red, red bird.", "The red bird!", "a car"], 100)
    assert words[0] == "red" and set(words) == {"red", "a", "bird", "the", "car"}
    found = Tokenizer("words", 4, words)(tf.constant(["Red BIRD, whale", "", "red red red red red"])).numpy()
    assert found[0].tolist() == [2, 2 + words.index("bird"), 1, 0]
    assert found[1].tolist() == [0] * 4 and found[2].tolist() == [2] * 4
    assert len(fit_vocabulary(["a b c d e"], 4)) == 2


def test_bytes_are_those_of_utf_8_in_any_language():
    found = Tokenizer("bytes", 8)(tf.constant(["aü", "abcdefghijk"])).numpy()
    assert found[0].tolist() == [100, 3 + 0xC3, 3 + 0xBC, 0, 0, 0, 0, 0]
    assert found[1].tolist() == [3 + code for code in b"abcdefgh"]
    assert found.dtype == np.int32


@pytest.mark.parametrize("given, words", [({"how": "word"}, "did you mean words"), ({}, "needs a vocabulary")])
def test_a_tokenizer_that_cannot_be_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        Tokenizer(**given)


def test_what_follows_the_end_of_a_text_changes_nothing():
    keras.utils.set_random_seed(0)
    long, short = (text_tower(12, length, 16, 2, 2, output_dim=8) for length in (7, 4))
    weights = [w[:4] if "positions" in v.path else w for v, w in zip(long.weights, long.get_weights(), strict=True)]
    short.set_weights(weights)
    text = np.array([[3, 5, 2, 0], [4, 0, 0, 0], [9, 8, 7, 6]])
    np.testing.assert_allclose(long(np.pad(text, ((0, 0), (0, 3)))), short(text), atol=1e-6)
    other = short(np.array([[3, 5, 4, 0], [4, 0, 0, 0], [9, 8, 7, 6]]))
    assert np.abs(other[0] - short(text)[0]).max() > 1e-4, "tokens of the text matter"
    assert np.isfinite(short(np.zeros((1, 4), int))).all(), "a text without any token"


def test_the_order_of_words_matters():
    keras.utils.set_random_seed(0)
    model = text_tower(12, 4, 16, 1, 2, output_dim=8)
    one, other = model(np.array([[3, 5, 0, 0], [5, 3, 0, 0]]))
    assert np.abs(one - other).max() > 1e-4


def test_a_step_takes_one_caption_and_evaluation_always_the_same():
    model = miniatures.build("clip")
    batch = miniatures.batch(model)
    tokens = model(batch, training=True)["tokens"].numpy()
    chosen = (tokens[:, None] == batch["text"]).all(-1)
    assert chosen.sum(1).tolist() == [1] * len(tokens) and 4 < chosen[:, 0].sum() < 28
    np.testing.assert_array_equal(*(model(batch, training=False)["tokens"] for _ in range(2)))


def test_equal_captions_of_a_batch_share_their_target():
    model = miniatures.build("clip", label_smoothing=0.0)
    outputs = {
        "z_a": RNG.normal(size=(4, 16)),
        "z_b": RNG.normal(size=(4, 16)),
        "tokens": tf.constant([[1], [2], [1], [3]]),
    }
    same = np.array([[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]])
    expected = losses.image_text_softmax(outputs["z_a"], outputs["z_b"], same, scale=1 / 0.07)
    np.testing.assert_allclose(model.objective(**outputs), expected, rtol=1e-5)


def test_the_temperature_stays_within_its_bounds_after_a_step():
    model = miniatures.build("clip", optimizer=keras.optimizers.SGD(0.0))
    assert float(keras.ops.exp(-model.log_scale)) == pytest.approx(0.07)
    model.log_scale.assign(9.0)
    miniatures.losses_of(model, 1)
    assert float(model.log_scale) == pytest.approx(math.log(100))
    model.log_scale.assign(-2.0)
    miniatures.losses_of(model, 1)
    assert float(model.log_scale) == 0.0


def test_siglip_learns_its_offset_and_has_no_bounds():
    slow = keras.optimizers.SGD(1e-5)
    model = miniatures.build("clip", variant="sigmoid", temperature=0.1, offset=2.0, optimizer=slow)
    model.log_scale.assign(5.0)
    miniatures.losses_of(model, 1)
    assert float(model.learned_offset) != 2.0 and float(model.log_scale) > 4.9


def test_a_frozen_image_tower_keeps_its_weights_and_features():
    model = miniatures.build("clip", frozen_image=True, optimizer=keras.optimizers.Adam(0.01))
    before, views = model.encoder.get_weights(), miniatures.batch(model)["views"]
    first, *_, last = miniatures.losses_of(model, 8)
    assert last < first
    for old, new in zip(before, model.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(model.embed(views[0]), model.encoder(views[0]))


def test_slip_adds_the_loss_of_two_more_views():
    model = miniatures.build("clip", simclr_weight=0.5)
    batch = miniatures.batch(model)
    batch["views"] = tuple(miniatures.images(3))
    with pytest.raises(ValueError, match="needs two more views: give preset='slip'"):
        model(miniatures.batch(model))
    outputs = model(batch)
    alone = {name: outputs[name] for name in ("z_a", "z_b", "tokens")}
    more = losses.nt_xent(outputs["p_a"], outputs["p_b"], temperature=0.1)
    scale = keras.ops.exp(model.log_scale)
    same = (alone["tokens"].numpy()[:, None] == alone["tokens"].numpy()).all(-1)
    clip = losses.image_text_softmax(alone["z_a"], alone["z_b"], same, scale=scale)
    np.testing.assert_allclose(model.objective(**outputs), clip + 0.5 * more, rtol=1e-5)


# Captions of data


TEXTS = (("a cat",), ("a dog", "two dogs"), ("A Cat.",), ("two dogs",), ("a house",), (), ("a tree",), ("a bush",))


def test_images_with_a_common_caption_are_one_group():
    groups = Captions(TEXTS).groups()
    assert groups[0] == groups[2] and groups[1] == groups[3]
    assert len(set(groups.tolist())) == 6


def test_no_caption_is_in_both_parts():
    many = tuple((f"thing {RNG.integers(40)}", f"kind {RNG.integers(60)}")[: 1 + k % 2] for k in range(200))
    test = held_out(Captions(many))
    inside, outside = (
        {normal(t) for k in rows for t in many[k]} for rows in (test, np.setdiff1d(np.arange(200), test))
    )
    assert not inside & outside and len(test)
    data = in_memory(
        "many", np.zeros((200, 4, 4, 3), "uint8"), captions=Captions(tuple((f"a {k // 2}",) for k in range(200)))
    )
    train, test = hold_out(data)
    assert (len(train), len(test)) == (160, 40)
    assert not set(train.captions.texts) & set(test.captions.texts)


def test_batches_have_the_tokens_of_their_images():
    captions = Captions(tuple((f"{k}",) if k % 2 else (f"{k}", f"{k + 1}") for k in range(12)))
    data = in_memory("numbers", np.zeros((12, 4, 4, 3), "uint8"), captions=captions)
    assert "text" not in next(iter(data.batches(4)))
    tokens = captions.tokenized(lambda texts: np.array([[int(text), 0] for text in texts]))
    data = in_memory("numbers", np.zeros((12, 4, 4, 3), "uint8"), captions=tokens).take(np.arange(11, -1, -1))
    for batch in data.batches(4, seed=3, stop=5):
        number = 11 - batch["index"].numpy()
        assert batch["text"].dtype == tf.int32 and batch["text"].shape == (4, 2, 2)
        np.testing.assert_array_equal(batch["text"][:, 0, 0], number)
        np.testing.assert_array_equal(batch["text"][:, 1, 0], number + (number % 2 == 0))
    other = Captions((("other",), *captions.texts[1:]))
    assert data.fingerprint() != in_memory("numbers", np.zeros((12, 4, 4, 3), "uint8"), captions=other).fingerprint()


FORMS = {
    "captions.csv": 'file,caption\nx/0.png,"a cat, black"\n1.png,a dog\n1.png,two dogs\n',
    "plain.csv": 'x/0.png,"a cat, black"\n1.png,a dog\n1,two dogs\n9.png,nothing\n',
    "rows.jsonl": '{"file_name": "x/0.png", "text": "a cat, black"}\n\n{"image": 1, "caption": ["a dog", "two dogs"]}',
    "coco.json": json.dumps(
        {
            "images": [{"id": 7, "file_name": "0.png"}, {"id": 8, "file_name": "1.png"}],
            "annotations": [
                {"image_id": 7, "caption": "a cat,  black\n"},
                {"image_id": 8, "caption": "a dog"},
                {"image_id": 8, "caption": "two dogs"},
            ],
        }
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_files_of_captions_in_every_form(tmp_path, name):
    (tmp_path / name).write_text(FORMS[name])
    found = from_file(tmp_path / name, ["x/0.png", "x/1.png", "x/2.png"])
    assert found.texts == (("a cat, black",), ("a dog", "two dogs"), ())


def test_a_folder_has_its_captions_where_they_are_asked_for(tmp_path):
    files = ["0.png", "1.png"]
    assert of_folder(str(tmp_path), files) is None
    (tmp_path / "0.txt").write_text("A frog.\nde=Ein Frosch.\n")
    assert of_folder(str(tmp_path), files) is None
    assert of_folder(str(tmp_path), files, "txt").texts == (("A frog.",), ())
    (tmp_path / "captions.csv").write_text("1.png,a cat\n")
    assert of_folder(str(tmp_path), files).texts == ((), ("a cat",))
    assert of_folder(str(tmp_path), files, "none") is None


def test_folders_are_read_with_their_captions(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        rows = [f"{k}.png,the {name} number {k // 2}" for k in range(10)]
        (tmp_path / name / "captions.csv").write_text("\n".join(rows))
        for k in range(11):
            keras.utils.save_img(tmp_path / name / f"{k}.png", np.full((4, 4, 3), 20 * k), scale=False)
    train, test = load(str(tmp_path / "one"))
    assert len(train) + len(test) == 11 and "captions" in repr(train)
    for part in (train, test):
        for file, texts, image in zip(part.files, part.captions.texts, part.arrays()[0], strict=True):
            number = int(file.removesuffix(".png"))
            assert texts == ((f"the one number {number // 2}",) if number < 10 else ()) and image.max() == 20 * number
    both = load([str(tmp_path / "one"), str(tmp_path / "two")])
    found = {text for part in both for texts in part.captions.texts for text in texts}
    assert len(found) == 10 and len(both.train) + len(both.test) == 22
    assert load(str(tmp_path / "one"), captions="none").train.captions is None


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("c.csv", "9.png,a cat\n", "has a caption of none of the 1 images, such as '0.png'"),
        ("c.jsonl", '{"caption": "x"}\n', "cannot be read"),
        ("c.json", "[]", "cannot be read"),
        ("c.json", "{", "cannot be read"),
        ("none.csv", None, "cannot be read .No such file"),
    ],
)
def test_a_file_without_captions_is_one_line(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        from_file(tmp_path / name, ["0.png"])
    assert "\n" not in str(caught.value) and "give rows FILE,CAPTION" in str(caught.value)


def test_captions_can_be_left_out():
    data = in_memory("some", np.zeros((10, 4, 4, 3), "uint8"), captions=Captions((("a",),) * 10))
    assert load(data).train.captions and load(data, captions="none").train.captions is None


def test_captions_are_for_folders_of_images():
    with pytest.raises(DataError, match="captions are for folders of images"):
        load("digits", captions="x.csv")


# Judging


def test_constant_embeddings_score_as_chance():
    right = np.zeros((4, 10), bool)
    right[0, :1] = right[1, :2] = right[2, 3:8] = right[3] = True
    places = image_text.ranks(np.zeros((4, 10)), right)
    for k in (1, 3, 10):
        missed = [math.comb(10 - r, k) / math.comb(10, k) for r in (1, 2, 5, 10)]
        np.testing.assert_allclose(image_text.recall(places, k), 1 - np.array(missed), atol=1e-12)
    np.testing.assert_allclose(image_text.mean_rank(places), [11 / 2, 11 / 3, 11 / 6, 1])


def test_recall_and_rank_without_ties_are_those_of_a_sort():
    similarity, right = RNG.normal(size=(50, 20)), RNG.uniform(size=(50, 20)) < 0.1
    right[np.arange(50), RNG.integers(0, 20, 50)] = True
    order = np.argsort(-similarity, axis=1)
    first = np.argmax(np.take_along_axis(right, order, axis=1), axis=1)
    places = image_text.ranks(similarity, right)
    np.testing.assert_allclose(image_text.mean_rank(places), first + 1)
    for k in (1, 5, 10):
        np.testing.assert_allclose(image_text.recall(places, k), first < k)


def test_ties_count_by_their_share():
    similarity = np.array([[3.0, 2.0, 2.0, 2.0, 1.0]])
    right = np.array([[False, True, False, True, True]])
    places = image_text.ranks(similarity, right)
    assert places.tolist() == [[1, 3, 2]]
    assert [float(image_text.recall(places, k)[0]) for k in (1, 2, 3, 4)] == pytest.approx([0, 2 / 3, 1, 1])
    assert image_text.mean_rank(places)[0] == pytest.approx(1 + 4 / 3)


def test_zero_shot_is_the_cosine_to_the_mean_of_the_templates():
    texts = RNG.normal(size=(3, 2, 4))
    unit = texts / np.linalg.norm(texts, axis=-1, keepdims=True)
    images = RNG.normal(size=(30, 4))
    expected = np.argmax(cosines(images, unit.mean(1)), axis=1)
    np.testing.assert_array_equal(image_text.zero_shot(images, texts * RNG.uniform(1, 9, (3, 2, 1))), expected)
    assert image_text.named(["sea_birds"])[0] == ["sea birds.", "a picture of sea birds.", "sea birds"]


@pytest.mark.parametrize("way", [image_text.of_neighbours, image_text.of_ridge])
def test_baselines_find_captions_by_pictures_of_the_same_words(way):
    colours = np.eye(4)[RNG.integers(0, 4, 80)]
    names = np.array(["red", "green", "blue", "black"])[colours.argmax(1)]
    texts = ["a red thing", "a green thing", "a blue thing", "a black thing"]
    known = [f"some {name} thing" for name in names[:60]]
    found = way(colours[:60] + RNG.normal(size=(60, 4)) * 0.1, known, colours[60:], texts)
    assert found.shape == (20, 4) and (found.argmax(1) == colours[60:].argmax(1)).mean() > 0.9


def test_equal_captions_are_one_candidate_with_all_its_images():
    texts = (("A cat.",), ("a dog", "two dogs"), ("a cat",), ("two dogs!",))
    pairs = pairs_of(in_memory("pets", np.zeros((4, 2, 2, 3), "uint8"), captions=Captions(texts)))
    assert pairs.texts == ["A cat.", "a dog", "two dogs"]
    assert pairs.belongs.astype(int).tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 0, 1]]


# The product


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Pictures of four colours with captions, on which CLIP is trained for seconds, and its export."""
    import sslzoo

    folder = tmp_path_factory.mktemp("clip")
    rng, names = np.random.default_rng(0), ("red", "green", "blue", "white")
    paint = np.array([[220, 30, 30], [30, 200, 30], [30, 30, 220], [240, 240, 240]])
    colour, number = np.arange(160) % 4, rng.integers(0, 30, 160)
    images = np.clip(paint[colour][:, None, None] + rng.integers(-30, 30, (160, 12, 12, 3)), 0, 255).astype("uint8")
    captions = Captions(tuple((f"a {names[c]} thing {n}",) for c, n in zip(colour, number, strict=True)))
    data = Splits(
        *hold_out(in_memory("paint", images, captions=captions, labels=colour.astype("int32"), class_names=names))
    )
    small = dict(text_dim=16, text_depth=1, text_heads=2, text_length=6, projection_dim=16, width=0.1)
    result = sslzoo.pretrain(
        "clip",
        data,
        "conv6",
        epochs=12,
        batch_size=32,
        optimizer="adam",
        learning_rate=3e-3,
        learning_rate_rule="none",
        runs=str(folder / "runs"),
        export_to=str(folder / "exports"),
        image_size=12,
        **small,
    )
    return result, data


def test_a_training_ends_with_scores_of_retrieval_and_classes(exported):
    result, data = exported
    scores = {(row.features, row.key): row.mean for row in result.scores}
    assert scores["trained", "zero_shot"] > 0.9 > scores["untrained", "zero_shot"]
    assert scores["chance", "zero_shot"] == 0.25
    assert scores["trained", "image_to_text_r5"] > scores["chance", "image_to_text_r5"]
    assert (result.run / "retrieved.png").stat().st_size > 1000
    assert (result.exported / "retrieved.png").is_file()


def test_the_pair_works_in_tensorflow_alone(exported):
    result, data = exported
    images = tf.saved_model.load(str(result.exported))
    text = tf.saved_model.load(str(result.exported / "text"))
    pixels, _ = data.test.arrays()
    z = text.project(images(tf.constant(pixels / 255, tf.float32)))
    w = text(tf.constant(["a red thing", "a green thing", "a blue thing", "a white thing"]))
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, rtol=1e-5)
    assert (np.argmax(z @ tf.transpose(w), axis=1) == data.test.labels).mean() > 0.9
    words = (result.exported / "text" / "vocabulary.txt").read_text().split()
    assert {"a", "thing", "red", "green", "blue", "white"} <= set(words)
    np.testing.assert_allclose(load_text(result.exported).of_texts(["a red thing"])[0], w[0], atol=1e-6)


def test_a_constant_text_tower_scores_as_chance(exported):
    result, data = exported
    tower = load_text(result.exported)
    tower.embed.set_weights([0 * weight for weight in tower.embed.get_weights()])
    found = image_text_scores(result.encoder, result.untrained, tower, data, 12)
    scores = {(row.features, row.key): row.mean for row in found}
    for key in (key for name, key in scores if name == "chance" and key != "zero_shot"):
        assert scores["trained", key] == pytest.approx(scores["chance", key]), key


def test_an_evaluation_of_the_export_has_the_same_scores(exported):
    import sslzoo

    result, data = exported
    before = {(row.features, row.key): row.mean for row in result.scores if row.features in ("trained", "chance")}
    after = {(row.features, row.key): row.mean for row in sslzoo.evaluate(result.exported, data)}
    assert {key: after.get(key) for key in before} == pytest.approx(before, abs=1e-6)
    facts = json.loads((result.exported / "recipe.json").read_text())
    assert facts["loads"]["tf.saved_model.load, text/"] < 1e-6
    assert "call it on strings" in (result.exported / "README.md").read_text()


def test_data_without_captions_are_refused_in_one_line(tmp_path):
    import sslzoo

    with pytest.raises(ValueError, match="clip needs captions and digits has none: give captions=FILE") as caught:
        sslzoo.pretrain("clip", "digits", "conv6", runs=str(tmp_path), export_to=None)
    assert "\n" not in str(caught.value)


def test_too_few_views_are_refused_in_one_line(exported, tmp_path):
    import sslzoo

    with pytest.raises(ValueError, match="^simclr_weight above 0 needs two more views: give preset='slip'$"):
        sslzoo.pretrain("clip", exported[1], "conv6", simclr_weight=1.0, runs=str(tmp_path), export_to=None)


@pytest.mark.parametrize("knobs", [{}, {"tokenizer": "bytes"}, {"frozen_image": True}])
def test_a_text_tower_is_the_same_everywhere(tmp_path, knobs):
    model = miniatures.build("clip", **knobs)
    tower = tower_of(model)
    assert export_text(tower, tmp_path) < 1e-6
    tokens = Tokenizer(model.tokenizer, model.text_length, model.vocabulary)(tf.constant(["a b zz", "c"]))
    np.testing.assert_allclose(tower.of_texts(["a b zz", "c"]), keras.ops.normalize(model.text(tokens)), atol=1e-6)
    views = miniatures.batch(model)["views"][0]
    projected = keras.ops.normalize(model.embed(views))
    np.testing.assert_allclose(tower.of_features(model.encoder(views)), projected, atol=1e-5)


def test_without_a_text_tower_there_is_one_line(tmp_path):
    with pytest.raises(ValueError, match="has no text tower"):
        load_text(tmp_path)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "tower.keras").write_bytes(b"no model")
    with pytest.raises(ValueError, match="is damaged or not to be trusted"):
        load_text(tmp_path)


def test_the_text_tower_of_a_training_in_half_precision_is_float32():
    with precision("mixed_float16"):
        model = miniatures.build("clip")
    tower = tower_of(model)
    dtypes = {layer.compute_dtype for layer in tower.embed.get_layer("text").layers}
    assert dtypes == {"float32"} and tower.of_texts(["a b"]).dtype == np.float32
