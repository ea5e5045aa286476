"""LoRA (Hu et al., arXiv 2106.09685) by the `enable_lora` of Keras' layers: low-rank updates, and how to merge them."""

import keras
import numpy as np
from keras import ops

from sslzoo.utils.keras_internals import all_layers

BASES = ("kernel", "embeddings")  # names of the weights that Keras adds an update to


def adapt(network: keras.Model, rank: int) -> int:
    """Freezes the kernels of all layers that have `enable_lora`, and adds a trainable update of low rank to each.

    W = W_0 + A B, with B = 0 at the start (section 4.1). Biases and norms are trained as before. Layers without
    trainable weights are not changed.

    Args:
        network: functional or sequential model, changed in place.
        rank: of A B.

    Returns:
        The number of adapted layers.

    Raises:
        ValueError: if no layer has `enable_lora`.
    """
    layers = [layer for layer in all_layers(network) if hasattr(layer, "enable_lora") and layer.trainable_weights]
    layers = [layer for layer in layers if not isinstance(layer, keras.Model)]
    if not layers:
        raise ValueError(f"lora_rank={rank}: {network.name} has no dense, convolution or embedding layer to adapt")
    for layer in layers:
        layer.enable_lora(rank)
    return len(layers)


def merged(network: keras.Model) -> list[np.ndarray]:
    """The weights of a network with all updates added to their kernels, in the order of the network before `adapt`.

    Args:
        network: functional or sequential model, with or without LoRA.
    """
    adapted = [layer for layer in all_layers(network) if getattr(layer, "lora_enabled", False)]
    owners = {id(weight): layer for layer in adapted for weight in layer.weights}
    found = []
    for weight in network.weights:
        layer = owners.get(id(weight))
        if layer is None or not weight.name.startswith("lora_"):
            whole = layer is not None and weight.name in BASES
            found.append(ops.convert_to_numpy(getattr(layer, weight.name) if whole else weight))
    return found


def adapt_alike(copy: keras.Model, network: keras.Model) -> None:
    """Adds to a copy of a network, made from its configuration, the updates that the configuration does not contain.

    Keras writes the rank of a layer to its configuration, but not those of the layers within a layer.
    """
    for layer, adapted in zip(all_layers(copy), all_layers(network), strict=True):
        if getattr(adapted, "lora_enabled", False) and not layer.lora_enabled:
            layer.enable_lora(adapted.lora_rank, lora_alpha=adapted.lora_alpha)
