"""All that is known about tf.distribute: which strategy, how many replicas, the batch over all of them."""

import tensorflow as tf

STRATEGIES = ("auto", "one", "mirrored")


def strategy(name: str = "auto") -> tf.distribute.Strategy:
    """The strategy of that name; "auto" mirrors over the GPUs where there is more than one."""
    if name not in STRATEGIES:
        raise ValueError(f"no strategy {name!r}: choose one of {', '.join(STRATEGIES)}")
    if name == "mirrored" or (name == "auto" and len(tf.config.list_logical_devices("GPU")) > 1):
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def count() -> int:
    """Replicas that take part in the current step (1 outside of a strategy)."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def gather(x: tf.Tensor) -> tf.Tensor:
    """All replicas' rows in the global order: (local batch, ...) -> (global batch, ...); gradients flow back."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    gathered = context.all_gather(x, axis=0)
    gathered.set_shape((None, *x.shape[1:]))  # which all_gather forgets in a graph
    return gathered


def uniform(rows: int | tf.Tensor, columns: int, step: int | tf.Tensor, seed: int = 0) -> tf.Tensor:
    """Random numbers in [0, 1) for this replica's rows of the global batch, (rows, columns) float32.

    A function of the seed, the step and the row of the global batch: the same on any number of replicas, if they have
    equal shares.
    """
    context = tf.distribute.get_replica_context()
    first = 0 if context is None else context.replica_id_in_sync_group * rows
    seeds = tf.stack([tf.constant(seed, tf.int32), tf.cast(step, tf.int32)])
    drawn = tf.random.stateless_uniform((count() * rows, columns), seeds, alg="philox")
    return drawn[first : first + rows]
