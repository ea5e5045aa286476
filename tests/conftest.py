"""For all tests: two logical CPUs, and the one MirroredStrategy of the process: a second one crashes TensorFlow."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(scope="session")
def mirrored() -> tf.distribute.MirroredStrategy:
    """Two replicas on two logical CPUs."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="module", autouse=True)
def no_graphs_of_others():
    """What a file of tests built goes with it: a worker that keeps every graph gets slow and large."""
    yield
    keras.backend.clear_session()
    gc.collect()
