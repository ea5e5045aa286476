"""The end of a process with iterators of tf.data that were not read to their end."""

import atexit
import gc

RESOURCES = ("_iterator_resource", "_multi_device_iterator_resource")  # attributes of TensorFlow's iterators


def stop_at_exit() -> None:
    """Lets a process end while it holds unfinished iterators.

    Their threads call Python, and an iterator waits for its calls when its resource is let go. Once the interpreter
    shuts down, these calls never return, so the resources are let go before.
    """
    atexit.unregister(_stop)
    atexit.register(_stop)


def _stop() -> None:
    for one in gc.get_objects():
        if type(one).__name__ in ("OwnedIterator", "OwnedMultiDeviceIterator"):
            for name in RESOURCES:
                vars(one).pop(name, None)  # the last reference: a resource without an owner ends
