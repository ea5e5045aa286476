"""Masks: the reference's numbers on fixed noise, exact counts, and the statistics of the papers' algorithms."""

import numpy as np
import pytest
from golden import ARRAYS

from sslzoo.layers import attention_masks, masking

RNG = np.random.default_rng(0)


def uniform(*shape):
    return RNG.random(shape, "float32")


def as_mask(ids, patches):
    """0/1 (n, patches) of numbers of patches."""
    mask = np.zeros((len(ids), patches), int)
    np.put_along_axis(mask, np.array(ids), 1, axis=1)
    return mask


def test_random_masks_are_maes():
    visible, hidden = masking.random_keep(ARRAYS["noise"], 4)
    np.testing.assert_array_equal(visible, ARRAYS["mae_ids_keep"])
    np.testing.assert_array_equal(as_mask(hidden, 16), ARRAYS["mae_mask"])
    restore = np.concatenate([visible, hidden], axis=1).argsort(axis=1)
    np.testing.assert_array_equal(restore, ARRAYS["mae_ids_restore"])


def test_cells_are_kept_or_masked_as_a_whole():
    rank = masking.cells(ARRAYS["noise_cells"], (4, 4), 2)
    visible, hidden = masking.random_keep(rank, 4)
    for n, noise in enumerate(ARRAYS["noise_cells"]):
        row, column = divmod(int(noise.argmin()), 2)
        expected = np.zeros((4, 4), int)
        expected[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = 1
        np.testing.assert_array_equal(as_mask(visible, 16)[n].reshape(4, 4), expected)
    np.testing.assert_array_equal(as_mask(visible, 16) + as_mask(hidden, 16), 1)
    with pytest.raises(ValueError, match="2 x 2 patches do not divide a grid of 7 x 7"):
        masking.cells(uniform(2, 9), (7, 7), 2)


def reference_blocks(noise, rows, columns, wanted, least):
    """The algorithm for one image, patch by patch."""
    mask = np.zeros((rows, columns), bool)
    for area, ratio, top, left in noise.astype("float64"):
        missing = wanted - mask.sum()
        area = max(least + area * (missing - least), 0)
        aspect = np.exp(np.log(0.3) + ratio * (np.log(1 / 0.3) - np.log(0.3)))
        height, width = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        if height >= rows or width >= columns:
            continue
        block = np.zeros_like(mask)
        y, x = int(top * (rows - height + 1)), int(left * (columns - width + 1))
        block[y : y + height, x : x + width] = True
        if 0 < (block & ~mask).sum() <= missing:
            mask |= block
    return mask


def test_blocks_are_the_algorithm_for_each_image():
    # The reference has the inverse ratio: it draws from the other end of a symmetric range.
    noise = uniform(200, masking.TRIES, 4)
    found = np.array(masking.blocks(noise, (6, 8), 14, 4))
    expected = np.array([reference_blocks(one, 6, 8, 14, 4) for one in noise])
    assert np.mean([np.array_equal(a, b) for a, b in zip(found, expected, strict=True)]) > 0.98, "up to rounding"


@pytest.mark.parametrize(
    "wanted, least, mean, smallest", [(19.2, 4, 18.98, 18), (32, 4, 31.98, 31), (26, 5, 25.98, 25)]
)
def test_blocks_have_the_counts_of_the_reference(wanted, least, mean, smallest):
    counts = np.array(masking.blocks(uniform(2000, masking.TRIES, 4), (8, 8), wanted, least)).sum(axis=(1, 2))
    assert counts.mean() == pytest.approx(mean, abs=0.05)
    assert smallest <= counts.min() and counts.max() <= wanted


def test_blocks_take_a_number_for_each_image_and_none_for_zero():
    wanted = np.array([0, 5, 0, 20], "float32")
    counts = np.array(masking.blocks(uniform(4, masking.TRIES, 4), (8, 8), wanted, 4)).sum(axis=(1, 2))
    assert counts[0] == counts[2] == 0 and 0 < counts[1] <= 5 < counts[3] <= 20


@pytest.mark.parametrize("grid, visible", [((8, 8), 23), ((7, 7), 18), ((4, 4), 6), ((16, 16), 90), ((4, 8), 11)])
def test_the_inverse_block_has_its_count_and_treats_all_patches_alike(grid, visible):
    seen, hidden = masking.inverse_block(uniform(4000, 5), grid, visible)
    patches = grid[0] * grid[1]
    mask = as_mask(seen, patches)
    np.testing.assert_array_equal(mask + as_mask(hidden, patches), 1)
    np.testing.assert_allclose(mask.mean(axis=0), visible / patches, atol=0.04)


def test_the_inverse_block_is_connected_on_the_torus():
    noise = uniform(50, 5)
    noise[:, 3:] = 0  # not rolled
    seen, _ = masking.inverse_block(noise, (8, 8), 23)
    for mask in as_mask(seen, 64).reshape(-1, 8, 8):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        whole = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert whole[:-1].all() and (np.diff(whole[-1]) <= 0).all(), "full rows, then a row filled from the left"


def multi_block(n, grid, keep, layouts=8):
    size, places = uniform(3), uniform(n, layouts, 5, 2)
    return masking.multi_block(size, places, uniform(n, grid[0] * grid[1]), grid, keep)


@pytest.mark.parametrize("grid, keep, area", [((8, 8), 16, (9, 12)), ((7, 7), 12, (6, 12)), ((4, 4), 4, (1, 4))])
def test_context_and_targets_do_not_overlap(grid, keep, area):
    for _ in range(8):
        visible, hidden, real = (np.array(x) for x in multi_block(200, grid, keep))
        patches = grid[0] * grid[1]
        assert (as_mask(visible, patches).sum(axis=1) == keep).all()
        assert len({tuple(row) for row in real.reshape(-1, real.shape[-1])}) == 1, "one size for all targets of a batch"
        assert area[0] <= real[0, 0].sum() <= area[1]
        for n in range(200):
            targets = set(hidden[n][real[n]].tolist())
            assert not targets & set(visible[n].tolist())
            for block in range(4):
                rows, columns = np.divmod(hidden[n, block][real[n, block]], grid[1])
                assert len(set(zip(rows, columns, strict=True))) == real[0, 0].sum()
                spans = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
                assert spans == real[0, 0].sum(), "a rectangle within the grid"


def test_targets_reach_every_patch():
    _, hidden, real = (np.array(x) for x in multi_block(4000, (8, 8), 16))
    counts = np.bincount(hidden[real], minlength=64)
    assert counts.min() > 0.05 * counts.max(), "the authors' code never reaches the last row and column"


def test_targets_leak_into_hardly_any_context_even_with_a_single_layout():
    short = []
    for _ in range(30):
        size, places = uniform(3), uniform(300, 1, 5, 2)
        visible, hidden, real = masking.multi_block(size, places, uniform(300, 64), (8, 8), 16)
        targets = [set(np.array(h)[np.array(r)].tolist()) for h, r in zip(hidden, real, strict=True)]
        short += [bool(t & set(v)) for t, v in zip(targets, np.array(visible).tolist(), strict=True)]
    assert np.mean(short) < 0.02


def test_the_prefix_is_seen_by_all_and_the_rest_in_order():
    allowed, hidden = attention_masks.prefix(np.array([0.0, 0.5, 0.999], "float32"), 5)
    for n, first in enumerate((1, 3, 4)):
        for query in range(5):
            for key in range(5):
                assert bool(allowed[n, query, key]) == (key <= query or key < first)
        np.testing.assert_array_equal(hidden[n], np.arange(5) >= first)
    lengths = 9 - np.array(attention_masks.prefix(uniform(9000), 9)[1]).sum(axis=1)
    np.testing.assert_allclose(np.bincount(lengths, minlength=9)[1:] / 9000, 1 / 8, atol=0.02)


def test_class_tokens_see_themselves_and_some_patches_and_are_seen_by_all():
    causal = np.array(attention_masks.causal(3))
    np.testing.assert_array_equal(causal[0], np.tril(np.ones((3, 3), bool)))
    seen = np.array([[True, False, False]])
    allowed = np.array(attention_masks.with_extra(causal, seen, 2))[0]
    expected = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]], bool)
    np.testing.assert_array_equal(allowed, expected)
