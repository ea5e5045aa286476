"""RandBit: the bits of an image are constant, shared by its views and uniform, and the experiment leaves its files."""

import numpy as np
import pytest

from sslzoo import catalog
from sslzoo.catalog import recipe as recipes
from sslzoo.views import Views, presets

RNG = np.random.default_rng(0)


def module():
    experiment = recipes.load(catalog.recipes()["rand_bit"])
    return experiment, experiment.__globals__["with_bits"]


def test_bits_are_constant_in_an_image_uniform_over_images_and_a_function_of_the_pixels():
    _, with_bits = module()
    images = RNG.integers(0, 255, (4000, 3, 3, 1), "uint8")
    made = with_bits(images, 4)
    assert made.shape == (4000, 3, 3, 5) and made.dtype == np.uint8
    np.testing.assert_array_equal(made[..., :1], images)
    bits = made[..., 1:]
    assert set(np.unique(bits)) == {0, 255} and (bits == bits[:, :1, :1]).all()
    values = (bits[:, 0, 0] // 255) @ (1 << np.arange(4))
    np.testing.assert_allclose(np.bincount(values, minlength=16) / 4000, 1 / 16, atol=0.015)
    order = RNG.permutation(4000)
    np.testing.assert_array_equal(with_bits(images[order], 4), made[order])
    np.testing.assert_array_equal(with_bits(images, 9)[..., :5], made)
    np.testing.assert_array_equal(with_bits(images, 0), images)


def test_crops_keep_the_bits():
    _, with_bits = module()
    images = with_bits(RNG.integers(0, 255, (8, 12, 12, 1), "uint8"), 3)
    views = Views(presets.crop_flip(12, channels=4, min_scale=0.5, flip=False), batch_size=8)
    row, size = np.arange(8, dtype="int32"), np.full((8, 2), 12, "int32")
    made = views({"image": images, "size": size, "row": row, "step": np.zeros(8, "int32")})
    for view in made["views"]:
        np.testing.assert_allclose(view[..., 1:], images[..., 1:] / 255, atol=1e-5)
        assert np.abs(view[..., 0] - images[..., 0] / 255).max() > 0.1


@pytest.mark.long
def test_the_experiment_leaves_table_plot_and_journal(tmp_path):
    experiment, _ = module()
    knobs = dict(bits=(5,), data="digits", width=0.1, epochs=1, max_images=256, batch_size=64, runs=str(tmp_path))
    rows = experiment(**knobs)
    assert [row["bits"] for row in rows] == [5] and all(0 <= row["linear"] <= 1 for row in rows)
    folder = tmp_path / "rand_bit"
    assert (folder / "bits.png").exists() and "| simclr | 5 |" in (folder / "journal.md").read_text()
    assert experiment(**knobs, resume=True) == rows
    with pytest.raises(ValueError, match="bits must be at least 0 and at most 32, got 33"):
        experiment(**knobs | dict(bits=(33,)), name="other")
