"""A data service: another process, here or elsewhere, reads the images and makes the views; this one trains alone.

tf.data's service sends a pipeline to its workers as a graph. Only the Python function that reads images cannot be part
of a graph. A server therefore loads the same data itself and publishes the name of the function in its process; a
client writes this name into the graph in place of its own. Everything else, order and views included, is in the graph.

One server is one worker that is sent whole pipelines, in order: the batches are those made without it, bit by bit.
Several workers would each give all batches, or parts in an undefined order, so a client uses exactly one.
"""

import contextlib
import dataclasses
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import tensorflow as tf

from sslzoo.catalog.checked import checked
from sslzoo.data import watched as watch
from sslzoo.data.cache import cached
from sslzoo.data.dataset import DataError, Dataset, Splits, describe
from sslzoo.data.loopback import is_loopback, loopback_only
from sslzoo.data.named import load
from sslzoo.data.selection import restrict
from sslzoo.data.watched import watched, within
from sslzoo.utils.files import reason
from sslzoo.utils.log import log

FACTS = "sslzoo"
SPEC = {name: tf.TensorSpec((), tf.string) for name in ("fingerprint", "function", "name")}
service = tf.data.experimental.service


class Server:
    """Reads a dataset for its clients, as long as this object exists.

    A client can run any TensorFlow graph in this process. By default only this machine can connect; with a host name or
    address, every machine that reaches the ports can: keep them within a trusted network.

    Args:
        dataset: what `pretrain` trains on elsewhere.
        port: to listen at; 0 takes any free one.
        host: the name or address under which clients of other machines reach this one; "localhost" for none.

    Raises:
        DataError: the port is taken, or the system cannot keep the service to this machine.
    """

    def __init__(self, dataset: Dataset, port: int = 0, host: str = "localhost"):
        try:
            with loopback_only() if is_loopback(host) else contextlib.nullcontext():
                self._listen(port, host)
        except (OSError, RuntimeError) as error:  # the second is TensorFlow's, where a port is taken
            way = "give another port" if isinstance(error, RuntimeError) else "give the host name of this machine"
            raise DataError(f"no data service at port {port}: {reason(error)}; {way}") from error

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
        def read(index: tf.Tensor) -> list[tf.Tensor]:
            return tf.numpy_function(dataset.ordered, [index], dataset.types)

        self.traced = read.get_concrete_function()  # the name is valid as long as this exists
        operations = self.traced.graph.get_operations()
        function = next(op.get_attr("token") for op in operations if op.type.startswith("PyFunc"))
        facts = dict(fingerprint=dataset.fingerprint(), function=function, name=describe(dataset))
        service.register_dataset(self.dispatcher.target, tf.data.Dataset.from_tensors(facts), None, FACTS)

    def _listen(self, port: int, host: str) -> None:
        self.dispatcher = service.DispatchServer(service.DispatcherConfig(port=port))
        local = self.dispatcher.target.split("://")[1]
        self.address = f"grpc://{host}:{local.rpartition(':')[2]}"
        addresses = dict(worker_address=f"{host}:%port%", data_transfer_address=f"{host}:%dts_port%")
        self.worker = service.WorkerServer(service.WorkerConfig(dispatcher_address=local, **addresses))


@checked()
def serve_data(
    data: Any,
    *,
    port: int = 5050,
    host: str = "localhost",
    classes: int | None = None,
    max_images: int | None = None,
    labels: str = "auto",
    splits: str = "auto",
    value_range: str | None = None,
    scan: str = "headers",
    max_size: int | None = None,
    cache: str | None = None,
) -> None:
    """Serves data until it is interrupted.

    Args:
        data: as for `pretrain`.
        port: to listen at; 0 takes any free one.
        host: the name or address under which other machines reach this one. By default only this machine can connect.
            A client can run any TensorFlow graph in this process: keep the port within a trusted network.
        classes: as for `pretrain`, and the same as there.
        max_images: as for `pretrain`, and the same as there.
        labels: "auto", "folders", "none" or a CSV file of rows FILE,CLASS; as for `data.load`.
        splits: "auto", "none" or the folders of each split, "train=a+b,test=c"; as for `data.load`.
        value_range: pixel values of black and white, such as "0,4095"; as for `data.load`.
        scan: "headers", or "full" to decode all files at the start; as for `data.load`, and the same as there.
        max_size: longest side in pixels, the setting max_size of the run if it has one; larger images are shrunk.
        cache: as for `pretrain`.

    Raises:
        ValueError: if the name of the host is unknown.
    """
    try:
        socket.getaddrinfo(host or " ", port)
    except OSError as error:
        raise ValueError(f"host={host!r} is no known name or address of this machine") from error
    reading = dict(max_size=max_size, labels=labels, splits=splits, value_range=value_range, scan=scan)
    train = load(data, **reading).train
    train_set = restrict(Splits(train), classes, max_images).train
    server = Server(cached(train_set, cache) if cache else train_set, port, host)
    log.info(f"serving {describe(train_set)}; address of the data service: {server.address}")
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
        """The same batches, made by the service.

        They end with an error if the service does not answer for 40 seconds.
        """
        made = batches.apply(service.distribute(service.ShardingPolicy.OFF, self.address))
        lost = f"the data service at {self.address} does not answer any more: start it again, then resume the run"
        return watched(made, lambda: _answers(self.address), lost)

    def read_columns(self, index: tf.Tensor) -> list[tf.Tensor]:
        return tf.raw_ops.PyFuncStateless(input=[index], token=self.function, Tout=self.types)


def served(dataset: Dataset, address: str) -> Served:
    """The dataset, read by the data service at `address` (grpc://host:port).

    Raises:
        DataError: nothing answers there, or it serves other data.
    """
    _probe(address)
    try:
        facts = within(watch.ANSWER_SECONDS, lambda: _facts(address))
    except (TimeoutError, tf.errors.OpError) as error:
        raise DataError(
            f"what listens at {address} is no data service of sslzoo, or does not answer ({reason(error)}): start one "
            "with `sslzoo serve-data DATA --port 5050`"
        ) from error
    if facts["fingerprint"] != dataset.fingerprint():
        raise DataError(
            f"the data service at {address} has other data, {facts['name']}, than {describe(dataset)}: "
            "start both with the same data, classes, max_images and max_size"
        )
    fields = {field.name: getattr(dataset, field.name) for field in dataclasses.fields(Dataset)}
    fields["graph"] = None  # the files are on the machine of the service
    return Served(**fields, address=address, function=facts["function"])


def _facts(address: str) -> dict[str, str]:
    facts = service.from_dataset_id("parallel_epochs", address, FACTS, SPEC)
    return {name: value.decode() for name, value in next(facts.as_numpy_iterator()).items()}


def _answers(address: str) -> bool:
    try:
        _probe(address)
        return bool(within(watch.ANSWER_SECONDS, lambda: _facts(address)))
    except (DataError, TimeoutError, tf.errors.OpError):
        return False


def _probe(address: str) -> None:
    """Raises DataError where nothing listens; TensorFlow itself would wait for an hour."""
    parts = urlsplit(address)
    with contextlib.suppress(OSError, ValueError):
        if parts.scheme == "grpc" and parts.port:
            socket.create_connection((parts.hostname, parts.port), watch.ANSWER_SECONDS).close()
            return
    raise DataError(
        f"no data service answers at {address!r}: start one with `sslzoo serve-data DATA --port 5050`, "
        "and give grpc://HOST:5050"
    )
