"""The loop and the run folder: resuming, stopping, refusing; nothing lost."""

import json
import math
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import encoders
from sslzoo.methods import SimCLR
from sslzoo.runs import Run
from sslzoo.tracking import JsonLines
from sslzoo.train import Checkpoints, Diverged, train

STEPS = 4


def build():
    keras.utils.set_random_seed(0)
    model = SimCLR(encoders.make("mlp", (8, 8, 1), units=16), hidden_dim=16, projection_dim=8)
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def batches(start, stop):
    """A function of the step alone."""

    def views(step):
        seeds = [tf.stack([tf.cast(step, "int32"), view]) for view in (0, 1)]
        return {"views": tuple(tf.random.stateless_uniform((16, 8, 8, 1), seed) for seed in seeds)}

    return tf.data.Dataset.range(start, stop).map(views)


def run(folder, epochs, callbacks=(), batches=batches):
    model = build()
    train(model, batches, epochs, STEPS, Checkpoints(model, folder / "checkpoints"), list(callbacks))
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights + model.optimizer.variables]


class Stop(keras.callbacks.Callback):
    """Interrupts after so many steps, as Ctrl-C does."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize("step", [2, 4, 7])
def test_an_interrupted_run_goes_on_bitwise(tmp_path, step):
    whole = run(tmp_path / "whole", 3)
    with pytest.raises(KeyboardInterrupt, match=f"interrupted at step {step}, .*--resume"):
        run(tmp_path / "cut", 3, [Stop(step)])
    resumed = run(tmp_path / "cut", 3)
    for one, two in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_finished_run_is_not_trained_again(tmp_path):
    whole = run(tmp_path, 2)
    again = run(tmp_path, 2, [Stop(STEPS * 2 + 1)])
    assert all(np.array_equal(one, two) for one, two in zip(whole, again, strict=True))


def test_two_checkpoints_are_kept(tmp_path):
    run(tmp_path, 4)
    assert sorted(file.name for file in (tmp_path / "checkpoints").glob("*.index")) == [
        "ckpt-12.index",
        "ckpt-16.index",
    ]


def test_a_loss_that_is_not_finite_stops_at_its_step_and_keeps_the_good_checkpoint(tmp_path):
    def poisoned(start, stop):
        def poison(step, batch):
            scale = tf.where(step == 6, math.nan, 1.0)
            return {"views": tuple(view * scale for view in batch["views"])}

        return tf.data.Dataset.zip(tf.data.Dataset.range(start, stop), batches(start, stop)).map(poison)

    with pytest.raises(Diverged, match="loss is nan at step 7") as caught:
        run(tmp_path, 3, batches=poisoned)
    assert "\n" not in str(caught.value)
    model = build()
    assert Checkpoints(model, tmp_path / "checkpoints").restore() == STEPS
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_metrics_of_epochs_that_are_done_again_are_written_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, 3, [JsonLines(tmp_path / "metrics.jsonl"), Stop(6)])
    run(tmp_path, 3, [JsonLines(tmp_path / "metrics.jsonl")])
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["step"]) for line in lines] == [(1, 4), (2, 8), (3, 12)]
    assert all(math.isfinite(line["loss"]) for line in lines)


def test_a_folder_with_a_run_is_refused_and_the_ways_on_are_named(tmp_path):
    with Run(tmp_path / "run", {"epochs": 1}):
        pass
    with pytest.raises(ValueError, match="--resume.*--overwrite.*--name"), Run(tmp_path / "run", {"epochs": 1}):
        pass


def test_resuming_with_other_settings_is_refused_with_the_differences(tmp_path):
    with Run(tmp_path / "run", {"epochs": 1, "seed": 0}):
        pass
    with (
        pytest.raises(ValueError, match="seed was 0, is 1"),
        Run(tmp_path / "run", {"epochs": 1, "seed": 1}, resume=True),
    ):
        pass
    with Run(tmp_path / "run", {"epochs": 1, "seed": 0}, resume=True) as run:
        assert run.settings == {"epochs": 1, "seed": 0}


def test_overwriting_empties_the_folder(tmp_path):
    with Run(tmp_path / "run", {}) as run:
        (run.path / "checkpoints").mkdir()
    with Run(tmp_path / "run", {}, overwrite=True) as run:
        assert sorted(path.name for path in run.path.iterdir()) == ["lock", "settings.json"]


def test_a_folder_in_use_is_refused_even_to_overwrite(tmp_path):
    hold = "import sys; from sslzoo.runs import Run\nwith Run(sys.argv[1], {}): print('held', flush=True); input()"
    command = [sys.executable, "-c", hold, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="in use by another run"), Run(tmp_path / "run", {}, overwrite=True):
            pass
        other.kill()
    with Run(tmp_path / "run", {}, overwrite=True):
        pass
