"""Bicubic interpolation of crops: that of PIL, in both engines."""

import numpy as np
import pytest
import tensorflow as tf
from families import spread
from PIL import Image

from sslzoo.views import Crop, Flip, View, Views, presets
from sslzoo.views.opencv import resized
from sslzoo.views.operation import Box
from sslzoo.views.resample import resample

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.uniform(size=(90, 110))
BOXES = [(0, 0, 90, 110), (3, 7, 20, 25), (11, 40, 79, 30), (60, 2, 12, 100), (5, 5, 48, 48), (0, 0, 3, 2)]


def by_xla(image, top, left, height, width, size, mirrored=False):
    box = Box(*(tf.constant([float(side)]) for side in (top, left, height, width)), tf.constant([mirrored]))
    return resample(tf.constant(image[None, ..., None]), box, size, interpolation="bicubic")[0][0, ..., 0].numpy()


def by_opencv(image, top, left, height, width, size):
    pytest.importorskip("cv2")
    crop = image[top : top + height, left : left + width, None].astype("float32")
    return resized(crop, size, "bicubic")[..., 0]


@pytest.mark.parametrize("engine", [by_xla, by_opencv])
@pytest.mark.parametrize("size", [20, 48, 75])  # 75 takes several tiles
def test_crops_are_resized_as_pil_resizes_them(engine, size):
    for top, left, height, width in BOXES:
        crop = Image.fromarray(np.float32(IMAGE), "F").crop((left, top, left + width, top + height))
        expected = np.asarray(crop.resize((size, size), Image.Resampling.BICUBIC))
        np.testing.assert_allclose(engine(np.float32(IMAGE), top, left, height, width, size), expected, atol=1e-5)


@pytest.mark.parametrize("engine", [by_xla, by_opencv])
def test_eight_bits_differ_by_rounding_alone(engine):
    gray = np.uint8(70 + 110 * IMAGE)  # PIL clips after each axis, which these values do not exceed
    for top, left, height, width in BOXES:
        crop = Image.fromarray(gray).crop((left, top, left + width, top + height))
        expected = np.asarray(crop.resize((48, 48), Image.Resampling.BICUBIC)).astype(float)
        assert np.abs(engine(gray, top, left, height, width, 48) - expected).max() < 1.3


def test_a_mirrored_box_is_the_mirrored_crop():
    for box in BOXES:
        made = by_xla(np.float32(IMAGE), *box, 30, mirrored=True)
        np.testing.assert_allclose(made, by_xla(np.float32(IMAGE), *box, 30)[:, ::-1], atol=1e-5)


@pytest.mark.parametrize(
    "name, size",
    spread([("byol", 40), ("byol", 72), ("dino", 72), ("w_mse", 48), ("mae", 48)], [("byol", 40), ("mae", 48)]),
)
def test_both_engines_are_equal(name, size):
    pytest.importorskip("cv2")
    sizes = np.stack([RANDOM.integers(40, 91, 8), RANDOM.integers(60, 111, 8)], 1)
    images = np.uint8(255 * RANDOM.uniform(0.1, 0.9, (8, 90, 110, 3)))
    batch = {"image": images, "size": sizes, "row": np.arange(8), "step": np.full(8, 5)}
    chain = getattr(presets, name)(size, interpolation="bicubic")
    made = [Views(chain, 8, xla=False, engine=engine)(batch)["views"] for engine in ("xla", "opencv")]
    for one, other in zip(*(map(np.array, views) for views in made), strict=True):
        flipped = np.abs(one - 0.5) < 1e-4  # where solarize inverts
        np.testing.assert_allclose(np.where(flipped, 0.5, one), np.where(flipped, 0.5, other), atol=1e-4)


def test_presets_have_the_interpolation_of_their_papers_where_it_is_fast():
    cubic = {"byol", "w_mse", "mae"}
    for name in (*cubic, "simclr", "moco_v2", "moco_v3", "multi_crop", "i_jepa", "sim_mim", "dino"):
        views = getattr(presets, name)(96)
        assert {view.interpolation for view in views} == {"bicubic" if name in cubic else "bilinear"}, name
    small = presets.multi_crop(96, interpolation="bicubic")[-1]
    assert small.interpolation == View([Flip(), Crop(interpolation="bicubic")], 8).interpolation == "bicubic"


def test_a_wrong_interpolation_is_named():
    with pytest.raises(ValueError, match="no interpolation 'bicubc'.*bicubic"):
        presets.byol(96, interpolation="bicubc")
