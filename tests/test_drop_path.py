"""Drop path: what is dropped, that it acts in training steps alone, and is the same on any number of devices."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from families import spread

from sslzoo import encoders, methods
from sslzoo.exports.savedmodel import export, load_encoder
from sslzoo.layers.drop_path import DropPath, drawing, growing, stacked
from sslzoo.layers.microbatch import MicroBatches
from sslzoo.layers.targets import target_of
from sslzoo.layers.transformer import parts
from sslzoo.testing import miniatures
from sslzoo.testing.method_checks import check_replicas, check_saving
from sslzoo.utils.keras_internals import all_layers

RANDOM = np.random.default_rng(0)


def dropping(rate=0.5):
    """A small vision transformer; only its second block drops."""
    return encoders.make("vit_tiny", (16, 16, 3), width=0.25, depth=2, drop_path=rate)


def numbers(shape, draw):
    return tf.random.stateless_uniform(shape, (7, draw))


def test_the_rate_grows_linearly_with_the_depth_and_both_branches_of_a_block_drop():
    assert growing(0.3, 4) == pytest.approx([0, 0.1, 0.2, 0.3]) and growing(0.3, 1) == [0]
    encoder = encoders.make("vit_tiny", (16, 16, 3), width=0.25, depth=4, drop_path=0.3)
    found = {layer.name: layer.rate for layer in encoder.layers if isinstance(layer, DropPath)}
    expected = {f"block{k + 1}_drop{half}": 0.1 * k for k in (1, 2, 3) for half in (1, 2)}
    assert found == pytest.approx(expected)


def test_at_rate_0_the_encoder_is_as_without():
    keras.utils.set_random_seed(0)
    plain = encoders.make("vit_tiny", (16, 16, 3), width=0.25, depth=2)
    keras.utils.set_random_seed(0)
    never = dropping(0.0)
    assert [layer.name for layer in plain.layers] == [layer.name for layer in never.layers]
    x = RANDOM.uniform(size=(2, 16, 16, 3)).astype("float32")
    with drawing(numbers):
        np.testing.assert_array_equal(never(x, training=True), plain(x))
    with pytest.raises(ValueError, match="drop_path"):
        dropping(1.0)


def test_examples_are_dropped_at_the_rate_and_the_mean_is_kept():
    layer, x = DropPath(0.25), np.full((20_000, 2, 3), 2.0, "float32")
    with drawing(numbers):
        found = np.asarray(layer(x, training=True))
        again = np.asarray(layer(x, training=True))
    np.testing.assert_array_equal(np.unique(found), np.float32([0, 2 / 0.75]))
    assert (found == found[:, :1, :1]).all(), "an example is dropped as a whole"
    dropped, dropped_again = (found[:, 0, 0] == 0), (again[:, 0, 0] == 0)
    assert abs(dropped.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 20_000)
    assert abs(found.mean() - 2) < 0.03
    both = (dropped & dropped_again).mean()  # of two calls, independent
    assert abs(both - 0.0625) < 4 * np.sqrt(0.0625 / 20_000)


def test_views_one_after_the_other_get_the_numbers_of_their_examples():
    drawn = []

    def uniform(shape, draw):
        drawn.append((tuple(shape), draw))
        return tf.reshape(tf.range(int(np.prod(shape)), dtype="float32"), shape) / 12

    x = np.ones((12, 1), "float32")
    with drawing(uniform), stacked(3):
        kept = np.asarray(DropPath(0.5)(x, training=True))[:, 0] > 0
    assert drawn[0][0] == (4, 3)
    np.testing.assert_array_equal(kept.reshape(3, 4), (np.arange(12).reshape(4, 3) / 12 >= 0.5).T)
    with drawing(uniform):
        kept = np.asarray(DropPath(0.5)(x, training=True))[:, 0] > 0
    np.testing.assert_array_equal(kept, np.arange(12) / 12 >= 0.5)
    assert drawn[0][1] == drawn[1][1], "each step counts its calls from the start"


@pytest.mark.long
def test_nothing_is_dropped_outside_of_training_steps_in_exports_and_in_targets(tmp_path):
    encoder, x = dropping(0.9), RANDOM.uniform(size=(4, 16, 16, 3)).astype("float32")
    features = np.asarray(encoder(x))
    np.testing.assert_array_equal(encoder(x, training=True), features)
    with drawing(numbers):
        assert np.abs(np.asarray(encoder(x, training=True)) - features).max() > 0.01
        np.testing.assert_array_equal(encoder(x, training=False), features)
        np.testing.assert_array_equal(target_of(encoder)(x, training=True), features)
    export(encoder, tmp_path / "one", x, {})
    loaded = tf.saved_model.load(str(tmp_path / "one"))
    np.testing.assert_allclose(loaded(x, training=True), features, atol=1e-5)
    np.testing.assert_allclose(load_encoder(tmp_path / "one")(x, training=True), features, atol=1e-5)


def test_a_training_drops_and_differs_between_steps():
    model = miniatures.build("simclr", dropping)
    pooled = keras.Model(model.encoder.input, model.encoder.get_layer("block2_drop1").output)
    x, seen = RANDOM.uniform(size=(8, 16, 16, 3)).astype("float32"), []
    for _ in range(3):
        with drawing(model.uniform):
            seen.append(np.asarray(pooled(x, training=True)).any((1, 2)))
        model.optimizer.iterations.assign_add(1)
    assert len({tuple(one) for one in seen}) > 1 and not all(one.all() for one in seen)
    plain = miniatures.build("simclr", lambda: dropping(0.0))
    assert miniatures.losses_of(model, 1) != miniatures.losses_of(plain, 1)


@pytest.mark.long
@pytest.mark.parametrize("method", spread(["simclr", "dino", "ibot", "mae", "rotation", "lejepa"]))
def test_two_replicas_drop_like_one(method):
    check_replicas(method, encoder=dropping)


def test_a_loaded_training_goes_on_as_it_would_have():
    check_saving("simclr", encoder=dropping)


def test_all_parts_of_a_transformer_drop_and_the_teacher_does_not():
    model = methods.IBOT(dropping(), hidden_dim=16, projection_dim=8, prototypes=8)
    rates = {layer.rate for layer in all_layers(model.teacher) if isinstance(layer, DropPath)}
    assert rates == {0.0}
    trunk, tokens = parts(model.encoder)[2], RANDOM.normal(size=(6, 17, 48)).astype("float32")
    with drawing(numbers):
        assert np.abs(np.asarray(trunk(tokens, training=True)) - np.asarray(trunk(tokens))).max() > 0.01


def test_micro_batches_are_refused():
    with pytest.raises(ValueError, match="micro_batch does not work with drop_path"):
        MicroBatches(dropping(), 4)
