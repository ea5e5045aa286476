"""Losses on the distribution of embeddings: reference values, the papers in loops, closed forms, invariances."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from sslzoo import losses
from sslzoo.layers.whitening import IterNorm
from sslzoo.testing.miniatures import COUNT, batch, build
from sslzoo.views import presets
from sslzoo.views.geometry import Blur

GOLDEN = Path(__file__).parent / "data" / "golden"
WANTED = json.loads((GOLDEN / "joint.json").read_text())
ARRAYS = dict(np.load(GOLDEN / "joint.npz"))
VIEWS, LINES = ARRAYS["views"], ARRAYS["directions"]
RNG = np.random.default_rng(0)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def unit(z, axis=-1):
    return z / np.linalg.norm(z, axis=axis, keepdims=True)


def with_gradients(loss, *arrays):
    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    gradients = tape.gradient(value, tensors, unconnected_gradients="zero")
    return float(value), [float(np.linalg.norm(gradient)) for gradient in gradients]


def msn(z_a, z_b, prototypes):
    anchors, targets = (tf.matmul(losses.unit(z), losses.unit(prototypes), transpose_b=True) for z in (z_a, z_b))
    return losses.msn(anchors[:, None], tf.stop_gradient(targets))


def generalized(z_a, z_b):
    z_a, z_b = losses.unit(z_a), losses.unit(z_b)
    prior = losses.unit(ARRAYS["prior"])
    far = losses.sliced_wasserstein(tf.concat([z_a, z_b], 0), prior, ARRAYS["orthogonal"])
    return losses.half_distance(z_a, z_b) + far


def visreg(views):
    return 0.1 * losses.invariance(views, centres=2) + 0.9 * losses.visreg(views, LINES)


@pytest.mark.parametrize(
    "key, loss, names",
    [
        ("sigreg/17/3.0", lambda v: losses.sigreg(v, LINES), ["views"]),
        ("lejepa_invariance", lambda v: losses.invariance(v, centres=2), ["views"]),
        ("visreg/0.9", visreg, ["views"]),
        ("mmcr/0.0", losses.mmcr, ["views"]),
        ("frossl/1.0/views", losses.frossl, ["views"]),
        ("frossl/1.0/tall", losses.frossl, ["tall"]),
        ("vibcreg/25/25/200", losses.vibcreg, ["z1", "z2"]),
        ("generalized/swd_hypersphere", generalized, ["z1", "z2"]),
        ("direct_clr/4/0.5", lambda a, b: losses.nt_xent(a[:, :4], b[:, :4], temperature=0.5), ["z1", "z2"]),
        ("w_mse/16", lambda a, b: losses.w_mse(a, b, whitening_size=16), ["z1", "z2"]),
        ("msn/0.1/0.25/3/1", msn, ["z1", "z2", "prototypes"]),
    ],
)
def test_values_and_gradients_are_the_reference(key, loss, names):
    value, gradients = with_gradients(loss, *(ARRAYS[name] for name in names))
    assert value == pytest.approx(WANTED[key], rel=2e-4)
    assert gradients == pytest.approx([WANTED[f"{key}/grad:{name}"] for name in names], rel=1e-3)


def test_mmcr_of_more_features_than_images_is_the_reference():
    assert float(losses.mmcr(ARRAYS["wide"])) == pytest.approx(WANTED["mmcr/0.0/wide"], rel=1e-5)


# LeJEPA and VISReg.


def test_numbers_from_uniform_ones_are_standard_normal():
    drawn = np.array(losses.normal(RNG.uniform(size=100_000).astype("float32")))
    np.testing.assert_allclose(np.quantile(drawn, [0.025, 0.5, 0.975]), [-1.96, 0, 1.96], atol=0.02)
    assert np.isfinite(losses.normal(np.array([0.0, 1.0], "float32"))).all()


def sigreg_in_loops(views, lines):
    total, ts = [], np.linspace(0, 3, 17)
    for z in views:
        for line in unit(lines.T):
            places = z @ line
            integrand = [
                abs(np.mean(np.exp(1j * t * places)) - math.exp(-(t**2) / 2)) ** 2 * math.exp(-(t**2) / 2) for t in ts
            ]
            total.append(len(z) * 2 * np.trapezoid(integrand, ts))
    return np.mean(total)


def test_sigreg_is_the_papers_with_lines_of_any_norm():
    views, lines = normal(2, 20, 5), 3 * normal(5, 7, seed=1)
    assert float(losses.sigreg(views, lines)) == pytest.approx(
        sigreg_in_loops(views.astype("float64"), lines), rel=1e-4
    )


def test_sigreg_of_normal_and_of_collapsed_embeddings():
    lines = normal(16, 256, seed=3)
    found = np.mean([losses.sigreg(normal(1, 256, 16, seed=seed), lines) for seed in range(20)])
    assert found == pytest.approx(1.0525, abs=0.05)
    assert float(losses.sigreg(np.zeros((2, 64, 16), "float32"), lines)) == pytest.approx(0.402048 * 64, rel=1e-3)
    wide = float(losses.sigreg(2 * normal(1, 4096, 16), lines))
    assert wide == pytest.approx(1 + 0.236 * 4096, rel=0.1)


def visreg_in_loops(views, lines):
    total = 0.0
    for z in views:
        quantiles = [np.sqrt(2) * float(tf.math.erfinv(2 * (i + 1) / (len(z) + 1) - 1)) for i in range(len(z))]
        mean, deviation = z.mean(0), z.std(0)
        shape = [np.mean((np.sort((z - mean) / deviation @ line) - quantiles) ** 2) for line in unit(lines.T)]
        total += np.mean(mean**2) + np.mean((1 - deviation) ** 2) + np.mean(shape)
    return total / len(views)


def test_visreg_is_the_papers_and_its_floor_is_that_of_the_sample():
    views, lines = 0.7 * normal(2, 20, 5) + 0.3, normal(5, 7, seed=1)
    assert float(losses.visreg(views, lines)) == pytest.approx(visreg_in_loops(views, lines), rel=1e-3)
    assert float(losses.visreg(np.zeros((1, 64, 5)), lines)) == pytest.approx(1 + 0.8918, rel=1e-3)
    assert float(losses.visreg(normal(1, 1024, 8), normal(8, 64))) < 0.02


def test_no_gradient_of_visregs_shape_passes_through_the_deviation():
    """A feature of half the deviation has the same shape, so that only scale and centre change its value."""
    views, lines = normal(1, 30, 4), normal(4, 9, seed=1)
    difference = float(losses.visreg(views, lines)) - float(losses.visreg(0.5 * views, lines))
    expected = np.mean((1 - views.std(1)) ** 2) - np.mean((1 - views.std(1) / 2) ** 2)
    expected += 0.75 * np.mean(views.mean(1) ** 2)
    assert difference == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("centres", [None, 2])
def test_the_centre_of_the_invariance_has_a_gradient(centres):
    views = normal(3, 6, 4)
    centre = views[:centres].astype("float64").mean(0)
    assert float(losses.invariance(views, centres=centres)) == pytest.approx(np.mean((views - centre) ** 2), rel=1e-5)
    tensor = tf.constant(views)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        loss = losses.invariance(tensor, centres=centres)
    gradient = np.array(tape.gradient(loss, tensor)).sum(0)
    np.testing.assert_allclose(gradient, 0, atol=1e-6)  # a shift of all views changes nothing, the centre moves along


# MMCR, FroSSL, VIbCReg, EMP-SSL.


def test_mmcr_is_bounded_and_ignores_norms():
    same = np.ones((2, 16, 8), "float32")
    value, (gradient,) = with_gradients(losses.mmcr, same)
    assert value == pytest.approx(-4, rel=1e-5) and 0 < gradient < 10
    best = np.tile(np.eye(8, dtype="float32"), (3, 2, 1))
    assert float(losses.mmcr(best)) == pytest.approx(-math.sqrt(16 * 8), rel=1e-5)
    views = normal(3, 16, 8)
    assert float(losses.mmcr(100 * views)) == pytest.approx(float(losses.mmcr(views)), rel=1e-5)
    assert build("mmcr").lowest(16) == pytest.approx(-16)


def test_mmcrs_local_term_is_the_mean_nuclear_norm_of_an_images_views():
    views = normal(3, 6, 8)
    local = np.mean([np.linalg.svd(unit(views)[:, n], compute_uv=False).sum() for n in range(6)])
    expected = float(losses.mmcr(views)) + 0.3 * local
    assert float(losses.mmcr(views, local_weight=0.3)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("count, dim", [(12, 5), (5, 12)])
def test_frossl_is_the_papers(count, dim):
    views = normal(3, count, dim)
    columns = unit(views.astype("float64"), axis=1)
    expected = 0.0
    for z in columns:
        square = z @ z.T
        expected += 2 * math.log(np.linalg.norm(square / np.trace(square)))
        expected += 3 * dim * np.mean((z - columns.mean(0)) ** 2)
    assert float(losses.frossl(views)) == pytest.approx(expected, rel=1e-4)


def test_frossl_between_collapse_and_orthogonal_features():
    assert float(losses.frossl(np.ones((2, 8, 4)))) == pytest.approx(0, abs=1e-5)
    orthogonal = np.tile(np.linalg.qr(normal(8, 4))[0].astype("float32"), (2, 1, 1))
    assert float(losses.frossl(orthogonal)) == pytest.approx(-2 * math.log(4), rel=1e-4)


def test_vibcreg_of_constants_and_of_scaled_embeddings():
    ones = np.ones((8, 4), "float32")
    assert float(losses.vibcreg(ones, ones)) == pytest.approx(49.5, rel=1e-5)
    z = normal(32, 4)
    weights = dict(invariance=0.0, variance=0.0)
    value = float(losses.vibcreg(z, z, **weights))
    assert float(losses.vibcreg(9 * z, z, **weights)) == pytest.approx(value, rel=1e-4)
    correlation = np.corrcoef(z.T) - np.eye(4)
    assert value == pytest.approx(2 * 200 * np.mean(correlation**2), rel=1e-4)


def test_emp_ssl_rewards_the_coding_rate():
    views = VIEWS
    rates = [0.5 * np.linalg.slogdet(np.eye(12) + 12 / (8 * 0.2) * z.T @ z)[1] for z in views.astype("float64")]
    # The reference adds the coding rate; the paper subtracts it.
    assert float(losses.emp_ssl(views)) == pytest.approx(WANTED["emp_ssl/0.2/200"] - 2 * np.mean(rates), rel=1e-5)
    spread, same = np.eye(8, dtype="float32")[None].repeat(2, 0), np.ones((2, 8, 8), "float32") / math.sqrt(8)
    assert float(losses.emp_ssl(spread)) < float(losses.emp_ssl(same))


def iter_norm(z, groups):
    parts = []
    for part in np.split(z.astype("float64"), groups, axis=1):
        centred = part - part.mean(0)
        covariance = centred.T @ centred / len(z) + 1e-5 * np.eye(part.shape[1])
        trace, root = np.trace(covariance), np.eye(part.shape[1])
        for _ in range(5):
            root = 1.5 * root - 0.5 * np.linalg.matrix_power(root, 3) @ covariance / trace
        parts.append(centred @ root / math.sqrt(trace))
    return np.concatenate(parts, axis=1)


def test_iter_norm_whitens_groups_of_features():
    layer, z = IterNorm(8, 2), ARRAYS["z1"]
    np.testing.assert_allclose(layer(z), iter_norm(z, 2), atol=1e-4)
    white = np.array(layer(normal(256, 8)))
    np.testing.assert_allclose(np.cov(white[:, :4].T), np.eye(4), atol=0.05)
    assert isinstance(IterNorm.from_config(layer.get_config()), IterNorm)
    with pytest.raises(ValueError, match="3 groups do not divide 8 features: choose whitening_groups"):
        IterNorm(8, 3)


def test_vibcreg_may_omit_iter_norm():
    kinds = [type(build("vibcreg", whitening_groups=groups).projector.layers[-1]).__name__ for groups in (4, 0)]
    assert kinds == ["IterNorm", "Activation"]


# The generalized contrastive loss.


def test_log_sum_exp_is_the_decoupled_nt_xent():
    z = unit(normal(10, 6)).astype("float64")
    expected = np.mean([math.log(sum(math.exp(z[i] @ z[j] / 0.5) for j in range(10))) for i in range(10)]) - math.log(6)
    assert float(losses.log_sum_exp(z, temperature=0.5)) == pytest.approx(expected, rel=1e-5)
    equal = losses.log_sum_exp(np.tile(z[:1], (10, 1)), temperature=0.5)
    assert float(equal) == pytest.approx(math.log(10 / 6) + 2, rel=1e-5)


def test_the_sliced_distance_of_samples_of_the_prior_is_small_in_any_order():
    rotation = np.linalg.qr(normal(4, 4))[0].astype("float32")
    z, prior = normal(2000, 4, seed=1), normal(2000, 4, seed=2)
    value = float(losses.sliced_wasserstein(z, prior, rotation))
    assert value < 0.02 < float(losses.sliced_wasserstein(0.5 * z, prior, rotation))
    assert float(losses.sliced_wasserstein(z[::-1], prior, rotation)) == pytest.approx(value, rel=1e-4)
    assert float(losses.sliced_wasserstein(z, z[RNG.permutation(2000)], rotation)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("prior", ["log_sum_exp", "sphere", "normal", "cube"])
def test_the_generalized_loss_has_a_distance_and_a_term_of_its_prior(prior):
    model = build("generalized_contrastive", prior=prior, distribution_weight=0.7)
    z_a, z_b = (np.array(z) for z in (normal(COUNT, 16), normal(COUNT, 16, seed=1)))
    full, distance = float(model.objective(z_a, z_b)), build("generalized_contrastive", prior=prior)
    distance.distribution_weight = 0.0
    if prior in ("log_sum_exp", "sphere"):
        z_a, z_b = unit(z_a), unit(z_b)
    assert float(distance.objective(z_a, z_b)) == pytest.approx(np.mean((z_a - z_b) ** 2) / 2, rel=1e-5)
    z = np.concatenate([z_a, z_b])
    if prior == "log_sum_exp":
        term = float(losses.log_sum_exp(z, temperature=0.3))
    else:
        samples = np.array(model._samples(model.uniform(z.shape, 1, everywhere=True)))
        spans = {"sphere": (unit(samples), 1e-6), "normal": (samples, 0), "cube": (np.clip(samples, -1, 1), 1e-6)}
        np.testing.assert_allclose(samples, spans[prior][0], atol=spans[prior][1])
        rotation = np.linalg.qr(losses.normal(model.uniform((16, 16), 0, everywhere=True)))[0]
        term = float(losses.sliced_wasserstein(z, samples, rotation))
    assert full == pytest.approx(np.mean((z_a - z_b) ** 2) / 2 + 0.7 * term, rel=1e-3)


@pytest.mark.parametrize("name", ["lejepa", "vis_reg", "generalized_contrastive"])
def test_lines_and_samples_are_drawn_at_each_step_and_the_same_again(name):
    model = build(name, **({"prior": "sphere"} if name == "generalized_contrastive" else {}))
    outputs, values = model(batch(model), training=False), []
    for step in (0, 1, 0):
        model.optimizer.iterations.assign(step)
        values.append(float(model.objective(**outputs)))
    assert values[0] == values[2] != values[1]


def test_lejepa_and_vis_reg_weigh_their_terms():
    for name, weight in (("lejepa", "sigreg_weight"), ("vis_reg", "regularizer_weight")):
        model = build(name, **{weight: 0.0})
        outputs = model(batch(model), training=False)
        z = np.swapaxes(np.array(outputs["z"]), 0, 1)
        far = float(losses.invariance(z, centres=model.centres))
        assert float(model.objective(**outputs)) == pytest.approx(far, rel=1e-5)
        setattr(model, weight, 1.0)
        lines = losses.normal(model.uniform((16, 64), 0, everywhere=True))
        term = losses.sigreg(z, lines) if name == "lejepa" else losses.visreg(z, lines)
        assert float(model.objective(**outputs)) == pytest.approx(float(term), rel=1e-4)


def made_of(views):
    return [operation for view in views[:2] for operation in view.operations]


def test_presets_show_the_papers_views():
    assert [view.size for view in presets.lejepa(224)] == [224] * 2 + [96] * 6
    assert [view.size for view in presets.vis_reg(224, local_crops=2)] == [224] * 4 + [96] * 2
    made = made_of(presets.mmcr(224))
    cut = [dataclasses.replace(one, uncut=False) if isinstance(one, Blur) else one for one in made]
    assert (
        cut == made_of(presets.byol(224, interpolation="bilinear"))
        and presets.mmcr(224, number=3)[2] == presets.mmcr(224)[0]
    )
    crops = presets.emp_ssl(32)
    assert len(crops) == 20 and crops[0].operations[0].scale == (0.25, 0.25)
    assert {operation.name for operation in crops[0].operations} == {"crop", "flip", "jitter", "grayscale", "solarize"}
    for name in ("vis_reg", "mmcr", "emp_ssl"):
        with pytest.raises(ValueError, match="number must be in"):
            getattr(presets, name)(32, number=1)


def test_an_unknown_prior_gets_the_nearest():
    with pytest.raises(ValueError, match="did you mean sphere"):
        build("generalized_contrastive", prior="spere")
