"""Places and parts of images: DenseCL, PIRL, CPC; and distillation, whose targets are another network's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import encoders, losses
from sslzoo.exports import savedmodel
from sslzoo.layers import patches
from sslzoo.layers.heads import causal_context
from sslzoo.methods import CPC, PIRL, DenseCL, Distill
from sslzoo.views import Jigsaw, View, Views, presets

RNG = np.random.default_rng(0)
SIDE = 16
IMAGES = RNG.uniform(size=(8, SIDE, SIDE, 3)).astype("float32")


def unit(z):
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def conv6(size=SIDE):
    keras.utils.set_random_seed(0)
    return encoders.make("conv6", (size, size, 3), width=0.25)


def numpy(x):
    return keras.ops.convert_to_numpy(x)


# DenseCL


def dense_cl(**knobs):
    small = dict(projection_dim=6, hidden_dim=8, queue_size=24, norm_groups=1) | knobs
    return DenseCL(conv6(), **small)


def test_a_place_corresponds_to_the_one_of_the_largest_cosine():
    a, b = RNG.normal(size=(3, 5, 4)), 9 * RNG.normal(size=(3, 7, 4))
    found = numpy(losses.correspondence(a.astype("float32"), b.astype("float32")))
    for i in range(3):
        for p in range(5):
            cosines = [a[i, p] @ b[i, q] / np.linalg.norm(b[i, q]) for q in range(7)]
            assert found[i, p] == np.argmax(cosines)


def test_the_correspondence_of_identical_views_is_the_identity():
    model = dense_cl()
    _, _, features = model.query(IMAGES)
    _, _, same = model.key(IMAGES)
    assert (numpy(losses.correspondence(features, same)) == np.arange(features.shape[1])).all()


def test_the_correspondence_finds_places_that_were_shuffled():
    features = RNG.normal(size=(2, 9, 5)).astype("float32")
    order = RNG.permutation(9)
    np.testing.assert_array_equal(losses.correspondence(features, features[:, order]), [np.argsort(order)] * 2)


def info_nce_by_the_paper(query, key, queue, temperature):
    query, key, queue = (unit(x.astype("float64")) for x in (query, key, queue))
    total = 0.0
    for q, k in zip(query, key, strict=True):
        others = sum(np.exp(q @ x / temperature) for x in queue)
        total -= np.log(np.exp(q @ k / temperature) / (np.exp(q @ k / temperature) + others))
    return total / len(query)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_dense_cl_is_the_papers_objective(weight):
    model = dense_cl(dense_weight=weight, temperature=0.3)
    for target, online in (
        (model.target.copies[1], model.projector),
        (model.target.copies[2], model.map_projector),
    ):
        target.set_weights([w + 0.1 * RNG.normal(size=w.shape) for w in online.get_weights()])
    view_a, view_b = IMAGES, IMAGES[:, ::-1] ** 2
    outputs = model({"views": (view_a, view_b)}, training=True)
    feature_map, _ = (numpy(x) for x in model.encoder_with_map(view_a))
    other_map, _ = (numpy(x) for x in model.target_with_map(view_b))
    n, h, w, channels = feature_map.shape
    queries, keys = [], []
    for i in range(n):
        a, b = feature_map[i].reshape(-1, channels), other_map[i].reshape(-1, channels)
        dense_b = numpy(model.target.copies[2](b))
        queries += list(numpy(model.map_projector(a)))
        keys += [dense_b[np.argmax(unit(b) @ unit(place))] for place in a]
        np.testing.assert_allclose(outputs["map_key"][i], dense_b.mean(axis=0), atol=1e-5)
    whole = info_nce_by_the_paper(*(numpy(outputs[k]) for k in ("z_a", "z_b")), numpy(model.queue.rows), 0.3)
    dense = info_nce_by_the_paper(np.array(queries), np.array(keys), numpy(model.map_queue.rows), 0.3)
    assert float(model.objective(**outputs)) == pytest.approx((1 - weight) * whole + weight * dense, rel=1e-4)


def test_dense_cl_queues_the_mean_key_of_each_image():
    model = dense_cl(ema_rate=0.0)
    outputs = model({"views": (IMAGES, IMAGES)}, training=True)
    before = [numpy(w) for w in model.target.copies[0].weights]
    model.after_step(**outputs)
    np.testing.assert_allclose(model.map_queue.rows[:8], unit(numpy(outputs["map_key"])), atol=1e-5)
    np.testing.assert_allclose(model.queue.rows[:8], unit(numpy(outputs["z_b"])), atol=1e-5)
    assert int(model.map_queue.position) == int(model.queue.position) == 8
    assert all(np.array_equal(a, b) for a, b in zip(before, model.target.copies[0].weights, strict=True))


def test_groups_give_all_outputs_of_keys_in_the_order_of_the_images():
    alone = dense_cl().key(IMAGES)
    grouped = dense_cl(norm_groups=4)
    outputs = grouped({"views": (IMAGES, IMAGES)}, training=True)
    np.testing.assert_allclose(outputs["z_b"], alone[0], atol=1e-5)  # conv6 has no BatchNorm that could tell
    np.testing.assert_allclose(outputs["map_key"], keras.ops.mean(alone[1], axis=1), atol=1e-5)


# Jigsaw and PIRL


def drawn(operation, count, seed=(1, 2)):
    return tf.nest.map_structure(lambda x: x.numpy(), operation.draw(tf.constant(seed), count))


def cells_of(image, grid):
    side = len(image) // grid
    return [image[i * side : (i + 1) * side, j * side : (j + 1) * side] for i in range(grid) for j in range(grid)]


@pytest.mark.parametrize("grid", [1, 2, 3])
def test_a_jigsaw_of_whole_cells_is_a_permutation_of_them(grid):
    images = RNG.uniform(size=(5, 12, 12, 3)).astype("float32")
    jigsaw = Jigsaw(grid, part=1.0)
    draws = drawn(jigsaw, 5)
    made = numpy(jigsaw.finish(tf.constant(images), draws))
    for image, result, order in zip(images, made, draws["order"], strict=True):
        assert sorted(order) == list(range(grid**2))
        for k, cell in enumerate(cells_of(result, grid)):
            np.testing.assert_allclose(cell, cells_of(image, grid)[order[k]], atol=1e-6)
        restored = [cells_of(result, grid)[k] for k in np.argsort(order)]
        np.testing.assert_allclose(restored, cells_of(image, grid), atol=1e-6)


def test_a_jigsaw_takes_a_square_somewhere_in_each_cell_and_enlarges_it():
    images = RNG.uniform(size=(6, 24, 24, 1)).astype("float32")
    jigsaw = Jigsaw(2, part=0.75)  # 9 of 12 pixels
    draws = drawn(jigsaw, 6)
    made = numpy(jigsaw.finish(tf.constant(images), draws))
    for image, result, order, down, right in zip(images, made, *draws.values(), strict=True):
        for k, cell in enumerate(cells_of(result, 2)):
            top, left = int(down[k] * 4), int(right[k] * 4)
            square = cells_of(image, 2)[order[k]][None, top : top + 9, left : left + 9]
            np.testing.assert_allclose(cell, View([], 12)(square, [[9, 9]])[0], atol=1e-5)


def test_orders_and_places_of_a_jigsaw_are_all_as_likely():
    draws = drawn(Jigsaw(2), 24000)
    _, counts = np.unique(draws["order"], axis=0, return_counts=True)
    assert len(counts) == 24
    np.testing.assert_allclose(counts / 24000, 1 / 24, atol=0.006)
    for name in ("down", "right"):
        np.testing.assert_allclose(np.mean(draws[name] < 0.25, axis=0), 0.25, atol=0.02)
    together = np.corrcoef(np.concatenate([draws["order"][:, :3], draws["down"], draws["right"]], axis=1).T)
    np.testing.assert_allclose(together[3:, 3:], np.eye(8), atol=0.03)
    np.testing.assert_allclose(together[:3, 3:], 0, atol=0.03)


def puzzle_batch(n=8):
    rows = np.arange(n, dtype="int32")
    size = np.full((n, 2), SIDE, "int32")
    return dict(image=np.uint8(255 * IMAGES[:n]), size=size, row=rows, step=np.full(n, 3, "int64"), index=rows)


@pytest.mark.long
@pytest.mark.parametrize("xla", [False, True])
def test_puzzles_are_the_same_however_the_batch_is_spread_and_in_every_run(xla):
    views, batch = Views(presets.pirl(SIDE), 8, xla=xla), puzzle_batch()
    whole = [numpy(view) for view in views(batch)["views"]]
    assert [view.shape[1:] for view in whole] == [(16, 16, 3), (18, 18, 3)]
    again = Views(presets.pirl(SIDE), 8, xla=False)(batch)["views"]
    for rows in (slice(0, 4), slice(4, 8), slice(None, None, -1)):
        part = views({name: column[rows] for name, column in batch.items()})["views"]
        for one, other in zip(part, whole, strict=True):
            np.testing.assert_allclose(one, other[rows], atol=1e-6)
    for one, other in zip(again, whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_the_presets_make_views_of_any_channels(channels):
    batch = puzzle_batch() | dict(image=np.resize(np.uint8(255 * IMAGES), (8, SIDE, SIDE, channels)))
    for preset, sides in ((presets.pirl, (16, 18)), (presets.cpc, (16,)), (presets.crop_flip, (16, 16))):
        made = Views(preset(SIDE, channels=channels), 8, xla=False)(batch)["views"]
        assert [view.shape for view in made] == [(8, side, side, channels) for side in sides]
        assert all(np.isfinite(view).all() and view.numpy().min() >= 0 and view.numpy().max() <= 1 for view in made)
    if channels == 3:  # CPC sees in gray
        gray = numpy(Views(presets.cpc(SIDE), 8, xla=False)(batch)["views"][0])
        np.testing.assert_allclose(gray, np.repeat(gray[..., :1], 3, axis=-1), atol=1e-6)


def test_a_jigsaw_says_which_sizes_it_takes():
    with pytest.raises(ValueError, match="3 x 3 cells do not divide a view of 28 px: make it 30"):
        View([Jigsaw(3)], 28)(IMAGES, [[SIDE, SIDE]] * 8)
    with pytest.raises(ValueError, match=r"part must be in \[1e-06, 1\], got 2"):
        Jigsaw(part=2)


def test_patches_are_cut_where_the_grid_says_row_by_row():
    images = RNG.uniform(size=(2, 11, 14, 3))
    made = numpy(patches.cut(images, 4, 2))
    assert made.shape == (2, 4, 6, 4, 4, 3)
    for i in range(4):
        for j in range(6):
            np.testing.assert_allclose(made[:, i, j], images[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4], rtol=1e-6)


def test_an_encoder_of_one_size_sees_patches_enlarged():
    encoder = conv6()
    cut = patches.cut(IMAGES, 8, 4)
    made = numpy(patches.encode(encoder, cut, encoder.input_shape[1:3]))
    assert made.shape == (8, 3, 3, encoder.output_shape[-1])
    for i, j in ((0, 0), (2, 1)):
        larger = tf.image.resize(IMAGES[:, 4 * i : 4 * i + 8, 4 * j : 4 * j + 8], (SIDE, SIDE))
        np.testing.assert_allclose(made[:, i, j], encoder(larger), atol=1e-5)


def pirl(**knobs):
    return PIRL(conv6(), dataset_size=20, **(dict(projection_dim=6, negatives=5) | knobs))


PUZZLES = {"views": (IMAGES, np.repeat(np.repeat(IMAGES, 2, 1), 2, 2)[:, :18, :18]), "index": np.arange(8) + 4}


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_pirl_is_the_papers_objective(weight):
    model = pirl(jigsaw_weight=weight, temperature=0.5)
    outputs = model(PUZZLES)
    bank, noise = numpy(model.bank.rows).astype("float64"), numpy(model.bank.noise()).astype("float64")
    image, parts = (unit(numpy(outputs[key]).astype("float64")) for key in ("z_a", "z_b"))
    of_all = 20 * np.mean([[np.exp(z @ v / 0.5) for v in noise] for z in image])

    def nce(z):
        total = 0.0
        for i in range(8):
            own, others = (np.exp(rows @ z[i] / 0.5) / of_all for rows in (bank[4 + i], noise))
            total -= np.log(own / (own + 5 / 20))
            total -= sum(np.log(1 - p / (p + 5 / 20)) for p in others)
        return total / 8

    expected = (1 - weight) * nce(image) + weight * nce(parts)
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-4)


def test_pirl_with_a_full_softmax_knows_an_image_that_the_bank_holds():
    model = pirl(negatives=0, temperature=0.05, jigsaw_weight=0.0)
    outputs = model(PUZZLES)
    for _ in range(2):
        model.after_step(**outputs)
    cosines = unit(numpy(outputs["z_a"])) @ numpy(model.bank.rows).T
    logs = [np.log(np.exp((row - row[4 + i]) / 0.05).sum()) for i, row in enumerate(cosines.astype("float64"))]
    assert float(model.objective(**outputs)) == pytest.approx(np.mean(logs), rel=1e-4)


def test_pirls_bank_follows_the_image_alone_and_z_is_estimated_once():
    model = pirl(bank_rate=0.5)
    before, outputs = numpy(model.bank.rows), model(PUZZLES)
    model.after_step(**outputs)
    after = numpy(model.bank.rows)
    np.testing.assert_allclose(after[4:12], unit(before[4:12] + unit(numpy(outputs["z_a"]))), atol=1e-5)
    assert np.array_equal(after[:4], before[:4]) and np.array_equal(after[12:], before[12:])
    first = float(model.bank.normalizer)
    model.after_step(**outputs)
    assert first > 0 and float(model.bank.normalizer) == first


def test_pirl_sees_each_part_by_itself_in_the_order_of_the_puzzle():
    model, (_, puzzle) = pirl(), PUZZLES["views"]
    parts = [cell for image in puzzle[:1] for cell in cells_of(image, 3)]
    seen = [numpy(model.part_projector(model.encoder(tf.image.resize(p[None], (SIDE, SIDE)))))[0] for p in parts]
    expected = model.joint_projector(np.concatenate(seen)[None])
    np.testing.assert_allclose(model(PUZZLES)["z_b"][:1], expected, atol=1e-5)


def test_pirl_says_what_it_cannot_take():
    for knobs, words in (
        (dict(negatives=-1), "negatives must be at least 0"),
        (dict(jigsaw_weight=2), "jigsaw_weight must be at least 0 and at most 1, got 2"),
    ):
        with pytest.raises(ValueError, match=words):
            pirl(**knobs)
    with pytest.raises(ValueError, match="3 x 3 parts do not divide views of 16 px"):
        pirl()({"views": (IMAGES, IMAGES), "index": np.arange(8)})


# CPC


def cpc(**knobs):
    small = dict(grid=3, farthest_row=2, projection_dim=6, hidden_dim=8, context_blocks=2)
    return CPC(conv6(), **(small | knobs))


def cpc_by_the_paper(predictions, targets, rows):
    n, height, width, _ = targets.shape
    total = []
    for offset, below in enumerate(rows):
        found = []
        for i in range(n):
            for r in range(height - below):
                for c in range(width):
                    expected = predictions[i, r, c, offset]
                    every = [np.exp(expected @ target) for target in targets.reshape(-1, targets.shape[-1])]
                    found.append(np.log(sum(every)) - expected @ targets[i, r + below, c])
        total.append(np.mean(found))
    return np.mean(total)


@pytest.mark.parametrize("rows", [[1], [2, 3], [1, 2, 3]])
def test_cpc_is_the_papers(rows):
    predictions = RNG.normal(size=(2, 4, 3, len(rows), 5)).astype("float32")
    targets = RNG.normal(size=(2, 4, 3, 5)).astype("float32")
    assert float(losses.cpc(predictions, targets, rows=rows)) == pytest.approx(
        cpc_by_the_paper(predictions, targets, rows), rel=1e-5
    )


def test_cpc_of_equal_targets_is_the_log_of_all_places_and_its_bound_never_above():
    """I(x; c) >= log N - loss, which cannot exceed log N (arXiv 1807.03748, section 2.3)."""
    predictions, targets = np.ones((4, 3, 3, 1, 5), "float32"), np.ones((4, 3, 3, 5), "float32")
    assert float(losses.cpc(predictions, targets, rows=[1])) == pytest.approx(np.log(36), rel=1e-6)
    targets = 100 * np.eye(36, dtype="float32").reshape(4, 3, 3, 36)
    perfect = np.roll(targets, -1, axis=1)[:, :, :, None]
    assert float(losses.cpc(perfect, targets, rows=[1])) == pytest.approx(0, abs=1e-5)
    shuffled = np.roll(perfect, 1, axis=0) / 1e4
    assert float(losses.cpc(shuffled, targets, rows=[1])) == pytest.approx(np.log(36), abs=0.05)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_the_context_of_a_row_does_not_change_with_the_rows_below(row):
    network = causal_context(4, 16, 8, blocks=3)
    places = RNG.normal(size=(2, 4, 4, 16)).astype("float32")
    future = places.copy()
    future[:, row + 1 :] += RNG.normal(size=future[:, row + 1 :].shape)
    before, after = numpy(network(places)), numpy(network(future))
    np.testing.assert_array_equal(before[:, : row + 1], after[:, : row + 1])
    assert (np.abs(before - after)[:, row + 1 :] > 0).any(axis=-1).all()


def test_the_last_context_knows_the_first_row():
    network = causal_context(3, 16, 8, blocks=2)
    places = RNG.normal(size=(1, 3, 3, 16)).astype("float32")
    past = places.copy()
    past[:, 0] += 1
    assert (np.abs(numpy(network(places)) - numpy(network(past)))[:, 2] > 0).any(axis=-1).all()


def test_a_prediction_does_not_see_its_target():
    """Patches overlap by half: a change of the lowest quarter of the image is in the last row of patches alone."""
    model = cpc()
    changed = IMAGES.copy()
    changed[:, 12:] = 1 - changed[:, 12:]
    before, after = (model({"views": (images,)}, training=True) for images in (IMAGES, changed))
    np.testing.assert_array_equal(before["targets"][:, :2], after["targets"][:, :2])
    np.testing.assert_array_equal(before["predictions"][:, :2], after["predictions"][:, :2])
    assert np.abs(before["targets"] - after["targets"])[:, 2].max() > 1e-3


def test_cpc_starts_near_its_baseline():
    model = cpc()
    loss = float(model.objective(**model({"views": (IMAGES,)}, training=True)))
    assert loss == pytest.approx(model.baseline(8), rel=0.1)
    assert model.baseline(8) == pytest.approx(np.log(72))


def test_cpc_takes_rows_that_its_grid_has():
    for knobs in (dict(farthest_row=3), dict(nearest_row=2, farthest_row=1)):
        with pytest.raises(ValueError, match="a grid of 3 has rows 1..2 below its first"):
            cpc(**knobs)
    with pytest.raises(ValueError, match="16 px are too small for 20 x 20"):
        cpc(grid=20)({"views": (IMAGES,)})


# Distillation


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_distillation_is_the_papers(temperature):
    student, teacher = RNG.normal(size=(2, 5, 4)) * 3
    total = 0.0
    for s, t in zip(student, teacher, strict=True):
        p = np.exp(t / temperature) / np.exp(t / temperature).sum()
        total -= sum(p * np.log(np.exp(s / temperature) / np.exp(s / temperature).sum()))
    value = losses.distillation(student.astype("float32"), teacher.astype("float32"), temperature=temperature)
    assert float(value) == pytest.approx(temperature**2 * total / 5, rel=1e-5)


def test_distillation_from_itself_is_the_entropy_and_the_gradient_is_the_difference():
    student, teacher = (tf.Variable(tf.constant(z, "float32")) for z in RNG.normal(size=(2, 5, 4)))
    p_student, p_teacher = (tf.nn.softmax(z / 2.0).numpy() for z in (student, teacher))
    entropy = -np.mean(np.sum(p_teacher * np.log(p_teacher), axis=1))
    assert float(losses.distillation(teacher, teacher, temperature=2.0)) == pytest.approx(4 * entropy, rel=1e-5)
    with tf.GradientTape() as tape:
        loss = losses.distillation(student, teacher, temperature=2.0)
    by_student, by_teacher = tape.gradient(loss, [student, teacher])
    np.testing.assert_allclose(by_student, 2 * (p_student - p_teacher) / 5, atol=1e-6)
    assert by_teacher is None


def test_distillation_ignores_what_is_added_to_all_outputs_of_an_image():
    student, teacher = RNG.normal(size=(2, 5, 4)).astype("float32")
    value = float(losses.distillation(student, teacher, temperature=0.7))
    shift = RNG.normal(size=(5, 1)).astype("float32")
    assert float(losses.distillation(student + shift, teacher - shift, temperature=0.7)) == pytest.approx(
        value, rel=1e-5
    )


def classifier(classes=4):
    keras.utils.set_random_seed(1)
    images = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.BatchNormalization()(keras.layers.Flatten()(images))
    return keras.Model(images, keras.layers.Dense(classes)(x), name="classifier")


BATCH = {"views": (IMAGES, IMAGES[::-1]), "label": np.arange(8) % 4}


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_distill_minimizes_what_it_says(weight):
    teacher = classifier()
    model = Distill(conv6(), teacher=teacher, temperature=2.0, label_weight=weight, num_classes=4)
    total = 0.0
    for view in BATCH["views"]:
        logits, targets = numpy(model.head(model.encoder(view))), numpy(tf.nn.softmax(teacher(view) / 2.0))
        soft, hard = (numpy(tf.nn.log_softmax(logits / t)) for t in (2.0, 1.0))
        apart = -4 * np.mean(np.sum(targets * soft, axis=1))
        truth = -np.mean([row[label] for row, label in zip(hard, BATCH["label"], strict=True)])
        total += ((1 - weight) * apart + weight * truth) / 2
    assert float(model.objective(**model(BATCH, training=True))) == pytest.approx(total, rel=1e-5)


def test_the_teacher_stays_as_it_is_in_inference_mode():
    teacher = classifier()
    model = Distill(conv6(), teacher=teacher)
    model.compile(keras.optimizers.SGD(1.0))
    model.fit(tf.data.Dataset.from_tensors(BATCH).repeat(3), verbose=0)
    assert model.teacher is not teacher and all(not w.trainable for w in model.teacher.weights)
    for one, two in zip(model.teacher.weights, teacher.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(model(BATCH, training=True)["teacher"][:8], teacher(IMAGES), atol=1e-5)


def test_an_exported_encoder_teaches_and_a_saved_student_does_not_need_its_folder(tmp_path):
    teacher = encoders.make("mlp", (SIDE, SIDE, 3), units=8)
    savedmodel.export(teacher, tmp_path / "teacher", IMAGES, {})
    model = Distill(conv6(), teacher=str(tmp_path / "teacher"))
    np.testing.assert_allclose(model(BATCH)["teacher"][:8], teacher(IMAGES), atol=1e-5)
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(tf.data.Dataset.from_tensors(BATCH), verbose=0)
    model.save(tmp_path / "model.keras")
    (tmp_path / "teacher").rename(tmp_path / "elsewhere")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(BATCH)["teacher"], model(BATCH)["teacher"])


def test_distill_says_in_one_line_what_it_lacks(tmp_path):
    for knobs, words in (
        (dict(), "needs a teacher: give the folder of an exported encoder"),
        (dict(teacher=str(tmp_path / "nothing")), "holds no exported encoder"),
        (dict(teacher="exported/simclr_digits"), "no teacher at exported/simclr_digits: `sslzoo train simclr_digits`"),
        (dict(teacher=classifier(), temperature=0.0), "temperature must be above 0"),
        (dict(teacher=classifier(), label_weight=2.0), "label_weight must be at least 0 and at most 1, got 2.0"),
        (dict(teacher=classifier(5), label_weight=0.5, num_classes=4), "teacher of 4 classes, this one has 5 outputs"),
        (dict(teacher=classifier(), input_shape=(20, 20, 3)), "takes images of 16 x 16 x 3, these are 20 x 20 x 3"),
    ):
        with pytest.raises(ValueError, match=words) as raised:
            Distill(conv6(20 if "input_shape" in knobs else SIDE), **knobs)
        assert "\n" not in str(raised.value)
    model = Distill(conv6(), teacher=classifier(), label_weight=0.5, num_classes=4)
    with pytest.raises(ValueError, match="label_weight needs labels"):
        model({"views": BATCH["views"]})
