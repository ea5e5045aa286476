"""Vision transformers: the papers' parameter counts, any size of image, positions, and what is inside."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from families import spread

from sslzoo import encoders, load_encoder
from sslzoo.encoders.vit import vit
from sslzoo.exports.savedmodel import ROUTES, export
from sslzoo.layers.tokens import Attention, Gate, bicubic, sincos
from sslzoo.testing import miniatures

IMAGES = np.random.default_rng(0).random((3, 16, 16, 3), "float32")
SMALL = dict(depth=2, width=0.25)


def small(**knobs):
    keras.utils.set_random_seed(1)
    return encoders.make("vit_tiny", (16, 16, 3), **SMALL | knobs)


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    "name, dim, count",
    [("vit_tiny", 192, 5_524_416), ("vit_small", 384, 21_665_664), ("vit_base", 768, 85_798_656)],
)
def test_parameters_are_those_of_deit(name, dim, count):
    """Patches 16 * 16 * 3 * d + d, class token d, positions 197 d, 12 blocks of 12 d^2 + 13 d, last norm 2 d."""
    assert count == 16 * 16 * 3 * dim + dim + dim + 197 * dim + 12 * (12 * dim**2 + 13 * dim) + 2 * dim
    encoder = encoders.make(name, (224, 224, 3), positions="learned")
    assert (trainable(encoder), encoder.output_shape[-1]) == (count, dim)
    fixed = encoders.make(name, (224, 224, 3), positions="sincos")
    assert trainable(fixed) == count - 197 * dim


@pytest.mark.parametrize("size, patch", [(28, 4), (64, 4), (96, 16), (224, 16)])
def test_the_patch_follows_from_the_image_size(size, patch):
    encoder = encoders.make("vit_tiny", (size, size, 3), depth=1, width=0.25)
    assert encoder.get_layer("patches").patch == patch


@pytest.mark.parametrize("positions", ["sincos", "learned"])
@pytest.mark.parametrize("pool", ["token", "mean"])
def test_images_of_other_sizes_give_features_of_the_same_width(positions, pool):
    encoder = small(positions=positions, pool=pool)
    for height, width in [(16, 16), (8, 12), (24, 4)]:
        features = encoder(np.zeros((2, height, width, 3), "float32"))
        assert features.shape == (2, 48) and features.dtype == "float32"


@pytest.mark.parametrize("height, width", [(16, 16), (20, 12), (8, 28)])
def test_the_grid_averages_the_tokens_of_each_cell(height, width):
    encoder = small(pool="grid", registers=2)
    images = np.random.default_rng(1).random((2, height, width, 3), "float32")
    tokens = keras.Model(encoder.input, encoder.get_layer("norm").output)(images).numpy()[:, 3:]
    grid = tokens.reshape(2, height // 4, width // 4, 48)
    edges = [[(i * n // 4, -(-(i + 1) * n // 4)) for i in range(4)] for n in grid.shape[1:3]]
    cells = [grid[:, a:b, c:d].mean((1, 2)) for a, b in edges[0] for c, d in edges[1]]
    np.testing.assert_allclose(encoder(images), np.concatenate(cells, 1), atol=1e-5)
    of_any_size = tf.function(encoder, input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_allclose(of_any_size(images), encoder(images), atol=1e-5)
    assert encoder.output_shape == (None, 16 * 48)


@pytest.mark.parametrize("name", spread(sorted(miniatures.TOKENS | {"dino"})))
def test_methods_train_an_encoder_that_exports_a_grid(name):
    model = miniatures.build(name, lambda: encoders.make("vit_tiny", (16, 16, 3), **SMALL, pool="grid"))
    before = model.encoder(IMAGES).numpy()
    model.fit(miniatures.batches(model, 2), verbose=0)
    after = model.encoder(IMAGES).numpy()
    assert np.isfinite(after).all() and np.abs(after - before).max() > 1e-5
    assert model.exported()(IMAGES).shape == after.shape == (3, 16 * 48)


@pytest.mark.long
@pytest.mark.parametrize("positions", ["sincos", "learned"])
def test_a_size_known_only_at_run_time_gives_the_same_features(positions):
    encoder = small(positions=positions)
    for side in (16, 12):
        images = IMAGES[:, :side, :side]
        of_any_size = tf.function(encoder, input_signature=[tf.TensorSpec((None, None, None, 3))])
        np.testing.assert_allclose(of_any_size(images), encoder(images), atol=1e-5)


def test_the_order_of_patches_matters_through_their_positions_alone():
    encoder, swapped = small(), np.concatenate([IMAGES[:, 8:], IMAGES[:, :8]], axis=1)
    assert np.abs(encoder(swapped) - encoder(IMAGES)).max() > 1e-3
    tokens = keras.Model(encoder.input, encoder.get_layer("tokens").output)
    trunk = keras.Model(encoder.get_layer("tokens").output, encoder.output)
    whole = tokens(IMAGES)
    shuffled = tf.concat([whole[:, :1], whole[:, :0:-1]], axis=1)
    np.testing.assert_allclose(trunk(shuffled), trunk(whole), atol=1e-5)
    assert trunk(whole[:, :5]).shape == (3, 48), "the trunk takes any subset of the tokens"


def test_learned_positions_of_their_own_size_are_used_as_they_are():
    encoder = small(positions="learned")
    layer = encoder.get_layer("tokens")
    tokens = layer(np.zeros((1, 4, 4, 48), "float32"))
    np.testing.assert_array_equal(tokens[0, 1:], np.reshape(layer.positions, (16, 48)))
    np.testing.assert_array_equal(tokens[0, 0], layer.token + layer.token_position)


def reference_sincos(rows, columns, dim):
    """Sine and cosine of the column, then of the row, one number at a time."""
    found = np.zeros((rows, columns, dim))
    for row in range(rows):
        for column in range(columns):
            for k in range(dim // 4):
                frequency = 1 / 10000 ** (k / (dim / 4))
                parts = (np.sin(column * frequency), np.cos(column * frequency))
                parts += (np.sin(row * frequency), np.cos(row * frequency))
                for quarter, value in enumerate(parts):
                    found[row, column, quarter * dim // 4 + k] = value
    return found


def test_fixed_positions_are_sines_and_cosines_of_columns_and_rows():
    np.testing.assert_allclose(sincos(3, 5, 16), reference_sincos(3, 5, 16), atol=1e-6)


def reference_bicubic(old, new, a=-0.75):
    def kernel(x):
        x = abs(x)
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0

    weights = np.zeros((new, old))
    for i in range(new):
        place = (i + 0.5) * old / new - 0.5
        for j in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            weights[i, min(max(j, 0), old - 1)] += kernel(place - j)
    return weights


@pytest.mark.parametrize("old, new", [(14, 6), (4, 4), (3, 7), (7, 2)])
def test_interpolation_is_cubic_convolution(old, new):
    weights = bicubic(old, new)
    np.testing.assert_allclose(weights, reference_bicubic(old, new), atol=1e-5)
    np.testing.assert_allclose(np.sum(weights, axis=1), 1, atol=1e-5)
    if old == new:
        np.testing.assert_array_equal(weights, np.eye(old))


def test_attention_is_softmax_of_scaled_dot_products():
    rng, layer = np.random.default_rng(0), Attention(2)
    qkv = rng.normal(size=(2, 5, 24)).astype("float32")
    q, k, v = np.split(qkv, 3, axis=-1)
    expected = np.zeros((2, 5, 8))
    for image in range(2):
        for head in (slice(0, 4), slice(4, 8)):
            scores = np.exp(q[image, :, head] @ k[image, :, head].T / 2)
            expected[image, :, head] = scores / scores.sum(1, keepdims=True) @ v[image, :, head]
    np.testing.assert_allclose(layer(qkv), expected, atol=1e-5)
    weights, _ = layer.weights_and_values(qkv)
    np.testing.assert_allclose(np.sum(weights, axis=-1), 1, atol=1e-6)


def test_norms_have_the_references_epsilon():
    norms = [layer for layer in small().layers if isinstance(layer, keras.layers.LayerNormalization)]
    assert len(norms) == 5 and all(norm.epsilon == 1e-6 for norm in norms)


@pytest.mark.parametrize("positions", ["sincos", "learned"])
def test_it_is_rebuilt_from_its_config_and_from_a_file(positions, tmp_path):
    encoder = small(positions=positions, pool="mean")
    again = keras.Model.from_config(encoder.get_config())
    again.set_weights(encoder.get_weights())
    np.testing.assert_array_equal(again(IMAGES), encoder(IMAGES))
    encoder.save(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "encoder.keras")(IMAGES), encoder(IMAGES))


@pytest.mark.long
@pytest.mark.parametrize("positions", ["sincos", "learned"])
def test_every_route_of_an_export_gives_the_features_in_memory(positions, tmp_path):
    encoder = small(positions=positions)
    facts = export(encoder, tmp_path / "vit", IMAGES, {"name": "vit"})
    assert set(facts["loads"]) == set(ROUTES) and all(difference < 1e-5 for difference in facts["loads"].values())
    loaded, other = load_encoder(tmp_path / "vit"), IMAGES[:, :12, :8]
    np.testing.assert_allclose(loaded(other), encoder(other), atol=1e-6)
    served = tf.saved_model.load(str(tmp_path / "vit"))(tf.constant(other))
    np.testing.assert_allclose(served, encoder(other), atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_finite_and_close(policy):
    expected = small()(IMAGES)
    keras.config.set_dtype_policy(policy)
    try:
        encoder = small()
    finally:
        keras.config.set_dtype_policy("float32")
    features = encoder(IMAGES)
    assert features.dtype == "float32" and np.isfinite(features).all()
    np.testing.assert_allclose(features, expected, atol=0.1)


def test_gradients_reach_every_weight():
    encoder = small(positions="learned")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(IMAGES) ** 3)
    gradients = tape.gradient(loss, [weight.value for weight in encoder.trainable_weights])
    assert all(gradient is not None and np.abs(gradient).max() > 0 for gradient in gradients)


@pytest.mark.parametrize(
    "knobs, text",
    [
        (dict(patch_size=5), "no multiple of the patch"),
        (dict(positions="rotary"), "sincos, learned"),
        (dict(pool="max"), "token, mean, grid"),
        (dict(width=0.01), "choose another width"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(knobs, text):
    with pytest.raises(ValueError, match=text) as caught:
        small(**knobs)
    assert "\n" not in str(caught.value)


def test_an_image_that_patches_do_not_tile_is_refused():
    with pytest.raises(ValueError, match="30 x 16 are no multiple"):
        small()(np.zeros((1, 30, 16, 3), "float32"))


def test_width_and_depth_multiply_what_they_say():
    encoder = vit((16, 16, 3), 32, 2, depth=3, width=2.0)
    assert encoder.output_shape == (None, 64)
    assert sum(isinstance(layer, Attention) for layer in encoder.layers) == 3


def test_a_frozen_projection_of_patches_stays_so_in_a_copy_and_nothing_else_does():
    encoder = encoders.make("vit_tiny", (8, 8, 3), depth=1, width=0.25, frozen_patches=True)
    for model in (encoder, keras.Model.from_config(encoder.get_config())):
        frozen = {weight.path for weight in model.weights} - {weight.path for weight in model.trainable_weights}
        assert frozen == {"patches/kernel", "patches/bias"}


def test_layer_scale_multiplies_both_branches_of_a_block():
    encoder, plain = small(depth=1, layer_scale=0.5), small(depth=1)
    plain.set_weights([w for w in encoder.get_weights() if not (w.shape == (48,) and np.allclose(w, 0.5))])
    for name in ("block1_projection", "block1_output"):
        for weight in plain.get_layer(name).weights:
            weight.assign(weight * 0.5)
    np.testing.assert_allclose(encoder(IMAGES), plain(IMAGES), atol=1e-5)
    assert trainable(encoder) == trainable(plain) + 2 * 48


def test_swiglu_is_gated_and_has_the_reference_s_width():
    encoder = small(depth=1, swiglu=True)
    assert encoder.get_layer("block1_output").kernel.shape == (128, 48), "8 ceil(4 * 48 * 2 / 3 / 8)"
    x = np.random.default_rng(0).normal(size=(2, 3, 8)).astype("float32")
    expected = x[..., :4] / (1 + np.exp(-x[..., :4])) * x[..., 4:]
    np.testing.assert_allclose(Gate()(x), expected, atol=1e-6)


@pytest.mark.long
def test_a_vision_transformer_with_every_knob_is_exported_and_cloned(tmp_path):
    encoder = small(class_tokens=2, registers=1, layer_scale=1e-5, swiglu=True, positions="learned")
    export(encoder, tmp_path / "vit", IMAGES, {"name": "vit"})
    np.testing.assert_allclose(load_encoder(tmp_path / "vit")(IMAGES), encoder(IMAGES), atol=1e-6)
