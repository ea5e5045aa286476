"""Layer-wise training: one block of the encoder and its mirror image after the other, all else bitwise frozen.

for block in layerwise.each(model, lambda: keras.optimizers.Adam(1e-4)):
    model.fit(batches)
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import keras

from sslzoo.decoders import chain


def blocks(encoder: keras.Model) -> dict[str, list[keras.layers.Layer]]:
    """The convolutions and dense layers of an encoder, each with the norms up to the next one.

    Args:
        encoder: a chain of layers, such as conv6.

    Returns:
        Layers with weights, by the name of the first of each block, the block next to the images first.

    Raises:
        ValueError: the encoder branches, or its first layer with weights is no convolution or dense layer.
    """
    found = {}
    for layer in (layer for layer in chain(encoder) if layer.weights):
        if hasattr(layer, "kernel"):
            found[layer.name] = []
        elif not found:
            raise ValueError(
                f"{encoder.name} starts with {layer.name}: a block starts with a convolution or dense layer"
            )
        found[next(reversed(found))].append(layer)
    return found


def stages(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """The weights that train in each stage, by the name of the encoder's block.

    A stage has a block, the layers of the decoder that mirror it, and whatever stands between features and loss: a
    projector, the bottleneck, a decoder that mirrors nothing. Those train in every stage, since the features under them
    change.

    Args:
        model: a method, whose `encoder` is a chain of layers; a layer named `mirror_NAME` mirrors NAME.

    Returns:
        Weights, moving statistics among them.
    """
    named = {layer.name: layer for layer in model._flatten_layers()}
    own = {}
    for name, block in blocks(model.encoder).items():
        mirrors = [named[f"mirror_{layer.name}"] for layer in block if f"mirror_{layer.name}" in named]
        own[name] = [weight for layer in block + mirrors for weight in layer.weights]
    taken = {id(weight) for weights in own.values() for weight in weights}
    shared = [weight for weight in model.weights if id(weight) not in taken]
    return {name: weights + shared for name, weights in own.items()}


@contextmanager
def train_only(model: keras.Model, weights: Sequence[keras.Variable]) -> Iterator[None]:
    """Within, `weights` train and every other weight of the model stays bitwise as it is; compile the model within.

    Others get no gradient (weight by weight: a frozen layer would put its BatchNorm into inference). A BatchNorm whose
    moving statistics are not among `weights` normalizes by the batch as ever, with momentum 1, which keeps them.

    Args:
        model: a method; teachers and queues that it moves in `after_step` go on moving.
        weights: those that were trainable before, and the moving statistics that shall move.
    """
    chosen = {id(weight) for weight in weights}
    frozen = [weight for weight in model.trainable_weights if id(weight) not in chosen]
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = {norm: norm.momentum for norm in norms if id(norm.moving_mean) not in chosen}
    try:
        for weight in frozen:
            weight.trainable = False
        for norm in momenta:
            norm.momentum = 1.0
        yield
    finally:
        for weight in frozen:
            weight.trainable = True
        for norm, momentum in momenta.items():
            norm.momentum = momentum


def each(model: keras.Model, optimizer: Callable[[], keras.optimizers.Optimizer]) -> Iterator[str]:
    """Compiles the model for one stage after the other and gives the name of its block; the caller trains and judges.

    All weights are trainable again afterwards: compile once more to train them together.

    Args:
        model: a method, whose `encoder` is a chain of layers.
        optimizer: makes a new one, for each stage.
    """
    for name, weights in stages(model).items():
        with train_only(model, weights):
            model.compile(optimizer())
            yield name
