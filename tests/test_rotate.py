"""Rotation: quarter turns exactly, other angles against scipy, and within a view."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from sslzoo.views import Rotate, View
from sslzoo.views.rotate import rotated


def images(count=4, size=9):
    return np.random.default_rng(0).random((count, size, size, 3), "float32")


@pytest.mark.parametrize("quarters", [-1, 0, 1, 2, 3])
def test_quarter_turns_move_pixels(quarters):
    turned = rotated(tf.constant(images()), tf.fill((4,), 90.0 * quarters))
    np.testing.assert_allclose(turned, np.rot90(images(), quarters, axes=(1, 2)), atol=1e-5)


def test_any_angle_is_bilinear_with_black_outside():
    degrees = np.array([10.0, -33.0, 61.0, 170.0], "float32")
    turned = rotated(tf.constant(images()), tf.constant(degrees))
    # scipy alone blends with black beyond the border in "grid-constant".
    options = dict(axes=(0, 1), reshape=False, order=1, mode="grid-constant", prefilter=False)
    expected = [scipy.ndimage.rotate(image, angle, **options) for image, angle in zip(images(), degrees, strict=True)]
    np.testing.assert_allclose(turned, expected, atol=2e-5)


def test_a_view_turns_each_image_by_its_own_angle_within_the_range():
    view = View([Rotate((-20.0, 40.0), p=0.5)], 9)
    drawn = view.sample(tf.constant([0, 1]), 4000)[0]
    assert -20 <= np.min(drawn["degrees"]) < -19 and 39 < np.max(drawn["degrees"]) < 40
    assert np.mean(drawn["on"]) == pytest.approx(0.5, abs=0.03)
    seen = view(images(64), np.full((64, 2), 9), (0, 1)).numpy()
    same = [np.allclose(one, two, atol=1e-5) for one, two in zip(seen, images(64), strict=True)]
    assert 15 < sum(same) < 50


def test_a_wrong_range_is_refused():
    with pytest.raises(ValueError, match=r"Rotate: degrees must be \(smaller, larger\) within \[-360, 360\]"):
        Rotate((10.0, -10.0))
