"""Several workers: the same numbers, one that writes, and an end for all when one is gone."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from sslzoo import catalog
from sslzoo.testing import doctor
from sslzoo.training.checkpoints import saved
from sslzoo.utils import replicas

ENDS = 120  # seconds after which the others have ended at the latest; a few are usual


def test_methods_train_alike_on_one_device_two_devices_and_two_workers(capsys):
    assert doctor.doctor(distributed=True, methods="inst_disc,swav") == []
    assert "all 2 methods are sound" in capsys.readouterr().out


@pytest.mark.slow
def test_every_method_trains_alike_on_one_device_two_devices_and_two_workers():
    assert doctor.doctor(distributed=True, methods="all") == []


def test_the_doctor_sees_what_is_more_than_rounding():
    expected = {"losses": np.array([1.0, 0.5]), "before": np.zeros(3), "after": np.ones(3)}
    assert doctor.differences(expected, expected) == (0.0, 0.0)
    halved = expected | {"after": 0.5 * np.ones(3)}
    assert doctor.differences(halved, expected)[1] == pytest.approx(0.5)
    worse = expected | {"losses": np.array([1.0, 0.51])}
    assert doctor.differences(worse, expected)[0] == pytest.approx(0.02)


def test_the_doctor_knows_its_methods():
    assert set(doctor.FAMILIES) <= set(catalog.methods())
    with pytest.raises(ValueError, match="did you mean simclr"):
        doctor.doctor(methods="simclir")


def start(folder, *words):
    """Two workers that train SimCLR on the loopback; the lines of each are in a file."""
    began = []
    for index, cluster in enumerate(doctor.cluster()):
        command = [sys.executable, "-m", "sslzoo", "train", "simclr", "--data", "digits", "--encoder", "mlp"]
        command += ["--batch-size", "256", "--optimizer", "adam", "--learning-rate", "1e-3", "--evaluate", "false"]
        command += ["--strategy", "multi-worker", "--name", "two", "--runs", folder, "--export-to", folder / "out"]
        log = open(folder / f"worker-{index}.log", "w")
        environment = os.environ | {"TF_CONFIG": cluster}
        began.append(subprocess.Popen([*command, *words], env=environment, stdout=log, stderr=subprocess.STDOUT))
    return began


@pytest.mark.long
def test_a_worker_that_dies_ends_the_other_and_both_go_on_afterwards(tmp_path):
    workers = start(tmp_path, "--epochs", "400", "--checkpoint-steps", "2")
    while not saved(tmp_path / "two" / "checkpoints"):
        assert workers[0].poll() is None, (tmp_path / "worker-0.log").read_text()
        time.sleep(0.1)
    workers[1].send_signal(signal.SIGKILL)
    assert workers[0].wait(ENDS) == 1
    last = (tmp_path / "worker-0.log").read_text().splitlines()[-1]
    assert last.startswith("sslzoo: another worker is gone, at step ") and last.endswith("again with --resume")
    step = int(saved(tmp_path / "two" / "checkpoints")[-1].name.removeprefix("step-"))
    epochs = step // 5 + 2
    workers = start(tmp_path, "--extend", "--epochs", str(epochs))
    assert [worker.wait() for worker in workers] == [0, 0], (tmp_path / "worker-0.log").read_text()
    lines = (tmp_path / "two" / "metrics.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(epochs + 1))
    assert "exported to" in (tmp_path / "worker-0.log").read_text()
    assert "epoch" not in (tmp_path / "worker-1.log").read_text(), "one worker tells"


def test_a_cluster_is_needed_and_parameter_servers_are_refused(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match="multi-worker needs all workers' addresses .*TF_CONFIG="):
        replicas.strategy("multi-worker")
    with pytest.raises(ValueError, match="ParameterServerStrategy: choose mirrored, or multi-worker"):
        replicas.strategy("parameter-server")
    with pytest.raises(ValueError, match="no TPU is found"):
        replicas.strategy("tpu")
