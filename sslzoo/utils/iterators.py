"""The end of a process with iterators of tf.data that were not read to their end."""

import atexit
import gc

import tensorflow as tf


def stop_at_exit() -> None:
    """Lets a process end while it holds unfinished iterators.

    Their threads call Python. While the interpreter shuts down TensorFlow would wait for them, and they for Python.
    """
    atexit.unregister(_stop)
    atexit.register(_stop)


def _stop() -> None:
    found = [one for one in gc.get_objects() if type(one).__name__ == "OwnedIterator"]
    for resource in (getattr(one, "_iterator_resource", None) for one in found):
        if resource is not None:
            tf.raw_ops.DestroyResourceOp(resource=resource, ignore_lookup_error=True)
