"""Arguments that are "auto": chosen from the amount of data, logged with the reason, and recorded."""

import json

import numpy as np
import pytest

import sslzoo
from sslzoo import catalog
from sslzoo.__main__ import main
from sslzoo.catalog.knobs import Knob, convert
from sslzoo.data import load
from sslzoo.model import SSLModel
from sslzoo.training import checks
from sslzoo.training.experiment import Experiment
from sslzoo.training.fitted import batch_size, fitted, prototypes, queue_size


@pytest.mark.parametrize("images", [2, 40, 360, 1797, 10_000, 60_000, 1_281_167])
def test_values_fit_the_data(images):
    batch, queue, clusters = batch_size(images), queue_size(images), prototypes(images)
    for number in (batch, queue, clusters):
        assert number & (number - 1) == 0, "powers of two"
    assert 2 <= batch <= min(256, images) and (batch <= 8 or images // batch >= 16)
    assert queue == 16 or queue <= images / 2 < 2 * queue
    assert clusters == 16 or clusters <= images / 10 < 2 * clusters


def test_epochs_give_a_number_of_steps_and_defaults_are_limits():
    auto = Experiment(epochs="auto", batch_size="auto", knobs=dict(queue_size="auto", prototypes="auto"))
    found = fitted(auto, dict(queue_size=1024, prototypes=300), 60_000, devices=2)
    assert (found.batch_size, found.epochs) == (256, 43) and 43 * (60_000 // 256) == pytest.approx(10_000, rel=0.01)
    assert found.knobs == dict(queue_size=1024, prototypes=300)
    assert fitted(auto, {}, 320).epochs == 500
    assert fitted(Experiment(batch_size="auto"), {}, 320, devices=3).batch_size % 3 == 0


def test_what_is_given_stays():
    given = Experiment(epochs=7, batch_size=24, knobs=dict(queue_size=48))
    assert fitted(given, dict(queue_size=1024), 1000) == given


@pytest.mark.parametrize("name", ["epochs", "batch_size", "queue_size", "prototypes"])
def test_the_command_line_takes_auto(name):
    assert convert(Knob(name, 1, "int", ""), "auto") == "auto"


@pytest.mark.long
def test_a_run_records_what_was_chosen(tmp_path, capsys):
    images = np.random.default_rng(0).random((96, 8, 8, 1), "float32")
    places = dict(runs=str(tmp_path), export_to=None, evaluate=False, name="mine")
    knobs = dict(queue_size="auto", units=8, hidden_dim=8, projection_dim=4)
    sslzoo.pretrain("moco", images, "mlp", epochs=1, batch_size="auto", **knobs, **places)
    settings = json.loads((tmp_path / "mine/settings.json").read_text())
    assert settings["batch_size"] == 8 and settings["method.queue_size"] == 32
    printed = capsys.readouterr().out
    assert "batch_size=8: at most 256" in printed and "queue_size=32: a power of two" in printed


@pytest.mark.parametrize("option", ["--image-size", "--learning-rate", "--hidden-dim"])
def test_other_options_do_not_take_auto(option, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "simclr", option, "auto"])
    assert ended.value.code == 2 and "auto" in capsys.readouterr().err


def test_auto_of_a_knob_that_the_method_lacks_is_refused():
    with pytest.raises(ValueError, match="no knob of simclr.*'queue_size'"):
        sslzoo.pretrain("simclr", "digits", "mlp", queue_size="auto", export_to=None)


def test_the_guide_has_a_line_for_each_method_with_measured_costs(capsys):
    main(["list", "--guide"])
    shown = capsys.readouterr().out
    measured = json.loads(catalog.GUIDE.read_text())
    lines = {line.split()[0]: line for line in shown.splitlines() if line}
    assert catalog.methods().keys() <= lines.keys()
    assert measured.keys() == catalog.methods().keys(), "python benchmarks/guide.py"
    assert "tables" in lines["vime"] and "-" not in lines["vime"].split()[1:4]
    assert (
        measured["simclr"]["cost"] == 1.0 and "labels" in lines["sup_con"] and "a row per image" in lines["inst_disc"]
    )
    assert measured["moco"]["cost"] < 1 < measured["byol"]["cost"], "MoCo's keys have no gradient, BYOL has four passes"


@pytest.mark.parametrize(
    ("epochs", "why"), [(2, "2 epochs leave it partly random"), (4, "negatives include the example itself")]
)
def test_a_queue_larger_than_the_data_is_reported_with_what_it_does(epochs, why, capsys):
    data = load((np.zeros((20, 8, 8, 1), "uint8"), np.arange(20) % 2), labels="none").train
    checks.check(Experiment(epochs=epochs, batch_size=4), SSLModel, "moco", data, 1, {"queue_size": 64})
    line = f"queue_size=64 exceeds the {len(data)} images: {why}; queue_size=16 avoids this"
    assert line in capsys.readouterr().out.splitlines()
    checks.check(Experiment(epochs=epochs, batch_size=4), SSLModel, "moco", data, 1, {"queue_size": 16})
    assert "queue_size" not in capsys.readouterr().out
