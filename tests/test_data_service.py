"""A data service that other machines cannot reach, that dies, or that does not answer."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from sslzoo.data import DataError, from_array, load, restrict
from sslzoo.data import watched as watch
from sslzoo.data.loopback import is_loopback
from sslzoo.data.service import Server, served
from sslzoo.data.watched import watched, within


def outer_addresses() -> list[str]:
    """Addresses of this machine that are not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return []
        return [address for address in [probe.getsockname()[0]] if not is_loopback(address)]


def reaches(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 0.5).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["localhost", "outer"])
def test_only_this_machine_connects_unless_a_host_is_given(host):
    outer = outer_addresses()
    if not outer:
        pytest.skip("this machine has no other address")
    data = from_array(np.arange(200, dtype=np.uint8).reshape(2, 10, 10, 1))
    server = Server(data, host="localhost" if host == "localhost" else outer[0])
    dispatcher = int(server.address.rpartition(":")[2])
    for port in (dispatcher, *ports() - {dispatcher}):
        assert reaches("127.0.0.1", port)
        assert reaches(outer[0], port) == (host == "outer")
    assert served(data, server.address).function


def ports() -> set[int]:
    """Ports that this process listens at by now and that a service opened."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(number))) as one:
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and one.family != socket.AF_UNIX:
                    found.add(one.getsockname()[1])
        except OSError:
            continue
    return found


def test_a_taken_port_is_one_line():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        with pytest.raises(DataError, match="no data service at port .*give another port") as caught:
            Server(from_array(np.full((2, 9, 9), 200, np.uint8)), port=taken.getsockname()[1])
    assert "\n" not in str(caught.value)


@pytest.fixture
def process():
    words = [sys.executable, "-m", "sslzoo", "serve-data", "digits", "--port", "0", "--max-images", "300"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        lines = iter(process.stdout.readline, "")
        process.address = next(line.split()[-1] for line in lines if line.startswith("serving"))
        yield process
        process.send_signal(signal.SIGCONT)
        process.kill()


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_service_that_dies_or_freezes_ends_the_batches_in_a_stated_time(how, process, monkeypatch):
    monkeypatch.setattr(watch, "ANSWER_SECONDS", 0.5)
    train = restrict(load("digits"), max_images=300).train
    there = served(train, process.address)
    batches = iter(there.offload(there.batches(32, seed=0)))
    for _ in range(3):
        next(batches)
    process.send_signal(how)
    began = time.monotonic()
    with pytest.raises(tf.errors.OpError, match="does not answer any more: start it again, then resume the run"):
        for _ in range(200):
            next(batches)
    assert time.monotonic() - began < 15
    with pytest.raises(DataError, match="no data service|does not answer"):
        served(train, process.address)


def test_what_listens_and_says_nothing_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(watch, "ANSWER_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(DataError, match="is no data service of sslzoo, or does not answer") as caught:
            served(restrict(load("digits"), max_images=300).train, f"grpc://localhost:{silent.getsockname()[1]}")
        assert time.monotonic() - began < 5 and "\n" not in str(caught.value)


def test_watched_batches_are_the_same_and_errors_pass():
    batches = tf.data.Dataset.range(20).batch(3)
    again = list(watched(batches, lambda: True, "lost").as_numpy_iterator())
    assert [batch.tolist() for batch in again] == [batch.tolist() for batch in batches.as_numpy_iterator()]
    broken = batches.map(lambda x: tf.ensure_shape(tf.debugging.check_numerics(1 / (x[0] - 9), "too large"), ()))
    with pytest.raises(tf.errors.OpError, match="too large"):
        list(watched(broken, lambda: True, "lost"))


def test_an_unfinished_iterator_leaves_no_thread_at_work():
    before = threading.active_count()
    iterator = iter(watched(tf.data.Dataset.range(10**9), lambda: True, "lost"))
    next(iterator)
    del iterator
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert threading.active_count() <= before


def test_a_question_is_answered_or_given_up():
    assert within(5, lambda: 7) == 7
    with pytest.raises(TimeoutError, match="within 0.1 seconds"):
        within(0.1, lambda: time.sleep(2))
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)
