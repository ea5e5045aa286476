"""The attentive probe: its pooling in loops, what it reads, and what has no tokens."""

import keras
import numpy as np
import pytest
from golden import ARRAYS

import sslzoo
from sslzoo import encoders
from sslzoo.data import Splits, from_array
from sslzoo.evaluation import judging
from sslzoo.evaluators import Study, attentive
from sslzoo.evaluators.judge import judge
from sslzoo.layers.maps import place_map

RANDOM = np.random.default_rng(0)
QUERY, KEY, VALUE = (ARRAYS[f"pool_{name}"] for name in ("query", "key", "value"))
TOKENS = ARRAYS["feats_s"]


def in_loops(tokens, heads=3):
    """AIM's pooling of standardized tokens: every image and head by itself, keys and values of every token."""
    tokens = (tokens - tokens.mean((0, 1))) / np.sqrt(tokens.var((0, 1)) + 1e-6)
    found, width = np.zeros((len(tokens), QUERY.size)), QUERY.size // heads
    for image, seen in enumerate(tokens.astype("float64")):
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            scores = np.array([QUERY.reshape(-1)[part] @ (token @ KEY)[part] / np.sqrt(width) for token in seen])
            weights = np.exp(scores) / np.exp(scores).sum()
            found[image, part] = sum(
                weight * (token @ VALUE)[part] for weight, token in zip(weights, seen, strict=True)
            )
    return found


def attended(tokens, heads=3):
    return keras.ops.convert_to_numpy(attentive.attend(tokens, QUERY.reshape(-1), KEY, VALUE, heads))


def test_the_pooling_is_the_papers_in_loops():
    pool = attentive.AttentivePool(3, TOKENS.mean((0, 1)), (TOKENS.var((0, 1)) + 1e-6) ** -0.5)
    pool.build(TOKENS.shape)
    pool.set_weights([QUERY.reshape(-1), KEY, VALUE])
    np.testing.assert_allclose(pool(TOKENS), in_loops(TOKENS), atol=2e-5)


def test_one_token_gives_its_value_and_the_order_of_tokens_makes_no_difference():
    tokens = RANDOM.normal(size=(2, 9, 12)).astype("float32")
    np.testing.assert_allclose(attended(tokens[:, :1]), tokens[:, 0] @ VALUE, atol=1e-5)
    np.testing.assert_allclose(attended(tokens[:, RANDOM.permutation(9)]), attended(tokens), atol=1e-5)
    same = keras.ops.convert_to_numpy(attentive.attend(tokens, 0 * QUERY.reshape(-1), KEY, VALUE, 3))
    np.testing.assert_allclose(same, tokens.mean(1) @ VALUE, atol=1e-5)


def needles(count, seed):
    """One of nine tokens carries the class and a mark; the mean of the tokens hides it among strong noise."""
    random = np.random.default_rng(seed)
    tokens, labels = 3 * random.normal(size=(count, 9, 8)), np.arange(count) % 3
    tokens[..., :4] = 0
    places = random.integers(9, size=count)
    tokens[np.arange(count), places, 0] = 3
    tokens[:, :, 1:4] = 3 * np.eye(3)[random.integers(3, size=(count, 9))]
    tokens[np.arange(count), places, 1:4] = 3 * np.eye(3)[labels]
    return tokens.astype("float32"), labels


def test_it_reads_the_one_token_that_a_linear_probe_of_the_mean_misses():
    (train, labels), (test, test_labels) = needles(1500, 0), needles(500, 1)
    right = attentive.attentive_answers(train, labels, [test[:200], test[200:]], test_labels, epochs=30)
    assert right.shape == (500,) and right.mean() > 0.9
    mean = sslzoo.evaluators.linear.linear_probe(train.mean(1), labels, test.mean(1), test_labels)
    assert mean < 0.65


def small(name, **knobs):
    return encoders.make(name, (16, 16, 1), **knobs)


def data():
    images, labels = RANDOM.uniform(size=(90, 16, 16, 1)).astype("float32"), np.arange(90) % 2
    return Splits(from_array(images[:60], labels[:60]), from_array(images[60:], labels[60:]))


def test_places_of_a_transformer_are_its_patch_tokens_in_their_grid():
    encoder = small("vit_tiny", depth=1, pool="mean", registers=2)
    images = RANDOM.uniform(size=(3, 16, 8, 1)).astype("float32")
    found = place_map(encoder)(images)
    assert found.shape == (3, 4, 2, 192)
    np.testing.assert_allclose(keras.ops.mean(found, axis=(1, 2)), encoder(images), atol=1e-5)
    tokens = keras.Model(encoder.input, encoder.get_layer("norm").output)(images)
    np.testing.assert_array_equal(found[:, 1, 0], tokens[:, 3 + 2])


def test_places_are_found_in_a_model_within_the_model():
    for inner in (small("vit_tiny", depth=1), small("conv6", width=0.125)):
        images = keras.Input((16, 16, 1))
        outer = keras.Model(images, inner(keras.layers.Rescaling(0.5)(images)))
        x = RANDOM.uniform(size=(2, 16, 16, 1)).astype("float32")
        np.testing.assert_allclose(place_map(outer)(x), place_map(inner)(x / 2), atol=1e-6)


@pytest.mark.parametrize(
    "name, knobs",
    [
        ("vit_tiny", dict(depth=1, width=0.25)),
        pytest.param("conv6", dict(width=0.125), marks=pytest.mark.long),
    ],
)
def test_evaluate_has_it_with_both_baselines(name, knobs):
    trained, untrained = small(name, **knobs), small(name, **knobs)
    scores = judging.evaluate(trained, data(), untrained=untrained, image_size=16, evaluators=("attentive",), epochs=1)
    assert [(row.key, row.features) for row in scores] == [
        ("attentive", name) for name in ("trained", "untrained", "raw pixels")
    ]
    assert "untrained" in scores[0].gains and not scores.notes[1:]


def test_an_encoder_without_tokens_is_left_out_in_one_line():
    scores = judging.evaluate(
        small("mlp", units=8), data(), untrained=small("mlp", units=8), image_size=16, evaluators=("knn", "attentive")
    )
    assert {row.key for row in scores} == {"knn"} and len(scores) == 3
    (line,) = [note for note in scores.notes if "attentive" in note]
    assert "no feature map" in line and "\n" not in line


def test_features_alone_have_no_tokens():
    x, y = RANDOM.normal(size=(20, 4)), np.arange(20) % 2
    with pytest.raises(ValueError, match="tokens are required"):
        judge({"trained": [Study(x, x, y, y)]}, evaluators=("attentive",))


def test_tokens_that_are_not_finite_or_labels_of_one_class_are_refused():
    tokens, labels = needles(6, 0)
    with pytest.raises(ValueError, match="single class"):
        attentive.attentive_answers(tokens, 0 * labels, [tokens], labels)
    with pytest.raises(ValueError, match="NaN or infinity"):
        attentive.attentive_answers(tokens * np.inf, labels, [tokens], labels)
