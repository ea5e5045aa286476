"""Methods without negatives: their losses against loops, what they stop, what they move and what they set."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import encoders, losses, methods
from sslzoo.layers import maps
from sslzoo.losses.local import embedding_distances, location_distances, matches, vicreg_matched
from sslzoo.methods.direct_pred import predictor_of
from sslzoo.optimizers.schedules import WarmupCosine
from sslzoo.views import View, presets

RNG = np.random.default_rng(0)


def unit(z):
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def gradients(loss, *arrays):
    tensors = [tf.constant(array, "float32") for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    return tape.gradient(value, tensors)


# Losses.


def test_negative_cosine_is_the_papers():
    p, z = normal(2, 7, 5)
    expected = -np.mean([p[i] @ z[i] / np.linalg.norm(p[i]) / np.linalg.norm(z[i]) for i in range(7)])
    assert float(losses.negative_cosine(p, z)) == pytest.approx(expected, rel=1e-5)
    assert float(losses.negative_cosine(p, 3 * p)) == pytest.approx(-1, rel=1e-6)
    assert float(losses.negative_cosine(5 * p, z)) == pytest.approx(expected, rel=1e-5)


def vicreg_by_the_code(z_a, z_b, invariance=25.0, variance=25.0, covariance=1.0):
    """Algorithm 1 of arXiv 2105.04906 with loops, the variance term halved as in the authors' main_vicreg.py."""
    count, dim = z_a.shape
    apart = sum((x - y) ** 2 for x, y in zip(z_a.flat, z_b.flat, strict=True)) / (count * dim)
    narrow = redundant = 0.0
    for z in (z_a.astype("float64"), z_b.astype("float64")):
        z = z - z.mean(axis=0)
        for i in range(dim):
            for j in range(dim):
                c = sum(z[n, i] * z[n, j] for n in range(count)) / (count - 1)
                narrow += max(0.0, 1 - math.sqrt(c + 1e-4)) / dim / 2 if i == j else 0.0
                redundant += c**2 / dim if i != j else 0.0
    return invariance * apart + variance * narrow + covariance * redundant


@pytest.mark.parametrize("weights", [(25.0, 25.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
def test_vicreg_is_the_authors_code(weights):
    z_a, z_b = 0.7 * normal(2, 9, 5) + 1
    assert float(
        losses.vicreg(z_a, z_b, **dict(zip(("invariance", "variance", "covariance"), weights, strict=True)))
    ) == pytest.approx(vicreg_by_the_code(z_a, z_b, *weights), rel=1e-4)


def test_vicreg_of_constant_and_of_whitened_embeddings():
    assert float(losses.vicreg(np.ones((8, 4)), np.ones((8, 4)))) == pytest.approx(24.75, rel=1e-6)
    white = losses.whiten(normal(64, 4)) * 1.01
    assert float(losses.vicreg(white, white)) == pytest.approx(0, abs=1e-4)


def test_vicreg_ignores_a_shift_of_both_the_order_of_images_and_the_variance_above_one():
    z_a, z_b = normal(2, 16, 5)
    order, value = RNG.permutation(16), float(losses.vicreg(z_a, z_b))
    assert float(losses.vicreg(z_a + 7, z_b + 7)) == pytest.approx(value, rel=1e-4)
    assert float(losses.vicreg(z_a[order], z_b[order])) == pytest.approx(value, rel=1e-4)
    assert float(losses.vicreg(10 * z_a, 10 * z_b, invariance=0.0, variance=1.0, covariance=0.0)) == 0


def test_vicreg_gradients_are_finite_for_collapsed_embeddings_and_reach_both_views():
    assert all(np.isfinite(g).all() for g in gradients(losses.vicreg, np.ones((4, 3)), np.ones((4, 3))))
    assert all(np.abs(g).max() > 0 for g in gradients(losses.vicreg, *normal(2, 8, 4)))


def tico_by_the_paper(z_a, z_b, covariance, beta, rho):
    a, b = unit(z_a.astype("float64")), unit(z_b.astype("float64"))
    moment = sum(np.outer(x, x) for x in a) / len(a)
    covariance = beta * covariance + (1 - beta) * moment
    return np.mean([1 - x @ y + rho * x @ covariance @ x for x, y in zip(a, b, strict=True)]), covariance


def test_tico_is_the_papers_over_steps():
    running = expected_running = np.zeros((5, 5), "float32")
    for step in range(3):
        z_a, z_b = normal(2, 9, 5, seed=step)
        running = losses.tico_covariance(z_a, running)
        expected, expected_running = tico_by_the_paper(z_a, z_b, expected_running, 0.9, 8.0)
        np.testing.assert_allclose(running, expected_running, atol=1e-6)
        assert float(losses.tico(z_a, z_b, running)) == pytest.approx(expected, rel=1e-5)
        assert float(np.trace(running)) == pytest.approx(1 - 0.9 ** (step + 1), rel=1e-5)
    assert np.linalg.eigvalsh(running).min() > -1e-7


def test_tico_of_collapsed_embeddings():
    z, none = np.ones((8, 4), "float32"), np.zeros((4, 4), "float32")
    assert float(losses.tico(z, z, losses.tico_covariance(z, none))) == pytest.approx(0.8, rel=1e-5)
    assert float(losses.tico(z, z, losses.tico_covariance(z, none, rate=1.0))) == pytest.approx(8, rel=1e-5)


def test_tico_of_aligned_directions_that_are_spread_evenly():
    z = np.concatenate([np.eye(4), -np.eye(4)]).astype("float32")
    assert float(losses.tico(z, z, losses.tico_covariance(z, np.zeros((4, 4)), rate=1.0))) == pytest.approx(2, rel=1e-5)


def test_no_gradient_goes_through_the_covariance_of_tico():
    z_a, z_b = normal(2, 6, 4)
    whole = gradients(lambda z: losses.tico(z, z_b, losses.tico_covariance(z, np.zeros((4, 4)))), z_a)[0]
    fixed = losses.tico_covariance(z_a, np.zeros((4, 4)))
    np.testing.assert_allclose(whole, gradients(lambda z: losses.tico(z, z_b, fixed), z_a)[0], atol=1e-7)


def test_whitened_embeddings_have_mean_zero_and_covariance_identity():
    mix = np.random.default_rng(1).normal(size=(6, 6))
    white = np.array(losses.whiten((normal(2, 64, 6) @ mix + 3).astype("float32")))
    assert white.shape == (2, 64, 6)
    for part in white:
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-3)
        np.testing.assert_allclose(np.cov(part.T), np.eye(6), atol=1e-3)


def test_whitening_ignores_shifts_and_lower_triangular_maps_but_no_rotations():
    z = normal(64, 4)
    lower = np.tril(RNG.uniform(0.5, 2, (4, 4))).astype("float32")
    np.testing.assert_allclose(losses.whiten(z @ lower.T + 5), losses.whiten(z), atol=1e-3)
    turn = np.linalg.qr(RNG.normal(size=(4, 4)))[0].astype("float32")
    assert np.abs(np.array(losses.whiten(z @ turn)) - np.array(losses.whiten(z))).max() > 0.1


def w_mse_by_the_paper(z_a, z_b, size, normalize):
    total = []
    for start in range(0, len(z_a), size):
        whitened = []
        for z in (z_a, z_b):
            part = z[start : start + size].astype("float64")
            part = part - part.mean(axis=0)
            inverse = np.linalg.inv(np.linalg.cholesky(part.T @ part / (size - 1)))
            whitened.append(np.stack([inverse @ row for row in part]))
        for x, y in zip(*whitened, strict=True):
            cosine = x @ y / np.linalg.norm(x) / np.linalg.norm(y)
            total.append(2 - 2 * cosine if normalize else np.mean((x - y) ** 2))
    return np.mean(total)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("size", [12, 24])
def test_w_mse_is_the_papers(size, normalize):
    z_a = normal(24, 4)
    z_b = z_a + 0.5 * normal(24, 4, seed=1)
    expected = w_mse_by_the_paper(z_a, z_b, size, normalize)
    assert float(losses.w_mse(z_a, z_b, whitening_size=size, normalize=normalize)) == pytest.approx(expected, rel=1e-3)


def test_w_mse_of_equal_and_of_unrelated_views():
    z_a, z_b = normal(2, 512, 16)
    assert float(losses.w_mse(z_a, z_a, whitening_size=128)) == pytest.approx(0, abs=1e-5)
    assert float(losses.w_mse(z_a, z_b, whitening_size=128)) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    "size, words", [(5, "whitening_size=5 does not divide the batch of 16 images"), (4, "must be above 4")]
)
def test_w_mse_says_which_parts_it_cannot_whiten(size, words):
    with pytest.raises(ValueError, match=words):
        losses.w_mse(*normal(2, 16, 4), whitening_size=size)


def test_w_mse_stops_no_gradient():
    assert all(
        np.abs(g).max() > 0 for g in gradients(lambda *z: losses.w_mse(*z, whitening_size=16), *normal(2, 16, 4))
    )


def local_by_loops(map_a, map_b, position_a, position_b, matches):
    """Equations 4 to 6 of arXiv 2210.01571 with loops; half of VICReg's covariance term."""

    def criterion(one, other, distance, count):
        rows = []
        for x, y, d in zip(one, other, distance, strict=True):
            best = [min(range(len(y)), key=lambda q, row=row: row[q]) for row in d]
            kept = sorted(sorted(range(len(x)), key=lambda p, d=d, best=best: d[p][best[p]])[:count])
            rows.append(([x[p] for p in kept], [y[best[p]] for p in kept]))
        z_a, z_b = (np.array([row[side] for row in rows]) for side in (0, 1))
        per_match = [vicreg_by_the_code(z_a[:, k], z_b[:, k], 25, 25, 0.5) for k in range(z_a.shape[1])]
        return np.mean(per_match)

    def distances(a, b):
        return [[[np.sum((p - q) ** 2) for q in y] for p in x] for x, y in zip(a, b, strict=True)]

    total = 0.0
    everything = (map_a.shape[1], map_b.shape[1])
    for a, b, counts in ((map_a, map_b, everything), (position_a, position_b, matches)):
        total += criterion(map_a, map_b, distances(a, b), counts[0]) / 2
        total += criterion(map_b, map_a, distances(b, a), counts[1]) / 2
    return total


def test_vicregs_local_loss_is_the_papers():
    map_a, map_b = normal(5, 6, 3), normal(5, 4, 3, seed=1)
    position_a, position_b = RNG.uniform(size=(5, 6, 2)), RNG.uniform(size=(5, 4, 2))
    value = losses.vicreg_local(map_a, map_b, position_a, position_b, matches=(3, 2))
    assert float(value) == pytest.approx(local_by_loops(map_a, map_b, position_a, position_b, (3, 2)), rel=1e-4)


def test_places_of_equal_views_match_themselves():
    boxes = np.tile(np.array([0.1, 0.2, 0.5, 0.6, 0], "float32"), (2, 1))
    places = maps.positions(boxes, 3, 3)
    kept, partners = matches(location_distances(places, places), count=20)
    np.testing.assert_array_equal(kept, [range(9)] * 2)
    np.testing.assert_array_equal(partners, kept)


def test_places_of_a_mirrored_view_match_their_mirror_images():
    boxes = np.array([[0, 0, 1, 1, 0]], "float32")
    places, mirrored = maps.positions(boxes, 3, 3), maps.positions(boxes + [[0, 0, 0, 0, 1]], 3, 3)
    _, partners = matches(location_distances(places, mirrored), count=9)
    np.testing.assert_array_equal(partners, [[2, 1, 0, 5, 4, 3, 8, 7, 6]])


def test_the_nearest_pairs_are_kept():
    distances = np.array([[[5.0, 4.0], [1.0, 2.0], [9.0, 0.5]]])
    kept, partners = matches(distances, count=2)
    assert np.array(kept).tolist() == [[1, 2]] and np.array(partners).tolist() == [[0, 1]]


def test_gradients_of_the_local_loss_reach_both_maps():
    where = RNG.uniform(size=(4, 5, 2)).astype("float32")
    loss = lambda a, b: losses.vicreg_local(a, b, where, where)  # noqa: E731
    assert all(np.abs(g).max() > 0 for g in gradients(loss, *normal(2, 4, 5, 3)))


def test_losses_are_those_of_lightly():
    theirs = pytest.importorskip("lightly.loss", exc_type=ImportError)
    torch = pytest.importorskip("torch")
    (z_a, z_b), maps_ab, places = normal(2, 32, 8), normal(2, 32, 3, 3, 8), normal(2, 32, 3, 3, 2)
    pairs = [
        (theirs.NegativeCosineSimilarity(), losses.negative_cosine),
        (theirs.BarlowTwinsLoss(lambda_param=0.0051), losses.barlow_twins),
        (theirs.VICRegLoss(), losses.vicreg),
        (theirs.TiCoLoss(), lambda a, b: losses.tico(a, b, losses.tico_covariance(a, np.zeros((8, 8))))),
    ]
    for their_loss, our_loss in pairs:
        expected = float(their_loss(torch.tensor(z_a), torch.tensor(z_b)))
        assert float(our_loss(z_a, z_b)) == pytest.approx(expected, rel=1e-5)
    seen = [(torch.tensor(z), torch.tensor(local)) for z, local in zip((z_a, z_b), maps_ab, strict=True)]
    # With one match a direction: lightly sorts its matches otherwise, and takes as many by embedding as by location.
    expected = float(theirs.VICRegLLoss(num_matches=(1, 1))(seen, [torch.tensor(place) for place in places]))
    (map_a, map_b), (place_a, place_b) = (x.reshape(2, 32, 9, -1) for x in (maps_ab, places))
    local = 0.0
    for distances in (embedding_distances(map_a, map_b), location_distances(place_a, place_b)):
        local += vicreg_matched(map_a, map_b, distances, count=1) / 2
        local += vicreg_matched(map_b, map_a, np.swapaxes(distances, 1, 2), count=1) / 2
    value = 0.75 * losses.vicreg(z_a, z_b, covariance=0.5) + 0.25 * local
    assert float(value) == pytest.approx(expected, rel=1e-5)


# Methods.

IMAGES = np.random.default_rng(0).uniform(size=(4, 16, 8, 8, 3)).astype("float32")
SMALL = {
    "byol": dict(projection_dim=8, hidden_dim=16),
    "sim_siam": dict(projection_dim=8, hidden_dim=4),
    "fast_siam": dict(projection_dim=8, hidden_dim=4),
    "direct_pred": dict(projection_dim=8, hidden_dim=16),
    "barlow_twins": dict(projection_dim=8, hidden_dim=16),
    "vicreg": dict(projection_dim=8, hidden_dim=16),
    "vicreg_l": dict(projection_dim=8, hidden_dim=16, map_dim=8, matches=3, matches_back=2),
    "tico": dict(projection_dim=8, hidden_dim=16),
    "w_mse": dict(projection_dim=4, hidden_dim=16, whitening_size=8),
}
SWAPPABLE = [name for name in SMALL if name not in ("tico", "w_mse")]  # TiCo is one-way; W-MSE has no first view


def make(name, **knobs):
    keras.utils.set_random_seed(0)
    encoder = encoders.make("conv6", (8, 8, 3), width=0.125)
    model = methods.find(name)(encoder, **SMALL[name] | knobs)
    model.compile(keras.optimizers.SGD(0.05))
    return model


def views_of(count=2, order=(0, 1, 2, 3)):
    whole = np.tile(np.array([0, 0, 1, 1, 0], "float32"), (16, 1))
    return {"views": tuple(IMAGES[k] for k in order[:count]), "boxes": (whole,) * count}


def loss_of(model, batch):
    return float(model.objective(**model(batch, training=True)))


def fit(model, batch, steps=1):
    return model.fit(tf.data.Dataset.from_tensors(batch).repeat(steps), verbose=0).history["loss"][-1]


@pytest.mark.parametrize("name", SWAPPABLE)
def test_swapping_the_views_leaves_the_loss(name):
    value = loss_of(make(name), views_of(order=(0, 1)))
    assert loss_of(make(name), views_of(order=(1, 0))) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("name", ["byol", "direct_pred", "tico"])
def test_no_gradient_reaches_the_target(name):
    model, batch = make(name), views_of()
    targets = [*model.target.copies[0].variables, *model.target.copies[1].variables]
    with tf.GradientTape() as tape:
        tape.watch([variable.value for variable in targets])
        loss = model.objective(**model(batch, training=True))
    assert targets and all(gradient is None for gradient in tape.gradient(loss, [v.value for v in targets]))


@pytest.mark.parametrize("name", ["byol", "direct_pred", "tico"])
def test_the_target_starts_as_the_online_network_and_moves_by_the_rate(name):
    for rate in (0.0, 1.0):
        model = make(name, ema_rate=rate)
        before = model.target.copies[0].get_weights()
        np.testing.assert_array_equal(before[0], model.encoder.get_weights()[0])
        fit(model, views_of())
        expected = model.encoder.get_weights() if rate else before
        for slow, fast in zip(model.target.copies[0].get_weights(), expected, strict=True):
            np.testing.assert_allclose(slow, fast, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["byol", "tico"])
def test_the_rate_falls_to_zero_at_the_end_of_training(name):
    model = make(name, ema_rate=1.0)
    model.total_steps = 1
    model.optimizer.iterations.assign(1)  # beyond the last step, which is read at (K - 1) / K
    before = model.target.copies[0].get_weights()
    fit(model, views_of())
    np.testing.assert_array_equal(model.target.copies[0].get_weights()[0], before[0])


def test_byols_loss_is_the_squared_distance_of_both_directions():
    model = make("byol")
    outputs = {name: np.array(value) for name, value in model(views_of(), training=True).items()}
    expected = 0.0
    for p, target in (("p_a", "target_b"), ("p_b", "target_a")):
        expected += np.mean(np.sum((unit(outputs[p]) - unit(outputs[target])) ** 2, axis=1))
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-5)
    outputs["p_a"], outputs["target_b"] = 3 * outputs["p_a"], 2 * outputs["target_b"]
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-5)


def test_byols_target_keeps_statistics_of_its_own():
    model = make("byol", ema_rate=1.0)
    fit(model, views_of())
    means = [
        [w.numpy() for w in part.weights if w.name == "moving_mean"]
        for part in (model.projector, model.target.copies[1])
    ]
    assert np.abs(means[1][0]).max() > 0, "the target normalizes by the batch"


@pytest.mark.parametrize("name", ["sim_siam", "fast_siam"])
def test_siamese_targets_have_no_gradient(name):
    model = make(name)
    outputs = {key: tf.Variable(value) for key, value in model(views_of(), training=True).items()}
    with tf.GradientTape() as tape:
        loss = model.objective(**outputs)
    for key, gradient in tape.gradient(loss, outputs).items():
        assert (gradient is not None) == key.startswith("p"), key


def test_sim_siams_loss_is_the_papers():
    model = make("sim_siam")
    outputs = {name: np.array(value) for name, value in model(views_of(), training=True).items()}
    p_a, p_b, z_a, z_b = (unit(outputs[name]) for name in ("p_a", "p_b", "z_a", "z_b"))
    expected = -np.mean(np.sum(p_a * z_b, axis=1)) / 2 - np.mean(np.sum(p_b * z_a, axis=1)) / 2
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_fast_siams_target_is_the_mean_of_the_other_views():
    model = make("fast_siam")
    outputs = {name: np.array(value) for name, value in model(views_of(4), training=True).items()}
    z, p, total = outputs["z"], outputs["p"], 0.0
    assert z.shape == (16, 4, 8)
    for i in range(4):
        target = np.mean([z[:, j] for j in range(4) if j != i], axis=0)
        total -= np.mean(np.sum(unit(p[:, i]) * unit(target), axis=1)) / 4
    assert float(model.objective(**outputs)) == pytest.approx(total, rel=1e-5, abs=1e-7)


def test_fast_siam_of_two_views_is_sim_siam():
    assert loss_of(make("fast_siam"), views_of()) == pytest.approx(loss_of(make("sim_siam"), views_of()), abs=1e-6)


def test_barlow_twins_and_vicreg_minimize_their_losses_over_the_batch():
    for name, loss in (("barlow_twins", losses.barlow_twins), ("vicreg", losses.vicreg)):
        model = make(name)
        outputs = model(views_of(), training=True)
        assert loss_of(model, views_of()) == pytest.approx(float(loss(outputs["z_a"], outputs["z_b"])), rel=1e-4)


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_direct_preds_predictor_is_symmetric_with_the_papers_eigenvalues(power):
    z = normal(64, 6) * np.arange(1, 7)
    correlation = (z.T @ z / 64).astype("float32")
    made = np.array(predictor_of(correlation, power, 0.01))
    np.testing.assert_allclose(made, made.T, atol=1e-6)
    s = np.linalg.eigvalsh(correlation.astype("float64"))
    np.testing.assert_allclose(np.linalg.eigvalsh(made), (s / s[-1]) ** power + 0.01, rtol=1e-3)
    assert np.linalg.eigvalsh(made)[-1] == pytest.approx(1.01, rel=1e-5)
    if power == 1:
        np.testing.assert_allclose(made, correlation / s[-1] + 0.01 * np.eye(6), atol=1e-5)


def test_direct_preds_predictor_of_an_isotropic_correlation_is_the_identity():
    np.testing.assert_allclose(predictor_of(3 * np.eye(5, dtype="float32"), 0.5, 0.1), 1.1 * np.eye(5), atol=1e-6)
    assert np.isfinite(predictor_of(np.zeros((5, 5), "float32"), 0.5, 0.1)).all()


def test_direct_pred_sets_the_predictor_from_the_embeddings_of_both_views():
    model = make("direct_pred", correlation_rate=0.7)
    outputs = model(views_of(), training=True)
    model.after_step(**outputs)
    z = np.concatenate([outputs["z_a"], outputs["z_b"]]).astype("float64")
    np.testing.assert_allclose(model.correlation, 0.7 * z.T @ z / 32, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.predictor, predictor_of(model.correlation, 0.5, 0.01), atol=1e-5)
    assert not any("predictor" in weight.path for weight in model.trainable_weights)


def test_ticos_covariance_is_that_of_the_steps_so_far_and_is_saved(tmp_path):
    model = make("tico", ema_rate=0.0)
    model.optimizer.learning_rate = 0.0
    expected, running = None, np.zeros((8, 8))
    for _ in range(2):
        outputs = model(views_of(), training=True)
        expected, running = tico_by_the_paper(np.array(outputs["z_a"]), np.array(outputs["z_b"]), running, 0.9, 8.0)
        assert fit(model, views_of()) == pytest.approx(expected, rel=1e-4)
        np.testing.assert_allclose(model.covariance, running, atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.covariance, model.covariance)


def w_mse_in_order(model, z, order):
    pairs = [(0, 1), (0, 2), (1, 2)][: 1 if z.shape[1] == 2 else 3]
    z = z[order]
    return np.mean([w_mse_by_the_paper(z[:, i], z[:, j], model.whitening_size, True) for i, j in pairs])


def test_w_mse_permutes_anew_each_step_as_a_function_of_the_step():
    model, z = make("w_mse"), normal(16, 2, 4)
    values = []
    for step in (0, 1, 0):
        model.optimizer.iterations.assign(step)
        values.append(float(model.objective(z=z)))
    assert values[0] == values[2] != values[1]


def test_w_mse_takes_the_mean_over_all_pairs_of_views():
    model = make("w_mse", whitening_size=16)
    z = normal(16, 3, 4)  # one sub-batch: the order of the images does not matter
    assert float(model.objective(z=z)) == pytest.approx(w_mse_in_order(model, z, np.arange(16)), rel=1e-3)


def test_w_mse_means_over_rounds():
    z, values = normal(16, 2, 4), []
    for rounds in (1, 2, 3):
        values.append(float(make("w_mse", whitening_rounds=rounds).objective(z=z)))
    assert len(set(values)) == 3 and max(values) < 4


def test_vicreg_l_of_one_weight_is_vicreg_with_half_the_covariance():
    model = make("vicreg_l", global_weight=1.0)
    outputs = model(views_of(), training=True)
    expected = float(losses.vicreg(outputs["z_a"], outputs["z_b"], covariance=0.5))
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-5)


def test_vicreg_l_adds_the_local_loss_of_all_pairs():
    model = make("vicreg_l", global_weight=0.0)
    outputs = model(views_of(3), training=True)
    local, places = outputs["local"], outputs["where"]
    assert [x.shape for x in local] == [(16, 1, 8)] * 3 and places[0].shape == (16, 1, 2)
    pairs = [(0, 1), (0, 2), (1, 0), (1, 2)]
    values = [float(losses.vicreg_local(local[i], local[j], places[i], places[j], matches=(3, 2))) for i, j in pairs]
    assert float(model.objective(**outputs)) == pytest.approx(np.mean(values), rel=1e-5)


@pytest.mark.parametrize(
    "build, words",
    [
        (lambda: make("w_mse", whitening_size=4), "whitening_size 4 must be above projection_dim 4"),
        (
            lambda: make("w_mse", whitening_size=10).objective(z=normal(16, 2, 4)),
            "whitening_size=10 does not divide the batch of 16",
        ),
        (lambda: make("direct_pred", power=-1.0), "power must be at least 0, got -1.0"),
        (lambda: make("vicreg_l", global_weight=2.0), "global_weight must be at least 0 and at most 1, got 2.0"),
        (lambda: methods.find("vicreg_l")(encoders.make("mlp", (8, 8, 3))), "no feature map"),
        (lambda: presets.fast_siam(32, number=1), "number must be"),
        (lambda: presets.w_mse(32, number=0), "number must be"),
    ],
)
def test_wrong_values_are_named(build, words):
    with pytest.raises(ValueError, match=words) as raised:
        build()
    assert "\n" not in str(raised.value)


def test_presets_of_many_views():
    assert presets.fast_siam(32) == [presets.moco_v2(32)[0]] * 4
    assert [len(presets.w_mse(32, number=number)) for number in (2, 4)] == [2, 4]
    assert "blur" not in [operation.name for operation in presets.w_mse(224)[0].operations]
    ours, byols = (
        [[one.name for one in view.operations] for view in made] for made in (presets.vicreg_l(224), presets.byol(224))
    )
    assert ours == byols
    large = presets.vicreg_l(224, min_scale=0.4, local_crops=3)
    assert [view.size for view in large] == [224, 224, 96, 96, 96]
    assert large[2].operations[0].scale == (0.08, 0.4) and large[3].operations[-1].name == "solarize"
    assert all(isinstance(view, View) for view in large)


def moved(model, done, optimizer):
    """How far each weight goes in the step after `done` others, and the gradient that it follows, by path."""
    model.compile(optimizer)
    model.optimizer.iterations.assign(done)
    weights = model.trainable_weights
    with tf.GradientTape() as tape:
        loss = model.objective(**model(views_of(4), training=True))
    gradients = tape.gradient(loss, weights)
    before = [np.array(weight) for weight in weights]
    model.optimizer.apply_gradients(zip(gradients, weights, strict=True))
    steps = zip(weights, before, gradients, strict=True)
    return {weight.path: (np.array(weight) - old, np.array(gradient)) for weight, old, gradient in steps}


@pytest.mark.parametrize("name", ["sim_siam", "fast_siam"])
def test_the_predictors_learning_rate_stays_at_its_peak(name):
    model = make(name)
    schedule = WarmupCosine(0.5, total_steps=10)
    found = moved(model, 8, keras.optimizers.SGD(schedule))
    predictor = {weight.path for weight in model.predictor.trainable_weights}
    assert predictor < set(found)
    for path, (change, gradient) in found.items():
        rate = 0.5 if path in predictor else float(schedule(8))
        np.testing.assert_allclose(change, -rate * gradient, atol=1e-6)


def test_barlow_twins_biases_and_norms_may_learn_slower():
    model, optimizer = make("barlow_twins", vector_rate=0.024), keras.optimizers.SGD(0.5)
    model.compile(optimizer)  # compiled again, it is not slower again
    found = moved(model, 0, optimizer)
    assert {gradient.ndim > 1 for _, gradient in found.values()} == {True, False}
    for change, gradient in found.values():
        rate = 0.5 if gradient.ndim > 1 else 0.5 * 0.024
        np.testing.assert_allclose(change, -rate * gradient, rtol=1e-3, atol=1e-5)
