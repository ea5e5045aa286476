"""The probe: k-NN and linear probe on other labelled data, while a run trains; and the result that a run records."""

import json

import numpy as np
import pytest

import sslzoo
from sslzoo.__main__ import main
from sslzoo.catalog.kinds import KINDS
from sslzoo.catalog.runs.search import named
from sslzoo.data import load
from sslzoo.evaluators import Study
from sslzoo.evaluators.judge import run as evaluated
from sslzoo.exports.savedmodel import read_facts
from sslzoo.training import keeping, probing
from sslzoo.training.probing import Probe
from sslzoo.views.inputs import encode, images

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 255, (64, 8, 8, 1), "uint8")
LABELS = np.arange(80) % 4
# Images whose brightness is their class, in one corner.
OTHERS = (RNG.integers(0, 90, (80, 8, 8, 1)) + 50 * (LABELS[:, None, None, None])).astype("uint8")
QUICK = dict(encoder="mlp", preset="digits", units=16, hidden_dim=16, projection_dim=8, batch_size=16)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of three epochs without labels, with a probe every second epoch, without an export."""
    runs = str(tmp_path_factory.mktemp("work") / "runs")
    more = dict(runs=runs, export_to=None, name="probed", epochs=3, probe=(OTHERS, LABELS), probe_every=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sslzoo.reports.CHAPTERS", ())  # the first screen alone
        return sslzoo.pretrain("simclr", IMAGES, **QUICK, **more)


def test_online_figures_are_those_of_the_evaluators_on_the_same_features():
    data = probing.read((OTHERS, LABELS), KINDS["image"], "probe")
    encoder = sslzoo.encoders.make("mlp", (8, 8, 1), units=16)
    found = Probe(data, 8).figures(lambda batch: encoder(batch, training=False))
    study = Study(*(encode(encoder, part, 8) for part in data), data.train.labels, data.test.labels)
    (linear,), (knn,) = evaluated("linear", study, fractions=(1.0,)), evaluated("knn", study)
    assert found == {"probe_linear": pytest.approx(linear.mean), "probe_knn": pytest.approx(knn.mean)}
    assert found["probe_linear"] > 0.5, "the classes can be read off the images; chance is 0.25"


def test_features_that_are_not_finite_have_no_figures():
    data = probing.read((OTHERS, LABELS), KINDS["image"], "probe")
    assert Probe(data, 8).figures(lambda batch: np.full((len(batch), 3), np.nan)) == {}


def test_epochs_that_are_due():
    probe = Probe(probing.read((OTHERS, LABELS), KINDS["image"], "probe"), 8, every=3, epochs=7)
    assert [epoch for epoch in range(1, 8) if probe.due(epoch)] == [3, 6, 7]


def test_inputs_are_the_same_with_a_view_that_is_kept():
    data = load((OTHERS, LABELS)).train
    view = KINDS["image"].functions.evaluation(8)
    for one, other in zip(images(data, 8), images(data, 8, view=view), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_figures_are_in_the_logs_the_table_and_the_report(trained):
    history = trained.history
    for name in ("probe_knn", "probe_linear"):
        assert [value is not None for value in history[name]] == [True, False, True, True]
    assert {(row.key, row.features) for row in trained.scores} == {
        (key, column) for key in ("probe_knn", "probe_linear") for column in ("trained", "untrained")
    }
    assert "(probe)" in str(trained.scores) and "linear probe" in trained.probe
    report = (trained.run / "report.md").read_text()
    assert "on array: " in report and "linear probe, probe data" not in trained.verdict
    assert json.loads((trained.run / "report.json").read_text())["history"][0]["probe_knn"] == history["probe_knn"][0]


@pytest.mark.long
def test_the_probe_changes_no_weight(trained):
    places = dict(runs=str(trained.run.parent), export_to=None, evaluate=False)
    again = sslzoo.pretrain("simclr", IMAGES, **QUICK, **places, epochs=3)
    for one, other in zip(trained.encoder.get_weights(), again.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_run_records_its_result(trained):
    record = named("probed", trained.run.parent)
    assert record.state == "finished" and record.verdict == trained.verdict and record.planned == record.done == 3
    assert record.result["objects"] == ["data", "probe"] and record.result["arguments"]["probe_every"] == 2
    assert record.scores["probe_knn"].keys() == {"trained", "before"}
    assert record.result["began"] <= record.result["ended"]


@pytest.mark.long
def test_a_result_survives_a_resumed_run_of_the_same_length_and_is_dropped_by_a_longer_one(trained, tmp_path):
    kept = dict(runs=str(tmp_path), export_to=None, name="mine", evaluate=False, **QUICK)
    sslzoo.pretrain("simclr", "digits", **kept, epochs=1, max_images=64)
    file = tmp_path / "mine" / "result.json"
    known = json.loads(file.read_text())
    file.write_text(json.dumps(known | {"scores": [{"key": "knn", "features": "trained", "mean": 0.5}]}))
    sslzoo.pretrain("simclr", "digits", **kept, epochs=1, max_images=64, resume=True)
    assert json.loads(file.read_text())["scores"] and named("mine", tmp_path).began == known["began"]
    sslzoo.pretrain("simclr", "digits", **kept, epochs=2, max_images=64, extend=True)
    assert "scores" not in json.loads(file.read_text()) and named("mine", tmp_path).began == known["began"]


@pytest.mark.long
def test_a_failed_and_an_interrupted_run_say_so(tmp_path):
    from keras.callbacks import LambdaCallback

    def stop(kind):
        def act(epoch, logs):
            raise kind("no more")

        return (LambdaCallback(on_epoch_end=act),)

    for kind, state in ((ValueError, "failed"), (KeyboardInterrupt, "interrupted")):
        more = dict(runs=str(tmp_path), export_to=None, name=state, epochs=1, callbacks=stop(kind))
        with pytest.raises(kind):
            sslzoo.pretrain("simclr", IMAGES, **QUICK, **more)
        record = named(state, tmp_path)
        assert record.state == state and record.verdict


@pytest.mark.long
def test_the_encoder_of_a_finished_run_is_exported_later(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    result = sslzoo.pretrain("simclr", "digits", **QUICK, max_images=64, epochs=1, export_to=None, evaluate=False)
    main(["runs", "export", "simclr_digits", "--format", "keras"])
    assert "encoder.keras" in {file.name for file in (tmp_path / "exported_models" / "simclr_digits").iterdir()}
    exported = sslzoo.load_encoder("exported_models/simclr_digits")
    for one, other in zip(exported.get_weights(), result.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    record = named("simclr_digits", "runs")
    assert record.verdict == result.verdict and record.state == "finished"
    assert read_facts("exported_models/simclr_digits")["verdict"] == result.verdict


def test_a_layerwise_training_has_no_probe():
    with pytest.raises(ValueError, match="layerwise=True .*leave out probe"):
        sslzoo.pretrain("simclr", IMAGES, "conv6", layerwise=True, probe=(OTHERS, LABELS))


@pytest.mark.parametrize(
    "probe, text",
    [
        ("ucr:GunPoint", "probe='ucr:GunPoint' is of the kind 'series', the training data are images"),
        (OTHERS, "probe: .*has no labels"),
        ("no such data", "probe: 'no such data'"),
        ((OTHERS, LABELS[:3]), "probe: "),
    ],
)
@pytest.mark.parametrize("option", ["probe", "keep"])
def test_data_that_cannot_be_probed_are_refused_in_one_line(option, probe, text, tmp_path):
    with pytest.raises(ValueError, match=text.replace("probe", option, 1)) as refusal:
        sslzoo.pretrain("simclr", IMAGES, **QUICK, runs=str(tmp_path / "runs"), **{option: probe})
    assert "\n" not in str(refusal.value) and not (tmp_path / "runs").exists()


def test_the_line_of_the_probe_names_the_better_one():
    rows = [
        dict(metric="k-NN", features="trained", mean=0.5, percent=True, gains={"start": (-0.2, -0.3, -0.1)}, key=key)
        for key in ("probe_knn", "probe_linear")
    ]
    from sslzoo.evaluators.report import Row

    assert keeping.sentence([Row(**row) for row in rows], "start", "a").startswith("on a: the start is better, k-NN")
