"""Target networks: copies without a gradient that follow the online ones."""

import math

import keras
from keras import ops

STATISTICS = ("moving_mean", "moving_variance")


def target_of(network: keras.Model, name: str | None = None) -> keras.Model:
    """A copy of a functional or sequential network with the same weights, none of them trainable.

    Its BatchNorm still normalizes by the batch when it is called with training=True, and keeps moving statistics of its
    own, as in BYOL's published code.
    """
    config = network.get_config()
    target = type(network).from_config(config | {"name": name or f"target_{network.name}"})
    target.set_weights(network.get_weights())
    for weight in target.weights:
        weight.trainable = False
    return target


def ema_update(target: keras.Model, online: keras.Model, rate) -> None:
    """target <- target + rate (online - target), parameters alone: moving statistics are the target's own.

    Args:
        target: made by `target_of(online)`.
        online: the network that learns.
        rate: the fraction moved, 0..1: one minus the momentum that papers quote.
    """
    for slow, fast in zip(target.weights, online.weights, strict=True):
        if slow.name not in STATISTICS and slow.dtype.startswith(("float", "bfloat")):
            slow.assign(slow + ops.cast(rate, slow.dtype) * (fast - slow))


class Target(keras.layers.Layer):
    """Copies of networks that follow them slowly: maps what the first takes to what the last gives, without a gradient.

    Args:
        networks: each takes what the one before gives; `copies` are theirs.
    """

    def __init__(self, *networks: keras.Model, name: str = "target"):
        super().__init__(name=name, dtype="float32")
        self._networks = lambda: networks  # within a function Keras does not take them for layers of this one
        for number, network in enumerate(networks):  # one by one: TensorFlow's checkpoints pass over lists of layers
            setattr(self, f"copy{number}", target_of(network, f"{name}_{network.name}"))
        self.built = True

    @property
    def copies(self) -> list[keras.Model]:
        return [getattr(self, f"copy{number}") for number in range(len(self._networks()))]

    def call(self, x, training=None):
        for copy in self.copies:
            x = copy(x, training=training)
        return x

    def follow(self, rate) -> None:
        """Each moves by `rate`, 0..1, of the way to its network; see `ema_update`."""
        for copy, network in zip(self.copies, self._networks(), strict=True):
            ema_update(copy, network, rate)


def in_groups(network, images, groups: int):
    """A network over parts of a batch, one after the other, so that each part has BatchNorm statistics of its own.

    It stands for MoCo's shuffled BatchNorm (arXiv 1911.05722, section 3.3): else a query finds its key by the
    statistics of the images that both were normalized by. Queries are normalized by the whole batch, a key by a few
    images of it. Every `groups`-th image makes a group, so that groups are the same on any number of replicas.

    Args:
        network: images -> outputs (batch, ...), one tensor or several, called with each group.
        images: (batch, ...), in random order.
        groups: how many; 1 is one pass. It must divide the batch of each replica.

    Returns:
        Outputs (batch, ...) in the order of the images, as the network gives them.

    Raises:
        ValueError: a batch, where its size is known, that the groups do not divide.
    """
    if groups == 1:
        return network(images)
    if (images.shape[0] or 0) % groups:
        raise ValueError(f"{groups} groups do not divide a replica's batch of {images.shape[0]} images: choose others")
    parts = ops.reshape(images, (-1, groups, *images.shape[1:]))
    outputs = [network(parts[:, group]) for group in range(groups)]
    return keras.tree.map_structure(lambda *same: ops.reshape(ops.stack(same, 1), (-1, *same[0].shape[1:])), *outputs)


def cosine_to_zero(rate: float, progress):
    """BYOL's schedule (arXiv 2006.07733, section 3.1): `rate` at progress 0, 0 at progress 1, along a cosine."""
    return rate * (ops.cos(math.pi * progress) + 1) / 2
