"""Checks of an installation: what it has, and whether methods train alike on 1 device, 2 devices and 2 workers."""

import contextlib
import functools
import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from sslzoo import catalog
from sslzoo.catalog import knobs
from sslzoo.catalog.checked import checked
from sslzoo.testing import miniatures
from sslzoo.utils import provenance, replicas
from sslzoo.utils.files import replacing
from sslzoo.utils.log import log

ONE, TWO, WORKERS = "one", "two", "worker"
FAMILIES = "simclr moco byol swav dino parallel_autoencoder mae lejepa deep_cluster_v2 vime lewm vip".split()
# The largest relative differences that are rounding; DINO's sharp teacher makes 3e-5 of it, a wrong scale 1e-2.
LOSS, WEIGHTS = 1e-4, 1e-3


@checked()
def doctor(distributed: bool = False, methods: str = "", steps: int = 4) -> list[str]:
    """Shows what is installed; trains methods in small on one device, two devices and two workers, and compares.

    The second and third train with global batches, synchronized BatchNorm and `fit` with validation data; what differs
    from one device is rounding. SGD is used, which does not hide a wrong scale as Adam does.

    Args:
        distributed: train on two logical CPUs, and in two processes that talk over the loopback, too.
        methods: names with commas between, or "all"; by default one method of each family.
        steps: to train each.

    Returns:
        The methods that train differently, or not at all.

    Raises:
        ValueError: a method that does not exist.
    """
    names = [name.strip() for name in methods.split(",") if name.strip()] or FAMILIES
    if names == ["all"]:
        names = list(catalog.methods())
    for name in names:
        if name not in catalog.methods():
            raise ValueError(knobs.nearest("method", name, catalog.methods()))
    for what, value in facts().items():
        log.info(f"{what:12} {value}")
    ways = (ONE, TWO, WORKERS) if distributed else (ONE,)
    log.info(f"\n{'method':22}" + "".join(f"{head:>18}" for head in HEADS[: 1 + 2 * (len(ways) - 1)]))
    with tempfile.TemporaryDirectory() as folder, _children(ways, Path(folder), names, steps) as children:
        bad = [name for name in names if not _report(name, ways, Path(folder), children)]
    log.info(f"wrong: {', '.join(bad)}" if bad else f"all {len(names)} methods are sound")
    return bad


HEADS = ("loss falls by", "2 devices: loss", "weights", "2 workers: loss", "weights")


def facts() -> dict[str, str]:
    """Facts of the installation and the machine, by name."""
    devices = [f"{device.device_type}:{device.name[-1]}" for device in tf.config.list_logical_devices()]
    told = provenance.facts()
    return {key: str(value) for key, value in told.items()} | {"devices": ", ".join(devices)}


def differences(found: dict, expected: dict) -> tuple[float, float]:
    """Largest relative difference in a loss, and the distance of the weights as a share of how far they moved."""
    apart = np.abs(found["losses"] - expected["losses"]) / np.maximum(np.abs(expected["losses"]), LOSS / 2)
    moved = np.linalg.norm(expected["after"] - expected["before"])
    return float(apart.max()), float(np.linalg.norm(found["after"] - expected["after"]) / moved)


def train(name: str, steps: int, chosen: tf.distribute.Strategy) -> dict[str, np.ndarray]:
    """Losses of a method in training, then in validation, (2 x steps,); all its weights before and after."""
    with chosen.scope():
        model = miniatures.build(name, optimizer=keras.optimizers.SGD(0.05))
    before = miniatures.flat(model)
    batches, held_out = (functools.partial(miniatures.batches, model, steps, seed=seed) for seed in (0, 1))
    history = model.fit(
        replicas.distribute(chosen, batches),
        epochs=steps,
        steps_per_epoch=1,
        validation_data=replicas.distribute(chosen, held_out),
        validation_steps=1,
        shuffle=False,
        verbose=0,
    ).history
    return {
        "losses": np.array(history["loss"] + history["val_loss"]),
        "before": before,
        "after": miniatures.flat(model),
    }


def _report(name: str, ways: tuple[str, ...], folder: Path, children: list[subprocess.Popen]) -> bool:
    """Prints a method's line as soon as all ways are through; whether they agree."""
    try:
        found = [_awaited(folder / f"{way}-{name}.npz", children) for way in ways]
    except (RuntimeError, ValueError) as error:
        log.info(f"{name:22}  {error}")
        return False
    losses = found[0]["losses"]
    apart = [differences(other, found[0]) for other in found[1:]]
    good = np.isfinite(losses).all() and all(loss < LOSS and weights < WEIGHTS for loss, weights in apart)
    figures = "".join(f"{loss:18.1e}{weights:18.1e}" for loss, weights in apart)
    fall = losses[0] - losses[len(losses) // 2 - 1]
    log.info(f"{name:22}{fall:18.3g}{figures}{'' if good else '   <- wrong'}")
    return bool(good)


def _awaited(path: Path, children: list[subprocess.Popen]) -> dict:
    """The result at `path`, when a child has written it."""
    while not path.exists():
        if all(child.poll() is not None for child in children) or any(child.poll() for child in children):
            raise RuntimeError("the process that trains it ended before; SSLZOO_TRACEBACK=1 shows what it said")
        time.sleep(0.1)
    result = dict(np.load(path))
    if "error" in result:
        raise ValueError(str(result["error"]))
    return result


@contextlib.contextmanager
def _children(ways: tuple[str, ...], folder: Path, names: list[str], steps: int) -> Iterator[list[subprocess.Popen]]:
    """Processes that train all methods, each in its way; none outlives the block."""
    jobs = [(way, task) for way in ways for task in (cluster() if way == WORKERS else [None])]
    silent = None if os.environ.get("SSLZOO_TRACEBACK") else subprocess.DEVNULL
    children = []
    for way, task in jobs:
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""} | ({"TF_CONFIG": task} if task else {})
        words = [sys.executable, "-m", "sslzoo.testing.doctor", way, str(folder), str(steps), *names]
        children.append(subprocess.Popen(words, env=environment, stdout=silent, stderr=silent))
    try:
        yield children
    finally:
        for child in children:
            child.kill()
            child.wait()


def cluster() -> list[str]:
    """TF_CONFIG of each of two workers at free ports of the loopback."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        addresses = ["127.0.0.1:{1}".format(*each.getsockname()) for each in sockets]
    return [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}) for index in range(2)
    ]


def _child(way: str, folder: str, steps: str, *names: str) -> None:
    """Trains the methods one after the other and writes a file for each."""
    if way == TWO:
        halves = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
        chosen = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    else:
        chosen = replicas.strategy("multi-worker" if way == WORKERS else "one")
    for name in names:
        try:
            result = train(name, int(steps), chosen)
        except Exception as error:  # the other methods shall not suffer
            result = {"error": f"{type(error).__name__}: {error}".split("\n")[0][:200]}
        if replicas.is_chief(chosen):
            with replacing(Path(folder) / f"{way}-{name}.npz") as beside, open(beside, "wb") as file:
                np.savez(file, **result)
        keras.backend.clear_session()
        gc.collect()


if __name__ == "__main__":
    _child(*sys.argv[1:])
