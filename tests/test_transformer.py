"""Parts of a vision transformer, the walk through its layers with masks, and predictors of hidden patches."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from golden import ARRAYS

from sslzoo import encoders
from sslzoo.layers import masking
from sslzoo.layers.tokens import CrossAttention, sincos
from sslzoo.layers.transformer import Predictor, cross_transformer, kept, parts, picked, transformer, walk

RNG = np.random.default_rng(0)
IMAGES = RNG.random((3, 16, 16, 3), "float32")


def loud(network):
    """The network with large weights, so that every token has an effect on the others."""
    for weight in network.weights:
        weight.assign(weight * (10 if len(weight.shape) == 2 else 1))
    return network


def small(**knobs):
    keras.utils.set_random_seed(1)
    return loud(encoders.make("vit_tiny", (16, 16, 3), **dict(depth=2, width=0.25) | knobs))


def normed(encoder):
    return keras.Model(encoder.input, encoder.get_layer("norm").output)(IMAGES)


@pytest.mark.parametrize("knobs", [{}, dict(class_tokens=3), dict(class_tokens=2, registers=2, positions="learned")])
def test_the_parts_are_the_encoder(knobs):
    encoder = small(**knobs)
    stem, place, trunk = parts(encoder)
    extra = encoder.get_layer("tokens").extra
    tokens = place(stem(IMAGES))
    assert stem(IMAGES).shape == (3, 4, 4, 48) and tokens.shape == (3, extra + 16, 48)
    np.testing.assert_array_equal(trunk(tokens), normed(encoder))
    np.testing.assert_array_equal(encoder.get_layer("features")(trunk(tokens)), encoder(IMAGES))
    assert {id(w) for part in (stem, place, trunk) for w in part.weights} == {id(w) for w in encoder.weights}


def test_an_encoder_without_tokens_is_refused():
    with pytest.raises(ValueError, match="has no patch tokens: take a vision transformer"):
        parts(encoders.make("conv6", (16, 16, 3), width=0.25))


def test_the_walk_is_the_graph_and_has_the_outputs_of_blocks():
    encoder = small()
    _, _, trunk = parts(encoder)
    tokens = keras.Model(encoder.input, encoder.get_layer("tokens").output)(IMAGES)
    found, blocks = walk(trunk, tokens)
    np.testing.assert_array_equal(found, normed(encoder))
    assert len(blocks) == 2
    first = keras.Model(encoder.input, encoder.get_layer("block1").output)(IMAGES)
    np.testing.assert_array_equal(blocks[0], first)


def test_tokens_that_are_not_allowed_are_as_good_as_absent():
    _, _, trunk = parts(small())
    tokens = tf.constant(RNG.normal(size=(3, 17, 48)), "float32")
    seen = np.arange(17) < 9
    found, _ = walk(trunk, tokens, np.broadcast_to(seen, (3, 17, 17)))
    np.testing.assert_allclose(found[:, :9], trunk(tokens[:, :9]), atol=1e-5)
    everything, _ = walk(trunk, tokens, np.ones((1, 17, 17), bool))
    np.testing.assert_allclose(everything, trunk(tokens), atol=1e-6)


def test_with_causal_attention_a_token_does_not_depend_on_later_ones():
    _, _, trunk = parts(small())
    tokens = RNG.normal(size=(2, 6, 48)).astype("float32")
    causal = np.tril(np.ones((1, 6, 6), bool))
    before, _ = walk(trunk, tokens, causal)
    changed = tokens.copy()
    changed[:, 3] *= -1
    after, _ = walk(trunk, changed, causal)
    np.testing.assert_allclose(after[:, :3], before[:, :3], atol=1e-4)
    assert (np.abs(np.array(after) - before)[:, 3:].max(axis=(0, 2)) > 1e-3).all()


def test_a_query_that_sees_nothing_is_finite():
    _, _, trunk = parts(small())
    found, _ = walk(trunk, RNG.normal(size=(1, 4, 48)).astype("float32"), np.zeros((1, 4, 4), bool))
    assert np.isfinite(found).all()


def test_positions_are_maes():
    np.testing.assert_allclose(np.reshape(sincos(4, 4, 16), (16, 16)), ARRAYS["sincos"][1:], atol=1e-6)
    assert not ARRAYS["sincos"][0].any(), "the class token has none"


def test_class_tokens_and_registers_are_pooled_as_named():
    encoder = small(class_tokens=3, registers=2, pool="token")
    np.testing.assert_allclose(encoder(IMAGES), np.mean(normed(encoder)[:, :3], axis=1), atol=1e-6)
    encoder = small(class_tokens=3, registers=2, pool="mean")
    np.testing.assert_allclose(encoder(IMAGES), np.mean(normed(encoder)[:, 5:], axis=1), atol=1e-6)
    again = keras.models.clone_model(encoder)
    again.set_weights(encoder.get_weights())
    np.testing.assert_array_equal(again(IMAGES), encoder(IMAGES))
    assert all(w.name != "registers" for w in small().weights)


def predictor():
    keras.utils.set_random_seed(0)
    return loud(Predictor(12, 16, 2, 2, 5))


def test_a_prediction_depends_on_places_not_on_the_order_of_tokens():
    network, tokens = predictor(), RNG.normal(size=(2, 1 + 4, 12)).astype("float32")
    visible, hidden = masking.random_keep(RNG.random((2, 9), "float32"), 4)
    found = np.array(network(tokens, visible, hidden, grid=(3, 3)))
    assert found.shape == (2, 5, 5) and found.dtype == "float32"
    turned = np.concatenate([tokens[:, :1], tokens[:, :0:-1]], axis=1)
    same = network(turned, visible[:, ::-1], hidden, grid=(3, 3))
    np.testing.assert_allclose(same, found, atol=1e-5)
    back = network(tokens, visible, hidden[:, ::-1], grid=(3, 3))
    np.testing.assert_allclose(back, found[:, ::-1], atol=1e-5)
    moved = network(tokens, visible[:, ::-1], hidden, grid=(3, 3))
    assert np.abs(np.array(moved) - found).max() > 1e-3, "tokens at other places"


def test_patches_that_are_not_real_change_no_prediction():
    network, tokens = predictor(), RNG.normal(size=(2, 5, 12)).astype("float32")
    visible, hidden = masking.random_keep(RNG.random((2, 9), "float32"), 4)
    found = network(tokens, visible, hidden[:, :3], grid=(3, 3))
    real = np.broadcast_to(np.arange(5) < 3, (2, 5))
    padded = network(tokens, visible, hidden, grid=(3, 3), real=real)
    np.testing.assert_allclose(padded[:, :3], found, atol=1e-5)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="a width of 16 does not divide by 4 and by 3 heads"):
        transformer(16, 1, 3, 4)


def test_cross_attention_is_softmax_of_scaled_dot_products():
    queries, seen = RNG.normal(size=(2, 3, 8)).astype("float32"), RNG.normal(size=(2, 5, 16)).astype("float32")
    found = CrossAttention(2)(queries, seen)
    for image in range(2):
        for head in (slice(0, 4), slice(4, 8)):
            keys, values = seen[image, :, :8][:, head], seen[image, :, 8:][:, head]
            scores = np.exp(queries[image, :, head] @ keys.T / 2)
            expected = scores / scores.sum(axis=1, keepdims=True) @ values
            np.testing.assert_allclose(found[image, :, head], expected, atol=1e-5)


def test_queries_of_a_cross_transformer_do_not_see_each_other():
    network = loud(cross_transformer(8, 2, 2))
    queries, seen = RNG.normal(size=(2, 3, 8)).astype("float32"), RNG.normal(size=(2, 5, 8)).astype("float32")
    found = np.array(network([queries, seen]))
    alone = network([queries[:, 1:2], seen])
    np.testing.assert_allclose(found[:, 1:2], alone, atol=1e-5)
    np.testing.assert_allclose(network([queries, seen[:, ::-1]]), found, atol=1e-5)
    assert np.abs(found - np.array(network([queries, seen + 1]))).max() > 1e-3


def test_tokens_are_chosen_by_number():
    x = RNG.normal(size=(2, 5, 3)).astype("float32")
    ids = np.array([[2, 0], [1, 3]])
    np.testing.assert_array_equal(picked(x, ids), np.stack([x[0, [2, 0]], x[1, [1, 3]]]))
    np.testing.assert_array_equal(kept(x, ids, 1), np.stack([x[0, [0, 3, 1]], x[1, [0, 2, 4]]]))
