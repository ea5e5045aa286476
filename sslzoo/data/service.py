"""A data service: another process, here or elsewhere, reads the images and makes the views; this one trains alone.

tf.data's service sends a pipeline to its workers as a graph. The one thing in ours that no graph can hold is the
Python function that reads images. A server therefore loads the same data itself and tells the name under which its
process knows that function; a client writes this name into the graph in place of its own. Everything else, order and
views included, is in the graph.

One server is one worker that is sent whole pipelines, in order: the batches are those made without it, bit by bit.
Several would each deal out everything, or parts in an order that nobody knows, so a client takes exactly one.
"""

import contextlib
import dataclasses
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import tensorflow as tf

from sslzoo.data.cache import cached
from sslzoo.data.dataset import DataError, Dataset, Splits, describe
from sslzoo.data.named import load
from sslzoo.data.selection import restrict

FACTS = "sslzoo"
SPEC = {name: tf.TensorSpec((), tf.string) for name in ("fingerprint", "function", "name")}
ANSWER_SECONDS = 5.0
service = tf.data.experimental.service


class Server:
    """Reads a dataset for whoever asks; it lives as long as this object.

    Whoever reaches its ports can run any TensorFlow graph in this process: keep them within a trusted network.

    Args:
        dataset: what `pretrain` trains on elsewhere.
        port: to listen at; 0 takes any free one.
        host: the name or address under which clients reach this machine.
    """

    def __init__(self, dataset: Dataset, port: int = 0, host: str = "localhost"):
        self.dispatcher = service.DispatchServer(service.DispatcherConfig(port=port))
        local = self.dispatcher.target.split("://")[1]
        self.address = f"grpc://{host}:{local.rpartition(':')[2]}"
        addresses = dict(worker_address=f"{host}:%port%", data_transfer_address=f"{host}:%dts_port%")
        self.worker = service.WorkerServer(service.WorkerConfig(dispatcher_address=local, **addresses))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
        def read(index: tf.Tensor) -> list[tf.Tensor]:
            return tf.numpy_function(dataset.read, [index], [tf.as_dtype(dataset.dtype), tf.int32])

        self.traced = read.get_concrete_function()  # as long as it lives, so does the name
        operations = self.traced.graph.get_operations()
        function = next(op.get_attr("token") for op in operations if op.type.startswith("PyFunc"))
        facts = dict(fingerprint=dataset.fingerprint(), function=function, name=describe(dataset))
        service.register_dataset(self.dispatcher.target, tf.data.Dataset.from_tensors(facts), None, FACTS)


def serve_data(
    data: Any,
    *,
    port: int = 5050,
    host: str = "localhost",
    classes: int | None = None,
    max_images: int | None = None,
    cache: str | None = None,
) -> None:
    """Serves data until it is interrupted.

    Args:
        data: as for `pretrain`.
        port: to listen at; 0 takes any free one. Whoever reaches it can run any TensorFlow graph in this process: keep
            it within a trusted network.
        host: the name or address under which clients reach this machine.
        classes: as for `pretrain`, and the same as there.
        max_images: as for `pretrain`, and the same as there.
        cache: as for `pretrain`.
    """
    train_set = restrict(Splits(load(data).train), classes, max_images).train
    server = Server(cached(train_set, cache) if cache else train_set, port, host)
    print(f"serving {describe(train_set)}; train with --data-service {server.address}", flush=True)
    threading.Event().wait()


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Served(Dataset):
    """A dataset whose images are read by a data service.

    Attributes:
        address: grpc://host:port of the service.
        function: the name of the reading function in the service's process.
    """

    address: str = ""
    function: str = ""

    def offload(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """The same batches, made by the service."""
        return batches.apply(service.distribute(service.ShardingPolicy.OFF, self.address))

    def _pixels(self, index: tf.Tensor) -> list[tf.Tensor]:
        types = [tf.as_dtype(self.dtype), tf.int32]
        return tf.raw_ops.PyFuncStateless(input=[index], token=self.function, Tout=types)


def served(dataset: Dataset, address: str) -> Served:
    """The dataset, read by the data service at `address` (grpc://host:port).

    Raises:
        DataError: nothing answers there, or it serves other data.
    """
    _probe(address)
    facts = service.from_dataset_id("parallel_epochs", address, FACTS, SPEC)
    facts = {name: value.decode() for name, value in next(facts.as_numpy_iterator()).items()}
    if facts["fingerprint"] != dataset.fingerprint():
        raise DataError(
            f"the data service at {address} has other data, {facts['name']}, than {describe(dataset)}: "
            "start both with the same data, classes and max_images"
        )
    fields = {field.name: getattr(dataset, field.name) for field in dataclasses.fields(Dataset)}
    return Served(**fields, address=address, function=facts["function"])


def _probe(address: str) -> None:
    """TensorFlow itself would wait for an hour."""
    parts = urlsplit(address)
    with contextlib.suppress(OSError, ValueError):
        if parts.scheme == "grpc" and parts.port:
            socket.create_connection((parts.hostname, parts.port), ANSWER_SECONDS).close()
            return
    raise DataError(
        f"no data service answers at {address!r}: start one with `sslzoo serve-data DATA --port 5050`, "
        "and give grpc://HOST:5050"
    )
