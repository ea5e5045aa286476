"""Layer-wise training: the encoder grows block by block, and earlier blocks stay bitwise constant.

Stages are trained one after the other, each on a network that ends with its block.

    before = None
    for name, grown in layerwise.grow(encoder):
        model = methods.Autoencoder(grown, decoder="symmetric")
        if before:
            layerwise.inherit(model, before)
        with layerwise.train_only(model, layerwise.stages(model)[name]):
            model.compile(keras.optimizers.Adam(1e-4))
            model.fit(batches)
        before = model
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import keras

from sslzoo.layers.decoders import chain
from sslzoo.utils.keras_internals import all_layers, norms


def blocks(encoder: keras.Model) -> dict[str, list[keras.layers.Layer]]:
    """Returns the convolutions and dense layers of an encoder, each with the norms up to the next of them.

    Args:
        encoder: a chain of layers, such as conv6.

    Returns:
        Dict from the name of the first layer of each block to its layers with weights, in order.

    Raises:
        ValueError: if the encoder has branches, or its first layer with weights is not a convolution or dense layer.
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
    """Returns the weights that are trained in each stage, by the name of the encoder's block.

    A stage consists of a block, the layers of the decoder that mirror it, and all weights between features and loss: a
    projector, the bottleneck, a decoder without mirrored layers. These shared weights are trained in every stage, since
    the features change.

    Args:
        model: a method whose `encoder` is a chain of layers; a layer named `mirror_NAME` mirrors NAME.

    Returns:
        Dict from the name of a block to its weights, including moving statistics.
    """
    named = {layer.name: layer for layer in all_layers(model)}
    own = {}
    for name, block in blocks(model.encoder).items():
        mirrors = [named[f"mirror_{layer.name}"] for layer in block if f"mirror_{layer.name}" in named]
        own[name] = [weight for layer in block + mirrors for weight in layer.weights]
    taken = {id(weight) for weights in own.values() for weight in weights}
    shared = [weight for weight in model.weights if id(weight) not in taken]
    return {name: weights + shared for name, weights in own.items()}


@contextmanager
def train_only(model: keras.Model, weights: Sequence[keras.Variable]) -> Iterator[None]:
    """Context in which only `weights` are trained and all other weights are bitwise constant.

    Compile the model inside the context. Weights are frozen one by one, since freezing a layer would switch its
    BatchNorm to inference mode. A BatchNorm whose moving statistics are not among `weights` normalizes by the batch and
    has momentum 1, which keeps its statistics constant.

    Args:
        model: a method; targets and queues are still updated in `after_step`.
        weights: the weights to train, and the moving statistics to update.
    """
    chosen = {id(weight) for weight in weights}
    frozen = [weight for weight in model.trainable_weights if id(weight) not in chosen]
    momenta = {norm: norm.momentum for norm in norms(model) if id(norm.moving_mean) not in chosen}
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


def grow(encoder: keras.Model) -> Iterator[tuple[str, keras.Model]]:
    """Yields the flattened encoder up to the end of each block, from the first block to the whole encoder.

    The models share their layers.

    Args:
        encoder: a chain of layers, such as conv6.

    Returns:
        Iterator over (name of the block, model).
    """
    names = list(blocks(encoder))
    links = dict(pairwise(reversed(chain(encoder))))  # layer -> the previous layer
    for name, following in pairwise(names):
        end = links[encoder.get_layer(following)].output
        flat = keras.layers.Flatten(name=f"flatten_{name}")(end) if len(end.shape) > 2 else end
        yield name, keras.Model(encoder.input, flat, name=f"{encoder.name}_to_{name}")
    yield names[-1], encoder


def inherit(model: keras.Model, before: keras.Model) -> None:
    """Copies the weights of mirrored blocks from the model of the previous stage, by the names of the layers.

    Args:
        model: the model of this stage.
        before: the model of the previous stage.
    """
    named = {layer.name: layer for layer in all_layers(before)}
    for layer in all_layers(model):
        if layer.name.startswith("mirror_") and layer.weights and layer.name in named:
            layer.set_weights(named[layer.name].get_weights())


def pooled(encoder: keras.Model, dim: int) -> keras.Model:
    """Returns a flattened encoder whose last map is average-pooled to at most `dim` features.

    Args:
        encoder: a chain of layers, such as conv6.
        dim: int, maximum number of features; one pixel of the map is kept in any case.

    Returns:
        The pooled encoder; the given one if it has few enough features or no map.
    """
    maps = chain(encoder)[-1].input
    if encoder.output_shape[-1] <= dim or len(maps.shape) != 4:
        return encoder
    _, height, width, channels = maps.shape
    side = next(s for s in range(2, height + 1) if -(-height // s) * -(-width // s) * channels <= max(dim, channels))
    small = keras.layers.AveragePooling2D(side, padding="same", name=f"average{side}")(maps)
    return keras.Model(encoder.input, keras.layers.Flatten()(small), name=f"{encoder.name}_pooled")
