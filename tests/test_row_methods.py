"""VIME and SubTab: their losses against the papers in NumPy, and their contract."""

import numpy as np
import pytest

from sslzoo import encoders, losses, methods
from sslzoo.testing import miniatures

RNG = np.random.default_rng(0)


def numbers(x):
    return np.asarray(x, "float64")


def test_swap_entropy_is_the_cross_entropy_of_the_changed_cells():
    logits, one = RNG.normal(size=(6, 4)), RNG.integers(0, 3, (6, 4)).astype("float32")
    other = np.where(RNG.uniform(size=one.shape) < 0.5, RNG.integers(0, 3, one.shape), one).astype("float32")
    one[0, 0] = other[0, 0] = other[1, 1] = np.nan
    expected = np.zeros(6)
    for row in range(6):
        for column in range(4):
            a, b = one[row, column], other[row, column]
            changed = not (a == b or (np.isnan(a) and np.isnan(b)))
            p = 1 / (1 + np.exp(-logits[row, column]))
            expected[row] -= np.log(p if changed else 1 - p) / 4
    np.testing.assert_allclose(losses.swap_entropy(logits, one, other), expected, rtol=1e-5)
    np.testing.assert_allclose(losses.swap_entropy(np.zeros((2, 3)), one[:2, :3], other[:2, :3]), np.log(2), rtol=1e-6)
    assert np.isfinite(losses.swap_entropy(np.full((1, 2), 1e4), one[2:3, :2], one[2:3, :2])).all()


def test_vime_is_its_two_terms():
    model = miniatures.build("vime", value_weight=3.0)
    batch = miniatures.batch(model)
    clean, corrupted = batch["views"]
    features = model.encoder(corrupted)
    target = numbers(model.columns(clean))
    value = ((numbers(model.value_head(features)) - target) ** 2).mean()
    mask = numbers(losses.swap_entropy(model.mask_head(features), clean, corrupted)).mean()
    np.testing.assert_allclose(model.objective(**model(batch)), mask + 3 * value, rtol=1e-5)
    assert model.mask_head.units == 6 and model.value_head.units == 4 * 2 + 2 * 4


def test_subtab_is_the_mean_over_pairs_of_subsets():
    model = miniatures.build("subtab", value_weight=4.0, temperature=0.2, contrast_weight=2.0, distance_weight=3.0)
    batch = miniatures.batch(model)
    row, *noisy = batch["views"]
    assert len(noisy) == 4
    target = numbers(model.columns(row))
    codes = [model.coder(view)[:, k] for k, view in enumerate(noisy)]
    z = [numbers(model.projector(code)) for code in codes]
    z = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in z]
    total, pairs, count = 0.0, [(a, b) for a in range(4) for b in range(a + 1, 4)], len(target)
    for a, b in pairs:
        both = [numbers(model.decoder(codes[k])) for k in (a, b)]
        total += 4 * sum(((x - target) ** 2).sum() for x in both) / (2 * count)
        stacked = np.concatenate([z[a], z[b]])
        logits = stacked @ stacked.T / 0.2 - 1e9 * np.eye(2 * count)
        other = (np.arange(2 * count) + count) % (2 * count)
        rows = np.log(np.exp(logits).sum(1)) - logits[np.arange(2 * count), other]
        total += 2 * rows.mean() + 3 * ((z[a] - z[b]) ** 2).sum() / count
    np.testing.assert_allclose(model.objective(**model(batch)), total / len(pairs), rtol=1e-4)


def test_the_encoder_of_subtab_averages_the_codes_of_its_subsets():
    model = miniatures.build("subtab")
    rows = miniatures.rows()
    np.testing.assert_allclose(model.encoder(rows), numbers(model.coder(rows)).mean(1), rtol=1e-4, atol=1e-5)


def test_encoders_without_what_a_method_needs_are_refused():
    with pytest.raises(ValueError, match="subtab encodes subsets of columns, mlp_rows does not: choose .*subset_rows"):
        methods.find("subtab")(encoders.make("mlp_rows", (6,)))
    with pytest.raises(ValueError, match="vime needs an encoder of rows such as mlp_rows"):
        methods.find("vime")(miniatures.residual())
