"""Target networks: copies of online networks without gradients, updated by exponential moving averages."""

import math

import keras
from keras import ops

from sslzoo.layers.drop_path import DropPath
from sslzoo.layers.lora import adapt_alike
from sslzoo.utils.keras_internals import all_layers

STATISTICS = ("moving_mean", "moving_variance")


def target_of(network: keras.Model, name: str | None = None) -> keras.Model:
    """A copy of a network with the same weights, none of them trainable.

    Its BatchNorm normalizes by the batch when called with training=True, and has moving statistics of its own, as in
    BYOL's published code. Its paths are not dropped.

    Args:
        network: functional or sequential model.
        name: str, of the copy; target_NAME if None.
    """
    config = network.get_config()
    target = type(network).from_config(config | {"name": name or f"target_{network.name}"})
    adapt_alike(target, network)
    target.set_weights(network.get_weights())
    for weight in target.weights:
        weight.trainable = False
    for layer in all_layers(target):
        if isinstance(layer, DropPath):
            layer.rate = 0.0
    return target


def ema_update(target: keras.Model, online: keras.Model, rate) -> None:
    """target <- target + rate (online - target) for parameters; moving statistics of BatchNorm are not updated.

    Args:
        target: a copy made by `target_of(online)`.
        online: the trained network.
        rate: float or scalar in 0..1, share moved: 1 - momentum of the papers.
    """
    for slow, fast in zip(target.weights, online.weights, strict=True):
        if slow.name not in STATISTICS and slow.dtype.startswith(("float", "bfloat")):
            whole = isinstance(rate, float) and rate == 1  # without a rounding error
            slow.assign(fast if whole else slow + ops.cast(rate, slow.dtype) * (fast - slow))


class Target(keras.layers.Layer):
    """EMA copies of a chain of networks: maps the input of the first to the output of the last, without gradients.

    Args:
        networks: models, each of which takes the output of the one before. `copies` are their copies.
    """

    def __init__(self, *networks: keras.Model, name: str = "target"):
        super().__init__(name=name, dtype="float32")
        self._networks = lambda: networks  # Keras does not look into functions for layers to track
        for number, network in enumerate(networks):  # one by one: tf.train.Checkpoint ignores lists of layers
            setattr(self, f"copy{number}", target_of(network, f"{name}_{network.name}"))
        self.built = True

    @property
    def copies(self) -> list[keras.Model]:
        return [getattr(self, f"copy{number}") for number in range(len(self._networks()))]

    def call(self, x, training=None):
        for copy in self.copies:
            x = copy(x, training=training)
        return x

    def update(self, rate) -> None:
        """Moves each copy towards its network; see `ema_update`.

        Args:
            rate: float or scalar in 0..1, share moved.
        """
        for copy, network in zip(self.copies, self._networks(), strict=True):
            ema_update(copy, network, rate)


def in_groups(network, images, groups: int):
    """Applies a network to parts of a batch one after the other, each with BatchNorm statistics of its own.

    Replaces the shuffled BatchNorm of MoCo (arXiv 1911.05722, section 3.3), without which a query can recognize its key
    by common statistics: queries are normalized by the whole batch, a key by a few images of it. Every `groups`-th
    image forms a group, so that groups are the same on any number of replicas.

    Args:
        network: callable, images -> outputs (batch, ...), one tensor or several.
        images: (batch, ...), in random order.
        groups: int, number of groups, which divides the batch of each replica; 1 for a single call.

    Returns:
        Outputs (batch, ...) in the order of the images, structured as those of the network.

    Raises:
        ValueError: if `groups` does not divide the batch, where its size is known.
    """
    if groups == 1:
        return network(images)
    if (images.shape[0] or 0) % groups:
        raise ValueError(f"{groups} groups do not divide a replica's batch of {images.shape[0]} images: choose others")
    parts = ops.reshape(images, (-1, groups, *images.shape[1:]))
    outputs = [network(parts[:, group]) for group in range(groups)]
    return keras.tree.map_structure(lambda *same: ops.reshape(ops.stack(same, 1), (-1, *same[0].shape[1:])), *outputs)


def cosine_to_zero(rate: float, progress):
    """BYOL's schedule (arXiv 2006.07733, section 3.1): decays along a cosine.

    Args:
        rate: float, value at progress 0.
        progress: float or scalar in 0..1.

    Returns:
        A scalar, 0 at progress 1.
    """
    return rate * (ops.cos(math.pi * progress) + 1) / 2
