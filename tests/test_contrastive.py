"""Contrastive and metric-learning losses against the papers' formulas as NumPy loops; what is special to methods."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import catalog, losses, methods
from sslzoo.layers.taps import with_projector
from sslzoo.layers.targets import in_groups
from sslzoo.testing import miniatures

RNG = np.random.default_rng(0)
N, DIM = 6, 5


def unit(z):
    z = np.asarray(z, "float64")
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def views(count=N, dim=DIM, seed=0):
    return np.random.default_rng(seed).normal(size=(2, count, dim)).astype("float32") * 3


def lse(values):
    return math.log(sum(math.exp(value) for value in values))


def info_nce_by_the_paper(query, positive, negatives, t, own=None):
    query, positive, negatives = unit(query), unit(positive), unit(negatives)
    total = 0.0
    for i, q in enumerate(query):
        others = [q @ n / t for n in negatives] + [q @ h / t for h in (unit(own[i]) if own is not None else [])]
        hit = q @ positive[i] / t
        total += lse([hit, *others]) - hit
    return total / len(query)


def cross_view_by_the_paper(z_a, z_b, t):
    a, b = unit(z_a), unit(z_b)
    return np.mean([lse([x @ y / t for y in b]) - x @ b[i] / t for i, x in enumerate(a)])


def dcl_by_the_paper(z_a, z_b, t, weights=None):
    total, n = 0.0, len(z_a)
    for a, b in ((unit(z_a), unit(z_b)), (unit(z_b), unit(z_a))):
        for i in range(n):
            negatives = [a[i] @ a[j] / t for j in range(n) if j != i] + [a[i] @ b[j] / t for j in range(n) if j != i]
            total += lse(negatives) - (1 if weights is None else weights[i]) * a[i] @ b[i] / t
    return total / (2 * n)


def dclw_weights(z_a, z_b, sigma):
    scores = [math.exp(a @ b / sigma) for a, b in zip(unit(z_a), unit(z_b), strict=True)]
    return [2 - len(z_a) * score / sum(scores) for score in scores]


def sup_con_by_the_paper(z_a, z_b, labels, t):
    z, labels = unit(np.concatenate([z_a, z_b])), [*labels, *labels]
    total = 0.0
    for i in range(len(z)):
        everyone = lse([z[i] @ z[a] / t for a in range(len(z)) if a != i])
        positives = [p for p in range(len(z)) if p != i and labels[p] == labels[i]]
        total -= sum(z[i] @ z[p] / t - everyone for p in positives) / len(positives)
    return total / len(z)


def class_conditional_by_the_paper(z_a, z_b, labels, t):
    z, labels, n = unit(np.concatenate([z_a, z_b])), [*labels, *labels], len(z_a)
    total = 0.0
    for i in range(2 * n):
        within = lse([z[i] @ z[a] / t for a in range(2 * n) if a != i and labels[a] == labels[i]])
        total += within - z[i] @ z[(i + n) % (2 * n)] / t
    return total / (2 * n)


@pytest.mark.parametrize("temperature", [0.07, 0.2, 1.0])
def test_info_nce_is_mocos(temperature):
    query, positive = views()
    negatives, own = RNG.normal(size=(9, DIM)).astype("float32"), RNG.normal(size=(N, 4, DIM)).astype("float32")
    expected = info_nce_by_the_paper(query, positive, negatives, temperature)
    assert float(losses.info_nce(query, positive, negatives, temperature=temperature)) == pytest.approx(
        expected, rel=1e-4
    )
    expected = info_nce_by_the_paper(query, positive, negatives, temperature, own)
    assert float(losses.info_nce(query, positive, negatives, own, temperature=temperature)) == pytest.approx(
        expected, rel=1e-4
    )


def test_info_nce_without_negatives_is_zero_and_of_equal_embeddings_log_k_plus_1():
    query, positive = views()
    assert float(losses.info_nce(query, positive, np.zeros((0, DIM), "float32"), temperature=0.07)) == pytest.approx(
        0, abs=1e-6
    )
    ones = np.ones((4, DIM), "float32")
    assert float(losses.info_nce(ones, ones, np.ones((63, DIM), "float32"), temperature=0.07)) == pytest.approx(
        math.log(64), rel=1e-5
    )


@pytest.mark.parametrize("temperature, expected", [(0.07, 11.888), (0.2, 11.188)])
def test_info_nce_of_random_directions(temperature, expected):
    negatives = RNG.normal(size=(65536, 128)).astype("float32")
    values = [losses.info_nce(*views(256, 128, seed), negatives, temperature=temperature) for seed in range(8)]
    assert np.mean(values) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_cross_view_info_nce_is_one_direction_over_n_logits(temperature):
    z_a, z_b = views()
    value = float(losses.cross_view_info_nce(z_a, z_b, temperature=temperature))
    assert value == pytest.approx(cross_view_by_the_paper(z_a, z_b, temperature), rel=1e-4)
    assert value != pytest.approx(float(losses.cross_view_info_nce(z_b, z_a, temperature=temperature)), rel=1e-3)
    ones = np.ones((64, 3), "float32")
    assert float(losses.cross_view_info_nce(ones, ones, temperature=temperature)) == pytest.approx(
        math.log(64), rel=1e-5
    )


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_dcl_and_dclw_are_the_papers(temperature):
    z_a, z_b = views()
    assert float(losses.dcl(z_a, z_b, temperature=temperature)) == pytest.approx(
        dcl_by_the_paper(z_a, z_b, temperature), rel=1e-4, abs=1e-5
    )
    expected = dcl_by_the_paper(z_a, z_b, temperature, dclw_weights(z_a, z_b, 0.5))
    assert float(losses.dclw(z_a, z_b, temperature=temperature, sigma=0.5)) == pytest.approx(
        expected, rel=1e-4, abs=1e-5
    )


def test_dcl_of_collapsed_and_of_aligned_orthonormal_pairs():
    ones, eye = np.ones((64, 8), "float32"), np.eye(64, dtype="float32")
    for loss in (losses.dcl, losses.dclw):
        assert float(loss(ones, ones, temperature=0.1)) == pytest.approx(math.log(126), abs=1e-4)
        assert float(loss(eye, eye, temperature=0.1)) == pytest.approx(math.log(126) - 10, abs=1e-4)


def test_no_gradient_flows_through_the_weights_of_dclw():
    z_a, z_b = (tf.Variable(z) for z in views())
    weights = tf.constant(dclw_weights(z_a.numpy(), z_b.numpy(), 0.5), "float32")
    with tf.GradientTape() as tape:
        loss = losses.dclw(z_a, z_b, temperature=0.1, sigma=0.5)
    with tf.GradientTape() as fixed:
        cosines = tf.reduce_sum(tf.nn.l2_normalize(z_a, 1) * tf.nn.l2_normalize(z_b, 1), 1)
        by_hand = losses.dcl(z_a, z_b, temperature=0.1) + tf.reduce_mean((1 - weights) * cosines) / 0.1
    assert float(loss) == pytest.approx(float(by_hand), rel=1e-4)
    np.testing.assert_allclose(tape.gradient(loss, z_a), fixed.gradient(by_hand, z_a), rtol=1e-3, atol=1e-5)


LABELS = np.array([0, 1, 0, 2, 1, 0])


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_supervised_losses_are_the_papers(temperature):
    z_a, z_b = views()
    for loss, formula in (
        (losses.sup_con, sup_con_by_the_paper),
        (losses.class_conditional_info_nce, class_conditional_by_the_paper),
    ):
        value = float(loss(z_a, z_b, LABELS, temperature=temperature))
        assert value == pytest.approx(formula(z_a, z_b, LABELS, temperature), rel=1e-4)


def test_supervised_losses_are_nt_xent_at_the_edge():
    z_a, z_b = views()
    nt_xent = float(losses.nt_xent(z_a, z_b, temperature=0.2))
    assert float(losses.sup_con(z_a, z_b, np.arange(N), temperature=0.2)) == pytest.approx(nt_xent, rel=1e-5)
    assert float(losses.class_conditional_info_nce(z_a, z_b, np.zeros(N, int), temperature=0.2)) == pytest.approx(
        nt_xent, rel=1e-5
    )
    assert float(losses.class_conditional_info_nce(z_a, z_b, np.arange(N), temperature=0.2)) == pytest.approx(
        0, abs=1e-5
    )


def test_supervised_losses_of_collapsed_classes():
    ones, labels = np.ones((8, DIM), "float32"), np.repeat([0, 1], 4)
    for temperature in (0.07, 1.0):
        assert float(losses.sup_con(ones, ones, labels, temperature=temperature)) == pytest.approx(
            math.log(15), rel=1e-5
        )
        value = float(losses.class_conditional_info_nce(ones, ones, labels, temperature=temperature))
        assert value == pytest.approx(math.log(2 * 4 - 1), rel=1e-5)


def test_the_pair_loss_is_hadsells():
    x, y = views()
    same = np.array([1, 0, 1, 0, 1, 0])
    distance = [np.linalg.norm(x[i].astype("float64") - y[i]) for i in range(N)]
    terms = [d**2 if s else max(0, 7 - d) ** 2 for d, s in zip(distance, same, strict=True)]
    assert float(losses.contrastive_pair(x, y, same, margin=7)) == pytest.approx(np.mean(terms), rel=1e-5)
    assert float(losses.contrastive_pair(y, x, same, margin=7)) == pytest.approx(np.mean(terms), rel=1e-5)


def test_the_pair_loss_of_equal_embeddings_and_beyond_the_margin():
    x, y = views()
    assert float(losses.contrastive_pair(x, x, np.ones(N), margin=1.5)) == 0
    assert float(losses.contrastive_pair(x, x, np.zeros(N), margin=1.5)) == pytest.approx(2.25, rel=1e-5)
    x, y = tf.Variable(x), tf.constant(y)
    with tf.GradientTape(persistent=True) as tape:
        far, none = (
            losses.contrastive_pair(x, y, np.zeros(N), margin=0.1),
            losses.contrastive_pair(x, x, np.zeros(N), margin=1.0),
        )
    assert float(far) == 0 and not np.any(tape.gradient(far, x))
    assert np.isfinite(tape.gradient(none, x)).all()


def squared(a, b):
    return float(np.sum((unit(a) - unit(b)) ** 2))


def mined_by_the_papers(z_a, z_b, margin, mining):
    z, n, terms = np.concatenate([z_a, z_b]), len(z_a), []
    for i in range(2 * n):
        near = squared(z[i], z[(i + n) % (2 * n)])
        far = [squared(z[i], z[j]) for j in range(2 * n) if j % n != i % n]
        farther = [d for d in far if d > near]
        chosen = {
            "all": far,
            "hard": [min(far)],
            "semi-hard": [min(farther) if farther else max(far)],
        }[mining]
        terms += [max(0, near - d + margin) for d in chosen]
    return np.mean(terms)


@pytest.mark.parametrize("mining", ["all", "semi-hard", "hard"])
@pytest.mark.parametrize("seed", range(3))
def test_mined_triplets_are_the_papers(mining, seed):
    z_a, z_b = views(seed=seed)
    value = float(losses.mined_triplet(z_a, z_b, margin=0.2, mining=mining))
    assert value == pytest.approx(mined_by_the_papers(z_a, z_b, 0.2, mining), rel=1e-4)


def test_harder_mining_gives_a_larger_loss_and_easy_triplets_none():
    rng = np.random.default_rng(1)  # of its own: of few rows some draws have no semi-hard negative
    z_a = rng.normal(size=(64, 8)).astype("float32")
    z_b = z_a + rng.normal(scale=0.8, size=z_a.shape).astype("float32")
    hard, semi = (float(losses.mined_triplet(z_a, z_b, margin=0.2, mining=mining)) for mining in ("hard", "semi-hard"))
    assert hard >= semi > 0
    eye = np.eye(8, dtype="float32")
    for mining in ("all", "semi-hard", "hard"):
        assert float(losses.mined_triplet(eye, 3 * eye, margin=0.2, mining=mining)) == 0
        assert float(losses.mined_triplet(eye * 0 + 1, eye * 0 + 1, margin=0.2, mining=mining)) == pytest.approx(
            0.2, abs=1e-5
        )
    with pytest.raises(ValueError, match="no mining 'harder': choose one of all, semi-hard, hard"):
        losses.mined_triplet(eye, eye, margin=0.2, mining="harder")


def test_triplet_is_facenets_and_its_soft_margin_of_equal_distances_is_log_2():
    anchor, positive = views()
    negative = RNG.normal(size=(N, DIM)).astype("float32")
    terms = [max(0, squared(a, p) - squared(a, n) + 0.2) for a, p, n in zip(anchor, positive, negative, strict=True)]
    assert float(losses.triplet(anchor, positive, negative, margin=0.2)) == pytest.approx(np.mean(terms), rel=1e-5)
    assert float(losses.triplet(anchor, positive, positive, margin=None)) == pytest.approx(math.log(2), rel=1e-5)


def test_the_non_parametric_softmax_is_instdiscs():
    z, _ = views()
    bank, index = RNG.normal(size=(9, DIM)).astype("float32"), np.array([3, 0, 8, 1, 2, 7])
    scores = unit(z) @ unit(bank).T / 0.07
    expected = np.mean([lse(row) - row[i] for row, i in zip(scores, index, strict=True)])
    assert float(losses.non_parametric_softmax(z, bank, index, temperature=0.07)) == pytest.approx(expected, rel=1e-4)
    ones = np.ones((9, DIM), "float32")
    assert float(losses.non_parametric_softmax(ones[:N], ones, index, temperature=0.07)) == pytest.approx(
        math.log(9), rel=1e-5
    )


def test_noise_contrastive_estimation_is_instdiscs():
    z, positive = views()
    noise, images, normalizer = RNG.normal(size=(4, DIM)).astype("float32"), 50, 77.0
    total = 0.0
    for f, own in zip(unit(z), unit(positive), strict=True):
        h = [p / (p + 4 / images) for p in (math.exp(v @ f / 0.5) / normalizer for v in (own, *unit(noise)))]
        total -= math.log(h[0]) + sum(math.log(1 - x) for x in h[1:])
    value = float(losses.noise_contrastive(z, positive, noise, temperature=0.5, images=images, normalizer=normalizer))
    assert value == pytest.approx(total / N, rel=1e-4)
    expected = images * np.mean(np.exp(unit(z) @ unit(noise).T / 0.5))
    assert float(losses.partition_function(z, noise, temperature=0.5, images=images)) == pytest.approx(
        expected, rel=1e-4
    )


def test_memories_are_constants_of_the_losses_over_them():
    z, positive = (tf.Variable(z) for z in views())
    bank = tf.Variable(RNG.normal(size=(9, DIM)).astype("float32"))
    with tf.GradientTape(persistent=True) as tape:
        softmax = losses.non_parametric_softmax(z, bank, np.arange(N), temperature=0.1)
        nce = losses.noise_contrastive(
            z,
            positive,
            bank,
            temperature=0.1,
            images=50,
            normalizer=losses.partition_function(z, bank, temperature=0.1, images=50),
        )
        mixed = tf.reduce_sum(losses.mixed_negatives(z, positive, share=np.full(N, 0.3, "float32")))
    assert tape.gradient(softmax, bank) is None and tape.gradient(nce, [bank, positive]) == [None, None]
    assert tape.gradient(mixed, [z, positive]) == [None, None]
    assert np.abs(tape.gradient(softmax, z)).max() > 0 < np.abs(tape.gradient(nce, z)).max()


def test_mochis_negatives_are_hard_of_norm_one_and_harder_with_the_query_in_them():
    query, _ = views()
    negatives = RNG.normal(size=(20, DIM)).astype("float32")
    index = np.array(losses.hardest_negatives(query, negatives, count=3))
    cosines = unit(query) @ unit(negatives).T
    np.testing.assert_array_equal(index, np.argsort(-cosines, axis=1)[:, :3])
    hard = negatives[index]
    share = RNG.uniform(0, 1, (N, 3)).astype("float32")
    mixed = np.array(losses.mixed_negatives(hard, hard[:, ::-1], share=share))
    expected = unit(share[..., None] * unit(hard) + (1 - share[..., None]) * unit(hard[:, ::-1]))
    np.testing.assert_allclose(mixed, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(mixed, axis=-1), 1, rtol=1e-5)
    with_query = np.array(losses.mixed_negatives(query[:, None], hard, share=share / 2))
    before = np.take_along_axis(cosines, index, axis=1)
    assert (np.einsum("nd,nkd->nk", unit(query), with_query) >= before - 1e-6).all()


def test_more_synthetic_negatives_never_lower_the_loss():
    query, positive = views()
    negatives, own = RNG.normal(size=(9, DIM)).astype("float32"), RNG.normal(size=(N, 8, DIM)).astype("float32")
    values = [float(losses.info_nce(query, positive, negatives, own[:, :k], temperature=0.2)) for k in range(9)]
    assert values[0] == pytest.approx(float(losses.info_nce(query, positive, negatives, temperature=0.2)), rel=1e-6)
    assert (np.diff(values) > 0).all()


PAIRS = {
    "cross_view_info_nce": lambda a, b: losses.cross_view_info_nce(a, b, temperature=0.2),
    "dcl": lambda a, b: losses.dcl(a, b, temperature=0.2),
    "dclw": lambda a, b: losses.dclw(a, b, temperature=0.2, sigma=0.5),
    "sup_con": lambda a, b: losses.sup_con(a, b, LABELS, temperature=0.2),
    "class_conditional_info_nce": lambda a, b: losses.class_conditional_info_nce(a, b, LABELS, temperature=0.2),
    "triplet_all": lambda a, b: losses.mined_triplet(a, b, margin=0.2, mining="all"),
    "triplet_semi_hard": lambda a, b: losses.mined_triplet(a, b, margin=0.2, mining="semi-hard"),
    "triplet_hard": lambda a, b: losses.mined_triplet(a, b, margin=0.2, mining="hard"),
    "info_nce": lambda a, b: losses.info_nce(a, b, np.eye(DIM, dtype="float32"), temperature=0.2),
}


@pytest.mark.parametrize("name", PAIRS)
def test_norms_do_not_matter_and_half_precision_is_computed_in_float32(name):
    z_a, z_b = views()
    scale = RNG.uniform(0.5, 8, (2, N, 1)).astype("float32")
    value = PAIRS[name](z_a, z_b)
    assert float(PAIRS[name](scale[0] * z_a, scale[1] * z_b)) == pytest.approx(float(value), rel=1e-4)
    half = PAIRS[name](z_a.astype("float16"), z_b.astype("float16"))
    assert half.dtype == "float32"
    assert float(half) == pytest.approx(float(value), rel=2e-2)


@pytest.mark.parametrize("name", PAIRS)
def test_gradients_reach_both_views_and_are_finite_at_zero(name):
    z_a, z_b = (tf.Variable(z) for z in views())
    with tf.GradientTape() as tape:
        loss = PAIRS[name](z_a, z_b)
    assert all(np.abs(gradient).max() > 0 for gradient in tape.gradient(loss, [z_a, z_b]))
    z_a.assign(tf.zeros_like(z_a))
    with tf.GradientTape() as tape:
        loss = PAIRS[name](z_a, z_b)
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, [z_a, z_b]))


def test_values_are_lightlys():
    """Where lightly and PyTorch are installed beside TensorFlow."""
    torch, lightly = pytest.importorskip("torch"), pytest.importorskip("lightly.loss")
    hypersphere = pytest.importorskip("lightly.loss.hypersphere_loss").HypersphereLoss(t=2.0, lam=0.7, alpha=2.0)
    z_a, z_b = views(16, 8)
    a, b = torch.tensor(z_a), torch.tensor(z_b)
    queue = RNG.normal(size=(32, 8)).astype("float32")
    moco = lightly.NTXentLoss(temperature=0.2, memory_bank_size=(32, 8))
    moco.memory_bank.bank = torch.tensor(unit(queue).astype("float32"))
    for ours, theirs in (
        (losses.nt_xent(z_a, z_b, temperature=0.2), lightly.NTXentLoss(temperature=0.2)(a, b)),
        (losses.dcl(z_a, z_b, temperature=0.2), lightly.DCLLoss(temperature=0.2)(a, b)),
        (losses.dclw(z_a, z_b, temperature=0.2, sigma=0.5), lightly.DCLWLoss(temperature=0.2, sigma=0.5)(a, b)),
        (losses.info_nce(z_a, z_b, queue, temperature=0.2), moco(a, b)),
        (
            losses.align(z_a, z_b, alpha=2) + 0.7 * (losses.uniformity(z_a, t=2) + losses.uniformity(z_b, t=2)) / 2,
            hypersphere(a, b),
        ),
    ):
        assert float(ours) == pytest.approx(float(theirs), rel=1e-4)


def outputs_of(model, training=False):
    return model(miniatures.batch(model), training=training)


def rows(seed=3):
    """As many embeddings as the contracts' batch has images, drawn rather than computed."""
    return np.random.default_rng(seed).normal(size=(miniatures.COUNT, 16)).astype("float32")


def build(name, **knobs):
    keras.utils.set_random_seed(0)
    known = catalog.knobs.read(catalog.methods()[name], methods.find(name).__name__)
    small = {key: value for key, value in miniatures.SMALL.items() if key in known}
    model = methods.find(name)(miniatures.residual(), **small | knobs)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9))
    return model


def train(model, steps=1):
    return model.fit(miniatures.batches(model, steps), verbose=0).history["loss"]


def test_the_whole_objective_of_simple_methods_is_the_formula_of_their_embeddings():
    labels = np.arange(miniatures.COUNT) % 4
    formulas = {
        ("dcl", "sigma", 0.0): lambda a, b: dcl_by_the_paper(a, b, 0.1),
        ("dcl", "sigma", 0.5): lambda a, b: dcl_by_the_paper(a, b, 0.1, dclw_weights(a, b, 0.5)),
        ("sup_con", "temperature", 0.2): lambda a, b: sup_con_by_the_paper(a, b, labels, 0.2),
        ("triplet", "mining", "hard"): lambda a, b: mined_by_the_papers(a, b, 0.2, "hard"),
        ("triplet", "mining", "semi-hard"): lambda a, b: mined_by_the_papers(a, b, 0.2, "semi-hard"),
        ("direct_clr", "temperature", 0.2): lambda a, b: (
            cross_view_by_the_paper(a, b, 0.2) / 2 + cross_view_by_the_paper(b, a, 0.2) / 2
        ),
    }
    for (name, knob, value), formula in formulas.items():
        model = build(name, **{knob: value})
        outputs = outputs_of(model)
        expected = formula(np.array(outputs["z_a"]), np.array(outputs["z_b"]))
        assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-3, abs=1e-4), (name, value)


def test_align_uniform_weighs_its_two_properties():
    model = build("align_uniform", align_weight=0.5, uniform_weight=2.0, uniform_t=1.0, align_power=1.0)
    outputs = outputs_of(model)
    z_a, z_b = outputs["z_a"], outputs["z_b"]
    uniform = (losses.uniformity(z_a, t=1.0) + losses.uniformity(z_b, t=1.0)) / 2
    expected = 0.5 * float(losses.align(z_a, z_b, alpha=1.0)) + 2.0 * float(uniform)
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("negatives", [0, 1, 3])
def test_siamese_weighs_like_and_unlike_pairs_the_same(negatives):
    model = build("siamese", negatives=negatives, margin=1.2)
    a, b = unit(rows()), unit(rows(4))
    n = len(a)
    like = np.mean([np.sum((a[i] - b[i]) ** 2) for i in range(n)])
    steps = range(1, (negatives or n - 1) + 1)
    apart = [max(0, 1.2 - np.linalg.norm(a[i] - b[(i + k) % n])) ** 2 for i in range(n) for k in steps]
    value = float(model.objective(a.astype("float32"), b.astype("float32")))
    assert value == pytest.approx((like + np.mean(apart)) / 2, rel=1e-4)


def test_mocos_positive_is_the_key_of_the_other_view_and_its_negatives_are_the_queue():
    model = build("moco")
    outputs = outputs_of(model)
    view_a, view_b = miniatures.views(model)
    query = model.projector(model.encoder(view_a, training=False))
    key = model.target(view_b, training=False)
    expected = info_nce_by_the_paper(np.array(query), np.array(key), np.array(model.queue.rows), 0.2)
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-4)


def test_mocos_queue_takes_the_keys_after_they_were_compared():
    model = build("moco")
    before = np.array(model.queue.rows)
    outputs = outputs_of(model, training=True)
    compared = float(model.objective(**outputs))
    model.after_step(**outputs)
    queue = np.array(model.queue.rows)
    np.testing.assert_allclose(queue[:32], unit(outputs["z_b"]), atol=1e-5)
    np.testing.assert_array_equal(queue[32:], before[32:])
    assert float(model.objective(**outputs)) > compared + 1, "each key is now its own negative"


@pytest.mark.long
@pytest.mark.parametrize("name", ["moco", "mochi", "moco_v3"])
@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_key_encoder_stays_at_rate_0_and_is_the_query_encoder_at_rate_1(name, rate):
    model = build(name, ema_rate=rate)
    before = [np.array(w) for w in model.target.copies[0].weights if "moving" not in w.path]
    train(model, 2)
    after = [np.array(w) for w in model.target.copies[0].weights if "moving" not in w.path]
    online = [np.array(w) for w in model.encoder.weights if "moving" not in w.path]
    assert all(map(np.array_equal, after, online if rate else before))
    assert not all(map(np.array_equal, after, before if rate else online))


def test_moco_v1_has_a_linear_projector_and_v2_none_but_relu_and_dense():
    v1, v2 = build("moco", hidden_dim=0, temperature=0.07), build("moco")
    assert [weight.shape for weight in v1.projector.weights] == [(16, 16), (16,)]
    assert [weight.shape for weight in v2.projector.weights] == [(16, 32), (32,), (32, 16), (16,)]
    assert np.isfinite(train(v1)).all()


def test_keys_are_normalized_in_groups_of_images_and_come_back_in_order():
    model = build("moco")
    _, view = miniatures.views(model)
    outputs = np.array(in_groups(lambda images: model.target.copies[0](images, training=True), view, 4))
    for group in range(4):
        alone = model.target.copies[0](view[group::4], training=True)
        np.testing.assert_allclose(outputs[group::4], alone, atol=1e-4)
    together = np.array(model.target.copies[0](view, training=True))
    assert np.abs(outputs - together).max() > 1e-2
    np.testing.assert_array_equal(in_groups(lambda images: images, view, 8), view)
    with pytest.raises(ValueError, match="5 groups do not divide a replica's batch of 32"):
        in_groups(model.target.copies[0], view, 5)


def test_a_key_knows_less_of_the_whole_batch_when_it_is_normalized_in_groups():
    """What MoCo's shuffled BatchNorm is for: how much a key changes with images that are not its own."""
    model = build("moco")
    _, view = miniatures.views(model)
    other = view.copy()
    other[1::4] = 1 - other[1::4]
    change = {}
    for groups in (1, 4):
        old, new = (
            np.array(in_groups(lambda images: model.target.copies[0](images, training=True), images, groups))
            for images in (view, other)
        )
        change[groups] = np.abs(old - new)[0::4].max()
    assert change[4] < 1e-5 < 1e-2 < change[1]


def test_mochi_without_synthetic_negatives_is_moco():
    moco, mochi = build("moco"), build("mochi", mixed=0, query_mixed=0)
    mochi.set_weights(moco.get_weights())
    np.testing.assert_allclose(train(mochi, 1), train(moco, 1), rtol=1e-6)


def test_mochi_asks_more_once_it_mixes():
    model = build("mochi", mixing_start=0.5)
    outputs = outputs_of(model)
    plain = float(losses.info_nce(outputs["z_a"], outputs["z_b"], model.queue.rows, temperature=0.2))
    assert float(model.objective(**outputs)) > plain, "mixes at once where no length is known"
    model.total_steps = 10
    assert float(model.objective(**outputs)) == pytest.approx(plain, rel=1e-6)
    model.optimizer.iterations.assign(5)
    assert float(model.objective(**outputs)) > plain
    synthetic, queue = np.array(model.synthetic(outputs["z_a"])), np.array(model.queue.rows)
    assert synthetic.shape == (32, 16, 16)
    np.testing.assert_allclose(np.linalg.norm(synthetic, axis=-1), 1, rtol=1e-5)
    to_query = np.einsum("nd,nkd->nk", unit(outputs["z_a"]), synthetic)[:, 8:]
    to_key = np.max(synthetic[:, 8:] @ queue.T, axis=-1)
    assert (to_key >= to_query - 1e-5).all(), "less than half of the query is in them"


def test_nnclr_takes_the_nearest_of_the_queue_and_its_gradient_flows_through_predictions_alone():
    model = build("nnclr")
    z_a, z_b, p_a, p_b = (tf.Variable(rows(seed)) for seed in range(4))
    queue = np.array(model.queue.rows)
    near = [queue[np.argmax(unit(z.numpy()) @ queue.T, axis=1)] for z in (z_a, z_b)]
    expected = cross_view_by_the_paper(near[0], p_b.numpy(), 0.1) + cross_view_by_the_paper(near[1], p_a.numpy(), 0.1)
    with tf.GradientTape() as tape:
        loss = model.objective(z_a=z_a, z_b=z_b, p_a=p_a, p_b=p_b)
    assert float(loss) == pytest.approx(expected / 2, rel=1e-4)
    gradients = tape.gradient(loss, [z_a, z_b, p_a, p_b])
    assert gradients[:2] == [None, None] and all(np.abs(g).max() > 0 for g in gradients[2:])


def test_nnclr_with_a_queue_of_exactly_the_batch_is_cross_view_info_nce_of_the_predictions():
    model = build("nnclr", queue_size=miniatures.COUNT)
    z, p = rows(), rows(5)
    model.after_step(z_a=z)
    value = float(model.objective(z_a=z, z_b=z, p_a=p, p_b=p))
    assert value == pytest.approx(cross_view_by_the_paper(z, p, 0.1), rel=1e-4)


def test_moco_v3_adds_both_directions_times_twice_the_temperature_and_stops_at_the_keys():
    model = build("moco_v3", temperature=0.3)
    p_a, p_b, key_a, key_b = (tf.Variable(rows(seed)) for seed in range(4))
    with tf.GradientTape() as tape:
        loss = model.objective(p_a=p_a, p_b=p_b, key_a=key_a, key_b=key_b)
    both = cross_view_by_the_paper(p_a.numpy(), key_b.numpy(), 0.3)
    both += cross_view_by_the_paper(p_b.numpy(), key_a.numpy(), 0.3)
    assert float(loss) == pytest.approx(2 * 0.3 * both, rel=1e-4)
    gradients = tape.gradient(loss, [p_a, p_b, key_a, key_b])
    assert gradients[2:] == [None, None] and all(np.abs(g).max() > 0 for g in gradients[:2])
    ones = np.ones((64, 16), "float32")
    collapsed = float(model.objective(p_a=ones, p_b=ones, key_a=ones, key_b=ones))
    assert collapsed == pytest.approx(4 * 0.3 * math.log(64), rel=1e-5)


def test_moco_v3s_heads_have_the_papers_norms():
    model = build("moco_v3", hidden_layers=2)
    norms = [layer for layer in model.projector.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert [norm.scale for norm in norms] == [norm.center for norm in norms] == [True, True, False]
    last = [layer for layer in model.predictor.layers if layer.weights][-1]
    assert isinstance(last, keras.layers.Dense)
    last = [layer for layer in build("moco_v3", predictor_norm=True).predictor.layers][-2]
    assert isinstance(last, keras.layers.BatchNormalization) and not last.scale


def test_direct_clr_sends_no_gradient_to_the_other_features():
    model = build("direct_clr", projection_dim=5)
    images = miniatures.views(model)
    with tf.GradientTape() as tape:
        features = [tf.identity(model.encoder(view)) for view in images]
        for part in features:
            tape.watch(part)
        loss = model.objective(*(part[:, :5] for part in features))
    for gradient in tape.gradient(loss, features):
        assert np.abs(gradient[:, :5]).max() > 0 and not np.any(gradient[:, 5:])
    z_a = model({"views": images}, training=False)["z_a"]
    np.testing.assert_allclose(z_a, model.encoder(images[0], training=False)[:, :5], atol=1e-5)


def test_inst_disc_moves_half_the_way_on_the_sphere_and_only_the_batchs_rows():
    model = build("inst_disc", dataset_size=40)
    before = np.array(model.bank.rows)
    z, index = rows(), np.random.default_rng(0).permutation(40)[:32]
    model.after_step(z_a=z, index=index)
    after = np.array(model.bank.rows)
    np.testing.assert_allclose(after[index], unit(before[index] + unit(z)), atol=1e-5)
    rest = np.setdiff1d(np.arange(40), index)
    np.testing.assert_array_equal(after[rest], before[rest])


def test_inst_discs_nce_draws_anew_each_step_and_estimates_z_once():
    model = build("inst_disc", negatives=8, temperature=0.5, proximal_weight=0.1)
    first = np.array(model.bank.noise())
    assert first.shape == (8, 16) and float(model.bank.normalizer) == 0
    train(model)
    z = float(model.bank.normalizer)
    assert z > 0 and int(model.bank.step) == 1
    now = np.array(model.bank.noise())
    model.bank.step.assign(0)
    assert not np.array_equal(now, model.bank.noise()), "other images, not the same ones moved"
    train(model, 3)
    assert float(model.bank.normalizer) == z


def test_inst_discs_nce_is_the_formula_with_the_normalizer_of_the_first_step():
    model = build("inst_disc", negatives=8, temperature=0.5)
    z, index = rows(), np.arange(32)
    noise, bank = np.array(model.bank.noise()), np.array(model.bank.rows)
    normalizer = losses.partition_function(z, noise, temperature=0.5, images=32)
    expected = float(losses.noise_contrastive(z, bank[index], noise, temperature=0.5, images=32, normalizer=normalizer))
    assert float(model.objective(z_a=z, index=index)) == pytest.approx(expected, rel=1e-5)
    model.after_step(z_a=z, index=index)
    assert float(model.bank.normalizer) == pytest.approx(float(normalizer), rel=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("name, knobs", [("inst_disc", {"negatives": 8}), ("moco", {"hidden_dim": 0})])
def test_variants_train_on_two_replicas_like_on_one(name, knobs, mirrored):
    alone = build(name, **knobs)
    one = train(alone) + train(alone)
    with mirrored.scope():
        together = build(name, **knobs)
        two = train(together) + train(together)
    np.testing.assert_allclose(two, one, rtol=2e-5)
    memory = "bank" if name == "inst_disc" else "queue"
    np.testing.assert_allclose(getattr(together, memory).rows, getattr(alone, memory).rows, atol=1e-4)


def test_spread_mixes_sup_con_and_class_conditional_info_nce():
    labels = np.arange(miniatures.COUNT) % 4
    for weight in (0.0, 0.3, 1.0):
        model = build("spread", spread_weight=weight, reconstruction_weight=0.0)
        outputs = outputs_of(model)
        z = np.array(outputs["z_a"]), np.array(outputs["z_b"])
        attract = losses.sup_con(*z, labels, temperature=0.5, positives_in_denominator=False)
        expected = (1 - weight) * float(attract)
        expected += weight * class_conditional_by_the_paper(*z, labels, 0.5)
        assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-4)


def test_spread_reconstructs_an_image_from_its_embedding_and_its_label():
    model = build("spread")
    outputs = outputs_of(model)
    label = np.eye(4, dtype="float32")[np.arange(miniatures.COUNT) % 4]
    errors = []
    for view, z in zip(miniatures.views(model), (outputs["z_a"], outputs["z_b"]), strict=True):
        image = np.array(model.decoder(np.concatenate([z, label], axis=1)))
        errors.append(np.mean((view - image) ** 2, axis=(1, 2, 3)))
    np.testing.assert_allclose(outputs["errors"], np.mean(errors, axis=0), rtol=1e-4)


def test_simclr_v2s_fine_tuned_part_ends_after_the_first_layer_and_shares_its_weights(tmp_path):
    model = build("simclr", hidden_layers=2)
    part = with_projector(model.encoder, model.projector)
    assert part.output_shape == (None, 32)
    train(model, 2)
    view, _ = miniatures.views(model)
    dense, norm, *_ = model.projector.layers
    expected = np.maximum(norm(dense(model.encoder(view, training=False)), training=False), 0)
    np.testing.assert_allclose(part(view, training=False), expected, atol=1e-5)
    part.save(tmp_path / "part.keras")
    loaded = keras.saving.load_model(tmp_path / "part.keras")
    np.testing.assert_allclose(loaded(view, training=False), expected, atol=1e-5)
    assert with_projector(model.encoder, model.projector, 3).output_shape == (None, 16)
    with pytest.raises(ValueError, match="the projector has 3 layers: take 1 to 3 of them, not 4"):
        with_projector(model.encoder, model.projector, 4)


@pytest.mark.parametrize(
    "name, knobs, words",
    [
        ("dcl", dict(sigma=-1), "sigma must be at least 0, got -1"),
        ("siamese", dict(margin=3.0), r"margin must be in \(0, 2\], got 3.0"),
        ("siamese", dict(negatives=-1), "negatives must be at least 0, got -1"),
        ("triplet", dict(mining="hardest"), "no mining 'hardest': did you mean hard"),
        ("triplet", dict(margin=0.0), "margin must be above 0, got 0.0"),
        ("align_uniform", dict(uniform_t=0.0), "uniform_t must be above 0, got 0.0"),
        ("direct_clr", dict(projection_dim=17), r"projection_dim must be 1\.\.16, the encoder's features, got 17"),
        ("inst_disc", dict(negatives=-1), "negatives must be at least 0, got -1"),
        ("inst_disc", dict(bank_rate=0.0), "bank_rate must be above 0 and at most 1, got 0.0"),
        ("mochi", dict(hardest=49), r"hardest must be 1\.\.48, the queue_size, got 49"),
        ("moco", dict(norm_groups=0), "norm_groups must be at least 1, got 0"),
        ("mochi", dict(norm_groups=0), "norm_groups must be at least 1, got 0"),
        ("mochi", dict(mixed=-1), "mixed must be at least 0, got -1"),
        ("spread", dict(spread_weight=1.5), "spread_weight must be at least 0 and at most 1, got 1.5"),
        ("spread", dict(reconstruction_weight=-1.0), "reconstruction_weight must be at least 0, got -1.0"),
    ],
)
def test_bad_values_are_named_in_one_line(name, knobs, words):
    with pytest.raises(ValueError, match=words) as raised:
        build(name, **knobs)
    assert "\n" not in str(raised.value)
