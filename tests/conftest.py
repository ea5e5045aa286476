"""For all tests: two logical CPUs, and the one MirroredStrategy of the process: a second one crashes TensorFlow."""

import gc
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as sslzoo does, which is imported after TensorFlow here
os.environ.setdefault("SSLZOO_CACHE", os.path.join(tempfile.gettempdir(), "sslzoo-tests"))  # not the user's own

import keras
import pytest
import tensorflow as tf

from sslzoo.utils.keras_internals import temporary_gradients
from sslzoo.utils.log import show

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

from sslzoo.testing import two_devices  # noqa: E402

gc.freeze()  # a collection of all objects of TensorFlow takes half a second


@pytest.fixture(scope="session")
def mirrored() -> tf.distribute.MirroredStrategy:
    """Two replicas on two logical CPUs."""
    return two_devices()


@pytest.fixture(autouse=True)
def messages_are_shown():
    """The messages of the library on standard output, as on the command line."""
    show()


@pytest.fixture(autouse=True)
def graphs_go():
    """Lets go of the graphs of what a test trained.

    TensorFlow keeps for good the gradients of custom gradients, and Keras sums the gradients of every model by one: a
    worker of some thousand tests would hold millions of objects, and Python look through them again and again.
    """
    with temporary_gradients():
        yield


@pytest.fixture(scope="module", autouse=True)
def files_end():
    """What a file of tests built goes with it; what stays, as modules do, is not looked through again."""
    yield
    keras.backend.clear_session()  # and collects
    gc.freeze()
