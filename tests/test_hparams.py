"""TensorBoard's HPARAMS tab: one summary a run, read back by TensorBoard's own reader."""

import json
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

import sslzoo
from sslzoo.training import hparams

IMAGES = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 1), "uint8")
TAG = "_hparams_/session_start_info"
GROUPS = {"learning", "representation", "scores", "speed", "views"}


def summaries(folder):
    """The hyperparameters of each summary in the event files of a folder."""
    found = []
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                if value.tag == TAG:
                    read = HParamsPluginData.FromString(value.metadata.plugin_data.content).session_start_info.hparams
                    found.append({name: getattr(v, v.WhichOneof("kind")) for name, v in read.items()})
    return found


@pytest.mark.long
def test_a_run_has_one_summary_of_its_settings_and_its_final_figures(tmp_path):
    knobs = dict(units=16, hidden_dim=16, epochs=2, batch_size=8, runs=str(tmp_path), name="one", export_to=None)
    began = time.time() - 1
    result = sslzoo.pretrain("simclr", (IMAGES, np.arange(40) % 4), "mlp", **knobs)
    config = (result.run / "events" / "projector_config.pbtxt").read_text()
    assert "features.tsv" in config and "labels.tsv" in config and "sprite.png" in config
    lines = [json.loads(line) for line in (result.run / "metrics.jsonl").read_text().splitlines()]
    assert began <= lines[0]["time"] <= lines[-1]["time"] <= time.time() + 1
    assert lines[0]["learning_rate"] > lines[-1]["learning_rate"] >= 0
    points = np.loadtxt(result.run / "events" / "features.tsv", delimiter="\t")
    assert points.shape == (len(result.plan.train_set), result.encoder.output_shape[-1])
    assert (result.run / "events" / "sprite.png").stat().st_size < 500_000
    (told,) = summaries(result.run / "events")
    assert told.keys() == result.plan.settings.keys()
    assert told["method.temperature"] == 0.1 and told["encoder.units"] == 16 and told["encoder"] == "mlp"
    assert told["views.flip"] is True and told["views.blur"] == "None" and "epochs" in told["given"]
    events = EventAccumulator(str(result.run / "events")).Reload()
    tags = set(events.Tags()["tensors"])
    assert {"learning/loss", "learning/knn", "learning/rate", "learning/step_loss"} <= tags
    assert {tag.split("/")[0] for tag in tags if not tag.startswith("_")} == GROUPS
    assert min(GROUPS) == "learning"  # TensorBoard shows it first
    assert [e.step for e in events.Tensors("learning/step_loss")] == list(range(1, 2 * result.plan.steps + 1))
    assert [e.step for e in events.Tensors("learning/loss")] == [0, result.plan.steps, 2 * result.plan.steps]
    for row in result.scores:
        last = events.Tensors(f"scores/{row.features}/{row.key}")[-1]
        assert last.step == 2 * result.plan.steps and tf.make_ndarray(last.tensor_proto) == np.float32(row.mean)
    sslzoo.pretrain("simclr", (IMAGES, np.arange(40) % 4), "mlp", resume=True, evaluate=False, **knobs)
    assert summaries(result.run / "events") == [told]


def test_later_hyperparameters_take_the_place_of_earlier_ones(tmp_path):
    for rate in (0.1, 0.2):
        hparams.write(tmp_path, {"rate": rate, "sizes": (1, 2)})
    assert summaries(tmp_path) == [{"rate": 0.2, "sizes": "(1, 2)"}]


@pytest.mark.long
def test_a_run_goes_on_with_lines_that_have_no_time_or_learning_rate(tmp_path):
    knobs = dict(units=16, hidden_dim=16, batch_size=8, runs=str(tmp_path), name="one", export_to=None, evaluate=False)
    run = sslzoo.pretrain("simclr", IMAGES, "mlp", epochs=1, **knobs).run
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    old = [{name: v for name, v in line.items() if name not in ("time", "learning_rate")} for line in lines]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in old))
    history = sslzoo.pretrain("simclr", IMAGES, "mlp", epochs=2, extend=True, **knobs).history
    assert history["epoch"] == [0, 1, 2] and history["time"][:2] == [None, None] and history["time"][2] > 0
