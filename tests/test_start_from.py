"""Training from public weights: what it loads, what it trains, and what the export records."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import sslzoo
from sslzoo import encoders, methods
from sslzoo.__main__ import main
from sslzoo.encoders import applications
from sslzoo.evaluation.index import index
from sslzoo.evaluators.bootstrap import Difference
from sslzoo.evaluators.report import Row
from sslzoo.evaluators.scores import Scores
from sslzoo.exports import origin, weights
from sslzoo.exports.card import described
from sslzoo.exports.savedmodel import export, read_facts
from sslzoo.layers import lora
from sslzoo.layers.taps import decayed, stage_layers
from sslzoo.layers.targets import target_of
from sslzoo.testing.miniatures import SIZE, build, residual, transformer
from sslzoo.training import keeping, starting
from sslzoo.training.experiment import divide
from sslzoo.training.plan import Plan

IMAGES = np.random.default_rng(0).uniform(size=(2, 8, SIZE, SIZE, 3)).astype("float32")
DATA = np.random.default_rng(1).uniform(size=(48, SIZE, SIZE, 3)).astype("float32"), np.arange(48) % 3
QUICK = dict(epochs=1, batch_size=16, optimizer="adam", learning_rate=1e-2, hidden_dim=16, projection_dim=8)


def with_statistics(encoder):
    """The encoder with moving statistics and biases of a training."""
    random = np.random.default_rng(2)
    given = [w + (w.ndim == 1) * random.uniform(0.1, 0.5, w.shape).astype(w.dtype) for w in encoder.get_weights()]
    encoder.set_weights(given)
    return encoder


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An exported ResNet and its folder."""
    keras.utils.set_random_seed(0)
    encoder = with_statistics(encoders.make("resnet18", (SIZE, SIZE, 3), width=0.125))
    path = tmp_path_factory.mktemp("exports") / "public"
    knobs = {"encoder": "resnet18", "encoder.width": 0.125}
    facts = {"name": "public", "method": "simclr", "data": "photos; fingerprint 7", "licence": "CC0", "knobs": knobs}
    export(encoder, path, IMAGES[0], facts)
    return encoder, path


def plan(start, method="simclr", **options):
    knobs = QUICK | {"start_from": start} | options
    return Plan(*divide({"method": method, "data": DATA} | knobs))


def equal(one, other):
    return all(map(np.array_equal, one, other))


# What is loaded


@pytest.mark.long
def test_the_architecture_and_the_size_are_those_of_the_weights(exported):
    encoder, path = exported
    found = plan(path)
    assert (found.experiment.encoder, found.size, found.knobs["encoder"]["width"]) == ("resnet18", SIZE, 0.125)
    assert equal(found.build_encoder().get_weights(), encoder.get_weights())


def test_weights_of_convolutions_fit_another_size(exported):
    encoder, path = exported
    found = plan(path, image_size=24)
    assert found.size == 24
    assert equal(found.build_encoder().get_weights(), encoder.get_weights())


@pytest.mark.long
def test_an_export_of_more_than_its_encoder_starts_as_a_model(exported, tmp_path):
    encoder = exported[0]
    gray = keras.Input((SIZE, SIZE, 1))
    wrapped = keras.Model(gray, encoder(keras.layers.Conv2D(3, 1)(gray)), name="wrapped")
    export(wrapped, tmp_path / "more", IMAGES[0, ..., :1], read_facts(exported[1]) | {"name": "more"})
    found = plan(tmp_path / "more", data=(DATA[0][..., :1], DATA[1]))
    assert isinstance(found.experiment.encoder, keras.Model)
    assert equal(found.build_encoder().get_weights(), wrapped.get_weights())


def test_a_keras_file_and_a_model_start_a_training_too(exported, tmp_path):
    encoder, path = exported
    encoder.save(tmp_path / "mine.keras")
    for start in (path / "encoder.keras", tmp_path / "mine.keras", encoder):
        assert equal(plan(start).build_encoder().get_weights(), encoder.get_weights())


def test_an_encoder_that_is_given_must_have_the_shapes_of_the_weights(exported):
    with pytest.raises(ValueError, match="start_from: .* leave out encoder") as raised:
        plan(exported[1], encoder="resnet34", width=0.125).build_encoder()
    assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match="has the shape"):
        plan(exported[1], width=0.25).build_encoder()


def resnet_state(width=8):
    """A ResNet-18 of torchvision's layout with another stem than that of small images."""
    random, found = np.random.default_rng(0), {}
    shapes = {"conv1": (width, 3, 7, 7)}
    for stage in range(4):
        out, of = width * 2**stage, width * 2 ** max(0, stage - 1)
        for block, before in ((0, of), (1, out)):
            shapes[f"layer{stage + 1}.{block}.conv1"] = (out, before, 3, 3)
            shapes[f"layer{stage + 1}.{block}.conv2"] = (out, out, 3, 3)
        if stage:
            shapes[f"layer{stage + 1}.0.downsample.0"] = (out, of, 1, 1)
    for name, shape in shapes.items():
        norm = name.replace("conv", "bn").replace("downsample.0", "downsample.1")
        found[f"{name}.weight"] = random.normal(0, 0.1, shape).astype("float32")
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{norm}.{part}"] = random.uniform(0.5, 1.5, shape[0]).astype("float32")
    return found


def test_a_pytorch_file_needs_no_name_of_its_encoder(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "read", lambda path: resnet_state())
    (tmp_path / "net.safetensors").touch()
    found = plan(tmp_path / "net.safetensors", image_size=32)
    assert found.experiment.encoder == "resnet18" and found.knobs["encoder"]["stem"] == "imagenet"
    encoder = found.build_encoder()
    expected = weights.model_of(tmp_path / "net.safetensors", "resnet18", 32).model
    batch = np.random.default_rng(3).random((2, 32, 32, 3), "float32")
    np.testing.assert_array_equal(encoder(batch), expected(batch))  # with the mean and deviation of its training


@pytest.mark.parametrize(
    "shapes, name",
    [
        ({"patch_embed.proj.weight": (384, 3, 16, 16)}, "vit_small"),
        ({f"layer{s}.{b}.conv1.weight": () for s, n in enumerate((3, 4, 6, 3), 1) for b in range(n)}, "resnet34"),
        ({f"layer{s}.{b}.conv3.weight": () for s, n in enumerate((3, 4, 23, 3), 1) for b in range(n)}, "resnet101"),
        ({f"layer{s}.{b}.conv3.weight": () for s, n in enumerate((3, 8, 36, 3), 1) for b in range(n)}, "resnet152"),
    ],
)
def test_the_encoder_of_a_pytorch_file_is_found_by_its_shapes(shapes, name):
    assert weights._guessed({key: np.zeros(shape) for key, shape in shapes.items()}) == name


@pytest.mark.long
@pytest.mark.parametrize("name, module", [("MobileNetV2", "mobilenet_v2"), ("ResNet50", "resnet"), ("VGG16", "vgg16")])
def test_weights_of_keras_applications_get_their_preprocessing(name, module, tmp_path):
    build = getattr(keras.applications, name)
    keras.utils.set_random_seed(0)
    base = build(include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg")
    images = np.random.default_rng(0).random((2, 32, 32, 3), "float32")
    expected = base(getattr(keras.applications, module).preprocess_input(255 * images.copy()))
    base.save_weights(tmp_path / "net.weights.h5")
    base.save(tmp_path / "net.keras")
    for file in ("net.weights.h5", "net.keras"):
        model = applications.pretrained(name, tmp_path / file, 32)
        np.testing.assert_allclose(model(images), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_weights_of_keras_applications_start_a_training(tmp_path):
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3), alpha=1.0)
    base.save_weights(tmp_path / "net.weights.h5")
    found = plan(tmp_path / "net.weights.h5", encoder="keras.applications:MobileNetV2", image_size=32)
    assert equal(found.build_encoder().get_weights(), base.get_weights())


BAD = {
    "nothing": (lambda p: p / "absent", {}, "holds no weights"),
    "a recipe that has not run": (lambda p: p / "simclr_digits", {}, "`sslzoo train simclr_digits` makes it"),
    "an empty folder": (lambda p: p, {}, "holds no weights"),
    "no architecture": (lambda p: write(p / "x.h5"), {}, "has no architecture: give encoder='keras.applications:NAME'"),
    "other weights": (lambda p: write(p / "x.h5"), {"encoder": "keras.applications:MobileNetV2"}, "do not fit"),
    "a text": (lambda p: write(p / "x.txt"), {}, "unknown format"),
    "damaged": (lambda p: write(p / "x.keras"), {}, "damaged or not to be trusted"),
    "an unknown application": (lambda p: "keras.applications:NoNet", {}, "keras.applications has no 'NoNet'"),
}


def write(path):
    path.write_bytes(b"no weights")
    return path


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_loaded_is_one_line(case, tmp_path):
    make, options, words = BAD[case]
    with pytest.raises(ValueError, match=words) as raised:
        plan(make(tmp_path), **options)
    assert "\n" not in str(raised.value)


def test_a_preset_without_keras_hub_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "keras_hub", None)
    for name in ("config.json", "metadata.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match=r"pip install 'sslzoo\[keras-hub\]'"):
        plan(tmp_path)


PRESETS = {
    "ViTBackbone": dict(patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32),
    "DINOV2Backbone": dict(patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, intermediate_dim=32),
    "ResNetBackbone": dict(
        **dict(input_conv_filters=[64], input_conv_kernel_sizes=[3], stackwise_num_filters=[64]),
        **dict(stackwise_num_blocks=[1], stackwise_num_strides=[1], block_type="basic_block"),
    ),
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_local_preset_of_keras_hub_loads_trains_and_exports(name, tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    network = getattr(keras_hub.models, name)(image_shape=(SIZE, SIZE, 3), **PRESETS[name])
    network.save_to_preset(str(tmp_path / "preset"))
    folders = dict(runs=str(tmp_path / "runs"), export_to=str(tmp_path / "exports"), evaluate=False, lora_rank=2)
    result = sslzoo.pretrain("byol", DATA, start_from=tmp_path / "preset", name="tuned", **QUICK, **folders)
    assert equal(result.untrained.get_weights(), network.get_weights())
    assert all(isinstance(value, float) for value in read_facts(result.exported)["loads"].values())
    again = sslzoo.load_encoder(result.exported)
    np.testing.assert_allclose(again(IMAGES[0]), result.encoder(IMAGES[0]), atol=1e-5)


# What is trained


def test_settings_that_need_a_start_are_refused_without_one():
    for name, value in dict(freeze_blocks=1, lora_rank=2, stay=0.5).items():
        with pytest.raises(ValueError, match=f"{name}={value} needs weights to start from"):
            plan(None, **{name: value})
    with pytest.raises(ValueError, match="layerwise=True trains one block after the other: leave out layer_decay"):
        plan(None, encoder="conv6", layerwise=True, layer_decay=0.5)
    with pytest.raises(ValueError, match="layer_decay must be at least 1e-06 and at most 1"):
        plan(None, layer_decay=1.5)


@pytest.mark.parametrize("make", [residual, transformer], ids=lambda make: make.__name__)
def test_frozen_blocks_do_not_move_by_a_bit(make):
    encoder = with_statistics(make())
    blocks = [layers for layers in stage_layers(encoder) if any(layer.weights for layer in layers)]
    frozen = [weight for layers in blocks[:2] for layer in layers for weight in layer.weights]
    starting.freeze(encoder, 2)
    before = {weight.path: np.array(weight) for weight in encoder.weights}
    model = build("byol", lambda: encoder)
    train(model)
    assert frozen and all(np.array_equal(weight, before[weight.path]) for weight in frozen)
    others = [w for w in encoder.weights if id(w) not in set(map(id, frozen)) and not w.path.endswith("seed_state")]
    assert all(not np.array_equal(weight, before[weight.path]) for weight in others if weight.trainable)


def test_batch_norm_of_frozen_blocks_normalizes_by_its_moving_statistics():
    encoder = with_statistics(residual())
    stem = next(layer for layer in encoder.layers if isinstance(layer, keras.layers.BatchNormalization))
    probe = keras.Model(encoder.input, stem.output)
    starting.freeze(encoder, 1)
    np.testing.assert_array_equal(probe(IMAGES[0], training=True), probe(IMAGES[0], training=False))
    free = target_of(encoder)  # a target network has the frozen blocks of its encoder
    copy = keras.Model(free.input, free.get_layer(stem.name).output)
    np.testing.assert_array_equal(copy(IMAGES[0], training=True), copy(IMAGES[0], training=False))


def test_an_encoder_that_would_be_frozen_as_a_whole_is_refused():
    encoder = transformer()
    with pytest.raises(ValueError, match="freeze_blocks=99: .* of which at least one must be trained"):
        starting.freeze(encoder, 99)


def train(model, steps=2):
    model.fit(tf.data.Dataset.from_tensors({"views": tuple(IMAGES)}).repeat(steps), verbose=0)


def test_layer_decay_multiplies_the_learning_rate_block_by_block():
    moved = {}
    for decay in (1.0, 0.5):
        model = build("simclr", optimizer=keras.optimizers.SGD(0.01))
        model.share_of = starting.share_of(model.encoder, decay)
        model.compile(keras.optimizers.SGD(0.01))
        before = [np.array(weight) for weight in model.trainable_weights]
        train(model, 1)
        moved[decay] = [np.abs(w - old).max() for w, old in zip(model.trainable_weights, before, strict=True)]
    shares = {id(weight): share for weight, share in decayed(model.encoder, 0.5)}
    assert {1.0, 0.5, 0.25} <= {shares.get(id(weight), 1.0) for weight in model.trainable_weights}
    for weight, full, part in zip(model.trainable_weights, moved[1.0], moved[0.5], strict=True):
        np.testing.assert_allclose(part, shares.get(id(weight), 1.0) * full, rtol=0.02, atol=1e-6)


def adapted(make):
    encoder = with_statistics(make())
    lora.adapt(encoder, 2)
    return encoder


@pytest.mark.parametrize("make", [residual, transformer], ids=lambda make: make.__name__)
def test_lora_starts_at_the_start_and_merges_into_its_kernels(make):
    plain = with_statistics(make())
    encoder = encoders.copied(plain)
    lora.adapt(encoder, 2)
    assert equal(lora.merged(encoder), plain.get_weights()), "an update of zero"
    before = dict(zip([weight.path for weight in plain.weights], plain.get_weights(), strict=True))
    train(build("moco_v3" if make is transformer else "byol", lambda: encoder))
    merged = dict(zip(before, lora.merged(encoder), strict=True))
    kernels = [name for name in before if name.endswith("/kernel")]
    assert kernels and not any(np.array_equal(merged[name], before[name]) for name in kernels)
    plain.set_weights(list(merged.values()))
    np.testing.assert_allclose(plain(IMAGES[0]), encoder(IMAGES[0]), rtol=1e-4, atol=1e-5)
    update = merged[kernels[-1]] - before[kernels[-1]]
    assert update.ndim == 2 and np.linalg.matrix_rank(update, tol=1e-5) <= 2 or update.ndim == 4


def test_target_networks_have_the_updates_of_their_encoder():
    model = build("byol", lambda: adapted(residual))
    copy = model.target.copies[0]
    assert equal(lora.merged(copy), lora.merged(model.encoder))
    assert not copy.trainable_weights
    train(model)
    assert not equal(lora.merged(copy), lora.merged(model.encoder))


def test_an_encoder_without_kernels_takes_no_lora():
    images = keras.Input((4, 4, 1))
    flat = keras.Model(images, keras.layers.Flatten()(keras.layers.BatchNormalization()(images)), name="flat")
    with pytest.raises(ValueError, match="lora_rank=2: flat has no dense, convolution or embedding layer"):
        lora.adapt(flat, 2)


def test_the_term_is_the_mean_distance_of_features_to_those_of_the_start():
    model, start = build("simclr", residual), with_statistics(residual())
    penalty = starting.stay(model, start, 3.0)
    now, held = (np.array(network(IMAGES[0])) for network in (model.encoder, start))
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(now, held, strict=True)]
    np.testing.assert_allclose(penalty({"views": tuple(IMAGES)}), 3 * (1 - np.mean(cosines)), rtol=1e-4)
    same = starting.stay(model, encoders.copied(model.encoder), 3.0)
    np.testing.assert_allclose(same({"views": tuple(IMAGES)}), 0, atol=1e-5)


def distance_after(weight):
    model = build("simclr", residual)
    start = encoders.copied(model.encoder)
    model.penalty = starting.stay(model, start, weight) if weight else None
    model.compile(keras.optimizers.Adam(3e-3))
    train(model, 8)
    return float(starting.stay(model, start, 1.0)({"views": tuple(IMAGES)}))


def test_features_that_are_held_move_less():
    assert distance_after(10.0) < 0.5 * distance_after(0.0)


@pytest.mark.long
def test_two_replicas_hold_features_like_one(mirrored):
    values = []
    for scope in (tf.distribute.get_strategy().scope(), mirrored.scope()):
        with scope:
            model = build("simclr", transformer)
            model.penalty = starting.stay(model, with_statistics(transformer()), 2.0)
            model.compile(keras.optimizers.SGD(0.01))
            data = tf.data.Dataset.from_tensor_slices({"views": tuple(IMAGES)}).batch(8, drop_remainder=True)
            history = model.fit(data.repeat(2), verbose=0, epochs=1)
        values.append((history.history["loss"][0], [np.array(w) for w in model.encoder.trainable_weights]))
    (one, first), (two, second) = values
    assert one == pytest.approx(two, rel=1e-4)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


# What is recorded


@pytest.fixture(scope="module")
def continued(exported, tmp_path_factory):
    """A BYOL with LoRA and a frozen block that starts from the export, and its folders."""
    folder = tmp_path_factory.mktemp("work")
    folders = dict(runs=str(folder / "runs"), export_to=str(folder / "exports"))
    return sslzoo.pretrain(
        "byol", DATA, start_from=exported[1], name="mine", freeze_blocks=1, lora_rank=2, stay=0.5, **QUICK, **folders
    )


@pytest.mark.long
def test_the_start_is_the_baseline_exactly_as_published(exported, continued):
    assert equal(continued.untrained.get_weights(), exported[0].get_weights())
    assert "start" in continued.scores.to_dict() and "untrained" not in continued.scores.to_dict()
    assert " the start" in continued.verdict


@pytest.mark.long
def test_the_export_has_no_lora_and_is_trainable(exported, continued):
    again = sslzoo.load_encoder(continued.exported)
    assert [w.path for w in again.weights] == [w.path for w in exported[0].weights]
    assert len(again.trainable_weights) == len(exported[0].trainable_weights)
    np.testing.assert_allclose(again(IMAGES[0]), continued.encoder(IMAGES[0]), atol=1e-5)
    assert "lora" not in (continued.exported / "encoder.json").read_text().replace('"lora_rank": null', "")


@pytest.mark.long
def test_evaluating_the_export_finds_the_start_again(continued):
    scores = sslzoo.evaluate(continued.exported, DATA, evaluators=("knn",)).to_dict()
    for column in ("trained", "start"):
        assert scores[column]["knn"]["mean"] == pytest.approx(continued.scores.to_dict()[column]["knn"]["mean"])


@pytest.mark.long
def test_the_card_records_the_ancestry(exported, continued):
    found = read_facts(continued.exported)["ancestry"]
    assert found["name"] == "public" and found["licence"] == "CC0" and len(found["checksum"]) == 8
    card = (continued.exported / "README.md").read_text()
    assert f"Started from public (simclr on photos; licence: CC0; {found['checksum']})." in card
    assert "The weights are yours" not in card
    again = origin.find(continued.exported)
    assert described(again.ancestry).endswith(f"which started from {described(found)}")


@pytest.mark.long
def test_a_run_resumes_and_another_start_is_refused(exported, continued):
    folders = dict(runs=str(continued.run.parent), export_to=None, evaluate=False, resume=True, name="mine")
    options = QUICK | folders | dict(freeze_blocks=1, lora_rank=2, stay=0.5)
    again = sslzoo.pretrain("byol", DATA, start_from=exported[1], **options)
    assert equal(lora.merged(again.model.encoder), lora.merged(continued.model.encoder))
    with pytest.raises(ValueError, match="lora_rank was 2, is 3"):
        sslzoo.pretrain("byol", DATA, start_from=exported[1], **options | {"lora_rank": 3})
    settings = json.loads((continued.run / "settings.json").read_text())
    assert settings["start_from"] == f"public, checksum {read_facts(continued.exported)['ancestry']['checksum']}"


@pytest.mark.parametrize("method", ["simclr", "moco", "dino", "barlow_twins", "mae"])
def test_what_is_exported_starts_from_the_weights(method):
    encoder = with_statistics(transformer())
    model = methods.find(method)(encoder)
    exported = model.exported()
    assert equal(exported.get_weights(), encoder.get_weights())


def test_origins_are_values():
    model = residual()
    assert dataclasses.replace(origin.find(model), size=3).size == 3
    with pytest.raises(ValueError, match="is a subclassed model|is no Keras model|is not built"):
        origin.find(keras.Model())


# Earlier data


@pytest.mark.long
def test_the_start_and_the_encoder_are_compared_on_earlier_data(exported, tmp_path):
    folders = dict(runs=str(tmp_path / "runs"), export_to=str(tmp_path / "exports"), evaluate=False, name="kept")
    earlier = (np.random.default_rng(5).uniform(size=(40, SIZE, SIZE, 3)).astype("float32"), np.arange(40) % 2)
    result = sslzoo.pretrain("simclr", DATA, start_from=exported[1], keep=earlier, **QUICK, **folders)
    rows = {(row.key, row.features): row for row in result.kept}
    assert set(rows) == {(key, column) for key in ("knn", "linear_1") for column in ("trained", "start")}
    assert {"start"} == set(rows["knn", "trained"].gains)
    assert "; on array: " in result.verdict
    facts = read_facts(result.exported)
    assert facts["verdict"] == result.verdict and len(facts["kept"]) == 4
    assert "### On earlier data" in (result.exported / "README.md").read_text()
    with pytest.raises(ValueError, match="has no labels"):
        sslzoo.pretrain("simclr", DATA, start_from=exported[1], keep=earlier[0], **QUICK, **folders, overwrite=True)


@pytest.mark.parametrize(
    "gains, words",
    [
        ([(-0.2, -0.3, -0.1)], "the start is better"),
        ([(0.2, 0.1, 0.3), (0.1, -0.1, 0.3)], "the trained encoder is better"),
        ([(0.2, 0.1, 0.3), (-0.2, -0.3, -0.1)], "the scores disagree"),
        ([(0.1, -0.1, 0.3)], "no measurable difference to the start"),
    ],
)
def test_the_sentence_on_earlier_data_follows_the_intervals(gains, words):
    rows = [
        Row("k-NN", "trained", 0.5, percent=True, key=key, gains={"start": Difference(*gain)})
        for key, gain in zip(("knn", "linear_1"), gains, strict=False)
    ]
    assert keeping.sentence(Scores(rows), "start", "photos").startswith(f"on photos: {words}, k-NN 50.0 % (")


# The command


@pytest.mark.parametrize(
    "words, said",
    [
        (["--start-from", "absent"], "--start-from absent holds no weights: give the folder of an exported encoder"),
        (["--lora-rank", "2"], "--lora-rank 2 needs weights to start from: give --start-from, or --lora-rank 0"),
        (["--layer-decay", "2"], "--layer-decay must be at least 1e-06 and at most 1, got 2.0"),
        (["--keep", "ucr:GunPoint"], "--keep ucr:GunPoint is of the kind 'series', the training data are images"),
    ],
)
def test_bad_input_of_the_command_is_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["train", "simclr", "--data", "digits", *words])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and said in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_the_help_lists_the_options_with_their_defaults(capsys):
    with pytest.raises(SystemExit):
        main(["train", "simclr", "--help"])
    text = capsys.readouterr().out
    assert all(
        f"--{name}" in text for name in ("start-from", "freeze-blocks", "layer-decay", "lora-rank", "stay", "keep")
    )


@pytest.mark.long
def test_the_index_of_exports_shows_the_start_as_baseline(continued):
    line = next(line for line in index(continued.exported.parent).splitlines() if line.startswith("| [mine]"))
    row = next(row for row in continued.scores if row.key == "knn" and row.features == "trained")
    assert f"({row.gain('start')})" in line
