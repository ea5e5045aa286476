"""Methods of frames: their formulas in NumPy, what is masked, and encoders of reinforcement learning."""

import keras
import numpy as np
import pytest

from sslzoo import encoders, losses, methods
from sslzoo.testing import miniatures

RNG = np.random.default_rng(0)
N, DIM = 6, 5


def log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def test_bilinear_info_nce_ignores_anchors_that_are_not_valid():
    z_a, z_b, weight = RNG.normal(size=(N, DIM)), RNG.normal(size=(N, DIM)), RNG.normal(size=(DIM, DIM))
    logits = z_a @ weight @ z_b.T
    each = -np.diag(log_softmax(logits))
    valid = np.array([1, 0, 1, 1, 0, 1])
    z_a, z_b, weight = (np.float32(one) for one in (z_a, z_b, weight))
    assert float(losses.bilinear_info_nce(z_a, z_b, weight)) == pytest.approx(each.mean(), rel=1e-5)
    assert float(losses.bilinear_info_nce(z_a, z_b, weight, valid)) == pytest.approx(each[valid == 1].mean(), rel=1e-5)
    assert float(losses.bilinear_info_nce(z_a, z_b, weight, valid * 0)) == 0
    assert float(losses.bilinear_info_nce(z_a, z_b, weight * 0)) == pytest.approx(np.log(N), rel=1e-6)


def test_curl_starts_with_weights_in_0_to_1_and_updates_its_keys_every_second_step():
    model = miniatures.build("curl", ema_rate=0.5)
    weight = keras.ops.convert_to_numpy(model.similarity)
    assert 0 <= weight.min() < 0.05 and 0.95 < weight.max() < 1
    target = model.target.copies[0].weights[0]
    states = [keras.ops.convert_to_numpy(target)]
    for _ in range(4):
        miniatures.losses_of(model, 1)
        states.append(keras.ops.convert_to_numpy(target))
    moved = [not np.array_equal(before, after) for before, after in zip(states, states[1:], strict=False)]
    assert moved == [False, True, False, True]
    online = keras.ops.convert_to_numpy(model.encoder.weights[0])
    np.testing.assert_allclose(states[4], states[3] + 0.5 * (online - states[3]), rtol=1e-4, atol=1e-6)


def test_curl_contrasts_features_as_they_are():
    model = miniatures.build("curl")
    batch = miniatures.batch(model)
    outputs = model(batch, training=False)
    query, key = (np.asarray(outputs[name], "float64") for name in ("z_a", "z_b"))
    np.testing.assert_allclose(query, model.encoder(batch["views"][0]), rtol=1e-5)
    each = -np.diag(log_softmax(query @ np.asarray(model.similarity, "float64") @ key.T))
    assert float(model.objective(**outputs)) == pytest.approx(each.mean(), rel=1e-4)


def test_encoders_have_the_sizes_of_the_papers():
    curl = encoders.make("conv_rl", (84, 84, 9))
    assert curl.get_layer("relu4").output.shape == (None, 35, 35, 32)
    assert curl.count_params() == 1_990_518 and curl.output_shape == (None, 50)
    nature = encoders.make("nature_conv", (84, 84, 4))
    assert nature.get_layer("relu3").output.shape == (None, 7, 7, 64)
    assert nature.count_params() == 77_984 and nature.output_shape == (None, 3136)


@pytest.mark.parametrize("name, side", [("conv_rl", 14), ("nature_conv", 35)])
def test_frames_that_are_too_small_are_refused(name, side):
    with pytest.raises(ValueError, match=f"{name} takes frames of {side + 1} x {side + 1} px or more"):
        encoders.make(name, (side, side, 3))
    assert encoders.make(name, (side + 1, side + 1, 3)).output_shape[-1] >= 32


@pytest.mark.parametrize("name", ["curl"])
def test_default_encoders_exist(name):
    assert methods.find(name).default_encoder in dir(encoders)
