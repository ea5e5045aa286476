"""kill -9 at any moment, then --resume in a fresh process: the end is bitwise that of a run that was left alone."""

import functools
import json
import os
import random
import subprocess
import sys
from time import sleep

import numpy as np
import pytest
import tensorflow as tf

from sslzoo.training.checkpoints import damage, saved

TIMES = int(os.environ.get("SSLZOO_KILLS", "1"))  # each method is killed and resumed so many times
EPOCHS, STEPS = 12, 5
SMALL = dict(encoder="mlp", units=32, projection_dim=16, hidden_dim=32)
METHODS = {
    "simclr": SMALL,
    "moco": SMALL | dict(queue_size=300, norm_groups=1),
    "swav": SMALL | dict(prototypes=24, queue_size=512, queue_start=0.2),
    "dino": dict(encoder="vit_tiny", width=0.125, depth=1, patch_size=4, projection_dim=64, hidden_dim=32)
    | dict(batch_size=16, max_images=STEPS * 16),  # ten crops of an image
}
SCRIPT = """
import json, sys
import sslzoo
from sslzoo.utils.log import show

show()
for method, knobs in json.loads(sys.argv[1]).items():
    sslzoo.pretrain(method, **knobs)
"""


def start(folder, methods, **knobs):
    """A process that trains these methods one after the other."""
    common = dict(data="digits", epochs=EPOCHS, max_images=STEPS * 64, batch_size=64, optimizer="adam", name="")
    common |= dict(learning_rate=1e-3, checkpoint_steps=3, runs=str(folder), export_to=None, evaluate=False)
    jobs = {method: common | METHODS[method] | dict(name=method) | knobs for method in methods}
    words = [sys.executable, "-c", SCRIPT, json.dumps(jobs)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out


def kill(folder, process):
    """Ends it at a random moment after its first checkpoint; returns the step that can be gone on from."""
    while process.poll() is None and not saved(folder):
        sleep(0.01)
    sleep(1.5 * random.random())
    process.kill()
    process.communicate()
    return next((path.name for path in reversed(saved(folder)) if not damage(path)), "step-0")


def state(folder):
    """Every tensor of the last checkpoint: weights, optimizer, counters, teachers, queues."""
    reader = tf.train.load_checkpoint(str(saved(folder)[-1] / "state"))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_CHECKPOINTABLE")]
    return {name: reader.get_tensor(name) for name in names}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Method -> the folder of a run of it that is left alone."""
    folder = tmp_path_factory.mktemp("whole")

    @functools.cache
    def of(method):
        finish(start(folder, [method]))
        return folder / method

    return of


@pytest.mark.long
@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("method", [m if m == "simclr" else pytest.param(m, marks=pytest.mark.slow) for m in METHODS])
def test_a_killed_run_ends_bitwise_as_if_it_had_not_been(tmp_path, whole, method, time):
    checkpoints = tmp_path / method / "checkpoints"
    step = kill(checkpoints, start(tmp_path, [method]))
    out = finish(start(tmp_path, [method], resume=True))
    print(f"{method}: killed, gone on from {step}")
    assert f"epoch {EPOCHS}/{EPOCHS}" in out or step == f"step-{EPOCHS * STEPS}", step
    expected, found = state(whole(method) / "checkpoints"), state(checkpoints)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=f"{name}, killed at {step}")
    lines = (tmp_path / method / "metrics.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(EPOCHS + 1))
