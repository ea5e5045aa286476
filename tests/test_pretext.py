"""Pretext tasks: rotation, patch location, jigsaw and painting: their labels, cuts, masks and errors."""

import math

import keras
import numpy as np
import pytest

import sslzoo
from sslzoo import encoders, methods
from sslzoo.evaluation import baseline
from sslzoo.layers import colours, patches
from sslzoo.layers.permutations import distant
from sslzoo.testing.miniatures import COUNT, SIZE, batch, build, opinionated
from sslzoo.views import presets

RNG = np.random.default_rng(0)


def cross_entropy(logits, labels):
    logits = np.asarray(logits, "float64")
    logs = logits - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True)) - logits.max(1)[:, None]
    return -logs[np.arange(len(labels)), labels]


def flat_features():
    """An encoder without weights that depend on other images."""
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), keras.layers.Flatten(), keras.layers.Dense(12)])


@pytest.mark.parametrize("name, value", [("rotation", 1.3863), ("relative_patch", 2.0794), ("jigsaw", 2.4849)])
def test_the_loss_of_an_undecided_head_is_that_of_chance(name, value):
    model = build(name, encoder=flat_features)
    for weight in (model.head if name == "rotation" else model.head.layers[-2]).trainable_weights:
        weight.assign(weight * 0)
    outputs = model(batch(model), training=True)
    assert outputs["errors"].shape == (COUNT,)
    assert float(model.objective(**outputs)) == pytest.approx(value, rel=1e-4)
    assert model.baseline(COUNT) == pytest.approx(value, rel=1e-4)


def test_rotations_are_exact_and_labelled():
    model = build("rotation", encoder=flat_features)
    image = batch(model)["views"][0]
    expected = 0.0
    for turns in range(4):
        rotated = np.rot90(image, turns, axes=(1, 2))
        expected += cross_entropy(model.head(model.encoder(rotated)), np.full(COUNT, turns)) / 4
    np.testing.assert_allclose(model(batch(model))["errors"], expected, rtol=1e-4)


def test_patches_are_cut_at_their_corners():
    images = RNG.uniform(size=(3, 9, 8, 2)).astype("float32")
    rows, columns = np.array([[0, 5], [2, 3], [4, 1]]), np.array([[1, 4], [0, 2], [3, 3]])
    cut = np.array(patches.at(images, rows, columns, 4))
    assert cut.shape == (3, 1, 2, 4, 4, 2)
    for n in range(3):
        for k in range(2):
            y, x = rows[n, k], columns[n, k]
            np.testing.assert_array_equal(cut[n, 0, k], images[n, y : y + 4, x : x + 4])


def test_corners_are_anywhere_in_their_cells():
    rows, columns = (np.array(x) for x in patches.corners(11, 3, 2, RNG.uniform(size=(3000, 2, 9)).astype("float32")))
    for cell in range(9):
        first = cell // 3 * 3, cell % 3 * 3
        for found, start in zip((rows, columns), first, strict=True):
            assert np.unique(found[:, cell]).tolist() == [start, start + 1]
            assert np.mean(found[:, cell] == start) == pytest.approx(0.5, abs=0.05)


def test_patches_are_standardized_each_by_itself():
    cut = RNG.uniform(size=(2, 1, 3, 4, 4, 3)) * np.array([0.1, 1, 0]).reshape(3, 1, 1, 1)
    found = np.array(patches.standardized(cut))
    np.testing.assert_allclose(found[:, :, :2].mean((-3, -2, -1)), 0.5, atol=1e-5)
    np.testing.assert_allclose(found[:, :, :2].std((-3, -2, -1)), 0.25, rtol=1e-4)
    np.testing.assert_array_equal(found[:, :, 2], 0.5)


def test_directions_are_numbered_row_by_row():
    """The pairs that the head sees are the central cell and each other cell, in raster order."""
    model, seen = build("relative_patch", encoder=flat_features, patch_share=1.0), []
    model.head = lambda pairs: seen.append(np.array(pairs)) or np.zeros((len(pairs), 8), "float32")
    views = batch(model)["views"]
    model.call({"views": views})
    where = patches.corners(SIZE, 3, 5, np.zeros((COUNT, 2, 9), "float32"))
    cut = patches.standardized(patches.at(views[0], *where, 5))
    features = np.array(patches.encode(model.encoder, cut, (SIZE, SIZE)))[:, 0]
    pairs = seen[0].reshape(COUNT, 8, 2, 12)
    np.testing.assert_allclose(pairs[:, :, 0], np.repeat(features[:, 4:5], 8, 1), atol=1e-4)
    np.testing.assert_allclose(pairs[:, :, 1], np.delete(features, 4, axis=1), atol=1e-4)


def test_constant_images_give_no_hint():
    model = build("relative_patch", encoder=flat_features)
    gray = {"views": (np.full((COUNT, SIZE, SIZE, 3), 0.3, "float32"),) * 2}
    assert float(np.mean(model(gray, training=False)["errors"])) >= math.log(8) - 1e-5


def test_permutations_are_distant_different_and_the_same_again():
    found = distant(9, 30)
    assert np.array_equal(found, distant(9, 30)) and len(np.unique(found, axis=0)) == 30
    assert (np.sort(found, axis=1) == np.arange(9)).all()
    distance = np.mean(found[:, None] != found[None], axis=2)[np.triu_indices(30, 1)]
    random = np.mean([RNG.permutation(9) != RNG.permutation(9) for _ in range(2000)])
    assert distance.mean() > random and distance[0] == 1, "the second differs in every place from the first"
    assert sorted(map(tuple, distant(4, 24))) == sorted(set(map(tuple, distant(4, 24))))
    with pytest.raises(ValueError, match=r"permutations of 4 parts must be 1\.\.24"):
        distant(4, 25)
    with pytest.raises(ValueError, match="permutations of 16 parts"):
        methods.Jigsaw(opinionated(), grid=4)


def test_a_jigsaws_head_sees_the_parts_in_the_order_of_its_label():
    model, seen = build("jigsaw", encoder=flat_features, grid=2), []
    head = model.head
    model.head = lambda rows: seen.append(np.array(rows)) or head(rows)
    errors = np.array(model.call({"views": batch(model)["views"]})["errors"])
    classes = np.floor(np.array(model.uniform((COUNT, 4), 1)) * 12).astype(int)
    assert len(np.unique(classes)) == 12
    rows = seen[0].reshape(COUNT, 4, 4, 16)
    orders = np.array(model.orders)
    for n in range(COUNT):
        whole = rows[n, 0][np.argsort(orders[classes[n, 0]])]  # the inverse permutation restores the image
        for k in range(4):
            np.testing.assert_allclose(rows[n, k], whole[orders[classes[n, k]]], atol=1e-6)
    expected = cross_entropy(head(seen[0]), classes.ravel()).reshape(COUNT, 4).mean(1)
    np.testing.assert_allclose(errors, expected, rtol=1e-4)


def test_the_hole_hides_its_pixels_and_its_border_counts_more():
    model = build("context_encoder", encoder=flat_features, hole=0.5, overlap=0.125, overlap_weight=10.0)
    view = batch(model)["views"][0]
    outputs = {name: np.array(value) for name, value in model({"views": (view,)}).items()}
    square, weights = view[:, 4:12, 4:12], np.full((8, 8, 1), 10.0)
    weights[1:7, 1:7] = 1
    expected = np.mean(weights * (outputs["painted"] - square) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(outputs["errors"], expected, rtol=1e-4)
    hidden, border, outside = view.copy(), view.copy(), view.copy()
    hidden[:, 5:11, 5:11] = 0.9
    border[:, 4, 4:12] = 0.9
    outside[:, 0] = 0.9
    same = [np.array_equal(model({"views": (x,)})["painted"], outputs["painted"]) for x in (hidden, border, outside)]
    assert same == [True, False, False], "what is in the hole is not seen; its border and the rest are"


def test_lab_of_known_colours():
    rgb = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0], [0.5, 0.5, 0.5]], "float32")
    wanted = [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [53.39, 0, 0]]
    np.testing.assert_allclose(colours.to_lab(rgb), wanted, atol=0.02)
    gray = np.array(colours.Lightness()(rgb[None, None]))
    np.testing.assert_allclose(gray[0, 0], np.array(wanted)[:, :1].repeat(3, 1) / 100, atol=1e-3)


def test_colours_are_soft_classes_of_their_nearest_bins():
    bins = colours.ab_bins()
    assert len(bins) == 261 and (bins % 10 == 0).all()
    ab = RNG.uniform(-60, 60, (7, 2)).astype("float32")
    found = np.array(colours.soft_bins(ab, bins))
    for row, colour in zip(found, ab.astype("float64"), strict=True):
        distance = np.sum((bins - colour) ** 2, axis=1)
        near = np.argsort(distance)[:10]
        weights = np.exp(-distance[near] / 50)
        expected = np.zeros(261)
        expected[near] = weights / weights.sum()
        np.testing.assert_allclose(row, expected, atol=1e-5)


def test_rare_colours_weigh_more_and_the_mean_weight_is_one():
    p = np.array([0.7, 0.2, 0.1], "float32")
    factors = np.array(colours.rebalancing(p))
    expected = 1 / (p / 2 + 1 / 6)
    np.testing.assert_allclose(factors, expected / np.sum(p * expected), rtol=1e-5)
    assert np.sum(p * factors) == pytest.approx(1, rel=1e-5) and factors[0] < 1 < factors[2]
    np.testing.assert_allclose(colours.rebalancing(p, uniform=1.0), 1, rtol=1e-5)


def test_colorization_sees_lightness_alone_counts_colours_and_skips_gray_images():
    model = build("colorization")
    view = batch(model)["views"][0].copy()
    view[:4] = view[:4, ..., :1]  # gray
    model.prepare({"views": (view,)})
    assert float(np.sum(model.counts)) == pytest.approx((COUNT - 4) * 16, rel=1e-3), "4 x 4 places of an image"
    outputs = model({"views": (view,)}, training=False)
    assert np.array(outputs["coloured"]).tolist() == [0] * 4 + [1] * (COUNT - 4)
    errors = np.array(outputs["errors"])
    assert not errors[:4].any() and float(model.objective(**outputs)) == pytest.approx(errors[4:].mean(), rel=1e-5)
    feature_map, _ = model.encoder_with_map(model.lightness(view), training=False)
    logits = np.array(model.decoder(keras.ops.image.resize(feature_map, (4, 4)))).reshape(COUNT * 16, 261)
    ab = np.array(colours.to_lab(keras.ops.image.resize(view, (4, 4), antialias=True)))[..., 1:].reshape(-1, 2)
    soft = np.array(colours.soft_bins(ab, model.bins), "float64")
    p = np.array(model.counts) / np.sum(model.counts)
    weights = np.array(colours.rebalancing(p))[soft.argmax(1)]
    expected = sum(weights * soft[:, q] * cross_entropy(logits, np.full(len(soft), q)) for q in range(261))
    np.testing.assert_allclose(errors[4:], expected.reshape(COUNT, 16).mean(1)[4:], rtol=1e-3)
    exported = model.of_images(model.exported())
    np.testing.assert_allclose(exported(view), model.embed(view), atol=1e-5)
    lighter = np.array(colours.Lightness()(view))
    np.testing.assert_allclose(exported(view), model.encoder(lighter), atol=1e-5)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: methods.Colorization(encoders.make("conv6", (8, 8, 1), width=0.1)), "colorization needs RGB images"),
        (
            lambda: methods.ContextEncoder(encoders.make("conv6", (8, 8, 1), width=0.1), overlap=0.5),
            "overlap must be in",
        ),
        (
            lambda: methods.ContextEncoder(encoders.make("resnet18", (None, None, 3), width=0.1, stem="small")),
            "takes images of any size: give input_shape",
        ),
    ],
)
def test_wrong_values_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_puzzles_show_two_large_squares():
    view, same = presets.puzzle(32)
    assert view == same and view.operations[0].ratio == (1.0, 1.0) and view.operations[0].scale == (0.73, 1.0)
    assert [operation.name for operation in presets.puzzle(32, channels=1)[0].operations] == ["crop", "flip"]


@pytest.mark.long
def test_colorization_exports_what_it_judges_an_encoder_of_lightness(tmp_path):
    images = np.random.default_rng(0).random((48, 16, 16, 3), "float32")
    labels = np.arange(48) % 2
    result = sslzoo.pretrain(
        "colorization", (images, labels), "conv6", width=0.25, hidden_dim=8,
        epochs=1, batch_size=16, runs=str(tmp_path / "runs"), export_to=str(tmp_path), name="colours",
    )  # fmt: skip
    gray = np.array(colours.Lightness()(images))
    encoder = sslzoo.load_encoder(tmp_path / "colours")
    for network in (encoder, result.untrained, baseline.restore(tmp_path / "colours")):
        inner = next(layer for layer in network.layers if isinstance(layer, keras.Model))
        np.testing.assert_allclose(network(images), inner(gray), atol=1e-5)
        assert np.abs(np.array(network(images)) - np.array(inner(images))).max() > 1e-3
    assert "- exported: the encoder\n" in (tmp_path / "colours/README.md").read_text()
