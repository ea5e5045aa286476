"""Audio: files and groups, the log-mel, views on log-mels, COLA, and a training with its export."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from scipy.io import wavfile
from scipy.signal import get_window, resample_poly

import sslzoo
from sslzoo import encoders, losses
from sslzoo.data import DataError, load, sounds
from sslzoo.data.audio import parts
from sslzoo.data.known_audio import KNOWN, VOICES, drum, prompt
from sslzoo.exports.contract import input_spec, with_input
from sslzoo.layers import log_mel as mel
from sslzoo.layers.drop_path import Dropout, drawing
from sslzoo.testing import ENCODER_CHECKS, VIEWS_CHECKS, check_dataset, miniatures
from sslzoo.testing.method_checks import check_gradients, check_learning, check_replicas, check_saving
from sslzoo.views import Views, audio_presets, of_audio
from sslzoo.views.audio import AudioView, Bank, part
from sslzoo.views.audio_values import Fader, Masks, Mixup, ResizedCrop, resizing

RATE, LENGTH = 4000, 1200
RNG = np.random.default_rng(0)
WAVES = (0.1 * RNG.normal(size=(8, 2000, 1))).astype("float32")
SIZES = np.array([[2000]] * 6 + [[1200], [500]], "int32")


def bank(**statistics) -> Bank:
    return Bank(WAVES, SIZES, RATE, **statistics)


def tone(hertz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def written(folder, names, rate=RATE, seconds=0.5):
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        wavfile.write(folder / name, rate, (tone(200 + 20 * number, seconds, rate) * 32767).astype("int16"))
    return folder


# The log-mel


def test_the_log_mel_is_that_of_its_formula():
    x, half, step = WAVES[:2, :LENGTH, 0].astype("float64"), 128, 40
    padded = np.pad(x, ((0, 0), (half, half)), mode="reflect")
    starts = range(0, LENGTH + 1, step)
    cut = np.stack([padded[:, start : start + 2 * half] for start in starts], axis=1) * get_window("hann", 2 * half)
    expected = np.log(np.abs(np.fft.rfft(cut)) ** 2 @ mel.mel_weights(RATE) + 2.0**-23)
    assert mel.log_mel(x, RATE).shape == (2, 31, 64)
    np.testing.assert_allclose(mel.log_mel(x, RATE), expected, atol=2e-5)


def test_the_settings_at_16_khz_are_those_of_byol_a():
    assert (mel.window(16_000), mel.hop(16_000), mel.frames(15_200, 16_000)) == (1024, 160, 96)
    edges = 700 * (np.exp(np.linspace(*(1127 * np.log1p(np.array([60, 7800]) / 700)), 66) / 1127) - 1)
    peaks = np.argmax(mel.mel_weights(16_000), axis=0) * 16_000 / 1024
    assert np.all(np.abs(peaks - edges[1:-1]) <= 16_000 / 1024)
    noise = np.random.default_rng(0).normal(size=(4, 15_200))
    assert mel.log_mel(noise, 16_000).numpy().mean() == pytest.approx(7.6, abs=0.1)
    assert mel.log_mel(np.zeros((1, 15_200)), 16_000).numpy().max() == pytest.approx(-15.94, abs=0.01)


@pytest.mark.parametrize("rate", [4000, 8000, 16_000, 22_050, 44_100, 48_000])
def test_no_band_is_empty(rate):
    assert mel.mel_weights(rate).sum(0).min() > 0


def test_a_tone_is_in_its_band():
    loud = int(np.argmax(mel.log_mel(tone(1000, 0.5)[None], RATE).numpy().mean((0, 1))))
    weights = mel.mel_weights(RATE)[round(1000 * 256 / RATE)]
    assert loud == np.argmax(weights)


# Encoders


def test_the_encoder_has_the_weights_of_the_paper():
    encoder = encoders.make("byol_a_encoder", (15_200, 1))
    assert encoder.count_params() == 5_322_240
    assert sum(np.prod(weight.shape) for weight in encoder.trainable_weights) == 5_321_856
    features = encoder(np.zeros((1, 96, 64), "float32"))
    assert features.shape == (1, 2048)


def test_waveforms_and_their_normalized_log_mels_have_equal_features():
    schema = {"rate": RATE, "mean": -3.0, "deviation": 2.0}
    encoder = encoders.make("byol_a_encoder", (LENGTH, 1), dim=8, width=0.1, schema=schema)
    normalized = (mel.log_mel(WAVES[..., 0], RATE) + 3) / 2
    np.testing.assert_allclose(encoder(WAVES), encoder(normalized), atol=1e-6)
    steps = encoder.get_layer("dense2").output
    every = tf.keras.Model(encoder.input, steps)(WAVES).numpy()
    np.testing.assert_allclose(encoder(WAVES), every.max(1) + every.mean(1), rtol=1e-5)
    with pytest.raises(ValueError, match=r"takes waveforms \(batch, samples, 1\), got shape \(2, 300, 3\)"):
        encoder(np.zeros((2, 300, 3), "float32"))


def test_dropout_is_a_function_of_step_and_row_and_acts_in_training_alone():
    x = np.ones((6, 3, 50), "float32")
    layer, uniform = Dropout(0.3), lambda shape, draw: tf.random.stateless_uniform(shape, [draw, 0])
    assert np.array_equal(layer(x, training=True), x)  # outside of a training step of a method
    with drawing(uniform):
        assert np.array_equal(layer(x, training=False), x)
        dropped = layer(x, training=True).numpy()
    assert set(np.unique(dropped.round(4))) == {0.0, np.float32(1 / 0.7).round(4)}
    assert (dropped == 0).mean() == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("check", ENCODER_CHECKS, ids=lambda check: check.__name__)
def test_contract_of_the_encoder(check):
    check("byol_a_encoder", (LENGTH, 1), dim=16, width=0.1, schema={"rate": RATE})


def test_short_and_wrong_inputs_are_refused_in_one_line():
    with pytest.raises(
        ValueError, match=r"input_shape=\(100, 1\): encoders of audio take 1280 samples or more, 0.08 s"
    ):
        encoders.make("byol_a_encoder", (100, 1))
    with pytest.raises(ValueError, match=r"input_shape must be \(samples, 1\), got \(2000, 2\)"):
        encoders.make("byol_a_encoder", (2000, 2))
    with pytest.raises(ValueError, match="encoder='fcn_1d' takes series, the data are clips: choose one of byol_a_enc"):
        sslzoo.pretrain("byol", [WAVES[0, :, 0]] * 4, kind="audio", encoder="fcn_1d")


# Views


def test_mixup_is_that_of_the_paper():
    x, other = RNG.normal(size=(5, 31, 64)), bank().mels(LENGTH)
    drawn = Mixup(0.4).draw(tf.constant([1, 2]), 5, (31, 64), bank())
    share, z = drawn["share"].numpy()[:, None, None], other[drawn["partner"].numpy()]
    expected = np.log((1 - share) * np.exp(x) + share * np.exp(z))
    np.testing.assert_allclose(Mixup(0.4).change(tf.cast(x, tf.float32), drawn, other), expected, atol=1e-5)
    nothing = Mixup(0.0).draw(tf.constant([1, 2]), 5, (31, 64), bank())
    np.testing.assert_allclose(Mixup(0.0).change(tf.cast(x, tf.float32), nothing, other), x, atol=1e-5)
    many = Mixup(0.4).draw(tf.constant([1, 2]), 2000, (31, 64), bank())
    assert many["share"].numpy().mean() == pytest.approx(0.2, abs=0.01)
    assert set(many["partner"].numpy()) == set(range(8))


def test_a_crop_of_the_log_mel_itself_changes_nothing():
    shape, x = (31, 64), RNG.normal(size=(3, 31, 64)).astype("float32")
    middle = (int(1.5 * 31) - 31) // 2
    draws = dict(time_start=[middle] * 3, time_side=[31] * 3, bands_start=[0] * 3, bands_side=[64] * 3)
    draws = {name: tf.constant(value, tf.float32) for name, value in draws.items()}
    np.testing.assert_allclose(ResizedCrop().change(x, draws, None), x, atol=1e-6)
    drawn = ResizedCrop().draw(tf.constant([0, 1]), 1000, shape, bank())
    time, bands = drawn["time_side"].numpy(), drawn["bands_side"].numpy()
    assert time.min() >= 18 and time.max() == 46 and bands.min() >= 38 and bands.max() == 64
    assert (drawn["time_start"].numpy() + time).max() == 46 and drawn["time_start"].numpy().min() == 0
    assert (bands == 64).mean() == pytest.approx(0.5 / 0.9, abs=0.06)  # sides above 1 are cut to the canvas


def test_resizing_is_bicubic_with_aligned_corners():
    """An axis of 8 on a canvas of 12, of which the places 1 to 6 are resized to 8."""

    def kernel(x, a=-0.75):
        x = abs(x)
        near, far = (a + 2) * x**3 - (a + 3) * x**2 + 1, a * (x**3 - 5 * x**2 + 8 * x - 4)
        return near if x <= 1 else far if x < 2 else 0.0

    x = RNG.normal(size=8)
    canvas = np.concatenate([np.zeros(2), x, np.zeros(2)])
    crop = canvas[1:7]
    expected = []
    for place in np.arange(8) * 5 / 7:
        near = int(np.floor(place))
        taps = range(near - 1, near + 3)
        expected.append(sum(kernel(place - tap) * crop[min(max(tap, 0), 5)] for tap in taps))
    matrix = resizing(tf.constant([1.0]), tf.constant([6.0]), 8, 12)[0].numpy()
    np.testing.assert_allclose(matrix @ x, expected, atol=1e-5)


def test_fader_and_masks():
    x = tf.ones((4, 31, 64))
    faded = Fader(1.0).change(x, {"ends": tf.constant([[0.0, 1.0]] * 4)}, None).numpy() - 1
    np.testing.assert_allclose(faded[0, :, 5], np.linspace(0, 1, 31), atol=1e-6)
    for along, axis in (("time", 1), ("bands", 2)):
        masks = Masks(along, 2, 0.25)
        drawn = masks.draw(tf.constant([3, 4]), 500, (31, 64), bank())
        kept = drawn["kept"].numpy()
        assert kept.shape == (500, (31, 64)[axis - 1]) and (~kept).sum(1).max() <= 2 * int(0.25 * kept.shape[1])
        assert 0.1 < (~kept).mean() < 0.25
        changed = masks.change(tf.ones((500, 31, 64)), drawn, None).numpy()
        assert np.array_equal(changed.min(3 - axis), kept) and np.array_equal(changed.max(3 - axis), kept)


def test_both_views_of_byol_a_show_one_part_and_those_of_cola_two():
    draws = {name: Views(getattr(audio_presets, name)(LENGTH, bank()), 8).sample(3) for name in ("byol_a", "cola")}
    (one, other), (first, second) = ([drawn[0]["start"].numpy() for drawn in draws[name]] for name in draws)
    assert np.array_equal(one, other) and not np.any(first == second)
    a, b = ([*draws["byol_a"][view][1].values()][0].numpy() for view in (0, 1))
    assert not np.any(a == b)  # each has a mixture of its own


def test_a_short_clip_lies_in_the_middle_and_the_canvas_is_not_read():
    waves = WAVES.copy()
    waves[7, 500:] = np.nan
    cut = part(waves, SIZES, tf.fill([8], 0.999), LENGTH).numpy()
    assert np.array_equal(cut[7, 350:850], WAVES[7, :500, 0]) and not cut[7, :350].any() and not cut[7, 850:].any()
    assert np.array_equal(cut[0], WAVES[0, 800:, 0])
    assert np.array_equal(part(waves, SIZES, tf.zeros(8), LENGTH)[0], WAVES[0, :LENGTH, 0])


def test_evaluation_takes_the_loudest_part():
    waves = 0.01 * WAVES
    waves[0, 700:1900] *= 100
    waves[7, 500:] = 1
    seen = audio_presets.evaluation(LENGTH)(waves, SIZES).numpy()
    assert seen.shape == (8, LENGTH, 1) and np.array_equal(seen[0], waves[0, 700:1900])
    assert np.array_equal(seen[6], waves[6, :1200]) and np.array_equal(seen[7, 350:850], waves[7, :500])


def test_a_view_without_operations_is_the_normalized_log_mel():
    view = AudioView([], LENGTH, bank(mean=-3.0, deviation=2.0))
    drawn = view.sample(tf.constant([0, 0]), 8)
    expected = (mel.log_mel(part(WAVES, SIZES, drawn[0]["start"], LENGTH), RATE) + 3) / 2
    np.testing.assert_allclose(view.apply(WAVES, SIZES, drawn), expected, atol=1e-6)


@pytest.mark.parametrize("check", VIEWS_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ["byol_a", "cola", "spec_augment"])
def test_contract_of_views(check, name):
    check(name, 1, LENGTH, "audio", bank=bank())


# Methods


def test_the_loss_of_cola_is_that_of_its_formula():
    z_a, z_b, weight = RNG.normal(size=(6, 4)), RNG.normal(size=(6, 4)), RNG.normal(size=(4, 4))
    total = 0.0
    for anchor in range(6):
        logits = [z_a[anchor] @ weight @ z_b[other] for other in range(6)]
        total -= logits[anchor] - np.log(np.sum(np.exp(logits)))
    assert float(losses.bilinear_info_nce(z_a, z_b, weight)) == pytest.approx(total / 6, rel=1e-5)
    same = np.ones((6, 4))
    assert float(losses.bilinear_info_nce(same, same, weight)) == pytest.approx(np.log(6), rel=1e-5)


def test_cola_embeds_by_dense_norm_and_tanh():
    model = miniatures.build("cola")
    features = model.encode(miniatures.batch(model)["views"][0])
    kernel, bias = (np.asarray(weight) for weight in model.projector.get_layer("dense").weights)
    dense = np.asarray(features) @ kernel + bias
    normed = (dense - dense.mean(1, keepdims=True)) / np.sqrt(dense.var(1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(model.projector(features), np.tanh(normed), atol=1e-4)


# The maxima of this encoder amplify rounding errors: with other methods four large steps of SGD make them visible.
@pytest.mark.parametrize(
    "check, name",
    [(check, "cola") for check in (check_replicas, check_learning, check_gradients, check_saving)]
    + [
        pytest.param(check, "simclr", marks=pytest.mark.long)
        for check in (check_learning, check_gradients, check_saving)
    ],
)
def test_contract_of_methods(check, name, mirrored):
    check(name, encoder=miniatures.auditory)


@pytest.mark.long
@pytest.mark.parametrize("name", ["simclr", "moco", "vicreg", "swav", "dino"])
def test_methods_of_views_take_steps_on_audio(name):
    model = miniatures.build(name, encoder=miniatures.auditory)
    assert np.isfinite(miniatures.losses_of(model, 2)).all()


# Data


def test_a_folder_of_classes_and_groups_is_split_by_group(tmp_path):
    names = [f"{label}/{group}/{n}.wav" for label in ("kick", "snare") for group in "abcde" for n in range(2)]
    data = load(f"audio:{written(tmp_path, names)}", sample_rate=RATE)
    assert data.train.class_names == ("kick", "snare") and (len(data.train), len(data.test)) == (16, 4)
    groups = [{file.split("/")[1] for file in part.files} for part in data]
    assert len(groups[1]) == 1 and not groups[0] & groups[1]
    assert any("the test part are 1 of 5 groups, which no training clip is of" in note for note in data.train.notes)
    check_dataset(f"audio:{tmp_path}")


def test_folders_train_and_test_are_the_parts_and_flat_folders_have_no_labels(tmp_path):
    names = [f"{part}/{label}/{n}.wav" for part in ("train", "test") for label in "ab" for n in range(3)]
    data = load(written(tmp_path / "parts", names), kind="audio")
    assert data.train.class_names == ("a", "b") and (len(data.train), len(data.test)) == (6, 6)
    flat = load(written(tmp_path / "flat", ["0.wav", "1.wav"]), kind="audio")
    assert flat.train.labels is None and flat.test is None


def test_labels_and_groups_of_a_csv_file(tmp_path):
    written(tmp_path / "clips", [f"{n}.wav" for n in range(10)])
    lines = [f"{n}.wav,{'ab'[n % 2]},speaker{n // 2}" for n in range(10)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,class,group", *lines]))
    data = load(tmp_path / "clips", kind="audio", labels=tmp_path / "labels.csv")
    speakers = [{int(file[0]) // 2 for file in part.files} for part in data]
    assert len(data.test) == 2 and not speakers[0] & speakers[1] and data.train.class_names == ("a", "b")


@pytest.mark.parametrize(
    "values, expected",
    [
        (np.array([0, 16384, -32768], "int16"), [0, 0.5, -1]),
        (np.array([128, 192, 0], "uint8"), [0, 0.5, -1]),
        (np.array([0, 2**30, -(2**31)], "int32"), [0, 0.5, -1]),
        (np.array([0, 0.5, -1], "float32"), [0, 0.5, -1]),
        (np.array([[0, 0], [32767, 1], [-32768, -32768]], "int16"), [0, 0.5, -1]),
    ],
)
def test_wav_files_of_any_type_are_floats_within_one(tmp_path, values, expected):
    wavfile.write(tmp_path / "x.wav", 16_000, values)
    found, rate = sounds.sound(tmp_path / "x.wav", 16_000)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert rate == 16_000 and found.dtype == "float32"


def test_other_rates_are_resampled_and_reported(tmp_path):
    written(tmp_path, ["a.wav"], rate=44_100)
    written(tmp_path, ["b.wav"], rate=16_000)
    data = load(tmp_path, kind="audio").train
    assert data.rate == 16_000 and data.shape == (8000, 1)
    assert any("resampled to 16000 Hz: 1 from 44100 Hz" in note for note in data.notes)
    wave = (tone(200, 0.5, 44_100) * 32767).astype("int16") / 32768
    np.testing.assert_allclose(data.arrays()[0][0, :, 0], resample_poly(wave, 160, 441), atol=1e-5)
    spectrum = np.abs(np.fft.rfft(data.arrays()[0][0, :, 0]))
    assert np.argmax(spectrum) == 100  # 200 Hz in half a second


def test_arrays_lists_and_pairs(tmp_path):
    for data in (WAVES, WAVES[..., 0], [*WAVES], [wave[:, 0] for wave in WAVES]):
        assert np.array_equal(load(data, kind="audio").train.arrays()[0], WAVES)
    short = load([WAVES[0, :700, 0], WAVES[1]], kind="audio").train
    found, sizes = short.arrays()
    assert found.shape == (2, 2000, 1) and sizes.tolist() == [[700], [2000]] and not found[0, 700:].any()
    labelled = parts(((WAVES, np.arange(8) % 2), (WAVES[:4], np.arange(4) % 2)), sample_rate=RATE)
    assert (len(labelled["train"]), len(labelled["test"]), labelled["test"].rate) == (8, 4, RATE)
    named = parts((WAVES, np.array(["b", "a"] * 4)))["train"]
    assert named.class_names == ("a", "b") and named.labels.tolist() == [1, 0] * 4
    integers = load((WAVES * 1000).astype("int16"), kind="audio").train.arrays()[0]
    np.testing.assert_allclose(integers, (WAVES * 1000).astype("int16") / 32768)


def test_long_clips_are_cut_and_named():
    data = load([np.zeros(110), np.full(50_000, 0.1)], kind="audio", sample_rate=RATE).train
    assert data.shape == (40_000, 1) and any("1 of 2 clips are longer than 10 s" in note for note in data.notes)


def test_what_cannot_be_read_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="there is no folder nothing"):
        load("audio:nothing")
    with pytest.raises(DataError, match="there is no folder drum_kit: did you mean audio:drum_kits"):
        load("audio:drum_kit")
    (tmp_path / "note.txt").write_text("x")
    with pytest.raises(DataError, match=r"no sound in .*: looked for .wav, .flac.* and found 1 other files"):
        load(tmp_path, kind="audio")
    (tmp_path / "bad.wav").write_bytes(b"RIFF no sound at all")
    with pytest.raises(DataError, match="none of the 1 sounds in .* can be read, as 'bad.wav': "):
        load(tmp_path, kind="audio")
    written(tmp_path, ["good.wav"])
    data = load(tmp_path, kind="audio").train
    assert len(data) == 1 and any("found 1 clips, skipped 1 of 2, as 'bad.wav'" in note for note in data.notes)
    with pytest.raises(DataError, match="good.wav is a file: give the folder of the sounds"):
        load(tmp_path / "good.wav")
    with pytest.raises(DataError, match="values that are not finite, the first is 1"):
        load([WAVES[0], WAVES[1] * np.nan], kind="audio")
    with pytest.raises(DataError, match=r"audio has shape \(2, 3, 4, 5\): give \(n, samples\)"):
        load(np.zeros((2, 3, 4, 5)), kind="audio")
    with pytest.raises(DataError, match="sample_rate=...: for audio"):
        load(np.zeros((4, 30)), kind="series", sample_rate=8000)
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    (tmp_path / "x.flac").write_bytes(b"fLaC")
    with pytest.raises(DataError, match=r".flac files need the package soundfile: pip install 'sslzoo\[audio\]'"):
        load(tmp_path, kind="audio")


def test_flac_files_are_read_with_the_package(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "x.flac", tone(300, 0.5), RATE)
    found, rate = sounds.sound(tmp_path / "x.flac", RATE)
    np.testing.assert_allclose(found, tone(300, 0.5), atol=1e-4)


@pytest.mark.parametrize(
    "file, label",
    [("A/Snare 1.wav", "snare"), ("A/HiHatClosed-4.wav", "hihat"), ("B/bassdrum-soft.flac", "kick"), ("B/x.wav", None)],
)
def test_drums_by_name(file, label):
    assert drum(file) == (label, file[0])


@pytest.mark.parametrize(
    "file, found",
    [
        ("en_US_f_Allison/digits/1.wav", ("English", "digits/1")),
        ("es_MX_f_Allison/digits/1.wav", ("Spanish", "digits/1")),
        ("it_IT_m_Carlo/beep.wav", None),
        ("it_IT_m_Carlo/silence/1.wav", None),
        ("it_IT_m_Carlo/tt-monkeys.wav", None),
        ("it_IT_m_Carlo/tt-monkeysintro.wav", ("Italian", "tt-monkeysintro")),
        ("it_IT_f_Menardi/activated.wav", None),
    ],
)
def test_prompts_by_name(file, found):
    assert prompt(file) == found


def test_prompts_of_the_test_part_are_in_no_language_of_the_training_part(tmp_path, monkeypatch):
    names = [f"{folder}/{number}.wav" for folder in VOICES for number in range(5)]
    written(tmp_path, [*names, "en_US_f_Allison/beep.wav", "other/0.wav"])
    monkeypatch.setitem(KNOWN, "prompts", KNOWN["prompts"]._replace(folder=tmp_path))
    train, test = load("audio:prompts")
    assert (len(train), len(test)) == (20, 5) and len({Path(file).name for file in test.files}) == 1
    assert not {Path(file).name for file in test.files} & {Path(file).name for file in train.files}
    assert train.class_names == tuple(sorted(VOICES.values())) and sorted(test.labels) == [0, 1, 2, 3, 4]
    (tmp_path / "it_IT_m_Carlo").rename(tmp_path / "gone")
    with pytest.raises(DataError, match="prompts are not in .*: install Debian's package asterisk-core-sounds-en-wav,"):
        load("audio:prompts")


def test_a_missing_set_names_its_package(monkeypatch, tmp_path):
    monkeypatch.setitem(KNOWN, "drum_kits", KNOWN["drum_kits"]._replace(folder=tmp_path / "none"))
    with pytest.raises(DataError, match="drum_kits are not in .*: install Debian's package hydrogen-drumkits"):
        load("audio:drum_kits")


def test_the_schema_is_mean_and_deviation_over_the_frames_of_the_clips():
    data = load([WAVES[0], WAVES[1, :1000]], kind="audio", sample_rate=RATE).train
    found, canvas = of_audio.schema(data), np.concatenate([WAVES[1, :1000], np.zeros((1000, 1), "float32")])
    values = np.concatenate(
        [mel.log_mel(WAVES[:1, :, 0], RATE)[0], mel.log_mel(canvas[None, :, 0], RATE)[0, : 1 + 1000 // 40]]
    )
    assert found["rate"] == RATE
    assert found["mean"] == pytest.approx(values.mean(), abs=1e-4)
    assert found["deviation"] == pytest.approx(values.std(), abs=1e-4)


def test_the_baseline_is_mean_and_deviation_of_each_band():
    data = load(WAVES, kind="audio", sample_rate=RATE).train
    found = of_audio.baselines(LENGTH, data)["log-mel statistics"].features(WAVES[:, :LENGTH])
    mels = mel.log_mel(WAVES[:, :LENGTH, 0], RATE).numpy()
    np.testing.assert_allclose(found, np.concatenate([mels.mean(1), mels.std(1)], axis=1))


# Training and export


def test_the_encoder_of_other_formats_takes_one_channel(tmp_path):
    encoder = encoders.make("byol_a_encoder", (LENGTH, 1), dim=8, width=0.1, schema={"rate": RATE})
    spec = input_spec(encoder, "audio")
    assert spec.shape == (None, None, 1) and spec.name == "audio"
    one = with_input(encoder, spec)
    assert one.input_shape == (None, None, 1)
    np.testing.assert_array_equal(one(WAVES), encoder(WAVES))


def test_training_export_and_evaluation(tmp_path):
    waves = [tone(hertz, 0.5 + 0.02 * n) for n in range(12) for hertz in (200, 900)]
    data = (waves, [0, 1] * 12)
    result = sslzoo.pretrain(
        "byol", data, kind="audio", sample_rate=RATE, epochs=1, batch_size=8, dim=16, width=0.1, hidden_dim=16,
        projection_dim=8, image_size=LENGTH, runs=str(tmp_path / "runs"), export_to=str(tmp_path / "exported"),
    )  # fmt: skip
    columns = {row.features for row in result.scores}
    assert columns == {"trained", "untrained", "log-mel statistics"}
    assert (result.run / "views.png").stat().st_size > 1000
    encoder = sslzoo.load_encoder(result.exported)
    assert encoder(WAVES).shape == (8, 16)
    scores = sslzoo.evaluate(result.exported, data)  # at the rate of the training
    assert {row.features for row in scores} == columns
