"""The hue of HSV: that of torchvision in its drawn place among the colours, in both engines."""

import colorsys

import numpy as np
import pytest
import tensorflow as tf
from test_views import LUMA, draw, make_batch, numpy

from sslzoo.views import Centre, Crop, Flip, Jitter, View, Views, presets
from sslzoo.views.hsv import turned

RANDOM = np.random.default_rng(0)


def adjust_hue(pixels, turn):
    """To HSV, added to the hue, back to RGB: pixel by pixel, from the definition of HSV."""

    def one(red, green, blue):
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        return colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)

    return np.stack(np.vectorize(one)(*np.moveaxis(pixels.astype(float), -1, 0)), -1)


def test_the_hue_is_that_of_the_definition():
    pixels = RANDOM.uniform(size=(9, 12, 12, 3)).astype("float32")
    pixels[:, 0] = pixels[:, 0, :, :1]  # gray
    pixels[:, 1, :, 1] = pixels[:, 1, :, 0]  # two equal channels
    pixels[:, 2] = np.round(pixels[:, 2])  # black, white and the pure colours
    turns = np.float32([0, 0.1, -0.1, 0.5, -0.5, 1 / 6, -1 / 3, 0.4999, -1e-6])
    expected = [adjust_hue(image, float(turn)) for image, turn in zip(pixels, turns, strict=True)]
    np.testing.assert_allclose(turned(pixels, turns), expected, atol=2e-6)


def in_order(view, draws, i, pixels, before_crop=None):
    """The parts of a jitter one after the other; `before_crop` is the whole image, which contrast refers to."""
    jitter, drawn = view.operations[-1], {name: column[i] for name, column in draws[-1].items()}
    images = [pixels.astype(float)] + ([] if before_crop is None else [before_crop.astype(float)])
    for part in [jitter.parts[slot] for slot in drawn["order"]] if drawn["on"] else []:
        factor, mean = float(drawn[part]), (images[-1] @ LUMA).mean()
        images = [
            dict(
                brightness=lambda x, f: f * x,
                contrast=lambda x, f, mean=mean: f * x + (1 - f) * mean,
                saturation=lambda x, f: f * x + (1 - f) * (x @ LUMA)[..., None],
                hue=lambda x, f: adjust_hue(x.clip(0, 1), f),
            )[part](image, factor)
            for image in images
        ]
    return images[0].clip(0, 1)


@pytest.mark.parametrize("before_crop", [False, True])
def test_hue_takes_its_drawn_place_in_the_order(before_crop):
    images = RANDOM.uniform(size=(12, 10, 11, 3)).astype("float32")
    sizes = np.tile([[10, 11]], (12, 1))
    crop = [Crop((0.3, 0.6)), Flip()]
    view = View([*crop, Jitter(0.8, 0.8, 0.8, 0.4, hue_space="hsv", before_crop=before_crop)], 6)
    draws = draw(view, 12)
    assert len({tuple(order).index(3) for order in draws[-1]["order"]}) == 4 and not draws[-1]["on"].all()
    plain = View(crop, 6).apply(tf.constant(images), sizes, draws[:2]).numpy()
    found = view.apply(tf.constant(images), sizes, draws).numpy()
    whole = images if before_crop else [None] * 12
    expected = [in_order(view, draws, i, plain[i], whole[i]) for i in range(12)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "name, size, dtype",
    [
        ("w_mse", 48, "uint8"),
        ("moco_v1", 48, "float32"),
        pytest.param("simclr", 72, "uint8", marks=pytest.mark.long),
    ],
)
def test_both_engines_are_equal(name, size, dtype):
    pytest.importorskip("cv2")
    chain = getattr(presets, name)(size, hue_space="hsv")
    batch = make_batch(height=70, width=80, dtype=dtype)
    made = [numpy(Views(chain, 8, xla=False, engine=engine)(batch)) for engine in ("xla", "opencv")]
    np.testing.assert_allclose(*made, atol=1e-4)
    yiq = numpy(Views(getattr(presets, name)(size), 8, xla=False, engine="opencv")(batch))
    assert max(np.abs(one - other).max() for one, other in zip(made[1], yiq, strict=True)) > 0.05


def test_the_draws_do_not_depend_on_the_space():
    drawn = [draw(View([Centre(), Jitter(hue_space=space)], 8), 5)[1] for space in ("yiq", "hsv")]
    for name, column in drawn[0].items():
        np.testing.assert_array_equal(column, drawn[1][name])


def test_wrong_spaces_and_two_hues_of_hsv_are_refused():
    with pytest.raises(ValueError, match="no hue_space 'hvs'.*hsv"):
        presets.simclr(32, hue_space="hvs")
    with pytest.raises(ValueError, match="more than one Jitter with hue_space='hsv'"):
        View([Jitter(hue_space="hsv")] * 2, 8)
    assert View([Jitter(hue_space="hsv")] + [Jitter(0.4, 0.4, 0.4, 0.0, hue_space="hsv")], 8)
