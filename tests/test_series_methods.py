"""Methods of series: their losses against the papers in NumPy, what they draw, and their contract."""

import numpy as np
import pytest
from scipy.stats import beta as beta_distribution

from sslzoo import losses, methods
from sslzoo.layers.mixing import beta
from sslzoo.testing import METHOD_CHECKS, miniatures

RNG = np.random.default_rng(0)
NAMES = ["mixup_contrast"]


def numbers(x):
    return np.asarray(x, "float64")


def unit(z):
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


@pytest.mark.parametrize("check", METHOD_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_contract(check, name, mirrored):
    check(name)


# Mixup contrast.


def mixup_by_loops(mixed, first, second, share, temperature):
    mixed, both, count = unit(mixed), unit(np.concatenate([first, second])), len(mixed)
    total = 0.0
    for i in range(count):
        p = np.exp([mixed[i] @ z / temperature for z in both])
        p /= p.sum()
        total -= share * np.log(p[i]) + (1 - share) * np.log(p[count + i])
    return total / count


def test_mixup_nt_xent_is_a_cross_entropy_with_soft_targets():
    mixed, first, second = RNG.normal(size=(3, 7, 5))
    for share in (0.0, 0.3, 1.0):
        value = losses.mixup_nt_xent(mixed, first, second, share=share, temperature=0.4)
        assert float(value) == pytest.approx(mixup_by_loops(mixed, first, second, share, 0.4), rel=1e-5)
    swapped = losses.mixup_nt_xent(mixed, second, first, share=0.7, temperature=0.4)
    value = losses.mixup_nt_xent(mixed, first, second, share=0.3, temperature=0.4)
    assert float(value) == pytest.approx(float(swapped), rel=1e-6)
    same = np.ones((7, 5))
    equal = losses.mixup_nt_xent(same, same, same, share=0.3, temperature=0.4)
    assert float(equal) == pytest.approx(np.log(14), rel=1e-6)


def test_the_least_of_mixup_nt_xent_is_the_entropy_of_the_share():
    first, second, share, temperature = np.eye(8)[:4], np.eye(8)[4:], 0.3, 0.02
    # Cosines whose difference is that of the logarithms of both shares, and which are far above all others.
    apart = temperature * np.log(share / (1 - share))
    cosine = np.sqrt(0.5 - (apart / 2) ** 2)
    mixed = (cosine + apart / 2) * first + (cosine - apart / 2) * second
    value = losses.mixup_nt_xent(mixed, first, second, share=share, temperature=temperature)
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    assert float(value) == pytest.approx(entropy, rel=1e-4)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_shares_have_the_distribution_beta(alpha):
    noise = np.linspace(0, 1, 2001, endpoint=False).astype("float32")
    drawn = numbers(beta(noise, alpha))
    np.testing.assert_allclose(beta_distribution.cdf(drawn, alpha, alpha), noise, atol=2e-3)
    assert 0 <= drawn.min() and drawn.max() <= 1


def test_mixup_contrast_mixes_the_batch_with_a_permutation_of_itself():
    model = miniatures.build("mixup_contrast", temperature=0.4)
    batch = miniatures.batch(model)
    outputs, series = model(batch), batch["views"][0]
    share, order = float(outputs["share"]), numbers(outputs["order"]).astype(int)
    assert 0 < share < 1 and sorted(order) == list(range(len(series))) and list(order) != sorted(order)
    mixed = model.embed(share * series + (1 - share) * series[order])
    z = numbers(model.embed(series))
    expected = mixup_by_loops(numbers(mixed), z, z[order], share, 0.4)
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-4)


def test_mixup_contrast_has_the_papers_constants():
    model = methods.MixupContrast(miniatures.convolutional())
    assert (model.temperature, model.mixup_alpha, model.projection_dim) == (0.5, 1.0, 128)
    assert [layer.units for layer in model.projector.layers if hasattr(layer, "units")] == [128, 128]
