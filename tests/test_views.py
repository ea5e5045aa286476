"""Views: each image by itself, the same everywhere, and equal to one operation after the other."""

import itertools
from string import ascii_letters

import numpy as np
import pytest
import tensorflow as tf
from families import PRESETS, spread
from PIL import Image

from sslzoo import catalog
from sslzoo import views as package
from sslzoo.testing import VIEWS_CHECKS
from sslzoo.views import (
    Blur,
    Centre,
    Crop,
    Flip,
    Grayscale,
    Jitter,
    Solarize,
    View,
    Views,
    presets,
    resample,
    sheet,
)
from sslzoo.views.operation import whole
from sslzoo.views.sheet import statistics

LUMA = np.array([0.299, 0.587, 0.114])
FULL = presets.simclr(20, blur=True, solarize=0.3)


def make_batch(n=8, height=24, width=32, channels=3, step=5, dtype="uint8", seed=0):
    """A batch as training gets it, of images of many sizes in one canvas."""
    rng = np.random.default_rng(seed)
    images = rng.uniform(0, 1, (n, height, width, channels))
    images = images.astype(dtype) if dtype.startswith("float") else (images * np.iinfo(dtype).max).astype(dtype)
    sizes = np.stack([rng.integers(height // 2, height + 1, n), rng.integers(width // 2, width + 1, n)], 1)
    return dict(
        image=images,
        size=sizes.astype("int32"),
        row=np.arange(n, dtype="int32"),
        step=np.full(n, step, "int64"),
        index=np.arange(n, dtype="int64") + 100,
        label=np.arange(n, dtype="int64") % 2,
    )


def make_views(views=FULL, batch_size=8, seed=0):
    """Without XLA, whose compilation takes seconds; the tests that are about it compile."""
    return Views(views, batch_size, seed, xla=False)


def part(batch, rows):
    return {name: column[rows] for name, column in batch.items()}


def numpy(views):
    return [view.numpy() for view in views["views"]]


def draw(view, count, seed=(1, 2)):
    return tf.nest.map_structure(lambda x: x.numpy(), view.sample(tf.constant(seed), count))


# The reference: one operation after the other, one image at a time, in loops and float64.


def reference_box(drawn, i, height, width):
    for scale, ratio in zip(drawn["scale"][i], drawn["ratio"][i], strict=True):
        h, w = round(np.sqrt(height * width * scale / ratio)), round(np.sqrt(height * width * scale * ratio))
        if h <= height and w <= width:
            return int(drawn["down"][i] * (height - h + 1)), int(drawn["right"][i] * (width - w + 1)), h, w
    raise AssertionError("no draw fits: choose another seed")


def reference_resize(image, size):
    """Bilinear along the first axis, the triangle as wide as the scale where that is above 1."""
    out, scale = np.zeros((size, *image.shape[1:])), len(image) / size
    for i in range(size):
        centre, total = (i + 0.5) * scale, 0.0
        for j in range(len(image)):
            weight = max(0.0, 1 - abs(j + 0.5 - centre) / max(scale, 1.0))
            out[i] += weight * image[j]
            total += weight
        out[i] /= total
    return out


def reference_blur(image, sigma, reach):
    out = np.zeros_like(image)
    for i in range(len(image)):
        near = range(max(0, i - reach), min(len(image), i + reach + 1))
        weights = [np.exp(-((i - j) ** 2) / (2 * sigma**2)) for j in near]
        out[i] = sum(weight * image[j] for weight, j in zip(weights, near, strict=True)) / sum(weights)
    return out


def both_axes(function, image, *arguments):
    return function(function(image, *arguments).swapaxes(0, 1), *arguments).swapaxes(0, 1)


def reference_gray(image):
    return image @ LUMA if image.shape[-1] == 3 else image.mean(-1)


def reference_hue(image, turn):
    to_yiq = np.array([LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    y, i, q = np.moveaxis(image @ to_yiq.T, -1, 0)
    chroma = (i + 1j * q) * np.exp(2j * np.pi * turn)
    return np.stack([y, chroma.real, chroma.imag], -1) @ np.linalg.inv(to_yiq).T


def reference_jitter(operation, drawn, i, image):
    for slot in drawn["order"][i] if drawn["on"][i] else []:
        part = operation.parts[slot]
        strength, gray = float(drawn[part][i]), reference_gray(image)[..., None]
        image = dict(
            brightness=lambda x, f: f * x,
            contrast=lambda x, f, gray=gray: f * x + (1 - f) * gray.mean(),
            saturation=lambda x, f, gray=gray: f * x + (1 - f) * gray,
            hue=reference_hue,
        )[part](image, strength)
    return image


def reference_step(operation, drawn, i, image, size):
    on = "on" not in drawn or drawn["on"][i]
    match operation:
        case Crop():
            top, left, height, width = reference_box(drawn, i, *image.shape[:2])
            return both_axes(reference_resize, image[top : top + height, left : left + width], size)
        case Jitter():
            return reference_jitter(operation, drawn, i, image)
        case Flip() if on:
            return image[:, ::-1]
        case Grayscale() if on:
            return np.repeat(reference_gray(image)[..., None], 3, -1)
        case Blur() if on:
            return both_axes(reference_blur, image, drawn["sigma"][i], size // 20)
        case Solarize() if on:
            return np.where(image >= operation.threshold, 1 - image, image)
    return image


def reference(view, images, sizes, draws):
    for i, (image, (height, width)) in enumerate(zip(images, sizes, strict=True)):
        image = image[:height, :width].astype(float)
        for operation, drawn in zip(view.operations, draws, strict=True):
            image = reference_step(operation, drawn, i, image, view.size)
        yield image


GENTLE = dict(brightness=0.2, contrast=0.4, saturation=0.4)


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("crop", [Crop(), Crop((0.05, 0.14))], ids=["large", "small"])
@pytest.mark.parametrize("canvas, size", [((150, 130), 60), ((40, 50), 60), ((70, 60), 43)])
def test_a_view_equals_one_operation_after_the_other(canvas, size, crop, tiled, monkeypatch):
    if tiled:
        monkeypatch.setattr(resample, "WHOLE", 16)
        monkeypatch.setattr(resample, "TILE", 17)
    colours = [Jitter(**GENTLE, hue=0.1), Grayscale(), Jitter(0, 0.3, 0, 0)]  # the second meets the first's mean
    view = View([crop, Flip(), *colours, Blur((0.3, 3.0)), Solarize(p=0.3)], size)
    batch = make_batch(12, *canvas, dtype="float32")
    images = 0.35 + 0.2 * batch["image"]
    draws = draw(view, 12)
    made = view.apply(tf.constant(images), batch["size"], draws).numpy()
    expected = np.stack(list(reference(view, images, batch["size"], draws)))
    assert 0 < expected.min() < expected.max() < 1, "a value would be clipped: the comparison would prove less"
    np.testing.assert_allclose(made, expected, atol=1e-5)


@pytest.mark.parametrize("operation", [Crop((0.05, 0.14)), Crop((0.9, 1.0), (0.2, 5.0)), Centre(0.4), Flip()])
def test_no_box_is_larger_than_an_operation_says(operation):
    canvas = 31, 47
    bound = np.array(operation.largest(*canvas))
    sizes = np.stack([np.random.default_rng(k).integers(5, side + 1, 4000) for k, side in enumerate(canvas)], 1)
    sizes[:1000] = canvas
    box = operation.place(whole(tf.constant(sizes)), operation.draw(tf.constant([3, 4]), 4000))
    largest = np.array([box.height, box.width]).max(axis=1)
    assert np.all(largest <= bound) and np.all(bound <= canvas)
    assert np.all(largest >= 0.95 * bound - 1), "no more than need be"


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_brightness_and_contrast_of_any_channels_equal_the_reference(channels):
    view = View([Crop(), Jitter(0.2, 0.4, 0, 0, p=1), Blur()], 30)
    batch = make_batch(6, channels=channels, dtype="float32")
    images = 0.35 + 0.2 * batch["image"]
    draws = draw(view, 6)
    expected = np.stack(list(reference(view, images, batch["size"], draws)))
    np.testing.assert_allclose(view.apply(tf.constant(images), batch["size"], draws), expected, atol=1e-5)


def test_a_resize_is_that_of_pil():
    image = np.random.default_rng(0).uniform(0, 1, (90, 90)).astype("float32")
    for size in (17, 64, 200):
        expected = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
        made = View([], size)(image[None, ..., None], [[90, 90]])[0, ..., 0]
        np.testing.assert_allclose(made, expected, atol=1e-5)


def test_colours_are_clipped_once_at_the_end():
    view = View([Jitter(0.8, 0.8, 0.8, 0.2, p=1)], 24)
    batch = make_batch(16, 24, 24, dtype="float32")
    batch["size"][:] = 24
    draws = draw(view, 16)
    expected = np.clip(list(reference(view, batch["image"], batch["size"], draws)), 0, 1)
    assert (expected == 1).any()
    np.testing.assert_allclose(view.apply(tf.constant(batch["image"]), batch["size"], draws), expected, atol=1e-5)


def test_changing_one_image_changes_only_its_own_views():
    views, batch = make_views(), make_batch()
    before = numpy(views(batch))
    batch["image"][3] = 255 - batch["image"][3]
    for old, new in zip(before, numpy(views(batch)), strict=True):
        assert (old != new).reshape(8, -1).any(1).tolist() == [row == 3 for row in range(8)]


def test_identical_images_get_different_views():
    batch = make_batch()
    batch["image"][:], batch["size"][:] = batch["image"][0], batch["size"][0]
    a, b = numpy(make_views()(batch))
    for one, other in itertools.combinations([*a, *b], 2):
        assert np.abs(one - other).max() > 0.05


def test_the_same_seed_and_step_give_the_same_bits():
    np.testing.assert_array_equal(numpy(make_views()(make_batch())), numpy(make_views()(make_batch())))


@pytest.mark.parametrize("seed, step", [(1, 5), (0, 6), (5, 0)])
def test_another_seed_or_step_gives_other_views(seed, step):
    first, other = numpy(make_views()(make_batch())), numpy(make_views(seed=seed)(make_batch(step=step)))
    assert (np.abs(np.subtract(first, other)).max((0, 2, 3, 4)) > 0.01).all()


@pytest.mark.parametrize("pieces", [[slice(0, 4), slice(4, 8)], [slice(0, 1), slice(1, 8)], [slice(None, None, -1)]])
def test_views_do_not_depend_on_how_the_batch_is_spread(pieces):
    views, batch = make_views(), make_batch()
    whole = numpy(views(batch))
    for rows in pieces:
        np.testing.assert_allclose(numpy(views(part(batch, rows))), [view[rows] for view in whole], atol=1e-6)


@pytest.mark.parametrize("xla", [True, False])
def test_the_host_pipeline_gives_the_views_of_a_direct_call(xla):
    views, batch = Views(FULL, 8, xla=xla), make_batch()
    rows = tf.data.Dataset.from_tensor_slices(batch).batch(8)  # the batch size is unknown to the graph
    mapped = next(iter(rows.map(views, num_parallel_calls=2)))
    np.testing.assert_allclose(numpy(mapped), numpy(views(batch)), atol=1e-6)


def test_xla_changes_nothing():
    batch = make_batch()
    np.testing.assert_allclose(
        numpy(Views(FULL, 8, xla=True)(batch)), numpy(Views(FULL, 8, xla=False)(batch)), atol=1e-6
    )


@pytest.mark.parametrize("xla", [True, False])
def test_a_training_step_on_two_replicas_gives_the_views_of_the_host(mirrored, xla):
    views, batch = Views(FULL, 8, xla=xla), make_batch()
    distributed = mirrored.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices(batch).batch(8))
    step = tf.function(lambda local: mirrored.run(views, (local,)))
    made = step(next(iter(distributed)))
    for k, host in enumerate(numpy(views(batch))):
        replicas = mirrored.experimental_local_results(made["views"][k])
        assert [len(replica) for replica in replicas] == [4, 4]
        np.testing.assert_allclose(tf.concat(replicas, 0), host, atol=1e-6)


def test_the_other_columns_pass_through():
    batch = make_batch()
    made = make_views()(batch)
    assert set(made) == {"views", "boxes", "index", "label"}
    np.testing.assert_array_equal(made["index"], batch["index"])
    assert [(view.shape, view.dtype) for view in made["views"]] == [((8, 20, 20, 3), tf.float32)] * 2


def test_boxes_say_where_each_view_looked():
    batch = make_batch(6, 24, 32, dtype="float32")
    chains = [[Centre()], [Flip(1.0)], [Crop((0.2, 0.6)), Flip()]]
    made = make_views([View(chain, 20) for chain in chains], 6)(batch)
    centre, flipped, cropped = (box.numpy() for box in made["boxes"])
    height, width = batch["size"].T / batch["size"].max(1)
    side = np.minimum(height, width)
    longer = np.stack([np.round((height - side) / 2, 6), np.round((width - side) / 2, 6)], 1)
    assert np.abs(centre[:, :2] - longer).max() <= 0.5 / 12 and not centre[:, 4].any()
    np.testing.assert_allclose(centre[:, 2:4], np.stack([side, side], 1), rtol=1e-6)
    np.testing.assert_allclose(flipped, np.stack([0 * side, 0 * side, height, width, side**0], 1), rtol=1e-6)
    assert (cropped[:, 0] + cropped[:, 2] <= height + 1e-6).all()
    for i in range(6):  # cutting the box out by hand gives the view
        top, left, tall, wide = np.round(cropped[i, :4] * batch["size"][i].max()).astype(int)
        part = batch["image"][i, top : top + tall, left : left + wide]
        part = part[:, ::-1] if cropped[i, 4] else part
        np.testing.assert_allclose(View([], 20)(part[None], [[tall, wide]])[0], made["views"][2][i], atol=1e-5)


def test_views_may_differ_in_size_and_number():
    made = make_views([View([Crop()], size) for size in (16, 16, 8)])(make_batch())
    assert [view.shape[1] for view in made["views"]] == [16, 16, 8]


def test_nothing_outside_the_valid_part_is_read():
    batch = make_batch(64)
    rows, columns = np.arange(24)[None, :, None], np.arange(32)[None, None]
    outside = (rows >= batch["size"][:, 0, None, None]) | (columns >= batch["size"][:, 1, None, None])
    batch["image"] = np.where(outside[..., None], 255, 0).astype("uint8").repeat(3, -1)
    for chain in ([Crop(), Flip(), Blur(p=1)], [Crop((0.9, 1.0), (0.2, 5.0))], [Centre(1.0)], []):
        assert max(view.max() for view in numpy(make_views([View(chain, 20), View(chain, 140)], 64)(batch))) == 0


def test_storage_types_give_the_same_views():
    batch = make_batch()
    expected = numpy(make_views()(batch))
    deep, real = batch["image"].astype("uint16") * 257, batch["image"].astype("float32") / 255
    for images in (deep, real, real.astype("float64")):
        # Rounding may take a value over the threshold of solarize: compare what does not change when a value flips.
        fold = [np.abs(np.subtract(a, 0.5)) for a in (expected, numpy(make_views()(batch | dict(image=images))))]
        np.testing.assert_allclose(*fold, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_presets_make_views_of_any_channels(channels):
    for preset in (presets.simclr, presets.moco_v1, presets.moco_v2, presets.digits):
        made = make_views(preset(16, channels=channels))(make_batch(channels=channels))["views"]
        assert all(view.shape == (8, 16, 16, channels) for view in made)
        assert all(np.isfinite(view).all() and 0 <= view.numpy().min() and view.numpy().max() <= 1 for view in made)


@pytest.mark.parametrize(
    "needy, name", [(Grayscale(), "Grayscale"), (Jitter(), "Jitter"), (Jitter(0, 0, 0.1, 0), "saturation")]
)
def test_operations_that_need_rgb_say_so_by_name(needy, name):
    with pytest.raises(ValueError, match=rf"{name}.* needs 3 channels \(RGB\), got 5"):
        make_views([View([needy], 16)])(make_batch(channels=5))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: presets.simclr(32, strength=-1), r"strength must be in \[0, inf\], got -1"),
        (lambda: presets.simclr(0), "size must be at least 1, got 0"),
        (lambda: presets.simclr(32, solarize=2), "solarize must be at least 0 and at most 1, got 2"),
        (lambda: presets.simclr(32, min_scale=0), "min_scale must be in"),
        (lambda: presets.simclr(32, strength=3), r"hue must be in \[0, 0.5\]"),
        (lambda: Crop(scale=(1.0, 0.1)), r"Crop: scale must be \(smaller, larger\) within"),
        (lambda: Crop(ratio=(2, 1)), "Crop: ratio must be"),
        (lambda: Flip(1.5), r"Flip: p must be in \[0, 1\], got 1.5"),
        (lambda: Blur((-1, 1)), "Blur: sigma must be"),
        (lambda: Centre(0), "Centre: fraction must be in"),
        (lambda: Jitter(0, 0, 0, 0), "all 0"),
        (lambda: Views([], 8), "number of views"),
        (lambda: Views(FULL, 0), "batch_size must be an integer of 1 or more, got 0"),
        (lambda: Views(FULL, 4)(make_batch()), "8 images"),
        (lambda: View([Solarize(), Crop()], 16), "put crop before solarize"),
        (lambda: make_views()(make_batch() | dict(image=np.zeros((8, 9, 9, 3), "int32"))), "got int32"),
    ],
)
def test_wrong_values_are_named(make, words):
    with pytest.raises(ValueError, match=words) as raised:
        make()
    assert "\n" not in str(raised.value)


def test_crops_are_distributed_as_torchvision_draws_them():
    rng, areas, ratios = np.random.default_rng(0), [], []
    while len(areas) < 20000:
        scale, ratio = rng.uniform(0.08, 1), np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        if scale * max(ratio, 1 / ratio) <= 1:
            areas.append(100 * scale)
            ratios.append(ratio)
    crop = Crop()
    drawn = crop.strengths(crop.draw(tf.constant([0, 1]), 20000))
    for made, expected in zip(drawn.values(), (areas, ratios), strict=True):
        shares = np.linspace(0.02, 0.98, 25)
        spread = np.ptp(expected)
        np.testing.assert_allclose(np.quantile(made, shares), np.quantile(expected, shares), atol=0.02 * spread)


def test_a_crop_is_anywhere_in_the_image():
    crop = Crop((0.25, 0.25), (1, 1))
    box = crop.place(whole(tf.fill((20000, 2), 8)), crop.draw(tf.constant([3, 4]), 20000))
    for start in (box.top, box.left):
        np.testing.assert_allclose(np.bincount(tf.cast(start, tf.int32)) / 20000, [0.2] * 5, atol=0.02)


def test_a_crop_that_never_fits_is_cut_to_the_image():
    images = np.arange(40, dtype="float32").reshape(1, 4, 10, 1) / 40
    view = View([Crop((1.0, 1.0), (10.0, 10.0))], 5)
    assert np.isfinite(view(images, [[4, 10]], (1, 1))).all()


def test_jitter_draws_its_ranges_and_orders_evenly():
    (drawn,) = draw(View([Jitter(0.8, 0.4, 1.5, 0.2)], 8), 24000)
    for part, (low, high) in dict(
        brightness=(0.2, 1.8), contrast=(0.6, 1.4), saturation=(0, 2.5), hue=(-0.2, 0.2)
    ).items():
        expected = low + (high - low) * np.linspace(0.05, 0.95, 10)
        np.testing.assert_allclose(
            np.quantile(drawn[part], np.linspace(0.05, 0.95, 10)), expected, atol=0.02 * (high - low)
        )
    _, counts = np.unique(drawn["order"], axis=0, return_counts=True)
    assert len(counts) == 24
    np.testing.assert_allclose(counts / 24000, 1 / 24, atol=0.006)


def test_operations_draw_independently_of_each_other():
    drawn = draw(View([Flip(), Grayscale(0.5), Blur(p=0.5), Solarize(p=0.5)], 8), 20000)
    together = np.corrcoef([column["on"] for column in drawn])
    np.testing.assert_allclose(together, np.eye(4), atol=0.03)


def test_evaluation_leaves_an_image_of_its_size_as_it_is():
    for size in (16, 160):
        images = make_batch(2, size, size)["image"]
        made = presets.evaluation(size)(images, np.full((2, 2), size, "int32"))
        np.testing.assert_allclose(made, images / 255.0, atol=1e-6)


def test_evaluation_looks_at_the_centre_of_the_valid_part():
    images = np.random.default_rng(0).uniform(0, 1, (2, 30, 40, 4)).astype("float32")
    made = presets.evaluation(8, fraction=0.5)(images, np.array([[16, 24], [30, 16]], "int32"))
    np.testing.assert_allclose(made, [images[0, 4:12, 8:16], images[1, 11:19, 4:12]], atol=1e-6)


def test_statistics_tell_the_truth():
    chain = [Crop((0.2, 0.5)), Flip(0), Jitter(0.4, 0.4, 0, 0, p=0.7), Blur((0.5, 1.0), p=0.3)]
    rows = sheet.statistics([View(chain, 32), View([Solarize(p=0.1)], 32)], channels=1)
    found = {(row.view, row.operation, row.strength.split(" ")[0]): row for row in rows}
    assert len(found) == len(rows) == 7
    for key, share in {
        ("b", "solarize", ""): 0.1,
        ("a", "blur", "sigma,"): 0.3,
        ("a", "jitter", "contrast"): 0.7,
    }.items():
        assert found[key].share == pytest.approx(share, abs=0.02)
    assert found["a", "flip", ""].share == 0
    assert 20 <= found["a", "crop", "area"].low + 0.5 < 22 and 48 < found["a", "crop", "area"].high <= 50.5
    assert found["a", "jitter", "brightness"].mean == pytest.approx(1, abs=0.02)
    assert found["a", "blur", "sigma,"].low >= 0.5 and found["a", "blur", "sigma,"].high <= 1.0
    text = sheet.table(rows)
    assert len(text.splitlines()) == 8 and "30%" in text


@pytest.mark.parametrize("name", ["simclr", "w_mse", "moco_v1"])
def test_statistics_are_those_of_chains_that_look_at_the_whole_image_too(name):
    assert {row.operation for row in sheet.statistics(getattr(presets, name)(32), count=8)} >= {"crop", "jitter"}


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_the_contact_sheet_shows_originals_and_draws(channels, tmp_path):
    batch = make_batch(3, channels=channels)
    path = tmp_path / "views.png"
    sheet.contact_sheet(batch["image"], batch["size"], [View([Crop()], 20), View([Flip(0)], 120)], path, draws=2)
    cell = 120 + sheet.GAP
    with Image.open(path) as image:
        assert image.size == (sheet.GAP + 5 * cell, sheet.HEAD + sheet.GAP + 3 * cell)
        assert image.format == "PNG"
        pixels = np.asarray(image)
    for line, column in itertools.product(range(3), range(5)):
        top, left = sheet.HEAD + sheet.GAP + line * cell, sheet.GAP + column * cell
        assert (pixels[top : top + 30, left : left + 30] < 255).any(), (line, column)
    assert [file.name for file in tmp_path.iterdir()] == ["views.png"]


def test_a_strength_of_zero_leaves_the_jitter_out():
    for preset in (presets.simclr, presets.moco_v1, presets.moco_v2, presets.digits, presets.notebook):
        for view in preset(8, channels=1, strength=0.0):
            assert "jitter" not in [operation.name for operation in view.operations]


@pytest.mark.parametrize("check", VIEWS_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", spread(catalog.presets(), PRESETS))
def test_contract(check, name):
    if (name, check.__name__) == ("frames", "check_steps"):
        pytest.skip("frames are not changed, so that all steps have the same views")
    check(name, size=16)


@pytest.mark.parametrize("name", spread(catalog.presets(), PRESETS))
def test_the_table_of_a_preset_has_a_row_for_each_operation_of_each_view(name):
    chain = getattr(presets, name)(16)
    rows = statistics(chain, 3, count=16)
    expected = {
        (letter, one.name) for letter, view in zip(ascii_letters, chain, strict=False) for one in view.operations
    }
    assert {(row.view, row.operation) for row in rows} == expected


def test_presets_are_attributes_of_the_package():
    assert set(catalog.presets()) <= set(dir(package))
    assert all(getattr(package, name) is getattr(presets, name) for name in catalog.presets())
    with pytest.raises(AttributeError, match="no attribute 'simclir'"):
        package.simclir  # noqa: B018
