"""Micro-batches: a large batch in the memory of a small one, by gradient caching (Gao et al., arXiv 2101.06983)."""

import keras
import tensorflow as tf

from sslzoo.layers.drop_path import DropPath
from sslzoo.utils.keras_internals import all_layers


class MicroBatches(keras.layers.Layer):
    """Calls an encoder on `rows` examples at a time when it trains.

    Only the features of a part are kept; the backward pass computes the part again. Memory grows with `rows`, not with
    the batch. Losses and heads receive the whole batch, and the gradient is that of the whole batch. BatchNormalization
    normalizes by the part, as on that many devices without synchronization; an encoder without it trains as in one
    pass.

    Args:
        encoder: functional or sequential model, inputs (batch, ...) -> features (batch, dim). It is not tracked: the
            layer has no weights of its own.
        rows: int, examples of a part. Must divide the batch that the layer is called with.

    Raises:
        ValueError: if the encoder drops paths, which the second pass could not repeat; on a call in training mode, if
            `rows` does not divide the batch.
    """

    def __init__(self, encoder: keras.Model, rows: int):
        super().__init__(dtype=encoder.dtype_policy)
        if any(isinstance(layer, DropPath) and layer.rate for layer in all_layers(encoder)):
            raise ValueError("micro_batch does not work with drop_path: set one of them to its default")
        self._encoder = lambda: encoder  # Keras does not look into functions for layers to track
        self.rows = rows
        self.built = True

    def call(self, inputs, training=None):
        count = inputs.shape[0]  # None where replicas share a batch
        if training is not True or (count or self.rows + 1) <= self.rows:
            return self._encoder()(inputs, training=bool(training))
        if (count or 0) % self.rows:
            raise ValueError(f"micro_batch={self.rows} does not divide {count} images: choose a divisor")
        return _features(self._encoder(), tf.reshape(inputs, (-1, self.rows, *inputs.shape[1:])))


def _features(encoder: keras.Model, parts: tf.Tensor) -> tf.Tensor:
    """Features (parts x rows, dim) of inputs (parts, rows, ...); assigns the encoder's state as its layers would."""
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

    output = encoder.outputs[0]  # its type need not be that of the policy
    empty = tf.zeros((parts.shape[1], *output.shape[1:]), output.dtype)
    features, states = tf.scan(step, parts, (empty, state), parallel_iterations=1)
    return tf.reshape(features, (-1, *features.shape[2:])), [values[-1] for values in states]


def _backward(encoder: keras.Model, parts: tf.Tensor, weights: tuple, state: list, gradient: tf.Tensor) -> list:
    """The gradient of each weight, summed over the parts."""

    def step(carried, part):
        inputs, share = part
        sums, state = carried
        with tf.GradientTape() as tape:
            tape.watch(weights)
            features, state = encoder.stateless_call(list(weights), state, inputs, training=True)
        found = tape.gradient(features, weights, share, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [total + one for total, one in zip(sums, found, strict=True)], state

    zeros = [tf.zeros_like(weight) for weight in weights]
    return tf.foldl(step, (parts, gradient), (zeros, state), parallel_iterations=1)[0]
