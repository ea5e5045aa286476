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
