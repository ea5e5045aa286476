"""Jitter before the crop, as in W-MSE: the mean of contrast is that of the whole image, in both engines."""

import numpy as np
import pytest
import tensorflow as tf

from sslzoo.views import Views, presets
from sslzoo.views.colour import LUMA, Jitter
from sslzoo.views.geometry import Crop
from sslzoo.views.image import View

RANDOM = np.random.default_rng(0)


def contrast(before_crop):
    return View([Crop((0.1, 0.2)), Jitter(0, 0.9, 0, 0, p=1.0, before_crop=before_crop)], 8)


@pytest.mark.parametrize("before", [True, False])
def test_contrast_is_relative_to_the_mean_gray_of_the_whole_image_or_of_the_crop(before):
    images = RANDOM.uniform(0.3, 0.7, (6, 20, 24, 3)).astype("float32")
    images[:, :10] *= 0.5
    sizes = np.tile([[18, 21]], (6, 1))  # what lies outside of the valid part has no influence
    images[:, 18:], images[:, :, 21:] = 1, 1
    images = tf.constant(images)
    view = contrast(before)
    draws = view.sample(tf.constant([3, 4]), 6)
    found = view.apply(images, sizes, draws).numpy()
    plain = View([Crop((0.1, 0.2))], 8).apply(images, sizes, draws[:1]).numpy()
    factor = draws[1]["contrast"].numpy()[:, None, None, None]
    mean = (images.numpy()[:, :18, :21] if before else plain).mean((1, 2)) @ LUMA
    expected = factor * plain + (1 - factor) * mean[:, None, None, None]
    np.testing.assert_allclose(found, expected.clip(0, 1), atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_both_engines_are_equal(dtype):
    pytest.importorskip("cv2")
    images = RANDOM.uniform(size=(8, 50, 60, 3)) * np.linspace(0, 1, 60)[:, None]
    images = np.uint8(255 * images) if dtype == "uint8" else images.astype(dtype)
    sizes = np.stack([RANDOM.integers(30, 51, 8), RANDOM.integers(30, 61, 8)], 1)
    batch = {"image": images, "size": sizes, "row": np.arange(8), "step": np.full(8, 5)}
    made = [Views(presets.w_mse(48), 8, xla=False, engine=engine)(batch)["views"] for engine in ("xla", "opencv")]
    for one, other in zip(*made, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    crop = Views(presets.w_mse(48, before_crop=False), 8, xla=False, engine="opencv")(batch)["views"][0]
    assert np.abs(crop - made[1][0]).max() > 0.01
