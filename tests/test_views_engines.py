"""The engines of views: OpenCV gives what XLA gives, of all presets, sizes, types and channels."""

import concurrent.futures
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from families import PRESETS, spread
from test_views import GENTLE, draw, make_batch, numpy, part, reference

from sslzoo import catalog
from sslzoo.training.checks import engine_of
from sslzoo.training.experiment import Experiment, RunOptions
from sslzoo.views import Blur, Centre, Crop, Flip, Grayscale, Jitter, Rotate, Solarize, View, Views, engines, presets
from sslzoo.views import opencv as module

CHAIN = [Crop(), Flip(), Jitter(**GENTLE, hue=0.1), Grayscale(), Jitter(0, 0.3, 0, 0), Blur((0.1, 3.0))]


def by_opencv(view, images, sizes, draws):
    images = tf.constant(images)
    return view.look(images, "opencv", xla=False)(images, sizes, tf.range(len(images)), draws)[0].numpy()


def both(views, batch, **options):
    return [numpy(Views(views, 8, xla=False, engine=engine, **options)(batch)) for engine in ("xla", "opencv")]


@pytest.mark.parametrize("crop", [Crop(), Crop((0.05, 0.14)), Crop((0.9, 1.0), (0.2, 5.0)), Centre(0.7)])
@pytest.mark.parametrize("canvas, size", [((150, 130), 60), ((40, 50), 60), ((70, 60), 43), ((200, 150), 33)])
def test_opencv_equals_one_operation_after_the_other(canvas, size, crop):
    view = View([crop, *CHAIN[1:], Solarize(p=0.3)], size)
    batch = make_batch(12, *canvas, dtype="float32")
    images = 0.35 + 0.2 * batch["image"]
    draws = draw(view, 12)
    if isinstance(crop, Centre) or crop.ratio[0] < 0.5:  # the reference has no centre, and no crop that does not fit
        expected = view.apply(tf.constant(images), batch["size"], draws)
    else:
        expected = np.stack(list(reference(view, images, batch["size"], draws)))
    # The tails of the blur that are left out are 6e-5 of the range of the values.
    np.testing.assert_allclose(by_opencv(view, images, batch["size"], draws), expected, atol=2e-5)


@pytest.mark.parametrize("name", spread(catalog.presets(), PRESETS))
def test_presets_are_equal_within_a_hundredth_of_a_gray_level(name):
    chain = getattr(presets, name)(72)
    for by_xla, by_cv in zip(*both(chain, make_batch(height=90, width=110)), strict=True):
        # Solarize inverts at 1/2: a value next to it may be inverted by one engine alone.
        flipped = np.abs(by_xla - 0.5) < 1e-4
        assert by_cv.shape == by_xla.shape and flipped.mean() < 1e-2
        np.testing.assert_allclose(np.where(flipped, 0.5, by_cv), np.where(flipped, 0.5, by_xla), atol=4e-5)


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_types_and_channels_are_equal(dtype, channels):
    batch = make_batch(channels=channels, dtype=dtype)
    views = [View([Crop(), Flip(), Jitter(0.4, 0.4, 0, 0, p=1), Blur(p=1)], size) for size in (10, 45)]
    for by_xla, by_cv in zip(*both(views, batch), strict=True):
        np.testing.assert_allclose(by_cv, by_xla, atol=2e-5)


def test_boxes_and_other_columns_are_equal():
    batch = make_batch()
    made = [Views([View(CHAIN, 40)], 8, xla=False, engine=engine)(batch) for engine in ("xla", "opencv")]
    assert set(made[0]) == set(made[1])
    np.testing.assert_array_equal(made[0]["boxes"][0], made[1]["boxes"][0])


def test_operations_that_opencv_has_not_follow_as_tensorflow():
    views = [View([*CHAIN, Rotate()], 50), View([Crop(), Rotate((90, 90))], 50)]
    for by_xla, by_cv in zip(*both(views, make_batch()), strict=True):
        np.testing.assert_allclose(by_cv, by_xla, atol=2e-5)


@pytest.mark.parametrize("xla", [True, False])
def test_the_host_pipeline_gives_the_views_of_a_direct_call(xla):
    views, batch = Views([View([*CHAIN, Solarize()], 44)], 8, xla=xla, engine="opencv"), make_batch()
    rows = tf.data.Dataset.from_tensor_slices(batch).batch(8)
    mapped = next(iter(rows.map(views, num_parallel_calls=2)))
    np.testing.assert_allclose(numpy(mapped), numpy(views(batch)), atol=1e-6)


def test_views_do_not_depend_on_how_the_batch_is_spread():
    views, batch = Views([View(CHAIN, 44)], 8, xla=False, engine="opencv"), make_batch()
    whole = numpy(views(batch))
    for rows in (slice(0, 3), slice(3, 8), slice(None, None, -1)):
        np.testing.assert_allclose(numpy(views(part(batch, rows))), [view[rows] for view in whole], atol=1e-6)


def test_the_bits_do_not_depend_on_threads():
    views, batch = Views([View(CHAIN, module.ALONE)], 8, xla=False, engine="opencv"), make_batch(height=200, width=150)
    alone = numpy(views(batch))
    module.module().setNumThreads(4)
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for together in pool.map(lambda _: numpy(views(batch)), range(8)):
                np.testing.assert_array_equal(together, alone)
    finally:
        module.module().setNumThreads(0)


def test_one_thread_at_a_time_computes_small_views(monkeypatch):
    at_work, most, compute = [], [], module._batch

    def watched(*arguments):
        at_work.append(1)
        time.sleep(0.02)
        most.append(len(at_work))
        at_work.pop()
        return compute(*arguments)

    monkeypatch.setattr(module, "_batch", watched)
    views, batch = Views([View(CHAIN, 44), View(CHAIN, 45)], 8, xla=False, engine="opencv"), make_batch()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: numpy(views(batch)), range(4)))
    assert most == [1] * 8


def test_nothing_outside_the_valid_part_is_read():
    batch = make_batch()
    rows, columns = np.arange(24)[None, :, None], np.arange(32)[None, None]
    outside = (rows >= batch["size"][:, 0, None, None]) | (columns >= batch["size"][:, 1, None, None])
    batch["image"] = np.where(outside[..., None], 255, 0).astype("uint8").repeat(3, -1)
    for chain in ([Crop(), Flip(), Blur(p=1)], [Crop((0.9, 1.0), (0.2, 5.0))], [Centre(1.0)], []):
        made = Views([View(chain, 20), View(chain, 140)], 8, xla=False, engine="opencv")(batch)
        assert max(view.max() for view in numpy(made)) == 0


@pytest.mark.parametrize(
    "size, channels, dtype, engine",
    [
        (224, 3, tf.uint8, "opencv"),
        (engines.LARGE, 1, tf.float32, "opencv"),
        (engines.LARGE - 1, 3, tf.uint8, "xla"),
        (224, 5, tf.uint8, "xla"),
        (224, 3, tf.float64, "xla"),
    ],
)
def test_auto_takes_the_faster_engine(size, channels, dtype, engine):
    assert engines.chosen_engine("auto", size, channels, dtype) == engine
    assert engines.chosen_engine("xla", size, channels, dtype) == "xla"
    assert engines.chosen_engine("opencv", size, channels, dtype) == "opencv"


def test_without_opencv_auto_is_xla_and_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cv2", None)
    engines._has_opencv.cache_clear()
    module.module.cache_clear()
    try:
        assert engines.chosen_engine("auto", 224, 3, tf.uint8) == "xla"
        assert "OpenCV cannot be imported" in capsys.readouterr().out
        with pytest.raises(ValueError, match="needs the package opencv-python-headless: install it"):
            Views([View(CHAIN, 44)], 8, engine="opencv")
    finally:
        engines._has_opencv.cache_clear()


def test_a_wrong_engine_is_named():
    with pytest.raises(ValueError, match="no engine 'openvc'.*opencv"):
        Views([View(CHAIN, 44)], 8, engine="openvc")


def test_a_device_and_a_data_service_take_xla():
    on_device, service = Experiment(augment_on="device"), RunOptions(data_service="grpc://localhost:1")
    assert engine_of(on_device, RunOptions()) == engine_of(Experiment(), service) == "xla"
    assert [engine_of(Experiment(engine=engine), RunOptions()) for engine in engines.ENGINES] == list(engines.ENGINES)
    for where, run in ((dict(augment_on="device"), RunOptions()), ({}, service)):
        with pytest.raises(ValueError, match="engine='opencv' computes views in this process: leave out"):
            engine_of(Experiment(engine="opencv", **where), run)
