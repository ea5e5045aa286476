"""Large batches on small memory: an encoder that takes a batch in parts, and computes them again for the gradient."""

import keras
import tensorflow as tf
from keras.src.backend import in_stateless_scope  # is this the call within `stateless_call`?


def in_parts(encoder: keras.Model, rows: int) -> None:
    """Makes a functional encoder pass `rows` images at a time through its layers when it trains.

    Nothing of a part is kept but its features, and the backward pass computes it again (gradient caching, Gao et al.
    2021, arXiv 2101.06983): memory grows with `rows`, not with the batch. Losses and heads see the whole batch, and
    the gradient is that of the whole batch. BatchNorm normalizes by the part, as on that many devices without
    synchronization; an encoder without BatchNorm trains exactly as in one pass.

    Args:
        encoder: images (batch, ...) -> features (batch, dim).
        rows: images of a part; it must divide what the encoder is called with.
    """
    whole = encoder.call

    def call(images, training=None, **kwargs):
        count = images.shape[0]  # None where replicas share a batch
        if training is not True or (count or rows + 1) <= rows or in_stateless_scope():
            return whole(images, training=training, **kwargs)
        if (count or 0) % rows:
            raise ValueError(f"a micro-batch of {rows} does not divide {count} images: choose another one")
        return _features(encoder, tf.reshape(images, (-1, rows, *images.shape[1:])))

    encoder.call = call


def _features(encoder: keras.Model, parts: tf.Tensor) -> tf.Tensor:
    """Features (parts x rows, dim) of images (parts, rows, ...); moves the encoder's state as its layers do."""
    trained, state = encoder.trainable_variables, encoder.non_trainable_variables
    before = [tf.identity(variable.value) for variable in state]

    @tf.custom_gradient
    def through(parts, *weights):
        features, after = _forward(encoder, parts, weights, before)

        def backward(gradient, *_):
            shares = tf.reshape(gradient, (-1, parts.shape[1], *gradient.shape[1:]))
            return (None, *_backward(encoder, parts, weights, before, shares))

        return (features, *after), backward

    features, *after = through(parts, *[variable.value for variable in trained])
    for variable, value in zip(state, after, strict=True):
        variable.assign(value)
    return features


def _forward(encoder: keras.Model, parts: tf.Tensor, weights: tuple, state: list) -> tuple[tf.Tensor, list]:
    def step(carried, part):
        return encoder.stateless_call(list(weights), carried[1], part, training=True)

    empty = tf.zeros((parts.shape[1], *encoder.output_shape[1:]), encoder.compute_dtype)
    features, states = tf.scan(step, parts, (empty, state), parallel_iterations=1)
    return tf.reshape(features, (-1, *features.shape[2:])), [values[-1] for values in states]


def _backward(encoder: keras.Model, parts: tf.Tensor, weights: tuple, state: list, gradient: tf.Tensor) -> list:
    """The gradient of each weight, added up over the parts."""

    def step(carried, part):
        images, share = part
        sums, state = carried
        with tf.GradientTape() as tape:
            tape.watch(weights)
            features, state = encoder.stateless_call(list(weights), state, images, training=True)
        found = tape.gradient(features, weights, share, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [total + one for total, one in zip(sums, found, strict=True)], state

    zeros = [tf.zeros_like(weight) for weight in weights]
    return tf.foldl(step, (parts, gradient), (zeros, state), parallel_iterations=1)[0]
