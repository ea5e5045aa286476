"""Projectors and predictors: what stands between features and a loss; their outputs are float32."""

import keras
from keras import layers


def normalization(center: bool = True, scale: bool = True, name: str | None = None) -> layers.BatchNormalization:
    """BatchNorm with the references' constants, which are not Keras' defaults."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, center=center, scale=scale, name=name)


def mlp(
    input_dim: int, hidden_dim: int, output_dim: int, hidden_layers: int = 1, name: str | None = None
) -> keras.Sequential:
    """SimCLR's projector (arXiv 2002.05709, section 2.1): Dense, BatchNorm, ReLU, ..., Dense, BatchNorm without offset.

    Maps (batch, input_dim) to (batch, output_dim) in float32.
    """
    dense = dict(use_bias=False, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01))
    stack = [keras.Input((input_dim,))]
    for _ in range(hidden_layers):
        stack += [layers.Dense(hidden_dim, **dense), normalization(), layers.ReLU()]
    stack += [layers.Dense(output_dim, **dense), normalization(center=False)]
    return keras.Sequential([*stack, layers.Activation("linear", dtype="float32")], name=name)


def byol_mlp(input_dim: int, hidden_dim: int, output_dim: int, name: str | None = None) -> keras.Sequential:
    """BYOL's projector and predictor (arXiv 2006.07733, section 3.2): Dense with bias, BatchNorm, ReLU, Dense without.

    Maps (batch, input_dim) to (batch, output_dim) in float32.
    """
    stack = [keras.Input((input_dim,)), layers.Dense(hidden_dim), normalization(), layers.ReLU()]
    stack += [layers.Dense(output_dim, use_bias=False), layers.Activation("linear", dtype="float32")]
    return keras.Sequential(stack, name=name)


def linear(input_dim: int, output_dim: int, name: str | None = None) -> layers.Dense:
    """One dense layer with bias, from (batch, input_dim) to (batch, output_dim) in float32."""
    layer = layers.Dense(output_dim, kernel_initializer="glorot_normal", dtype="float32", name=name)
    layer.build((None, input_dim))
    return layer
