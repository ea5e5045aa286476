"""Methods of series: their losses against the papers in NumPy, what they draw, and their contract."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import beta as beta_distribution

from sslzoo import encoders, losses, methods
from sslzoo.layers.context import Context
from sslzoo.layers.drop_path import Dropout, drawing
from sslzoo.layers.mixing import beta
from sslzoo.layers.steps import patches_of, window
from sslzoo.methods.ts2vec import crops
from sslzoo.testing import miniatures

RNG = np.random.default_rng(0)


def numbers(x):
    return np.asarray(x, "float64")


def unit(z):
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


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
    np.testing.assert_allclose(drawn, beta_distribution.ppf(noise, alpha, alpha), atol=1e-4)
    assert 0 <= drawn.min() and drawn.max() <= 1 and (np.diff(drawn) >= 0).all()


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


# TS2Vec.


def surprise(anchor, positive, others):
    """-log of the softmax of one logit among all."""
    logits = np.array([anchor @ z for z in [positive, *others]])
    return np.log(np.exp(logits).sum()) - logits[0]


def series_by_loops(a, b):
    total, (count, steps, _) = 0.0, a.shape
    for t in range(steps):
        for one, other in ((a, b), (b, a)):
            for i in range(count):
                rest = [z[j, t] for z in (one, other) for j in range(count) if j != i]
                total += surprise(one[i, t], other[i, t], rest)
    return total / (2 * count * steps)


def hierarchy_by_loops(a, b, weight):
    """Algorithm 1: both contrasts at each scale; of steps, the series and the steps change their roles."""
    total, scales = 0.0, 0
    while True:
        total += weight * series_by_loops(a, b)
        total += (1 - weight) * series_by_loops(a.swapaxes(0, 1), b.swapaxes(0, 1)) if a.shape[1] > 1 else 0
        scales += 1
        if a.shape[1] == 1:
            return total / scales
        a, b = (np.stack([z[:, t : t + 2].max(1) for t in range(0, z.shape[1] - 1, 2)], 1) for z in (a, b))


@pytest.mark.parametrize("steps", [1, 2, 5, 8, 11])
def test_hierarchical_contrast_is_algorithm_1_whatever_follows_the_overlap(steps):
    a, b = RNG.normal(size=(2, 4, 11, 3))
    for weight in (0.5, 0.2):
        expected = hierarchy_by_loops(a[:, :steps], b[:, :steps], weight)
        value = losses.hierarchical_contrast(a, b, steps, instance_weight=weight)
        assert float(value) == pytest.approx(expected, rel=1e-4)
        alone = losses.hierarchical_contrast(a[:, :steps], b[:, :steps], instance_weight=weight)
        assert float(alone) == pytest.approx(expected, rel=1e-4)


def test_hierarchical_contrast_of_equal_representations_and_of_a_single_series():
    same = np.ones((4, 6, 3))
    expected = np.mean([(np.log(7) + np.log(2 * length - 1)) / 2 for length in (6, 3, 1)])
    assert float(losses.hierarchical_contrast(same, same)) == pytest.approx(expected, rel=1e-5)
    assert float(losses.hierarchical_contrast(same[:1], same[:1], instance_weight=1.0)) == pytest.approx(0, abs=1e-6)


def test_no_gradient_passes_to_what_follows_the_overlap():
    a, b = (tf.Variable(RNG.normal(size=(3, 9, 2)).astype("float32")) for _ in range(2))
    with tf.GradientTape() as tape:
        loss = losses.hierarchical_contrast(a, b, 5)
    for gradient in tape.gradient(loss, (a, b)):
        assert (np.asarray(gradient)[:, 5:] == 0).all() and (np.abs(np.asarray(gradient)[:, :5]).max((0, 2)) > 0).all()


def test_crops_of_ts2vec_are_ordered_and_uniform():
    drawn = np.array([[int(x) for x in crops(row, 12)] for row in RNG.uniform(size=(600, 4)).astype("float32")])
    first, left, right, last = drawn.T
    assert (0 <= first).all() and (first <= left).all() and (right <= last).all() and (last <= 12).all()
    lengths = right - left
    assert set(lengths) == set(range(2, 13)) and lengths.mean() == pytest.approx(7, abs=0.5)
    assert (first < left).mean() > 0.3 and (last > right).mean() > 0.3
    assert {(0, 0), (0, 12)} <= {(min(first), min(left)), (min(first), max(last))}


def test_the_overlap_of_both_crops_is_the_same_part_of_each_series():
    """Without convolutions, masks and dropout a representation depends on its step alone: both crops agree."""
    encoder = encoders.make("dilated_conv", (30, 2), depth=1, features=4, dropout=0.0)
    for layer in encoder.layers:
        if "conv" in layer.name:
            kernel, bias = layer.get_weights()
            kernel[[0, 2]] = 0
            layer.set_weights([kernel, bias])
    model = methods.TS2Vec(encoder)
    model.compile("sgd", run_eagerly=True)
    series, lengths = RNG.normal(size=(6, 30, 2)).astype("float32"), set()
    for seed in range(5):
        model.seed = seed
        outputs = model({"views": (series, series)}, training=False)
        length = int(outputs["length"])
        a, b = (numbers(outputs[name])[:, :length] for name in "ab")
        np.testing.assert_allclose(a, b, atol=1e-6)
        whole = numbers(model.trunk(model.stem(series)))
        starts = [[np.abs(whole[i, t : t + length] - a[i]).max() < 1e-5 for t in range(31 - length)] for i in range(6)]
        assert all(sum(found) == 1 for found in starts), "each is a part of its series"
        lengths.add((length, *(found.index(True) for found in starts)))
    assert len(lengths) == 5 and any(len(set(starts)) > 1 for _, *starts in lengths), "series have places of their own"


def test_ts2vec_masks_half_of_the_steps_in_training_only():
    model = miniatures.build("ts2vec", mask_ratio=0.5)
    model.trunk = lambda x: x
    series = RNG.normal(size=(64, 40, 2)).astype("float32")
    masked = numbers(model._steps(series, 2, True))
    gone = (masked == 0).all(-1)
    assert gone.mean() == pytest.approx(0.5, abs=0.03) and len({tuple(row) for row in gone}) == 64
    np.testing.assert_allclose(masked[~gone], numbers(model.stem(series))[~gone], rtol=1e-6)
    np.testing.assert_allclose(model._steps(series, 2, False), model.stem(series))
    assert not np.array_equal(gone, (numbers(model._steps(series, 3, True)) == 0).all(-1)), "both crops have masks"


@pytest.mark.long
def test_ts2vec_exports_the_mean_of_the_weights_from_the_start():
    model = miniatures.build("ts2vec", optimizer=keras.optimizers.Adam(1e-2))
    seen = [[numbers(w) for w in model.encoder.weights]]
    for _ in range(3):
        miniatures.losses_of(model, 1)
        seen.append([numbers(w) for w in model.encoder.weights])
    for weight, *values in zip(model.exported().weights, *seen, strict=True):
        np.testing.assert_allclose(weight, np.mean(values, axis=0), rtol=1e-4, atol=1e-6)
    assert np.abs(seen[3][0] - seen[0][0]).max() > 1e-3


def test_encoders_without_what_a_method_of_series_needs_are_refused():
    with pytest.raises(ValueError, match="ts2vec masks steps inside of dilated_conv, not of fcn_1d"):
        methods.TS2Vec(miniatures.convolutional())


def test_windows_are_consecutive_steps():
    series = RNG.normal(size=(3, 10, 2)).astype("float32")
    made = window(series, tf.constant([0, 6, 3]), 4)
    np.testing.assert_array_equal(made, np.stack([series[0, 0:4], series[1, 6:10], series[2, 3:7]]))


def test_dropout_has_its_rate_keeps_the_mean_and_acts_in_training_steps_alone():
    layer, x = Dropout(0.3), np.ones((50, 20, 10), "float32")
    uniform = lambda shape, draw: RNG.uniform(size=tuple(int(n) for n in shape)).astype("float32")  # noqa: E731
    np.testing.assert_array_equal(layer(x, training=True), x)
    with drawing(uniform):
        made = numbers(layer(x, training=True))
        np.testing.assert_array_equal(layer(x, training=False), x)
    assert (made == 0).mean() == pytest.approx(0.3, abs=0.02) and made.mean() == pytest.approx(1, abs=0.03)
    assert np.unique(made.round(4)).size == 2


# TS-TCC.


def test_cross_view_prediction_is_the_cross_entropy_of_the_authors_code():
    predictions, targets = RNG.normal(size=(2, 5, 3, 4))
    total = 0.0
    for k in range(3):
        for i in range(5):
            logits = np.array([targets[i, k] @ predictions[j, k] for j in range(5)])
            total -= np.log(np.exp(logits[i]) / np.exp(logits).sum()) / 15
    assert float(losses.cross_view_prediction(predictions, targets)) == pytest.approx(total, rel=1e-5)
    swapped = float(losses.cross_view_prediction(targets, predictions))
    assert swapped != pytest.approx(total, rel=1e-2), "the softmax is over predictions, not over targets"
    assert float(losses.cross_view_prediction(predictions, 0 * targets)) == pytest.approx(np.log(5), rel=1e-6)


def test_a_context_contains_the_steps_up_to_the_last_and_no_others():
    context, steps = Context(6, 8, 2, 2), RNG.normal(size=(4, 9, 6)).astype("float32")
    before = numbers(context(steps, last=3))
    later, earlier = steps.copy(), steps.copy()
    later[:, 4:] = RNG.normal(size=(4, 5, 6))
    earlier[:, 3] = 0
    np.testing.assert_allclose(context(later, last=3), before, atol=1e-6)
    np.testing.assert_allclose(context(steps[:, :4], last=3), before, atol=1e-5)  # as the authors, who cut the sequence
    assert np.abs(context(earlier, last=3) - before).max() > 1e-3
    order = [2, 0, 1, 3]
    np.testing.assert_allclose(context(steps[:, order], last=3), before, atol=1e-5)  # there are no positions
    with pytest.raises(ValueError, match="3 heads do not divide a width of 8"):
        Context(6, 8, 1, 3)


def test_ts_tcc_is_its_three_terms():
    model = miniatures.build("ts_tcc", horizon=3, temporal_weight=2.0, context_weight=0.5, temperature=0.3)
    views = miniatures.batch(model)["views"]
    a, b = (unit(numbers(model.steps(view))) for view in views)
    count, steps, _ = a.shape
    last, total, heads = steps - 4, 0.0, []
    for one, other in ((a, b), (b, a)):
        context = model.context(one.astype("float32"), last=last)
        predicted = numbers(model.predictor(context)).reshape(count, 3, -1)
        for k in range(3):
            logits = other[:, last + 1 + k] @ predicted[:, k].T
            total += 2 * np.mean(np.log(np.exp(logits).sum(1)) - np.diag(logits)) / 3
        heads.append(unit(numbers(model.context_head(context))))
    z = np.concatenate(heads)
    logits = z @ z.T / 0.3 - 1e9 * np.eye(2 * count)
    partner = (np.arange(2 * count) + count) % (2 * count)
    total += 0.5 * np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(2 * count), partner])
    assert float(model.objective(**model({"views": views}))) == pytest.approx(total, rel=1e-4)


def test_contexts_of_ts_tcc_have_random_lengths_that_leave_the_horizon():
    model = miniatures.build("ts_tcc", horizon=2)
    model.compile("sgd", run_eagerly=True)
    views, found = miniatures.batch(model)["views"], []
    model.context_head = lambda context: context
    model.context = lambda steps, last: found.append(int(last)) or tf.zeros((len(steps), model.context_dim))
    for seed in range(60):
        model.seed = seed
        outputs = model({"views": views}, training=True)
        assert outputs["next_a"].shape[1] == outputs["next_b"].shape[1] == 2
    assert set(found) == set(range(8 - 2)), "8 steps, of which the first 6 can be the last of a context"
    assert any(one != other for one, other in zip(found[::2], found[1::2], strict=True)), "one for each direction"


def test_ts_tcc_and_its_encoder_have_the_papers_constants():
    encoder = encoders.make("conv_pool_1d", (128, 9))
    model = methods.TSTCC(encoder)
    assert model.steps(np.zeros((1, 128, 9), "float32")).shape == (1, 18, 128)
    weights = 8 * 9 * 32 + 8 * 32 * 64 + 8 * 64 * 128 + 2 * (32 + 64 + 128)
    assert sum(int(np.prod(weight.shape)) for weight in encoder.trainable_weights) == weights
    block = 2 * 2 * 100 + 3 * 100 * 100 + 100 * 100 + 100 + 100 * 64 + 64 + 64 * 100 + 100
    assert model.context.count_params() == 128 * 100 + 100 + 100 + 4 * block
    assert model.predictor.count_params() == 6 * (100 * 128 + 128)
    assert (model.temperature, model.temporal_weight, model.context_weight) == (0.2, 1.0, 0.7)
    with pytest.raises(ValueError, match="horizon=6 must be below the 4 steps that conv_pool_1d pools"):
        model({"views": (np.zeros((2, 12, 9), "float32"),) * 2})
    with pytest.raises(ValueError, match="ts_tcc needs a vector for each step, which patch_series5 does not pool"):
        methods.TSTCC(miniatures.patched())


# Masked series.


@pytest.mark.parametrize("steps", [20, 23, 21])
def test_patches_of_a_series_are_those_of_the_encoders_convolution(steps):
    series = RNG.normal(size=(3, steps, 2)).astype("float32")
    patches, real = patches_of(series, 4)
    kernel = RNG.normal(size=(4, 2, 6)).astype("float32")
    convolved = keras.ops.conv(series, kernel, strides=4, padding="same")
    np.testing.assert_allclose(numbers(patches) @ kernel.reshape(8, 6), convolved, atol=1e-4)
    assert numbers(real).sum() == steps * 2 and (numbers(patches)[:, numbers(real) == 0] == 0).all()
    np.testing.assert_array_equal(numbers(patches)[:, numbers(real) == 1], numbers(series).reshape(3, -1))


def test_masked_series_is_the_error_of_the_hidden_values_alone():
    model = miniatures.build("masked_series", mask_ratio=0.6)
    model.compile("sgd", run_eagerly=True)
    series = miniatures.batch(model)["views"][0]  # 48 steps, 10 patches of 5: two values are padding
    visible, hidden = (numbers(x).astype(int) for x in model._mask(len(series), 10, True))
    assert visible.shape == (32, 4) and all(sorted(row) == list(range(10)) for row in np.hstack([visible, hidden]))
    outputs = model({"views": (series, series)}, training=True)
    values = np.pad(numbers(model.encoder.get_layer("normalize")(series)), ((0, 0), (1, 1), (0, 0)))
    inside = np.pad(np.ones((48, 2)), ((1, 1), (0, 0)))
    tokens = model.trunk(np.concatenate([x[:, None] for x in [*_seen(model, series, visible)]], 1))
    predicted = numbers(model.decoder(tokens, visible, hidden, grid=(1, 10)))
    total = 0.0
    for i, row in enumerate(hidden):
        errors = [
            (predicted[i, k].reshape(5, 2) - values[i, 5 * p : 5 * p + 5])[inside[5 * p : 5 * p + 5] > 0] ** 2
            for k, p in enumerate(row)
        ]
        total += np.concatenate(errors).mean() / len(hidden)
    assert float(model.objective(**outputs)) == pytest.approx(total, rel=1e-3)


def _seen(model, series, visible):
    """The class token and the visible patch tokens, one after the other."""
    tokens = numbers(model.place(model.stem(series))).astype("float32")
    yield tokens[:, 0]
    yield from (np.stack([tokens[i, 1 + p] for i, p in enumerate(column)]) for column in visible.T)


def test_nothing_of_a_hidden_patch_reaches_its_prediction():
    model = miniatures.build("masked_series")
    model.compile("sgd", run_eagerly=True)
    series = miniatures.batch(model)["views"][0]
    _, hidden = model._mask(len(series), 10, False)
    other = series.copy()
    for i, row in enumerate(numbers(hidden).astype(int)):
        for patch in row:
            other[i, max(0, 5 * patch - 1) : 5 * patch + 4] = 100
    first, second = (model({"views": (x, x)}, training=False) for x in (series, other))
    np.testing.assert_allclose(first["prediction"], second["prediction"], atol=1e-5)
    assert np.abs(numbers(first["target"]) - numbers(second["target"])).max() > 1
    with pytest.raises(ValueError, match="mask_ratio=0.95 keeps 0 of 10 patches"):
        miniatures.build("masked_series", mask_ratio=0.95)({"views": (series, series)})
