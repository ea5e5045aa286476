"""The loop and the run folder: resuming, stopping, refusing; nothing lost."""

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from families import spread

import sslzoo
from sslzoo import encoders
from sslzoo.methods import SimCLR
from sslzoo.training.checkpoints import Checkpoints, saved
from sslzoo.training.loop import Diverged, train
from sslzoo.training.runs import Run
from sslzoo.training.tracking import JsonLines
from sslzoo.views import inputs

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


@pytest.mark.parametrize("step", spread([2, 4, 7], [4]))
def test_an_interrupted_run_goes_on_bitwise(tmp_path, step):
    whole = run(tmp_path / "whole", 3)
    with pytest.raises(KeyboardInterrupt, match=f"interrupted at step {step}, .*resume=True"):
        run(tmp_path / "cut", 3, [Stop(step)])
    resumed = run(tmp_path / "cut", 3)
    for one, two in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_checkpoint_of_an_epoch_comes_after_its_line_in_the_records(tmp_path):
    """A run killed in between would go on with the next epoch, and this one never have a line."""
    lines, told = tmp_path / "metrics.jsonl", []

    class Watched(Checkpoints):
        def save(self):
            told.append((self.trained.steps_done, len(lines.read_text().splitlines()) if lines.exists() else 0))
            return super().save()

    model = build()
    train(model, batches, 2, STEPS, Watched(model, tmp_path / "checkpoints", steps=2), [JsonLines(lines)])
    assert told == [(2, 0), (4, 1), (6, 1), (8, 2)]


def test_a_finished_run_is_not_trained_again(tmp_path):
    whole = run(tmp_path, 2)
    again = run(tmp_path, 2, [Stop(STEPS * 2 + 1)])
    assert all(np.array_equal(one, two) for one, two in zip(whole, again, strict=True))


def test_two_checkpoints_are_kept(tmp_path):
    run(tmp_path, 4)
    assert [path.name for path in saved(tmp_path / "checkpoints")] == ["step-12", "step-16"]


def test_checkpoints_come_every_few_steps_and_as_many_are_kept_as_asked(tmp_path):
    model = build()
    train(model, batches, 2, STEPS, Checkpoints(model, tmp_path / "c", steps=3, keep=9), [])
    assert [path.name for path in saved(tmp_path / "c")] == ["step-3", "step-4", "step-6", "step-8"]


def test_checkpoints_come_after_minutes_whatever_the_clock_on_the_wall_says(tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 0.0)  # a clock set back
    monkeypatch.setattr("time.monotonic", iter(range(0, 10**6, 25)).__next__)  # 25 s go by whenever it is read
    model = build()
    train(model, batches, 1, 8, Checkpoints(model, tmp_path / "c", minutes=1.0, keep=9), [])
    assert [path.name for path in saved(tmp_path / "c")] == ["step-3", "step-6", "step-8"]


@pytest.mark.parametrize("harm", spread(["cut", "missing", "changed", "no sums"], ["cut"]))
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(tmp_path, harm, capsys):
    whole = run(tmp_path / "whole", 3)
    run(tmp_path / "cut", 2)
    newest = saved(tmp_path / "cut" / "checkpoints")[-1]
    data = next(newest.glob("state.data*"))
    match harm:
        case "cut":
            data.write_bytes(data.read_bytes()[:-100])
        case "missing":
            data.unlink()
        case "changed":
            data.write_bytes(data.read_bytes()[:-1] + b"!")
        case "no sums":
            (newest / "sums.json").unlink()
    resumed = run(tmp_path / "cut", 3)
    assert "step-8 is damaged and skipped, the previous checkpoint is used" in capsys.readouterr().out
    assert all(np.array_equal(one, two) for one, two in zip(whole, resumed, strict=True))


def poisoned(step, where):
    """Batches of which the views, or a row of one, are spoilt at a step."""

    def of(start, stop):
        def poison(number, batch):
            a, b = batch["views"]
            return {"views": (a, tf.where(number == step, where(b), b))}

        return tf.data.Dataset.zip(tf.data.Dataset.range(start, stop), batches(start, stop)).map(poison)

    return of


def test_a_loss_that_is_not_finite_names_step_and_tensor_and_keeps_batch_and_checkpoint(tmp_path):
    with pytest.raises(Diverged, match="loss is nan at step 7: .*not finite is view 2, .*bad-batch.npz") as caught:
        run(tmp_path, 3, batches=poisoned(6, lambda b: b * math.nan))
    assert "\n" not in str(caught.value)
    assert np.isnan(np.load(tmp_path / "bad-batch.npz")["views1"]).all()
    model = build()
    assert Checkpoints(model, tmp_path / "checkpoints").restore() == STEPS
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_a_layer_whose_output_is_not_finite_is_named(tmp_path):
    with pytest.raises(Diverged, match="is the output of normalize of mlp for view 2"):
        run(tmp_path, 3, batches=poisoned(6, lambda b: b * 0 + 3e38))


def test_sigterm_saves_and_says_so_with_its_own_status(tmp_path):
    class Terminate(Stop):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == self.step:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt, match="interrupted at step 6, which is saved") as caught:
        run(tmp_path, 3, [Terminate(6)])
    assert caught.value.status == 128 + signal.SIGTERM
    assert saved(tmp_path / "checkpoints")[-1].name == "step-6"


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
    with pytest.raises(ValueError, match="resume=True.*overwrite=True.*name="), Run(tmp_path / "run", {"epochs": 1}):
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
    with Run(tmp_path / "run", {"epochs": 2, "seed": 0}, resume=True, free={"epochs"}):
        pass
    with Run(tmp_path / "run", {"epochs": 3, "seed": 1}, resume=True, free=None):
        pass


def test_overwriting_empties_the_folder(tmp_path):
    with Run(tmp_path / "run", {}) as run:
        (run.path / "checkpoints").mkdir()
    with Run(tmp_path / "run", {}, overwrite=True) as run:
        assert sorted(path.name for path in run.path.iterdir()) == ["lock", "settings.json"]


def test_a_folder_in_use_is_refused_even_to_overwrite(tmp_path):
    hold = "import sys\nfrom sslzoo.training.runs import Run\n"
    hold += "with Run(sys.argv[1], {}): print('held', flush=True); input()"
    command = [sys.executable, "-c", hold, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="in use by another run"), Run(tmp_path / "run", {}, overwrite=True):
            pass
        other.kill()
    with Run(tmp_path / "run", {}, overwrite=True):
        pass


@pytest.mark.parametrize("error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM of f32[9]\nmore")])
def test_out_of_memory_names_the_batch_to_try(tmp_path, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("sslzoo.training.runner.train", fail)
    with pytest.raises(ValueError, match="out of memory with a batch of 64: try batch_size=32") as caught:
        sslzoo.pretrain("simclr", "digits", "mlp", units=8, batch_size=64, runs=str(tmp_path), export_to=None)
    assert "\n" not in str(caught.value)


@pytest.mark.long
def test_a_finished_run_is_extended_and_another_number_of_devices_may_go_on(tmp_path, mirrored, monkeypatch):
    knobs = dict(units=8, hidden_dim=8, projection_dim=4, batch_size=64, max_images=128, runs=str(tmp_path))
    knobs |= dict(preset="digits", export_to=None, evaluate=False, optimizer="adam", learning_rate=1e-3)
    sslzoo.pretrain("simclr", "digits", "mlp", epochs=1, **knobs)
    with pytest.raises(ValueError, match="epochs was 1, is 3; change=True"):
        sslzoo.pretrain("simclr", "digits", "mlp", epochs=3, resume=True, **knobs)
    monkeypatch.setattr("sslzoo.utils.replicas.strategy", lambda name: mirrored)
    extended = sslzoo.pretrain("simclr", "digits", "mlp", epochs=3, extend=True, strategy="mirrored", **knobs)
    assert extended.model.steps_done == 6
    lines = [json.loads(line) for line in (extended.run / "metrics.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["step"]) for line in lines] == [(0, 0), (1, 2), (2, 4), (3, 6)]


def test_the_views_of_a_run_are_traced_once(tmp_path):
    traced = []

    def preset(size, channels=1):
        def views(batch):
            traced.append(batch["row"].shape)
            return batch | {"views": (tf.image.convert_image_dtype(batch["image"], tf.float32),) * 2}

        return views

    knobs = dict(preset=preset, epochs=1, batch_size=256, runs=tmp_path, export_to=None, evaluate=False)
    sslzoo.pretrain("simclr", "digits", "mlp", **knobs)
    assert traced.count((256,)) == 1, "training and both calibrations of BatchNorm share a trace"


def test_inputs_in_memory_are_those_read_ahead():
    data = sslzoo.data.load("digits").train
    ahead = dataclasses.replace(data, in_memory=False)
    for size in (8, 12):
        np.testing.assert_array_equal(*(np.concatenate([*inputs.images(part, size)]) for part in (data, ahead)))
