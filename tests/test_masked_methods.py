"""Masked methods: who sees what, what the loss compares, what is exported, and how masks are drawn."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from families import spread
from golden import ARRAYS, golden

from sslzoo import encoders, losses, methods
from sslzoo.encoders.vit import vit
from sslzoo.layers.targets import ema_update
from sslzoo.layers.transformer import through
from sslzoo.testing.method_checks import check_replicas
from sslzoo.testing.miniatures import COUNT, SIZE, batch, batches, build, residual

RNG = np.random.default_rng(0)
MASKED = ("aim", "capi", "data2vec", "dino_v2", "i_jepa", "ibot", "mae", "salt", "sim_mim")  # by random numbers
PATCHES = ("i_jepa", "mae", "sim_mim")


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def with_views(data, view):
    return data | {"views": (view, *data["views"][1:])}


def at_step(model, data, step):
    model.optimizer.iterations.assign(step)
    return model(data, training=True)


def loud(network):
    """Larger weights, so that every token has an effect on the others."""
    for weight in network.trainable_weights:
        if len(weight.shape) == 2:
            weight.assign(weight * 8)


@pytest.mark.parametrize("name", MASKED)
def test_a_method_refuses_an_encoder_without_tokens(name):
    with pytest.raises(ValueError, match="has no patch tokens: take a vision transformer"):
        build(name, encoder=residual)


@pytest.mark.parametrize("name", spread(MASKED, ("mae", "i_jepa")))
def test_masks_differ_between_steps_and_are_those_of_step_0_in_evaluation(name):
    model = build(name)
    data = batch(model)
    first, second = (float(model.objective(**at_step(model, data, step))) for step in (0, 5))
    assert first != second
    evaluated = [float(model.test_step(data)["loss"])]
    model.loss_tracker.reset_state()
    model.optimizer.iterations.assign(9)
    evaluated.append(float(model.test_step(data)["loss"]))
    assert evaluated == pytest.approx([first, first], rel=1e-5)


@pytest.mark.parametrize("name", PATCHES)
def test_images_of_a_batch_have_masks_of_their_own(name):
    """Equal images have different losses."""
    model = build(name)
    data = batch(model)
    same = np.repeat(data["views"][0][:1], COUNT, axis=0)
    per_image = {"mae": losses.patch_mse, "sim_mim": losses.patch_l1, "i_jepa": losses.smooth_l1}[name]
    outputs = model(with_views(data, same), training=True)
    mask = outputs.get("mask", outputs.get("real"))
    found = numpy(per_image(outputs["prediction"], outputs["target"], weights=mask))
    assert len(np.unique(found.round(6))) > 2


def hidden_patches(model, count=COUNT, patches=16):
    visible, hidden = model._mask(count, (4, 4), True)
    assert (np.sort(np.concatenate([visible, hidden], axis=1)) == np.arange(patches)).all()
    return numpy(visible), numpy(hidden)


def changed(images, ids, patch=4):
    """Images with other pixels in some patches, ids (n, k)."""
    mask = np.zeros((len(images), SIZE // patch, SIZE // patch), bool)
    for n, row in enumerate(numpy(ids)):
        mask[n].reshape(-1)[row] = True
    mask = np.repeat(np.repeat(mask, patch, 1), patch, 2)[..., None]
    return np.where(mask, 1 - images, images).astype("float32")


def test_mae_predicts_hidden_patches_from_visible_ones_alone():
    model = build("mae")
    loud(model)
    data = batch(model)
    images = data["views"][0]
    visible, hidden = hidden_patches(model)
    outputs = model(data, training=True)
    assert outputs["prediction"].shape == (COUNT, 12, 48)
    other = model(with_views(data, changed(images, hidden)), training=True)
    np.testing.assert_allclose(other["prediction"], outputs["prediction"], atol=1e-5)
    other = model(with_views(data, changed(images, visible)), training=True)
    assert np.abs(numpy(other["prediction"]) - numpy(outputs["prediction"])).max() > 1e-3
    np.testing.assert_allclose(other["target"], outputs["target"], atol=1e-5)


def test_maes_loss_is_the_papers():
    model = build("mae")
    data = batch(model)
    _, hidden = hidden_patches(model)
    outputs = model(data, training=True)
    total = []
    for n, image in enumerate(data["views"][0].astype("float64")):
        for k, patch in enumerate(hidden[n]):
            row, column = divmod(int(patch), 4)
            pixels = image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4].ravel()
            target = (pixels - pixels.mean()) / np.sqrt(pixels.var(ddof=1) + 1e-6)
            total.append(np.mean((numpy(outputs["prediction"])[n, k] - target) ** 2))
    assert float(model.objective(**outputs)) == pytest.approx(np.mean(total), rel=1e-4)
    assert model.baseline(COUNT) == 47 / 48


def test_pixio_keeps_whole_cells_and_reads_the_mean_of_its_class_tokens():
    model = build("mae", encoder=lambda: vit((SIZE, SIZE, 3), 32, 2, depth=1, class_tokens=4, pool="token"), cell=2)
    visible, hidden = hidden_patches(model)
    assert visible.shape == (COUNT, 4)
    rows, columns = np.divmod(visible, 4)
    assert all(len({*(r // 2), *(2 + c // 2)}) == 2 for r, c in zip(rows, columns, strict=True)), "one cell"
    assert model(batch(model), training=True)["prediction"].shape == (COUNT, 12, 48)


def test_maes_decoder_has_the_papers_size():
    encoder = encoders.make("vit_tiny", (32, 32, 3), depth=1)
    model = methods.MAE(encoder, decoder_dim=128, decoder_depth=2, decoder_heads=4)
    assert sum(int(np.prod(w.shape)) for w in model.decoder.trainable_weights) == 427_824


@pytest.mark.parametrize("ratio", [0.0, 0.99])
def test_mae_refuses_to_hide_nothing_or_everything(ratio):
    model = build("mae", mask_ratio=ratio)
    with pytest.raises(ValueError, match="mask_ratio=.* of 16 cells of patches: choose another"):
        model(batch(model), training=True)


def test_sim_mim_masks_whole_units_and_its_loss_is_the_papers():
    model = build("sim_mim")
    data = batch(model)
    outputs = model(data, training=True)
    mask = numpy(outputs["mask"]).reshape(-1, 4, 4)
    units = mask.reshape(-1, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 4, 4)
    assert (units.all(axis=2) | ~units.any(axis=2)).all(), "units of 2 x 2 patches are masked as a whole"
    assert (mask.sum(axis=(1, 2)) == 12).all(), "3 of 4 units: 0.6 rounded up"
    images = 2 * data["views"][0].astype("float64") - 1
    pixels = images.reshape(-1, 4, 4, 4, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 16, 48)
    errors = np.abs(pixels - numpy(outputs["prediction"])).mean(axis=-1)
    assert float(model.objective(**outputs)) == pytest.approx(errors[mask.reshape(-1, 16)].mean(), rel=1e-4)


def test_sim_mim_does_not_see_masked_pixels_but_their_places():
    model = build("sim_mim")
    loud(model)
    data = batch(model)
    outputs = model(data, training=True)
    masked = np.array([np.flatnonzero(row) for row in numpy(outputs["mask"])])
    other = model(with_views(data, changed(data["views"][0], masked)), training=True)
    np.testing.assert_allclose(other["prediction"], outputs["prediction"], atol=1e-5)
    predicted = numpy(outputs["prediction"])[0][masked[0]]
    assert np.abs(predicted - predicted[:1]).max() > 1e-4, "a masked patch has its position"


def test_sim_mim_refuses_units_that_do_not_divide_the_grid():
    model = build("sim_mim", encoder=lambda: vit((28, 28, 1), 32, 2, depth=1))
    with pytest.raises(ValueError, match="2 x 2 patches do not divide a grid of 7 x 7"):
        model({"views": (np.zeros((2, 28, 28, 1), "float32"),)}, training=True)


def test_i_jepa_compares_with_the_targets_normalized_features_at_the_blocks():
    model = build("i_jepa")
    data = batch(model)
    _, hidden, real = (numpy(x) for x in model._mask(COUNT, (4, 4), True))
    outputs = model(data, training=True)
    tokens = numpy(through(model.target_parts, data["views"][0]))[:, 1:]
    tokens = (tokens - tokens.mean(-1, keepdims=True)) / np.sqrt(tokens.var(-1, keepdims=True) + 1e-5)
    found = numpy(outputs["target"]).reshape(COUNT, 4, -1, 32)
    for n in range(COUNT):
        for block in range(4):
            rows = hidden[n, block][real[n, block]]
            np.testing.assert_allclose(found[n, block][real[n, block]], tokens[n, rows], atol=1e-4)
    apart = np.abs(numpy(outputs["prediction"]) - numpy(outputs["target"]))
    errors = np.where(apart < 1, apart**2 / 2, apart - 0.5).mean(axis=-1)
    expected = errors[numpy(outputs["real"])].mean()
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-5)


def test_i_jepas_predictions_depend_on_the_context_alone_and_its_targets_on_the_image():
    model = build("i_jepa")
    loud(model)
    data = batch(model)
    visible, *_ = model._mask(COUNT, (4, 4), True)
    outputs = model(data, training=True)
    rest = [sorted({*range(16)} - set(row)) for row in numpy(visible).tolist()]
    other = model(with_views(data, changed(data["views"][0], np.array(rest))), training=True)
    np.testing.assert_allclose(other["prediction"], outputs["prediction"], atol=1e-5)
    assert np.abs(numpy(other["target"]) - numpy(outputs["target"])).max() > 1e-2


@pytest.mark.parametrize("name", ["i_jepa"])
def test_no_gradient_reaches_the_target_network_which_follows(name):
    model = build(name, ema_rate=0.25)
    data = tf.nest.map_structure(tf.constant, batch(model))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([weight.value for weight in model.target.weights])
        loss = model.objective(**model(data, training=True))
    assert all(g is None for g in tape.gradient(loss, [weight.value for weight in model.target.weights]))
    model.total_steps = 4
    before = numpy(model.target.weights[0]), numpy(model.encoder.weights[0]) + 1
    model.encoder.weights[0].assign(before[1])
    model.optimizer.iterations.assign(2)
    model.after_step()
    expected = before[0] + 0.25 * (1 - 1 / 4) * (before[1] - before[0])  # step k = 1 of 4 has been made
    np.testing.assert_allclose(model.target.weights[0], expected, atol=1e-6)


TEACHERS = ("capi", "data2vec", "dino", "dino_v2", "i_jepa", "ibot", "msn")


@pytest.mark.parametrize("name", spread(TEACHERS, ("i_jepa",)))
def test_the_target_network_is_exported_where_the_paper_evaluates_it(name):
    model = build(name)
    model.run_eagerly = True
    model.fit(batches(model, 2), verbose=0)
    exported = model.exported()
    assert exported is not model.encoder and not exported.trainable_weights
    for target, online in zip(exported.get_weights(), model.encoder.get_weights(), strict=True):
        assert target.shape == online.shape
    assert any(
        not np.array_equal(a, b) for a, b in zip(exported.get_weights(), model.encoder.get_weights(), strict=True)
    )


@pytest.mark.parametrize("name", ["mae", "sim_mim", "simclr"])
def test_other_methods_export_the_encoder(name):
    model = build(name)
    assert model.exported() is model.encoder


TWO_CROPS = ("dino_v2", "ibot")


@pytest.mark.parametrize("name", TWO_CROPS)
def test_student_and_teacher_are_the_networks_on_masked_and_whole_crops(name):
    model = build(name)
    model.networks.mask_token.assign(RNG.normal(size=32))
    loud(model.encoder)
    data = batch(model)
    outputs = model(data, training=True)
    mask = numpy(outputs["mask"])
    student, teacher = model.networks._student()[0], model.networks.teacher_parts
    for crop in (0, 1):
        grid = mask[:, crop].reshape(-1, 4, 4)
        tokens = through(student, data["views"][crop], grid, model.networks.mask_token)
        patches = numpy(model.networks.last_layer(model.projector(keras.ops.reshape(tokens[:, 1:], (-1, 32)))))
        found = numpy(outputs["student_patches"])[:, crop].reshape(-1, patches.shape[-1])
        np.testing.assert_allclose(found, patches, atol=1e-4)
        features = keras.layers.Lambda(lambda x: x[:, 0])(tokens)
        expected = model.networks.last_layer(model.projector(features))
        np.testing.assert_allclose(outputs["student"][:, crop], expected, atol=1e-4)
        np.testing.assert_allclose(outputs["teacher"][:, crop], model.teacher(data["views"][crop]), atol=1e-4)
        whole = through(teacher, data["views"][crop])[:, 1:]
        rows = keras.ops.reshape(whole, (-1, 32))
        for network in model.teacher.copies[1:]:
            rows = network(rows)
        found = numpy(outputs["teacher_patches"])[:, crop].reshape(-1, patches.shape[-1])
        np.testing.assert_allclose(found, rows, atol=1e-4)
    last = model.networks.last_layer(model.projector(model.encoder(data["views"][-1])))
    np.testing.assert_allclose(outputs["student"][:, -1], last, atol=1e-4)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def entropy_of_patches(outputs, centre, weights, temperature=0.04):
    """Equation 2 of arXiv 2111.07832 with the authors' reduction, crop by crop."""
    total = []
    for logits, teacher, row in zip(
        *(numpy(outputs[name]).reshape(-1, 16, 24) for name in ("student_patches", "teacher_patches")),
        weights.reshape(-1, 16),
        strict=True,
    ):
        codes = softmax((teacher - centre) / temperature)
        found = -(codes * np.log(softmax(logits / 0.1))).sum(axis=-1)
        total.append(found[row].sum() / max(1, row.sum()))
    return np.mean(total)


@pytest.mark.parametrize("visible_weight", [0.0, 1.0])
def test_ibots_loss_is_the_papers(visible_weight):
    model = build("ibot", visible_weight=visible_weight)
    model.patch_centre.assign(RNG.normal(scale=0.1, size=24))
    outputs = model(batch(model), training=True)
    mask = numpy(outputs["mask"])
    crops = losses.dino(outputs["student"], outputs["teacher"], model.centre)
    expected = float(crops) + entropy_of_patches(outputs, numpy(model.patch_centre), mask)
    if visible_weight:
        expected += entropy_of_patches(outputs, numpy(model.patch_centre), ~mask)
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-4)


def test_half_of_ibots_crops_are_masked_at_random_ratios():
    model = build("ibot", encoder=lambda: vit((32, 32, 3), 32, 2, depth=1))
    share = numpy(model._mask(500, (8, 8), True)).mean(axis=(2, 3)).ravel()
    assert np.mean(share == 0) == pytest.approx(0.5, abs=0.06)
    assert 0.05 < share[share > 0].min() and share.max() <= 0.5
    assert share.mean() == pytest.approx(0.15, abs=0.015)


def test_dino_v2_masks_exactly_half_of_the_crops_at_ratios_that_fill_the_range():
    model = build("dino_v2")
    share = numpy(model._mask(500, (8, 8), True)).mean(axis=(2, 3)).ravel()
    assert np.sum(share > 0) == 500, "of 1000 crops"
    quarters = np.quantile(share[share > 0], [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(quarters, [0.1, 0.2, 0.3, 0.4, 0.5], atol=0.03)


def test_ibots_patch_centre_is_of_all_patches_and_dino_v2s_of_the_masked():
    for name in TWO_CROPS:
        model = build(name, centre_rate=0.25)
        outputs = model(batch(model), training=True)
        model.after_step(**outputs)
        patches, mask = numpy(outputs["teacher_patches"]), numpy(outputs["mask"])
        rows = patches.reshape(-1, 24) if name == "ibot" else patches[mask]
        np.testing.assert_allclose(model.patch_centre, 0.25 * rows.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(model.centre, 0.25 * numpy(outputs["teacher"]).mean(axis=(0, 1)), atol=1e-5)


@pytest.mark.parametrize("centring", ["centre", "sinkhorn"])
def test_dino_v2s_loss_is_the_papers(centring):
    model = build("dino_v2", centring=centring, koleo_weight=0.3)
    outputs = model(batch(model), training=True)
    mask, student, teacher = (numpy(outputs[name]) for name in ("mask", "student", "teacher"))
    if centring == "centre":
        crops, patches = (softmax(numpy(outputs[name]) / 0.04) for name in ("teacher", "teacher_patches"))
    else:
        crops = numpy(losses.sinkhorn(teacher.reshape(-1, 24), epsilon=0.04)).reshape(COUNT, 2, 24)
        flat = numpy(outputs["teacher_patches"])[mask]
        patches = np.zeros((*mask.shape, 24))
        patches[mask] = losses.sinkhorn(flat, epsilon=0.04)
    expected = []
    for t in (0, 1):
        for s in range(student.shape[1]):
            if s != t:
                expected.append(-(crops[:, t] * np.log(softmax(student[:, s] / 0.1))).sum(axis=-1).mean())
    logs = np.log(softmax(numpy(outputs["student_patches"]) / 0.1))
    entropy = -(patches * logs).sum(axis=-1)
    hidden = (entropy * mask).sum(axis=-1) / np.maximum(mask.sum(axis=-1), 1)
    spread = sum(float(losses.koleo(outputs["features"][:, crop])) for crop in (0, 1))
    assert float(model.objective(**outputs)) == pytest.approx(
        np.mean(expected) + hidden.mean() + 0.3 * spread, rel=1e-3
    )


def test_the_gram_loss_acts_from_its_start_with_the_teacher_of_that_time():
    model = build("dino_v2", gram_weight=2.0, gram_start=0.5)
    model.total_steps = 4
    data = batch(model)
    gram, teacher = model.networks.gram_teacher.copies[0], model.teacher.copies[0]
    found = []
    for step in range(4):
        model.optimizer.iterations.assign(step)
        outputs = model(data, training=True)
        plain = model.objective(**{name: x for name, x in outputs.items() if name != "gram"})
        found.append(float(model.objective(**outputs)) - float(plain))
        model.encoder.weights[0].assign(model.encoder.weights[0] + 0.1)
        model.after_step(**outputs)
        same = np.allclose(gram.weights[0], teacher.weights[0], atol=1e-7)
        assert same == (step < 2), "the snapshot is of the last step before the start"
    np.testing.assert_allclose(found[:2], 0, atol=1e-6)
    assert found[2] > 0 or found[3] > 0


def test_dino_v2_refuses_an_unknown_centring():
    with pytest.raises(ValueError, match="did you mean sinkhorn"):
        build("dino_v2", centring="sinkhor")


def test_data2vec_predicts_the_mean_of_the_last_blocks_of_the_whole_image():
    model = build("data2vec", top_blocks=1)
    loud(model.encoder)
    model.target.update(0.5)
    data = batch(model)
    outputs = model(data, training=True)
    target = model.exported()
    shared = keras.Model(model.encoder.input, model.encoder.get_layer("tokens").output)(data["views"][0])
    last = keras.Model(target.get_layer("tokens").output, target.get_layer("block2").output)(shared)
    rows = numpy(last)[:, 1:]
    rows = (rows - rows.mean(-1, keepdims=True)) / np.sqrt(rows.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(outputs["target"], rows, atol=1e-4)
    both = build("data2vec", top_blocks=5)
    np.testing.assert_allclose(numpy(both(data, training=True)["target"]).std(axis=-1), 1, atol=1e-2)


def test_data2vecs_loss_is_the_papers_mean_over_all_masked_patches_of_the_batch():
    model = build("data2vec", beta=0.5)
    outputs = model(batch(model), training=True)
    mask = numpy(outputs["mask"])
    assert (mask.sum(axis=1) == 9).all(), "of 16 patches"
    mask = outputs["mask"] = mask & (np.arange(16) < np.arange(COUNT)[:, None])  # as where blocks fall short
    apart = np.abs(numpy(outputs["prediction"]) - numpy(outputs["target"]))
    errors = np.where(apart < 0.5, apart**2, apart - 0.25).sum(axis=-1) / np.sqrt(32)
    assert float(model.objective(**outputs)) == pytest.approx(errors[mask].mean(), rel=1e-4)


def test_data2vecs_teacher_shares_the_patch_embedding_and_follows_linearly():
    model = build("data2vec", ema_rate=0.4, ema_rate_end=0.2)
    model.total_steps = 2
    kernel, dense = (model.encoder.get_layer(name).kernel for name in ("patches", "block1_qkv"))
    own = model.exported().get_layer("block1_qkv").kernel
    before = numpy(own)
    kernel.assign(kernel + 1)
    dense.assign(dense + 1)
    model.optimizer.iterations.assign(1)
    model.after_step()
    np.testing.assert_array_equal(model.exported().get_layer("patches").kernel, kernel)
    np.testing.assert_allclose(own, before + 0.3, atol=1e-6)


def test_data2vec_does_not_see_masked_patches():
    model = build("data2vec")
    loud(model.encoder)
    data = batch(model)
    outputs = model(data, training=True)
    mask = numpy(outputs["mask"])
    pixels = np.repeat(np.repeat(mask.reshape(-1, 4, 4), 4, 1), 4, 2)[..., None]
    other = model(with_views(data, np.where(pixels, 0.3, data["views"][0]).astype("float32")), training=True)
    np.testing.assert_allclose(other["prediction"], outputs["prediction"], atol=1e-5)


def prefix_lengths(model):
    """Lengths of the prefixes that a model draws."""
    return 16 - numpy(model(batch(model), training=True)["mask"]).sum(axis=1)


def test_an_output_of_aim_does_not_depend_on_the_patch_that_it_predicts():
    model = build("aim")
    loud(model.encoder)
    data = batch(model)
    lengths, outputs = prefix_lengths(model), model(data, training=True)
    assert len(set(lengths)) > 5
    patches = np.tile(np.arange(16), (COUNT, 1))
    last = np.maximum(lengths, 9)[:, None]  # a patch after the prefix, and all later ones
    rest = [row[row >= n] for row, n in zip(patches, last, strict=True)]
    images = np.concatenate(
        [changed(image[None], ids[None]) for image, ids in zip(data["views"][0], rest, strict=True)]
    )
    other = model(with_views(data, images), training=True)
    apart = np.abs(numpy(other["prediction"]) - numpy(outputs["prediction"])).max(axis=-1)
    for n, first in enumerate(last.ravel()):
        assert apart[n, :first].max() < 1e-4, "outputs before the first changed patch, its own prediction included"
        assert first == 15 or apart[n, first:].min() > 1e-4


def test_every_output_of_aim_sees_the_prefix():
    model = build("aim")
    loud(model.encoder)
    data = batch(model)
    lengths, outputs = prefix_lengths(model), model(data, training=True)
    images = np.concatenate(
        [changed(image[None], np.array([[n - 1]])) for image, n in zip(data["views"][0], lengths, strict=True)]
    )
    other = model(with_views(data, images), training=True)
    apart = np.abs(numpy(other["prediction"]) - numpy(outputs["prediction"])).max(axis=-1)
    assert (apart > 1e-5).all(), "also those of earlier patches"


def test_aims_loss_is_of_the_next_patches_after_the_prefix():
    model = build("aim")
    data = batch(model)
    lengths, outputs = prefix_lengths(model), model(data, training=True)
    targets = numpy(losses.patch_targets(data["views"][0], 4))
    total = [
        np.mean((numpy(outputs["prediction"])[n, k - 1] - targets[n, k]) ** 2)
        for n in range(COUNT)
        for k in range(1, 16)
        if k >= lengths[n]
    ]
    assert float(model.objective(**outputs)) == pytest.approx(np.mean(total), rel=1e-4)
    assert model.baseline(COUNT) == 47 / 48


def test_aims_reduction_is_the_golden_value():
    model = build("aim")
    targets = losses.patch_targets(losses.patch_images(ARRAYS["aim_pixels"], (3, 3), 4), 4)
    mask = np.arange(9) >= ARRAYS["prefix"][:, None]
    found = model.objective(prediction=ARRAYS["aim_predicted"][:, :-1], target=targets[:, 1:], mask=mask[:, 1:])
    assert float(found) == golden("aim")


def test_nepa_predicts_the_embedding_of_the_next_patch_which_it_does_not_see():
    model = build("nepa")
    loud(model.encoder)
    data = batch(model)
    outputs = model(data)
    images = changed(data["views"][0], np.tile(np.arange(7, 16), (COUNT, 1)))
    other = model(with_views(data, images))
    apart = np.abs(numpy(other["prediction"]) - numpy(outputs["prediction"])).max(axis=-1)
    assert apart[:, :7].max() < 1e-4 and apart[:, 7:].min() > 1e-4
    patches = numpy(model.stem(data["views"][0])).reshape(COUNT, 16, 32)
    np.testing.assert_allclose(outputs["target"], patches[:, 1:], atol=1e-5)
    p, z = numpy(outputs["prediction"]), patches[:, 1:]
    cosines = (p * z).sum(-1) / np.linalg.norm(p, axis=-1) / np.linalg.norm(z, axis=-1)
    assert float(model.objective(**outputs)) == pytest.approx(-cosines.mean(), rel=1e-4)


def test_nepas_targets_are_stopped():
    model = build("nepa")
    kernel = model.encoder.get_layer("patches").kernel
    with tf.GradientTape() as tape:
        outputs = model(batch(model))
        loss = tf.reduce_sum(outputs["target"] ** 2) + 0 * tf.reduce_sum(outputs["prediction"])
    np.testing.assert_array_equal(tape.gradient(loss, kernel.value), 0)


def test_capis_loss_is_the_papers():
    model = build("capi", predict_share=0.3)
    data = batch(model)
    visible, asked = (numpy(x) for x in model._mask(COUNT, (4, 4), True))
    assert visible.shape == (COUNT, 6) and asked.shape == (COUNT, 3)
    assert not any(set(a) & set(v) for a, v in zip(asked.tolist(), visible.tolist(), strict=True))
    outputs = model(data, training=True)
    features = numpy(through(model.target_parts, data["views"][0]))[:, 1:]
    features /= np.linalg.norm(features, axis=-1, keepdims=True)
    clusters = features @ numpy(model.clusters.kernel) + numpy(model.clusters.bias)
    np.testing.assert_allclose(outputs["clusters"], clusters, atol=1e-4)
    codes = np.stack([losses.sinkhorn(clusters[:, place], epsilon=0.06) for place in range(16)], axis=1)
    logs = np.log(softmax(numpy(outputs["student"]) / 0.12))
    predicted = np.mean([-(codes[n, asked[n]] * logs[n]).sum(-1) for n in range(COUNT)])
    clustering = -(codes * np.log(softmax(clusters / 0.12))).sum(-1).mean()
    assert float(model.objective(**outputs)) == pytest.approx(predicted + clustering, rel=1e-3)


def test_capi_sees_the_visible_block_alone():
    model = build("capi")
    loud(model.encoder)
    data = batch(model)
    visible, _ = model._mask(COUNT, (4, 4), True)
    rest = np.array([sorted({*range(16)} - set(row)) for row in numpy(visible).tolist()])
    outputs = model(data, training=True)
    other = model(with_views(data, changed(data["views"][0], rest)), training=True)
    np.testing.assert_allclose(other["student"], outputs["student"], atol=1e-5)
    assert np.abs(numpy(other["clusters"]) - numpy(outputs["clusters"])).max() > 1e-2


def test_capis_cluster_head_has_its_own_rate_and_gives_no_gradient_to_encoders():
    model = build("capi", cluster_rate=0.5)
    kernel = model.clusters.kernel
    assert model.learning_rate_of(kernel, 2.0, 2.0) == 1.0
    assert model.learning_rate_of(model.encoder.weights[0], 2.0, 2.0) == 2.0
    data = tf.nest.map_structure(tf.constant, batch(model))
    with tf.GradientTape(persistent=True) as tape:
        outputs = model(data, training=True)
        clustering = tf.reduce_sum(outputs["clusters"] ** 2)
        student = tf.reduce_sum(outputs["student"] ** 2)
    assert all(g is None for g in tape.gradient(clustering, [w.value for w in model.encoder.trainable_weights]))
    assert tape.gradient(clustering, kernel.value) is not None and tape.gradient(student, kernel.value) is None


def test_capis_teacher_is_frozen_at_the_start_and_follows_most_after_the_warmup():
    model = build("capi", ema_rate=0.4, ema_warmup=0.5)
    model.total_steps, moved = 4, []
    for step in range(5):
        model.optimizer.iterations.assign(step)
        weight = model.target.weights[0]
        before = numpy(weight)
        model.encoder.weights[0].assign(before + 1)
        model.after_step()
        moved.append(float(np.mean(numpy(weight) - before)))
    np.testing.assert_allclose(moved, [0, 0.2, 0.4, 0.2, 0], atol=1e-5)


@pytest.mark.parametrize("name, hidden", [("mae", 12), ("sim_mim", 12), ("aim", None)])
def test_pictures_keep_visible_patches_and_undo_the_normalization(name, hidden, monkeypatch):
    model = build(name)
    data = batch(model)
    shown = {title: numpy(x) for title, x in model.pictures(data).items()}
    assert list(shown) == ["input", "visible", "reconstruction"]
    np.testing.assert_array_equal(shown["input"], data["views"][0])
    patches = {title: numpy(losses.patch_targets(x, 4, normalize=False)) for title, x in shown.items()}
    gray = (patches["visible"] == 0.5).all(axis=-1)
    assert hidden is None or (gray.sum(axis=1) == hidden).all()
    for title in ("visible", "reconstruction"):
        np.testing.assert_allclose(patches[title][~gray], patches["input"][~gray], atol=1e-6)
    assert np.abs(patches["reconstruction"][gray] - patches["input"][gray]).mean() > 1e-3
    assert 0 <= shown["reconstruction"].min() and shown["reconstruction"].max() <= 1
    # A perfect prediction gives the input.
    call = type(model).call

    def perfect(self, batch, training=None):
        outputs = call(self, batch, training=training)
        return outputs | {"prediction": outputs["target"]}

    monkeypatch.setattr(type(model), "call", perfect)
    np.testing.assert_allclose(model.pictures(data)["reconstruction"], data["views"][0], atol=1e-3)


def test_methods_without_a_reconstruction_have_no_pictures():
    model = build("simclr")
    assert model.pictures(batch(model)) == {}


def test_salt_predicts_the_frozen_teachers_features_at_all_hidden_patches():
    model = build("salt")
    loud(model.encoder)
    data = batch(model)
    visible, hidden = (numpy(x) for x in model._mask(COUNT, (4, 4), True))
    assert hidden.dtype == bool and 0.3 < hidden.mean() < 0.8
    assert not np.take_along_axis(hidden, visible, axis=1).any()
    outputs = model(data, training=True)
    tokens = numpy(through(model.teacher_parts, data["views"][0]))[:, 1:]
    tokens = (tokens - tokens.mean(-1, keepdims=True)) / np.sqrt(tokens.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(outputs["target"], tokens, atol=1e-4)
    errors = np.abs(numpy(outputs["prediction"]) - tokens).mean(axis=-1)
    expected = np.mean([row[mask].mean() for row, mask in zip(errors, hidden, strict=True)])
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-4)
    rest = [sorted({*range(16)} - set(row)) for row in visible.tolist()]
    other = model(with_views(data, changed(data["views"][0], np.array(rest))), training=True)
    before, after = (numpy(x["prediction"])[hidden] for x in (outputs, other))
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_salts_teacher_does_not_change_and_may_be_smaller():
    model = build("salt", teacher=vit((SIZE, SIZE, 3), 16, 2, depth=1))
    before = model.teacher.get_weights()
    model.run_eagerly = True
    model.fit(batches(model, 2), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.teacher.get_weights(), strict=True))
    assert model.exported() is model.encoder


def test_salt_says_in_one_line_what_it_lacks(tmp_path):
    with pytest.raises(ValueError, match="salt needs a teacher"):
        methods.SALT(vit((SIZE, SIZE, 3), 32, 2, depth=1))
    with pytest.raises(ValueError, match="the teacher has patches of 8 px, the encoder of 4"):
        build("salt", teacher=vit((SIZE, SIZE, 3), 32, 2, depth=1, patch_size=8))
    with pytest.raises(ValueError, match="has no patch tokens"):
        build("salt", teacher=residual())


def test_igpts_bert_loss_is_the_golden_value():
    model = build("igpt", bert=True)
    pixels = ARRAYS["igpt_images"].reshape(2, 9, 3) / 127.5 - 1
    ids = ((pixels[:, :, None] - ARRAYS["igpt_clusters"]) ** 2).sum(axis=-1).argmin(axis=-1)
    logits = tf.Variable(ARRAYS["igpt_logits"])
    with tf.GradientTape() as tape:
        loss = model.objective(logits=logits, ids=tf.constant(ids), mask=ARRAYS["igpt_bert_mask"])
    assert float(loss) == golden("igpt/bert")
    assert float(tf.norm(tape.gradient(loss, logits))) == golden("igpt/bert/grad:igpt_logits")


def test_igpt_fits_its_colours_and_classifies_each_pixel_as_the_nearest():
    model = build("igpt", colours=3)
    colours = np.array([[0.1, 0.2, 0.3], [0.8, 0.1, 0.5], [0.4, 0.9, 0.7]], "float32")
    truth = RNG.integers(3, size=(COUNT, 4, 4))
    images = np.repeat(np.repeat(colours[truth], 4, axis=1), 4, axis=2)
    noisy = np.clip(images + RNG.normal(scale=0.01, size=images.shape), 0, 1).astype("float32")
    model.adapt([noisy[:20], noisy[20:]])
    centres = numpy(model.centres)
    order = [int(np.abs(centres - colour).sum(axis=1).argmin()) for colour in colours]
    np.testing.assert_allclose(centres[order], colours, atol=0.01)
    outputs = model(with_views(batch(model), images), training=True)
    np.testing.assert_array_equal(outputs["ids"], np.array(order)[truth].reshape(COUNT, 16))
    assert float(model.objective(**outputs)) == pytest.approx(np.log(3), rel=1e-6), "uniform at the start"


def test_igpt_predicts_a_pixel_from_the_pixels_before_it_alone():
    model = build("igpt")
    loud(model.encoder)
    model.decoder.kernel.assign(RNG.normal(size=model.decoder.kernel.shape))
    data = batch(model)
    outputs = model(data, training=True)
    images = changed(data["views"][0], np.tile(np.arange(7, 16), (COUNT, 1)))
    other = model(with_views(data, images), training=True)
    apart = np.abs(numpy(other["logits"]) - numpy(outputs["logits"])).max(axis=-1)
    assert apart[:, :8].max() < 1e-4, "the prediction of the first changed pixel included"
    assert np.median(apart[:, 8:]) > 1e-3
    first = numpy(outputs["logits"])[:, 0]
    np.testing.assert_allclose(first, np.tile(first[:1], (COUNT, 1)), atol=1e-5)


def test_igpts_bert_does_not_see_masked_pixels():
    model = build("igpt", bert=True, mask_ratio=0.5)
    loud(model.encoder)
    model.decoder.kernel.assign(RNG.normal(size=model.decoder.kernel.shape))
    data = batch(model)
    outputs = model(data, training=True)
    mask = numpy(outputs["mask"])
    assert mask.mean() == pytest.approx(0.5, abs=0.1)
    pixels = np.repeat(np.repeat(mask.reshape(-1, 4, 4), 4, 1), 4, 2)[..., None]
    other = model(with_views(data, np.where(pixels, 0.3, data["views"][0]).astype("float32")), training=True)
    np.testing.assert_allclose(other["logits"], outputs["logits"], atol=1e-4)


VARIANTS = {
    "dino_v2": dict(centring="sinkhorn", gram_weight=2.0, gram_start=0.0),
    "ibot": dict(visible_weight=1.0),
    "igpt": dict(bert=True),
    "mae": dict(cell=2, normalize=False),
}


@pytest.mark.parametrize("name", spread(VARIANTS))
def test_variants_train_alike_on_one_and_two_replicas(name, mirrored):
    check_replicas(name, **VARIANTS[name])


def test_ema_of_rate_one_is_a_copy_without_rounding():
    online, target = vit((SIZE, SIZE, 3), 32, 2, depth=1), vit((SIZE, SIZE, 3), 32, 2, depth=1)
    ema_update(target, online, 1.0)
    assert all(np.array_equal(a, b) for a, b in zip(target.get_weights(), online.get_weights(), strict=True))
