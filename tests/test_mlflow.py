"""MLflow: what a run leaves there, how runs nest, resume and fail; and the one line where MLflow is missing."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import sslzoo
from sslzoo.training import mlflow_store, tracking
from sslzoo.training.tracking import MLflow
from sslzoo.tuning.search import tune
from sslzoo.utils import provenance

TINY = dict(encoder="mlp", units=16, hidden_dim=16, epochs=2, preset="digits", optimizer="adam")

needs_mlflow = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None, reason="MLflow is not installed: pip install -e '.[mlflow]'"
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mine.db")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return tmp_path


def runs():
    """All runs of the store, the oldest first."""
    import mlflow

    found = mlflow.search_runs(search_all_experiments=True, output_format="list")
    return sorted(found, key=lambda run: run.info.start_time)


def artefacts(run, folder=None):
    import mlflow

    return {file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id, folder)}


def history(run, metric):
    import mlflow

    return [(m.step, m.value) for m in mlflow.MlflowClient().get_metric_history(run.info.run_id, metric)]


@pytest.mark.long
@needs_mlflow
def test_a_pretraining_leaves_its_settings_figures_and_files(place, capsys):
    import mlflow

    result = sslzoo.pretrain("simclr", "digits", name="mine", mlflow=True, **TINY)
    (run,) = runs()
    assert run.info.run_name == "mine" and run.info.status == "FINISHED"
    settings = json.loads((result.run / "settings.json").read_text())
    assert {name: str(value) for name, value in settings.items()} == run.data.params
    assert run.data.params["method.temperature"] == "0.1" and run.data.params["encoder.depth"] == "2"
    lines = [json.loads(line) for line in (result.run / "metrics.jsonl").read_text().splitlines()]
    assert "learning_rate" in lines[0]
    for figure in set(lines[0]) - {"epoch", "step", "time"}:
        assert history(run, figure) == [(line["epoch"], pytest.approx(line[figure])) for line in lines]
    assert run.data.metrics["trained/linear_1"] > 0.1
    assert {"views.png", "settings.json", "metrics.jsonl", "encoder"} <= artefacts(run)
    assert {"encoder/README.md", "encoder/saved_model.pb", "encoder/recipe.json"} <= artefacts(run, "encoder")
    assert run.data.tags["verdict"] == result.verdict and run.data.tags["commit"] == provenance.commit()
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", result.plan.fingerprint)
    images = np.random.default_rng(0).random((3, 8, 8, 1), "float32")
    model = mlflow.pyfunc.load_model(f"models:/{run.outputs.model_outputs[0].model_id}")
    np.testing.assert_allclose(model.predict(images), result.encoder(images), atol=1e-6)
    experiment = mlflow.get_experiment(run.info.experiment_id)
    assert experiment.name == "sslzoo" and experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}" in capsys.readouterr().out


@needs_mlflow
def test_the_runs_of_a_sweep_are_nested_under_it(place):
    with MLflow(place / "sweep", "alpha sweep", {"alpha": [0, 1]}):
        for alpha in (0, 1):
            with MLflow(place / f"alpha-{alpha}", f"alpha {alpha}", {"alpha": alpha}) as child:
                child.log({"ari": alpha / 2, "rank": float("nan"), "k-means, NMI (%)": None})
    parent, *children = runs()
    assert [run.info.run_name for run in children] == ["alpha 0", "alpha 1"]
    for run in children:
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["parent"] == "alpha sweep" and set(run.data.metrics) == {"ari"}
    assert "mlflow.parentRunId" not in parent.data.tags and parent.data.params == {"alpha": "[0, 1]"}
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}


@needs_mlflow
@pytest.mark.parametrize("error, status", [(KeyboardInterrupt("stop"), "KILLED"), (ValueError("nan"), "FAILED")])
def test_a_run_that_does_not_finish_says_so_and_a_resumed_one_goes_on_with_it(place, error, status):
    with pytest.raises(type(error)), MLflow(place / "run", "mine", {"seed": 0}, place / "exported") as tracker:
        (place / "exported").mkdir()
        (place / "run" / "views.png").touch()
        tracker.record(1, 4, {"loss": 2.0})
        raise error
    (run,) = runs()
    assert run.info.status == status and run.data.tags["error"] == f"{type(error).__name__}: {error}"
    assert artefacts(run) == {"views.png", "mlflow.json"}
    with MLflow(place / "run", "mine", {"seed": 0}) as tracker:
        assert runs()[0].info.status == "RUNNING"
        tracker.record(2, 8, {"loss": 1.0})
    (run,) = runs()
    assert run.info.status == "FINISHED" and history(run, "loss") == [(1, 2.0), (2, 1.0)]
    assert "error" not in run.data.tags


@needs_mlflow
def test_other_settings_for_a_run_that_was_begun_are_one_line_and_leave_no_run_open(place):
    import mlflow

    with MLflow(place / "run", "mine", {"seed": 0}):
        pass
    with (
        pytest.raises(ValueError, match="cannot change parameters of a run: seed was '0', is '1'") as refusal,
        MLflow(place / "run", "mine", {"seed": 1}),
    ):
        pass
    assert "\n" not in str(refusal.value) and mlflow.active_run() is None
    assert [run.info.status for run in runs()] == ["FINISHED"]  # the run of before is as it was


@pytest.mark.long
@needs_mlflow
def test_a_run_is_extended_and_resumed_with_whatever_the_run_folder_accepts(place):
    go = dict(TINY, name="mine", mlflow=True, export_to=None, evaluate=False, batch_size=64, max_images=128)
    sslzoo.pretrain("simclr", "digits", **go | dict(epochs=1))
    sslzoo.pretrain("simclr", "digits", **go | dict(epochs=2, extend=True))
    (run,) = runs()
    assert run.info.status == "FINISHED" and [step for step, _ in history(run, "loss")] == [0, 1, 2]
    assert run.data.params["epochs"] == "1" and run.data.tags["changed.epochs"] == "2 (was 1)"
    sslzoo.pretrain("simclr", "digits", **go | dict(epochs=2, resume=True, change=True, warmup=0.5))
    (run,) = runs()
    assert run.info.status == "FINISHED" and run.data.tags["changed.warmup"] == "0.5 (was 0.1)"


@pytest.mark.long
@needs_mlflow
def test_a_run_whose_data_was_logged_by_version_0_1_is_resumed(place):
    go = dict(TINY, name="mine", mlflow=True, export_to=None, evaluate=False, batch_size=64, max_images=128, epochs=1)
    plan = sslzoo.pretrain("simclr", "digits", **go).plan
    settings = json.loads((place / "runs" / "mine" / "settings.json").read_text())
    assert plan.data_before != settings["data"]
    (place / "runs" / "mine" / "settings.json").write_text(json.dumps(settings | {"data": plan.data_before}))
    (place / "runs" / "mine" / "mlflow.json").unlink()
    with MLflow(place / "runs" / "mine", "mine", {"data": plan.data_before}):
        pass
    sslzoo.pretrain("simclr", "digits", **go | dict(resume=True))
    assert [run.info.status for run in runs()] == ["FINISHED"] * 2
    assert runs()[-1].data.params["data"] == plan.data_before


@needs_mlflow
@pytest.mark.parametrize("names", [{"MLFLOW_EXPERIMENT_NAME": "of mine"}, {}])
def test_the_experiment_is_that_of_the_environment_or_else_of_the_project(place, monkeypatch, names):
    import mlflow

    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    with MLflow(place / "run", "mine", {}), MLflow(place / "inner", "inner", {}):
        pass
    found = {mlflow.get_experiment(run.info.experiment_id).name for run in runs()}
    assert found == {names.get("MLFLOW_EXPERIMENT_NAME", "sslzoo")}


@needs_mlflow
@pytest.mark.parametrize("answers", ["never", "is not there"])
def test_a_server_that_does_not_answer_is_one_line_within_a_stated_time(place, monkeypatch, answers):
    import mlflow

    monkeypatch.setattr(mlflow_store, "SECONDS", 1)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if answers == "never":
            server.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.getsockname()[1]}")
        mlflow.set_tracking_uri(None)
        began = time.monotonic()
        with pytest.raises(ValueError, match="does not answer within 1 s .*MLFLOW_TRACKING_URI") as refusal:
            sslzoo.pretrain("simclr", "digits", name="mine", mlflow=True, **TINY)
    assert time.monotonic() - began < 60 and "\n" not in str(refusal.value)
    assert not (place / "runs").exists()


@needs_mlflow
def test_a_store_that_fails_later_is_a_warning_and_the_run_goes_on(place, monkeypatch, capsys):
    import mlflow

    def gone(*args, **kwargs):
        raise mlflow.MlflowException("API request failed\nwith more lines")

    with MLflow(place / "run", "mine", {}) as tracker:
        monkeypatch.setattr(mlflow, "log_metrics", gone)
        for epoch in range(3):
            tracker.record(epoch, epoch, {"loss": 1.0})
    said = capsys.readouterr().out
    assert said.count("MLflow fails, the run continues without it") == 1 and "more lines" not in said
    assert mlflow.active_run() is None


@needs_mlflow
def test_a_resumed_run_keeps_what_may_be_recorded_otherwise_and_gets_new_parameters(place):
    with MLflow(place / "run", "mine", {"preset": None, "given": ["seed"]}):
        pass
    with MLflow(place / "run", "mine", {"preset": "simclr", "given": [], "method.temperature": 0.1}):
        pass
    (run,) = runs()
    assert run.data.params == {"preset": "None", "given": "['seed']", "method.temperature": "0.1"}


@needs_mlflow
def test_a_run_folder_whose_mlflow_run_is_gone_begins_another(place, monkeypatch):
    import mlflow

    with MLflow(place / "run", "mine", {}):
        pass
    mlflow.delete_run(runs()[0].info.run_id)
    with MLflow(place / "run", "mine", {}):
        pass
    assert [run.info.status for run in runs()] == ["FINISHED"]


@needs_mlflow
def test_a_diverging_pretraining_is_failed(place):
    with pytest.raises(ValueError, match="the loss is"):
        sslzoo.pretrain("simclr", "digits", name="mine", mlflow=True, **TINY | {"learning_rate": 1e30})
    (run,) = runs()
    assert run.info.status == "FAILED" and "Diverged" in run.data.tags["error"]


@pytest.mark.long
@needs_mlflow
def test_trials_of_a_search_are_nested_under_it_and_the_best_has_scores_and_encoder(place):
    search = tune("simclr_digits", 2, "rank", mlflow=True, encoder="mlp", units=16, hidden_dim=16, epochs=1)
    parent, *trials = runs()
    assert [run.info.run_name for run in trials] == ["simclr_digits-trial-000", "simclr_digits-trial-001"]
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    assert parent.data.params["space.temperature"] == "[0.1, 0.2, 0.5]" and parent.data.params["epochs"] == "1"
    assert parent.data.metrics == {"best rank": pytest.approx(search.score)}
    assert {"trials.csv", "trials.png"} <= artefacts(parent)
    best = [run for run in trials if run.data.metrics["rank"] == pytest.approx(search.score)]
    assert "encoder" in artefacts(best[0]) and "trained/knn" in best[0].data.metrics
    assert {run.info.status for run in (parent, *trials)} == {"FINISHED"}


@needs_mlflow
def test_a_store_that_is_of_no_use_is_one_line(place, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{place}/mlruns")
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    mlflow.set_tracking_uri(None)
    with pytest.raises(ValueError, match="MLflow cannot use file:") as refusal, MLflow(place / "run", "mine", {}):
        pass
    assert "\n" not in str(refusal.value) and not (place / "run").exists()


@pytest.mark.long
@needs_mlflow
def test_the_store_is_a_sqlite_file_where_none_is_named(tmp_path):
    code = "from sslzoo.training.tracking import MLflow\nwith MLflow('run', 'mine', {}): pass"
    bare = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    bare["PYTHONPATH"] = str(Path(sslzoo.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=bare, check=True, capture_output=True)
    assert (tmp_path / "mlflow.db").exists()
    assert json.loads((tmp_path / "run" / "mlflow.json").read_text())["store"] == "sqlite:///mlflow.db"


def test_without_mlflow_the_one_line_comes_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    for call in (
        lambda: sslzoo.pretrain("simclr", "digits", mlflow=True, **TINY),
        lambda: tune("simclr_digits", mlflow=True),
        lambda: tracking.MLflow(tmp_path / "run", "mine", {}),
    ):
        with pytest.raises(ValueError) as refusal:
            call()
        assert str(refusal.value) == "MLflow is not installed: pip install -e '.[mlflow]'"
    assert list(tmp_path.iterdir()) == []
