"""What the checks have in common: one-line assertions, documented arguments, two devices."""

import contextlib
import functools
import inspect
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from sslzoo.catalog.knobs import described


def require(condition, message: str) -> None:
    """Raises AssertionError with the message unless the condition holds; unlike `assert`, also under `python -O`."""
    if not condition:
        raise AssertionError(message)


def difference(one, other) -> float:
    """The largest absolute difference of two arrays of one shape."""
    return float(np.max(np.abs(np.asarray(one, "float64") - np.asarray(other, "float64")), initial=0.0))


def require_documented(what: Callable, names: set[str]) -> None:
    """Requires that the section "Args:" of a docstring has an entry for each of the names."""
    missing = sorted(names - set(described(inspect.getdoc(what) or "")))
    line = f"{what.__name__}: the docstring has no entry under 'Args:' for {', '.join(missing)}"
    require(not missing, f"{line}; `--help` shows these lines")


@contextlib.contextmanager
def precision(policy: str):
    """Within, layers are made with a dtype policy such as "mixed_float16"."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@functools.cache
def two_devices() -> tf.distribute.Strategy:
    """The one MirroredStrategy of two logical CPUs of this process; a second strategy crashes TensorFlow.

    Raises:
        RuntimeError: if TensorFlow has already computed something with one CPU.
    """
    with contextlib.suppress(RuntimeError):  # the devices are in use: they may be two already
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    if len(tf.config.list_logical_devices("CPU")) < 2:
        raise RuntimeError("call sslzoo.testing.two_devices() before TensorFlow computes anything")
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
