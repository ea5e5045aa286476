"""Faithfulness of views: jitter before the crop, as in W-MSE, and the uncut blur of PIL, in both engines."""

import numpy as np
import pytest
import tensorflow as tf

from sslzoo.views import Views, presets
from sslzoo.views.colour import LUMA, Jitter
from sslzoo.views.geometry import Blur, Centre, Crop
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
    random = np.random.default_rng(0)  # its own: other draws may leave the whole image as gray as the crop
    images = random.uniform(size=(8, 50, 60, 3)) * np.linspace(0, 1, 60)[:, None]
    images = np.uint8(255 * images) if dtype == "uint8" else images.astype(dtype)
    sizes = np.stack([random.integers(30, 51, 8), random.integers(30, 61, 8)], 1)
    batch = {"image": images, "size": sizes, "row": np.arange(8), "step": np.full(8, 5)}
    made = [Views(presets.w_mse(48), 8, xla=False, engine=engine)(batch)["views"] for engine in ("xla", "opencv")]
    for one, other in zip(*made, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    crop = Views(presets.w_mse(48, before_crop=False), 8, xla=False, engine="opencv")(batch)["views"][0]
    assert np.abs(crop - made[1][0]).max() > 0.01


@pytest.mark.parametrize("uncut, width", [(True, 2.0), (False, 1.85)])
def test_an_uncut_kernel_has_its_standard_deviation_at_96_px(uncut, width):
    pytest.importorskip("cv2")
    image = np.zeros((1, 96, 96, 1), "float32")
    image[0, 48, 48] = 1
    view = View([Centre(), Blur((2.0, 2.0), p=1.0, uncut=uncut)], 96)
    batch = {"image": image, "size": [[96, 96]], "row": [0], "step": [0]}
    for engine in ("xla", "opencv"):
        blurred = Views([view], 1, xla=False, engine=engine)(batch)["views"][0].numpy()[0, ..., 0]
        across = blurred.sum(0)
        found = np.sqrt(across @ (np.arange(96) - 48.0) ** 2 / across.sum())
        assert found == pytest.approx(width, abs=0.01)
    expected = np.exp(-0.5 * ((np.arange(96) - 48) / 2) ** 2) / np.sqrt(8 * np.pi)
    assert (np.abs(across - expected).max() < 1e-3) == uncut


def test_methods_made_in_pytorch_have_the_uncut_kernel_and_those_of_google_the_cut_one():
    for name, uncut in (("moco_v2", True), ("dino", True), ("vicreg_l", True), ("simclr", False), ("byol", False)):
        blurs = [one for one in getattr(presets, name)(96)[0].operations if isinstance(one, Blur)]
        assert [one.uncut for one in blurs] == [uncut], name
    assert presets.simclr(224)[0].reach == 11 and presets.moco_v2(224)[0].reach == 8
