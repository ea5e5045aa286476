"""Resolved knobs: every knob is recorded, with the value that the built parts have, and given ones are known."""

import inspect
import json
from importlib import import_module

import numpy as np
import pytest
from families import spread

import sslzoo
from sslzoo import catalog, encoders, methods
from sslzoo.catalog import options, resolved
from sslzoo.exports.savedmodel import read_facts
from sslzoo.testing.miniatures import SIZE, TOKENS, arguments, opinionated, transformer
from sslzoo.training.experiment import Experiment
from sslzoo.training.runs import Run
from sslzoo.views import presets

# Methods that need an encoder with maps.
MAPS = {
    "autoencoder",
    "colorization",
    "cpc",
    "dense_cl",
    "det_con",
    "parallel_autoencoder",
    "spread",
    "spr",
    "st_dim",
    "vicreg_l",
}
PRETRAINING = {"input_shape": (SIZE, SIZE, 3), "dataset_size": 32, "num_classes": 4, "vocabulary": ("a",)} | {
    "action_dim": 3
}
DIGITS = np.random.default_rng(0).integers(0, 255, (16, 8, 8, 1), "uint8"), np.arange(16) % 2
TINY = dict(encoder="mlp", units=16, hidden_dim=16, epochs=1, batch_size=8, optimizer="adam")


def small_encoder(method):
    if method in TOKENS:
        return transformer()
    if method in MAPS:
        return encoders.make("conv6", (SIZE, SIZE, 3), width=0.125)
    return encoders.make("mlp", (SIZE, SIZE, 3), units=384, depth=1)  # DirectCLR trains 360 of its features


def resolve(method, encoder="mlp", preset=None, **knobs):
    parts = resolved.resolve(knobs, method, encoder, preset or methods.find(method).views)
    return resolved.recorded(parts)


@pytest.mark.parametrize("name", spread(name for name in catalog.methods() if "image" in options.kinds_of(name)))
def test_every_knob_of_a_method_is_recorded_with_the_value_of_the_built_model(name):
    teachers = {"distill": opinionated, "salt": transformer}
    given = {"teacher": teachers[name]()} if name in teachers else {}
    filled = {argument: value for argument, value in PRETRAINING.items() if argument in arguments(name)}
    model = methods.find(name)(small_encoder(name), **filled, **given)
    built = {f"method.{knob}": getattr(model, knob) for knob in arguments(name).keys() - catalog.GIVEN - given.keys()}
    built |= {f"method.{knob}": value for knob, value in given.items()}  # the model keeps a copy
    settings = resolve(name, **given)
    assert {knob: value for knob, value in settings.items() if knob.startswith("method.")} == built


PASSED_ON = {
    "convnext",
    "vit",
    "resnet",
    "cropped",
    "coloured",
    "crops",
    "multi_crop",
    "moco_v2",
}  # get `**knobs` of others
SET = {"name"}  # by all who call them


def defaults(function):
    """Default of each knob by Python's own account, those of functions that `**knobs` are passed on to included."""
    function = inspect.unwrap(function)
    parameters = inspect.signature(function).parameters.values()
    found = {p.name: p.default for p in parameters if p.default is not p.empty and p.name not in catalog.GIVEN}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in PASSED_ON & set(function.__code__.co_names):
            found = {k: v for k, v in defaults(function.__globals__[name]).items() if k not in SET} | found
    return found


@pytest.mark.parametrize("name", [*catalog.encoders(), *catalog.presets()])
def test_every_knob_of_an_encoder_and_of_views_is_recorded_with_its_default(name):
    path = (catalog.encoders() | catalog.presets())[name]
    for part, known in (("encoder", catalog.encoders()), ("views", catalog.presets())):
        if name in known:
            module = import_module(f"sslzoo.encoders.{path.stem}") if part == "encoder" else presets
            settings = resolve("simclr", **({"encoder": name} if part == "encoder" else {"preset": name}))
            recorded = {knob: value for knob, value in settings.items() if knob.startswith(f"{part}.")}
            assert recorded == {f"{part}.{knob}": value for knob, value in defaults(getattr(module, name)).items()}


def test_a_given_knob_replaces_the_default_of_every_part_that_takes_it():
    settings = resolve("pirl", grid=4, strength=0.0)
    assert (settings["method.grid"], settings["views.grid"], settings["views.strength"]) == (4, 4, 0.0)
    assert settings["method.temperature"] == 0.07 and settings["encoder.units"] == 512


def test_an_encoder_of_keras_has_no_knobs_and_what_pretraining_fills_in_is_none():
    assert not any(name.startswith("encoder.") for name in resolve("simclr", "keras.applications:MobileNetV2"))
    for knob in ("dataset_size", "size"):
        with pytest.raises(ValueError, match=f"no knob of inst_disc, mlp and their views '{knob}'"):
            resolve("inst_disc", **{knob: 8})


def test_given_are_the_knobs_and_the_arguments_that_differ_from_their_defaults():
    assert Experiment().given == []
    assert Experiment(epochs=5, data=DIGITS[0], knobs={"width": 1.0}).given == ["data", "epochs", "width"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny MoCo, exported and judged."""
    folder = tmp_path_factory.mktemp("work")
    knobs = TINY | dict(queue_size=16, norm_groups=1, strength=0.5, name="tiny")
    return sslzoo.pretrain("moco", DIGITS, **knobs, runs=str(folder / "runs"), export_to=str(folder / "exports"))


def test_a_run_records_all_knobs_and_which_were_given(trained):
    settings = json.loads((trained.run / "settings.json").read_text())
    told = {"method.temperature": 0.2, "method.queue_size": 16, "encoder.depth": 2, "views.strength": 0.5}
    assert told.items() <= settings.items() and settings["preset"] == "moco_v2"
    assert settings["method.ema_rate"] == trained.model.ema_rate
    assert not {"temperature", "queue_size", "strength", "units"} & settings.keys()
    given = {*TINY, "method", "data", "queue_size", "norm_groups", "strength"}
    assert settings["given"] == sorted(given)
    assert read_facts(trained.exported)["knobs"] == settings


def test_the_card_lists_all_knobs_and_marks_the_given_ones(trained):
    card = (trained.exported / "README.md").read_text()
    section = card.split("## Knobs\n")[1].split("\n## ")[0]
    method = next(line for line in section.splitlines() if line.startswith("- method: "))
    assert "`temperature = 0.2`" in method and "**`temperature" not in method
    assert "**`queue_size = 16`**" in method and "**`strength = 0.5`**" in section
    assert "**`epochs = 1`**" in section and "`preset = moco_v2`" in section and "given =" not in section


def test_the_card_has_its_scores_once(trained):
    facts, card = read_facts(trained.exported), (trained.exported / "README.md").read_text()
    assert facts["scores_markdown"] in card
    assert "scores_markdown" not in card and card.count("| metric |") == 1


@pytest.mark.long
def test_a_run_with_resolved_knobs_resumes_and_a_changed_knob_is_refused(trained):
    knobs = TINY | dict(queue_size=16, norm_groups=1, strength=0.5, name="tiny", runs=str(trained.run.parent))
    knobs |= dict(resume=True, export_to=None, evaluate=False)
    sslzoo.pretrain("moco", DIGITS, temperature=0.2, **knobs)  # its default, now given
    with pytest.raises(ValueError, match="other settings: method.temperature was 0.2, is 0.3; change=True"):
        sslzoo.pretrain("moco", DIGITS, temperature=0.3, **knobs)


def settings_of_version_01(settings, **knobs):
    """Settings as version 0.1 recorded them: no knob but the given ones, by their bare names."""
    plain = {name: value for name, value in settings.items() if "." not in name and name != "given"}
    return plain | {"preset": None} | knobs


NOW = {"epochs": 1, "preset": "moco_v2", "method.temperature": 0.2, "method.grid": 3, "views.grid": 3}
NOW |= {"views.strength": 1.0, "given": []}


@pytest.mark.parametrize(
    "before, now",
    [
        ({}, {}),
        ({"temperature": 0.2}, {"given": ["temperature"]}),
        ({"temperature": 0.2}, {}),
        ({"grid": 4}, {"method.grid": 4, "views.grid": 4, "given": ["grid"]}),
        ({"preset": "moco_v2"}, {"given": ["preset"]}),
    ],
)
def test_a_run_of_version_01_resumes(tmp_path, before, now):
    (tmp_path / "settings.json").write_text(json.dumps(settings_of_version_01(NOW, **before)))
    with Run(tmp_path, NOW | now, resume=True):
        assert json.loads((tmp_path / "settings.json").read_text()) == NOW | now


@pytest.mark.parametrize(
    "before, now, said",
    [
        ({"temperature": 0.5}, {}, "method.temperature was 0.5, is 0.2"),
        (
            {"temperature": 0.5},
            {"method.temperature": 0.1, "given": ["temperature"]},
            "method.temperature was 0.5, is 0.1",
        ),
        ({}, {"method.temperature": 0.1, "given": ["temperature"]}, "method.temperature was None, is 0.1"),
        ({"grid": 4}, {}, "method.grid was 4, is 3; views.grid was 4, is 3"),
        ({}, {"preset": "byol", "given": ["preset"]}, "preset was None, is 'byol'"),
        ({"preset": "byol"}, {}, "preset was 'byol', is 'moco_v2'"),
        ({"flip": False}, {}, "flip was False, is None"),
        ({"epochs": 2}, {}, "epochs was 2, is 1"),
    ],
)
def test_a_run_of_version_01_with_another_value_is_refused(tmp_path, before, now, said):
    (tmp_path / "settings.json").write_text(json.dumps(settings_of_version_01(NOW, **before)))
    with pytest.raises(ValueError) as refusal, Run(tmp_path, NOW | now, resume=True):
        pass
    assert f"with other settings: {said}; change=True accepts them" in str(refusal.value)


VERSION_01 = """{"method": "moco", "data": "digits, fingerprint 737de5abf3f86717", "encoder": "mlp", "epochs": 1,
"batch_size": 8, "optimizer": "adam", "learning_rate": 0.12, "learning_rate_rule": "linear", "weight_decay": 0.0005,
"weight_decay_end": null, "clip_norm": null, "warmup": 0.1, "image_size": 8, "classes": null, "max_images": 16,
"layerwise": false, "preset": null, "augment_on": "host", "strategy": "auto", "micro_batch": null,
"precision": "float32", "seed": 0, "deterministic": false, "units": 16, "hidden_dim": 16, "strength": 0.5,
"queue_size": 16, "norm_groups": 1}"""  # settings.json of the call below


@pytest.mark.long
def test_a_pretraining_of_version_01_goes_on(tmp_path):
    knobs = TINY | dict(strength=0.5, queue_size=16, norm_groups=1, max_images=16, name="old", runs=str(tmp_path))
    knobs |= dict(export_to=None, evaluate=False)
    kept = sslzoo.pretrain("moco", "digits", **knobs).run / "settings.json"
    now = json.loads(kept.read_text())
    kept.write_text(VERSION_01)
    with pytest.raises(ValueError, match="other settings: views.strength was 0.5, is 0.4; change=True"):
        sslzoo.pretrain("moco", "digits", resume=True, **knobs | {"strength": 0.4})
    sslzoo.pretrain("moco", "digits", resume=True, **knobs)
    assert json.loads(kept.read_text()) == now
