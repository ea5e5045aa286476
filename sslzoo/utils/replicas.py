"""Distribution over devices and workers by tf.distribute: strategies, gathered batches, random numbers."""

import functools
from collections.abc import Callable

import tensorflow as tf

STRATEGIES = ("auto", "one", "mirrored", "multi-worker", "tpu")


def strategy(name: str = "auto") -> tf.distribute.Strategy:
    """A distribution strategy by name.

    Args:
        name: "auto" (mirrored over the GPUs if there are several), "one", "mirrored", "multi-worker" (reads TF_CONFIG;
            create it before TensorFlow computes anything) or "tpu" (not tested).

    Raises:
        ValueError: if the name is unknown, or its cluster is missing.
    """
    if name in ("parameter-server", "parameter_server"):
        raise ValueError("Keras 3 cannot fit under ParameterServerStrategy: choose mirrored, or multi-worker")
    if name not in STRATEGIES:
        raise ValueError(f"no strategy {name!r}: choose one of {', '.join(STRATEGIES)}")
    if name == "multi-worker":
        return _multi_worker()
    if name == "tpu":
        return _tpu()
    if name == "mirrored" or (name == "auto" and len(tf.config.list_logical_devices("GPU")) > 1):
        return _mirrored()
    return tf.distribute.get_strategy()


# TensorFlow crashes if a strategy is created twice.


@functools.cache
def _mirrored() -> tf.distribute.Strategy:
    return tf.distribute.MirroredStrategy()


@functools.cache
def _multi_worker() -> tf.distribute.Strategy:
    cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if not cluster.cluster_spec().as_dict().get("worker"):
        example = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
        raise ValueError(f"multi-worker needs all workers' addresses and the index of this one: TF_CONFIG='{example}'")
    return tf.distribute.MultiWorkerMirroredStrategy(cluster)


@functools.cache
def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise ValueError(f"no TPU is found ({str(error).splitlines()[0]}): choose another strategy=...") from None
    return tf.distribute.TPUStrategy(resolver)


def workers(chosen: tf.distribute.Strategy) -> int:
    """Number of processes that train together."""
    resolver = chosen.cluster_resolver
    return len(resolver.cluster_spec().as_dict().get("worker", [0])) if resolver else 1


def describe(chosen: tf.distribute.Strategy, batch_size: int) -> str:
    """One line about the distribution of a batch."""
    devices, processes = chosen.num_replicas_in_sync, workers(chosen)
    where = f"{devices} devices of {processes} worker{'s' * (processes > 1)}"
    part = f"{batch_size // devices} images of each batch of {batch_size}"
    return f"{where}: {part} on each; losses and BatchNorm see the whole batch"


def is_chief(chosen: tf.distribute.Strategy) -> bool:
    """Whether this process writes files: the only one, or the first worker."""
    return workers(chosen) == 1 or chosen.cluster_resolver.task_id == 0


def barrier(chosen: tf.distribute.Strategy) -> None:
    """Waits until all workers have called it."""
    if workers(chosen) > 1:
        chosen.reduce("SUM", chosen.run(lambda: tf.ones(())), axis=None)


def distribute(chosen: tf.distribute.Strategy, batches: Callable[..., tf.data.Dataset]) -> tf.data.Dataset:
    """The dataset for `fit`: the global batches, or on each of several workers its rows of them.

    Args:
        chosen: the strategy.
        batches: callable that returns the global batches; with share=(number, of) it returns one of `of` equal parts of
            each.
    """
    if workers(chosen) == 1:
        return batches()

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        local = context.num_replicas_in_sync // context.num_input_pipelines
        part = batches(share=(context.input_pipeline_id, context.num_input_pipelines))
        if local == 1:
            return part
        rows = tf.nest.flatten(part.element_spec)[0].shape[0]
        return part.rebatch(rows // local, drop_remainder=True)

    return chosen.distribute_datasets_from_function(of_worker)


def figures(logs: dict) -> dict:
    """The logs of a step in the shape that Keras reduces: with a leading axis on several workers."""
    several = workers(tf.distribute.get_strategy()) > 1
    return {name: value[None] for name, value in logs.items()} if several else logs


def count() -> int:
    """Number of replicas in the current step, 1 without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def gather(x: tf.Tensor) -> tf.Tensor:
    """The rows of all replicas in global order; gradients pass back.

    Args:
        x: (rows of this replica, ...).

    Returns:
        (rows of all replicas, ...).
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    # Several workers need a tensor with a device, which columns of the data do not have and their copies do.
    gathered = context.all_gather(tf.identity(x), axis=0)
    gathered.set_shape((None, *x.shape[1:]))  # lost by all_gather in a graph
    return gathered


def own(gathered: tf.Tensor, rows) -> tf.Tensor:
    """The rows of this replica in a tensor that `gather` returned.

    Args:
        gathered: (rows of all replicas, ...).
        rows: int or scalar, number of rows of each replica.

    Returns:
        (rows, ...).
    """
    context = tf.distribute.get_replica_context()
    first = 0 if context is None else context.replica_id_in_sync_group * rows
    return gathered[first : first + rows]


def uniform(shape: tuple, seeds: tuple, everywhere: bool = False) -> tf.Tensor:
    """Random numbers in [0, 1), float32, a function of the seeds and of the row of the global batch.

    Args:
        shape: its first entry counts the rows of this replica. All replicas have equally many.
        seeds: two integers or integer scalars.
        everywhere: bool, the first entry counts the rows of the global batch, and every replica draws all of them.

    Returns:
        A tensor of that shape, the same on any number of replicas.
    """
    rows, *rest = shape
    context = tf.distribute.get_replica_context()
    first = 0 if context is None else context.replica_id_in_sync_group * rows
    total = rows if everywhere else count() * rows
    drawn = tf.random.stateless_uniform((total, *rest), _seed(seeds), alg="philox")
    return drawn if everywhere else drawn[first : first + rows]


def integers(shape: tuple, below: int, seeds: tuple) -> tf.Tensor:
    """Random integers 0..below - 1, int32, a function of two seeds; every replica draws the same."""
    return tf.random.stateless_uniform(shape, _seed(seeds), maxval=below, dtype="int32", alg="philox")


def _seed(seeds: tuple) -> tf.Tensor:
    return tf.stack([tf.cast(seed % 2**31 if isinstance(seed, int) else seed, tf.int32) for seed in seeds])
