"""Batches of a data service, with an end to waiting: TensorFlow itself would try a dead service again for an hour."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from sslzoo.data.dataset import DataError

ANSWER_SECONDS = 10.0  # for one question to a service
PATIENCE = 2  # questions without an answer, one after the other, after which it is given up
AHEAD = 2  # batches that are waiting to be used


def within(seconds: float, question: Callable[[], Any]) -> Any:
    """What a function returns, or a TimeoutError after some seconds; a thread may keep waiting for it.

    Raises:
        TimeoutError: it took longer.
        Exception: whatever the function raises.
    """
    answers: queue.Queue = queue.Queue()

    def ask() -> None:
        try:
            answers.put((question(), None))
        except Exception as error:
            answers.put((None, error))

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} seconds") from None
    if error:
        raise error
    return answer


def watched(batches: tf.data.Dataset, answers: Callable[[], bool], lost: str) -> tf.data.Dataset:
    """The same batches; while none comes, the service is asked whether it is there.

    Args:
        batches: of a data service.
        answers: whether the service answers; called every ANSWER_SECONDS while no batch comes.
        lost: the text of the error after PATIENCE questions without an answer.

    Returns:
        A dataset that ends with an error of TensorFlow, with that text, at most
        2 * PATIENCE * ANSWER_SECONDS seconds after the service died.
    """

    def pulled() -> Iterator[Any]:
        ready: queue.Queue = queue.Queue(AHEAD)
        stop = threading.Event()
        threading.Thread(target=_pull, args=(batches, ready, stop), daemon=True).start()
        try:
            yield from iter(lambda: _next(ready, answers, lost), None)
        finally:
            stop.set()

    made, count = tf.data.Dataset.from_generator(pulled, output_signature=batches.element_spec), batches.cardinality()
    return made if count < 0 else made.apply(tf.data.experimental.assert_cardinality(count))


def _pull(batches: tf.data.Dataset, ready: queue.Queue, stop: threading.Event) -> None:
    """Puts all batches, then None, or else the error."""
    try:
        for batch in batches:
            if not _put(ready, batch, stop):
                return
        _put(ready, None, stop)
    except Exception as error:
        _put(ready, error, stop)


def _put(ready: queue.Queue, item: Any, stop: threading.Event) -> bool:
    """Waits for room; False if nobody takes any more."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=1.0)
        except queue.Full:
            continue
        return True
    return False


def _next(ready: queue.Queue, answers: Callable[[], bool], lost: str) -> Any:
    silent = 0
    while silent < PATIENCE:
        try:
            item = ready.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            silent = 0 if answers() else silent + 1
            continue
        if isinstance(item, Exception):
            raise item
        return item
    raise DataError(lost)
