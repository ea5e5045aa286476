"""Training from public weights: the architecture, frozen blocks, LoRA, and a term that holds the features."""

import dataclasses
import math
from collections.abc import Callable

import keras
import tensorflow as tf
from keras import ops

from sslzoo.catalog.kinds import Kind
from sslzoo.catalog.options import encoder_of
from sslzoo.exports import origin
from sslzoo.exports.card import described
from sslzoo.exports.origin import Origin
from sslzoo.layers import lora
from sslzoo.layers.taps import decayed, stage_layers
from sslzoo.losses import negative_cosine
from sslzoo.model import SSLModel
from sslzoo.training.experiment import Experiment
from sslzoo.utils.log import log
from sslzoo.utils.replicas import gather

NEEDS_START = ("freeze_blocks", "lora_rank", "stay")


def find(s: Experiment) -> Origin | None:
    """The weights that an experiment starts from, or None.

    Raises:
        ValueError: the weights cannot be loaded, or a setting makes no sense with the others; one line.
    """
    asked = [name for name in NEEDS_START if getattr(s, name)]
    if asked and s.start_from is None and not isinstance(s.encoder, keras.Model):
        name = asked[0]
        raise ValueError(f"{name}={getattr(s, name)} needs weights to start from: give start_from=..., or {name}=0")
    if s.layerwise and (asked or s.layer_decay != 1):
        raise ValueError(f"layerwise=True trains one block after the other: leave out {(asked or ['layer_decay'])[0]}")
    if s.stay and s.micro_batch:
        raise ValueError("stay compares features of the whole batch: leave out micro_batch, or stay")
    if s.start_from is None:
        return None
    found = origin.find(s.start_from, s.encoder, s.image_size)
    log.info(f"start from {described(found.ancestry)}")
    return found


def chosen(s: Experiment, start: Origin | None, kind: Kind) -> Experiment:
    """The experiment with the architecture of the weights, where `encoder` has its default or names the same one."""
    left = isinstance(s.encoder, str) and s.encoder == encoder_of(s.method, kind.name, Experiment.encoder)
    if start is None or not left and s.encoder != start.encoder:
        return s
    if start.encoder is None or "schema" in start.knobs:  # the model has the schema of its own training data
        return dataclasses.replace(s, encoder=start.model)
    size = s.image_size or start.size
    return dataclasses.replace(s, encoder=start.encoder, knobs=start.knobs | s.knobs, image_size=size)


def prepared(encoder: keras.Model, s: Experiment) -> keras.Model:
    """The encoder with frozen blocks and LoRA, before a method copies it; returns it.

    Raises:
        ValueError: the encoder has too few blocks, or no layer that LoRA can adapt.
    """
    if s.freeze_blocks:
        freeze(encoder, s.freeze_blocks)
    if s.lora_rank:
        count = lora.adapt(encoder, s.lora_rank)
        log.info(f"LoRA of rank {s.lora_rank} in {count} layers of {encoder.name}")
    if s.freeze_blocks or s.lora_rank:
        trained = sum(math.prod(weight.shape) for weight in encoder.trainable_weights)
        log.info(f"{encoder.name}: {trained:,} parameters are trained")
    return encoder


def kept(plan) -> dict:
    """Arguments to build the encoder before the training again: seed, name, input shape and knobs.

    Args:
        plan: a `Plan`.
    """
    s = plan.experiment
    wrapped = getattr(plan.method, "of_images", SSLModel.of_images) is not SSLModel.of_images
    if plan.origin or not isinstance(s.encoder, str) or wrapped or s.features_after:
        return {"seed": s.seed}  # the architecture is in the export
    knobs = plan.schema | plan.knobs["encoder"]
    return dict(seed=s.seed, encoder=s.encoder, input_shape=list(plan.input_shape), knobs=knobs)


def freeze(encoder: keras.Model, count: int) -> None:
    """Freezes the layers of the first blocks; their BatchNorm runs in inference mode, in target networks too.

    Args:
        encoder: changed in place.
        count: number of blocks, of those that `sslzoo.layers.taps.stage_layers` finds.

    Raises:
        ValueError: if nothing would be left to train.
    """
    blocks = [layers for layers in stage_layers(encoder) if any(getattr(layer, "weights", ()) for layer in layers)]
    if count >= len(blocks):
        line = f"freeze_blocks={count}: {encoder.name} has {len(blocks)} blocks"
        raise ValueError(f"{line}, of which at least one must be trained")
    for layers in blocks[:count]:
        for layer in layers:
            layer.trainable = False


def share_of(encoder: keras.Model, layer_decay: float) -> Callable[[keras.Variable], float] | None:
    """The function from a weight to the factor of its learning rate; None if it is 1 everywhere."""
    if layer_decay == 1:
        return None
    shares = {id(weight): share for weight, share in decayed(encoder, layer_decay)}
    return lambda weight: shares.get(id(weight), 1.0)


def stay(model: SSLModel, start: keras.Model, weight: float) -> Callable[[dict], tf.Tensor]:
    """The term weight * (1 - cosine of features and start's features of the first view), averaged over the batch.

    Both networks are in inference mode. Holding features instead of weights follows LDIFS (Mukhoti et al., arXiv
    2308.13320), here with the cosine and the last features alone.

    Args:
        model: a method.
        start: the encoder with the weights of the start, which is not trained.
        weight: of the term.

    Returns:
        A function from a batch to the scalar.
    """

    def penalty(batch: dict) -> tf.Tensor:
        view = batch["views"][0]
        held = ops.cast(start(view, training=False), "float32")
        now = ops.cast(model.encoder(view, training=False), "float32")
        return weight * (1 + negative_cosine(gather(now), ops.stop_gradient(gather(held))))

    return penalty
