"""Losses of masked methods: golden values, the papers' formulas as NumPy loops, closed forms and invariances."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from golden import ARRAYS, golden

from sslzoo import losses

RNG = np.random.default_rng(0)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def gradient(function, x):
    """Frobenius norm of the gradient in x."""
    x = tf.Variable(x)
    with tf.GradientTape() as tape:
        value = function(x)
    found = tape.gradient(value, x)
    return 0.0 if found is None else float(tf.norm(found))


def normalized_patches(images, patch):
    """Targets of MAE with loops, in float64."""
    n, height, width, _ = images.shape
    out = []
    for image in images.astype("float64"):
        rows = [
            image[i : i + patch, j : j + patch].ravel() for i in range(0, height, patch) for j in range(0, width, patch)
        ]
        out.append([(row - row.mean()) / np.sqrt(row.var(ddof=1) + 1e-6) for row in rows])
    return np.array(out)


def test_patches_are_row_column_channel_and_come_back():
    images = ARRAYS["images"]
    patches = losses.patch_targets(images, 4, normalize=False)
    np.testing.assert_allclose(patches, ARRAYS["patches"], atol=1e-6)
    np.testing.assert_allclose(losses.patch_images(patches, (4, 4), 4), images, atol=1e-6)
    wide = RNG.random((2, 8, 12, 3), "float32")
    np.testing.assert_array_equal(losses.patch_images(losses.patch_targets(wide, 4, normalize=False), (2, 3), 4), wide)


def test_normalized_targets_are_maes_and_zero_for_a_constant_patch():
    np.testing.assert_allclose(
        losses.patch_targets(ARRAYS["images"], 4), normalized_patches(ARRAYS["images"], 4), atol=2e-5
    )
    assert not np.any(losses.patch_targets(np.full((1, 8, 8, 3), 0.7, "float32"), 4))


def test_mae_on_pixels_is_the_golden_value_of_masked_patches_alone():
    predicted, patches, mask = (ARRAYS[name] for name in ("predicted", "patches", "mae_mask"))

    def loss(x):
        return keras.ops.mean(losses.patch_mse(x, patches, weights=mask))

    assert float(loss(predicted)) == golden("mae/pixels")
    assert gradient(loss, predicted) == golden("mae/pixels/grad:predicted")
    whole = float(keras.ops.mean(losses.patch_mse(predicted, patches)))
    assert whole == golden("mae/pixels/all_patches") and abs(whole - float(loss(predicted))) > 1e-3


def test_mae_of_a_prediction_of_zero_is_the_share_of_n_minus_1():
    images = RNG.random((3, 16, 16, 3), "float32")
    targets = losses.patch_targets(images, 4)
    np.testing.assert_allclose(losses.patch_mse(targets * 0, targets), 47 / 48, atol=1e-4)


def test_sim_mim_is_the_golden_value():
    noise = ARRAYS["noise_cells"]
    kept = np.repeat(np.repeat((noise.argsort(1).argsort(1) < 1).reshape(-1, 2, 2), 2, 1), 2, 2)
    mask = 1 - kept.reshape(-1, 16)

    def loss(x):
        return keras.ops.mean(losses.patch_l1(x, 2 * ARRAYS["patches"] - 1, weights=mask))

    assert float(loss(ARRAYS["predicted"])) == golden("simmim")
    assert gradient(loss, ARRAYS["predicted"]) == golden("simmim/grad:predicted")


def test_l1_of_zero_against_normal_pixels():
    pixels = RNG.normal(size=(50, 64, 48)).astype("float32")
    assert np.mean(losses.patch_l1(pixels * 0, pixels)) == pytest.approx(math.sqrt(2 / math.pi), abs=3e-3)


def test_i_jepa_with_squared_errors_is_the_golden_value():
    targets = losses.standardized(ARRAYS["feats_t"])
    assert np.mean(losses.patch_mse(ARRAYS["ijepa_predicted"], targets)) == golden("ijepa/mse")


@pytest.mark.parametrize("beta, expected", [(1.0, 0.424660), (2.0, 0.247116)])
def test_smooth_l1_is_torchs_and_has_its_closed_form(beta, expected):
    a, b = RNG.normal(scale=3, size=(2, 4, 5, 6)).astype("float32")
    apart = np.abs(a - b)
    errors = np.where(apart < beta, apart**2 / (2 * beta), apart - beta / 2)
    np.testing.assert_allclose(losses.smooth_l1(a, b, beta=beta), errors.mean(axis=(1, 2)), rtol=1e-5)
    normal = RNG.normal(size=(100, 64, 48)).astype("float32")
    assert np.mean(losses.smooth_l1(normal * 0, normal, beta=beta)) == pytest.approx(expected, abs=3e-3)


def test_data2vec_is_the_golden_value():
    targets = losses.standardized(ARRAYS["layers"].mean(axis=0))
    mask = ARRAYS["d2v_mask"].astype("float32")

    def loss(x):
        of_images = losses.smooth_l1(x, targets, beta=2.0, weights=mask) * mask.sum(axis=1)
        return keras.ops.sum(of_images) / mask.sum() * math.sqrt(12)

    assert float(loss(ARRAYS["ijepa_predicted"])) == golden("data2vec/2.0")
    assert gradient(loss, ARRAYS["ijepa_predicted"]) == golden("data2vec/2.0/grad:ijepa_predicted")


def ibot(student, centre=0.0, temperature=0.04):
    targets = keras.ops.stop_gradient(keras.ops.softmax((ARRAYS["tokens_t"] - centre) / temperature))
    return keras.ops.mean(losses.masked_cross_entropy(student / 0.1, targets, weights=ARRAYS["mask"]))


def test_ibot_is_the_golden_value_also_with_its_centre():
    student = ARRAYS["tokens_s"]
    assert float(ibot(student)) == golden("ibot_patch/0.04/0.1")
    assert gradient(ibot, student) == golden("ibot_patch/0.04/0.1/grad:tokens_s")
    assert float(ibot(student, ARRAYS["ibot_center_masked"])) == golden("ibot_patch/second_call/0.04/0.1")


def test_dino_v2_with_sinkhorn_over_masked_patches_is_the_golden_value():
    student, teacher, mask = (ARRAYS[name] for name in ("tokens_s", "tokens_t", "mask"))
    flat = teacher.reshape(-1, 24)
    codes = losses.sinkhorn(flat, epsilon=0.07, weights=mask.ravel())
    np.testing.assert_allclose(
        np.array(codes)[mask.ravel()], losses.sinkhorn(flat[mask.ravel()], epsilon=0.07), atol=1e-6
    )

    def loss(x):
        targets = keras.ops.reshape(codes, x.shape)
        return keras.ops.mean(losses.masked_cross_entropy(x / 0.1, targets, weights=mask))

    assert float(loss(student)) == golden("ibot_patch_sinkhorn/0.07/0.1")
    assert gradient(loss, student) == golden("ibot_patch_sinkhorn/0.07/0.1/grad:tokens_s")


def test_masked_cross_entropy_has_its_closed_forms():
    logits, mask = np.zeros((3, 5, 64), "float32"), np.zeros((3, 5))
    targets = softmax(RNG.normal(size=(3, 5, 64)))
    assert not np.any(losses.masked_cross_entropy(logits, targets, weights=mask)), "no patch is masked"
    mask[:, 1] = 1
    np.testing.assert_allclose(losses.masked_cross_entropy(logits, targets, weights=mask), math.log(64), rtol=1e-5)
    entropy = -np.sum(targets * np.log(targets), axis=-1).mean(axis=1)
    np.testing.assert_allclose(losses.masked_cross_entropy(np.log(targets), targets), entropy, rtol=1e-5)


def test_capi_balances_each_place_over_the_batch():
    scores = ARRAYS["tokens_t"]
    codes = losses.sinkhorn(scores, epsilon=0.06)
    for place in range(16):
        np.testing.assert_allclose(codes[:, place], losses.sinkhorn(scores[:, place], epsilon=0.06), atol=1e-6)
    same = losses.sinkhorn(np.tile(scores[:1], (6, 1, 1)), epsilon=0.06)
    np.testing.assert_allclose(same, 1 / 24, atol=1e-4, err_msg="equal images have uniform clusters")


def test_capis_clustering_is_the_golden_value():
    scores = ARRAYS["tokens_t"]
    codes = losses.sinkhorn(scores, epsilon=0.06)

    def loss(x):
        return keras.ops.mean(losses.masked_cross_entropy(x / 0.12, codes))

    assert float(loss(scores)) == golden("capi_clustering/0.06/0.12")
    assert gradient(loss, scores) == golden("capi_clustering/0.06/0.12/grad:tokens_t")


def test_koleo_is_the_golden_value_and_finite_for_equal_rows():
    assert float(losses.koleo(ARRAYS["rows_twin"])) == golden("koleo/1e-8/duplicate")
    for dim in (12, 192):
        collapsed = float(losses.koleo(np.ones((6, dim), "float32")))
        assert collapsed == pytest.approx(-math.log(1e-8 * (1 + math.sqrt(dim))), rel=1e-4)
    random = [float(losses.koleo(RNG.normal(size=(64, 192)).astype("float32"))) for _ in range(10)]
    assert np.mean(random) == pytest.approx(-0.256, abs=0.01)


def test_koleo_is_the_papers_and_ignores_norms():
    z = RNG.normal(size=(7, 4)).astype("float32")
    u = unit(z.astype("float64"))
    nearest = [min(np.linalg.norm(u[i] - u[j]) for j in range(7) if j != i) for i in range(7)]
    assert float(losses.koleo(z)) == pytest.approx(-np.mean(np.log(nearest)), rel=1e-4)
    assert float(losses.koleo(z * RNG.uniform(0.1, 9, (7, 1)))) == pytest.approx(float(losses.koleo(z)), rel=1e-4)


def test_gram_is_the_golden_value_and_does_not_change_with_a_rotation():
    student, teacher = (ARRAYS[name].reshape(1, -1, 12) for name in ("feats_s", "feats_t"))
    assert float(losses.gram(student, teacher)[0]) == golden("gram/batch")
    turn = np.linalg.qr(RNG.normal(size=(12, 12)))[0].astype("float32")
    np.testing.assert_allclose(losses.gram(3 * student @ turn, teacher), losses.gram(student, teacher), rtol=1e-4)
    np.testing.assert_allclose(losses.gram(teacher, 2 * teacher), 0, atol=1e-10)
    assert gradient(lambda x: losses.gram(student, x)[0], teacher) == 0
    a, b = RNG.normal(size=(2, 50, 64, 192)).astype("float32")
    assert np.mean(losses.gram(a, b)) == pytest.approx(2 * 63 / (64 * 192), rel=0.02)


def test_half_precision_is_computed_in_float32():
    a, b = RNG.normal(size=(2, 3, 4, 48)).astype("float16")
    for found in (losses.patch_mse(a, b), losses.patch_l1(a, b), losses.smooth_l1(a, b), losses.gram(a, b)):
        assert found.dtype == "float32" and np.isfinite(found).all()
