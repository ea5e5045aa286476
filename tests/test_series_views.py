"""Views of series: each operation against its definition, in NumPy where there is one."""

import numpy as np
import pytest
import tensorflow as tf

from sslzoo.data.made import in_memory
from sslzoo.testing.require import difference
from sslzoo.views import SeriesView, View, Views, chosen, of_series, series_presets
from sslzoo.views.geometry import Flip
from sslzoo.views.series import described
from sslzoo.views.series_time import Crop, Permute, Reverse, TimeWarp, basis
from sslzoo.views.series_values import (
    Bank,
    ChannelDrop,
    FrequencyMask,
    FrequencyMix,
    Jitter,
    MagnitudeWarp,
    Mask,
    Scale,
    spectrum,
)

RNG = np.random.default_rng(0)
N, T, C = 64, 50, 3
X = (RNG.normal(size=(N, T, C)).cumsum(1) * [1, 10, 100] + [0, 5, -300]).astype("float32")
SIZES = np.full((N, 1), T, "int32")
BANK = Bank(RNG.normal(size=(5, T, C)))
STRENGTHLESS = [
    Crop((1.0, 1.0)), Reverse(0.0), TimeWarp(0.0), Permute(1), Jitter(0.0), Scale(0.0), MagnitudeWarp(0.0), Mask(0.0),
    Mask(0.0, runs=0), ChannelDrop(0.0), FrequencyMask(0.0), FrequencyMix(BANK, 0.0),
]  # fmt: skip
STRONG = [
    Crop(), Reverse(), TimeWarp(), Permute(), Jitter(), Scale(), Scale(each="step"), MagnitudeWarp(), Mask(),
    Mask(0.5, runs=0), ChannelDrop(0.5), FrequencyMask(), FrequencyMix(BANK),
]  # fmt: skip


def seen(operation, x=X, sizes=None, seed=(0, 1), length=None):
    view = SeriesView([operation], length or x.shape[1], x.shape[2])
    return view(x, SIZES[: len(x)] if sizes is None else sizes, seed).numpy()


def normalized(x):
    return (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)


@pytest.mark.parametrize("operation", STRENGTHLESS, ids=lambda one: one.name)
def test_without_strength_nothing_changes(operation):
    np.testing.assert_allclose(seen(operation), X, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("operation", STRONG, ids=lambda one: one.name)
def test_rows_are_drawn_independently_and_by_their_place(operation):
    same = np.repeat(X[:1], N, axis=0)
    made = seen(operation, same)
    few = {"reverse": 2, "channeldrop": 7}  # outcomes that there are
    assert len(np.unique(made.reshape(N, -1).round(3), axis=0)) >= few.get(operation.name, N // 2)
    view = SeriesView([operation], T, C)
    batch = dict(series=X, size=SIZES, row=np.arange(N, dtype="int32"), step=np.full(N, 7, "int64"))
    whole = Views([view], N, xla=False)({name: tf.constant(column) for name, column in batch.items()})
    half = Views([view], N, xla=False)({name: tf.constant(column[N // 2 :]) for name, column in batch.items()})
    assert difference(whole["views"][0][N // 2 :], half["views"][0]) == 0


def test_xla_gives_the_same_views():
    batch = dict(series=X, size=SIZES, row=np.arange(N, dtype="int32"), step=np.full(N, 7, "int64"))
    batch = {name: tf.constant(column) for name, column in batch.items()}
    one, two = (Views([SeriesView(STRONG, T, C)], N, xla=xla)(batch)["views"][0] for xla in (True, False))
    np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-2)


def test_a_crop_is_a_consecutive_part():
    line = np.repeat(np.linspace(0, 1, T, dtype="float32")[None, :, None], N, axis=0)
    made = seen(Crop((0.4, 0.6)), line, length=20)[..., 0]
    span = made[:, -1] - made[:, 0]
    assert 0.4 <= span.min() and span.max() <= 0.6 and np.ptp(np.diff(made, axis=1)) < 0.05
    boxes = SeriesView([Crop((0.4, 0.6))], 20).where(SIZES, SeriesView([Crop((0.4, 0.6))], 20).sample([0, 1], N))
    np.testing.assert_allclose(boxes, np.stack([made[:, 0], span], 1), atol=1e-5)


def test_a_permutation_keeps_the_values_and_all_channels_together():
    made = seen(Permute(6))
    for one, two in zip(X, made, strict=True):
        order = np.lexsort(one.T), np.lexsort(two.T)
        np.testing.assert_allclose(one[order[0]], two[order[1]], rtol=1e-5, atol=1e-3)
    numbers = Permute(6).draw(tf.constant([0, 1]), 4000, T, C)["number"].numpy()
    assert set(numbers) == set(range(1, 7)) and np.allclose(np.bincount(numbers)[1:] / 4000, 1 / 6, atol=0.03)


def test_time_runs_forwards_between_fixed_ends():
    time = TimeWarp(1.0).draw(tf.constant([0, 1]), 500, T, C)["time"].numpy()
    assert (np.diff(time, axis=1) > 0).all() and np.ptp(time[:, 0]) == 0
    np.testing.assert_allclose(time[:, [0, -1]], np.tile([0.0, 1.0], (500, 1)), atol=1e-6)


def test_maps_of_time_compose_in_the_order_of_the_chain():
    line = np.repeat(np.linspace(0, 1, T, dtype="float32")[None, :, None], 4, axis=0)
    chain, half = SeriesView([Crop((0.5, 0.5)), Reverse(1.0)], T, 1), SeriesView([Crop((0.5, 0.5))], T, 1)
    np.testing.assert_allclose(chain(line, SIZES[:4]), half(line, SIZES[:4]).numpy()[:, ::-1], atol=1e-5)


def test_the_spline_goes_through_its_knots():
    matrix = basis(6, 26)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(matrix[::5], np.eye(6), atol=1e-6)


def test_strengths_are_in_units_of_each_channel():
    noise = (seen(Jitter(0.5)) - X).std((0, 1)) / X.std(1).mean(0)
    np.testing.assert_allclose(noise, 0.5, rtol=0.25)
    factor = normalized(X) * 0 + (seen(Scale(0.3)) - X.mean(1, keepdims=True)) / (X - X.mean(1, keepdims=True))
    assert np.abs(np.median(factor, 1).std() - 0.3) < 0.05


def test_a_channel_drop_leaves_one_channel():
    kept = ChannelDrop(1.0).draw(tf.constant([0, 1]), 100, T, C)["kept"].numpy()
    assert (kept.sum(1) == 1).all()
    made = seen(ChannelDrop(1.0))
    np.testing.assert_allclose(np.sort(made.std(1) > 1e-3, axis=1), np.tile([False, False, True], (N, 1)))


@pytest.mark.parametrize("mask, rate", [(Mask(0.3, runs=0), 0.3), (Mask(0.2, runs=1), 0.2)])
def test_masks_have_their_rate(mask, rate):
    kept = mask.draw(tf.constant([0, 1]), 2000, T, C)["kept"].numpy()
    assert np.mean(~kept) == pytest.approx(rate, abs=0.01)
    runs = np.abs(np.diff(np.pad(~kept, ((0, 0), (1, 1))).astype(int), axis=1)).sum(1) // 2
    assert runs.max() == 1 or mask.runs == 0


def test_frequency_operations_keep_the_mean_the_length_and_other_frequencies():
    for operation in (FrequencyMask(0.4), FrequencyMix(BANK, 0.4)):
        made = seen(operation, X[..., :1])[..., :1] if operation.name == "frequencymask" else seen(operation)
        np.testing.assert_allclose(made.mean(1), X[..., : made.shape[2]].mean(1), rtol=1e-3, atol=1e-2)
    drawn = FrequencyMask(0.4).draw(tf.constant([0, 1]), N, T, C)
    z = tf.constant(normalized(X))
    after = spectrum(FrequencyMask(0.4).change(z, drawn)).numpy()
    kept = drawn["kept"].numpy()[:, None]
    np.testing.assert_allclose(after, np.where(kept, spectrum(z).numpy(), 0), atol=1e-3)
    assert np.mean(~drawn["kept"].numpy()[:, 1:]) == pytest.approx(0.4, abs=0.05)


def test_the_preset_frequency_mixes_normalized_training_series_of_the_length_of_the_views():
    data = in_memory("own", np.where(RNG.uniform(size=X.shape) < 0.1, np.nan, X), kind="series")
    bank = of_series.bank(data)
    first, second = chosen.make("frequency", 30, C, "series", bank, mixed_share=0.4, strength=0.0, drop=0.0)
    (mix,) = second.operations
    assert [one.name for one in first.operations] == ["frequencymask"] and mix.share == 0.4
    assert mix.bank.series.shape == (N, 30, C) and np.isfinite(mix.bank.series).all()
    exact = Bank.of(X, SIZES, T)
    np.testing.assert_allclose(exact.series, normalized(X), atol=1e-3)
    assert len(chosen.make("frequency", 30, C, "series", strength=0.0, drop=0.0)[1].operations) == 0
    views = Views([first, second], N, xla=False)
    made = views({"series": X, "size": SIZES, "row": np.arange(N, dtype="int32"), "step": np.full(N, 7, "int64")})[
        "views"
    ]
    assert difference(*made) > 0.1


def test_a_missing_value_becomes_the_mean_and_touches_nothing_else():
    holes = X.copy()
    holes[0, 3:6, 1] = np.nan
    holes[1, :, 2] = np.nan
    filled, mean, deviation = (part.numpy() for part in described(tf.constant(holes), SIZES))
    np.testing.assert_allclose(filled[0, 3:6, 1], np.nanmean(holes[0, :, 1]), rtol=1e-5)
    assert (filled[1, :, 2] == 0).all() and deviation[1, 0, 2] == 0
    known = np.isfinite(holes)
    assert np.array_equal(filled[known], X[known])
    for operation in STRONG:
        assert np.isfinite(seen(operation, holes)).all(), operation.name


def test_evaluation_returns_a_series_of_its_length_unchanged_and_stretches_others():
    assert np.array_equal(series_presets.evaluation(T)(X, SIZES), X)
    short = np.zeros((1, T, 1), "float32")
    short[0, :10, 0], short[0, 10:] = np.arange(10), 1e9  # beyond the length nothing is read
    made = series_presets.evaluation(19)(short, [[10]]).numpy()[0, :, 0]
    np.testing.assert_allclose(made, np.interp(np.arange(19) / 2, np.arange(10), np.arange(10)), atol=1e-5)


def test_ts_tcc_has_the_views_of_the_authors_code():
    weak, strong = series_presets.ts_tcc(2000, 3)
    factor = weak.sample(tf.constant([0, 1]), 20)[0]["factor"].numpy()
    assert factor.shape == (20, 2000, 1) and factor.mean() == pytest.approx(2, abs=0.02)
    assert factor.std() == pytest.approx(1.1, abs=0.02) and np.mean(factor < 0) == pytest.approx(0.035, abs=0.005)
    assert [one.name for one in strong.operations] == ["permute", "jitter"]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: SeriesView([Flip()], 8), "SeriesView: operations must be instances such as Reverse()"),
        (lambda: SeriesView([Jitter(), Crop()], 8), "SeriesView: put maps of time, such as Crop, before"),
        (lambda: SeriesView([], 0), "SeriesView: length must be an integer of 1 or more, got 0"),
        (lambda: SeriesView([Jitter()], 8, 2)(X, SIZES), "SeriesView: the view has 2 channels, the series have 3"),
        (lambda: Crop((0.0, 1.0)), "Crop: scale must be"),
        (lambda: Scale(each="row"), "Scale: each must be one of channel, step, got 'row'"),
        (lambda: FrequencyMix(X), "FrequencyMix: bank must be a Bank of series"),
        (lambda: Views([SeriesView([], 8), View([], 8)], 4), "views must be a list of View, all of one kind"),
        (lambda: series_presets.simclr(8, strength=-1.0), "strength must be at least 0|strength must be in"),
    ],
)
def test_what_makes_no_view_is_refused_in_one_line(make, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(").replace(")", r"\)")) as caught:
        make()
    assert "\n" not in str(caught.value)
