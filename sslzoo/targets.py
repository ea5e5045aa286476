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


def cosine_to_zero(rate: float, progress):
    """BYOL's schedule (arXiv 2006.07733, section 3.1): `rate` at progress 0, 0 at progress 1, along a cosine."""
    return rate * (ops.cos(math.pi * progress) + 1) / 2
