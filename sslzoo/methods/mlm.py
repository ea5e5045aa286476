"""Masked language modelling: predict the words of a text that were hidden."""

import keras
from keras import layers, ops

from sslzoo.layers.tokenized import words_of
from sslzoo.layers.transformer import dense
from sslzoo.losses import class_cross_entropy
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

MASKED, RANDOM = 0.8, 0.1  # of the chosen tokens; the others are kept


class MLM(SSLModel):
    """Minimizes the cross-entropy of the chosen tokens of each text, BERT's first objective, without its second.

    Of the chosen tokens 80 % are replaced by the mask, 10 % by a random token and 10 % are kept. The head is BERT's: a
    dense layer, GELU, a norm, and the transposed embeddings of the tokens with a bias. Tokens are words, or
    as in BERT pieces of words, or bytes. Of the views the first is trained on.

    Args:
        encoder: text_transformer, tokens (batch, length) -> features (batch, features).
        mask_ratio: float in (0, 1), share of the tokens of a text that are chosen, at least one; 0.15 in the paper.

    Raises:
        ValueError: if the encoder has no layers "words" and "norm".
    """

    paper = "https://arxiv.org/abs/1810.04805"
    use = "texts, before sim_cse"
    batch = 64
    views = "whole"
    kinds = ("text",)
    micro_batches = False

    def __init__(self, encoder, mask_ratio: float = 0.15, **kwargs):
        super().__init__(encoder, **kwargs)
        self.mask_ratio = mask_ratio
        self.words = words_of(encoder, "mlm")
        self.states = keras.Model(encoder.input, encoder.get_layer("norm").output)
        head = [dense(self.words.dim, "hidden"), layers.Activation("gelu"), layers.LayerNormalization(epsilon=1e-12)]
        self.head = keras.Sequential([keras.Input((None, self.words.dim)), *head], name="head")
        self.bias = self.add_weight((self.words.mask + 1,), initializer="zeros", name="bias")

    def call(self, batch, training=None):
        text = batch["views"][0]
        chosen, weights = self._chosen(text, training)
        seen = self._hidden(text, chosen, weights, training)
        states = ops.take_along_axis(self.states(seen), chosen[..., None], axis=1)
        logits = ops.matmul(self.head(states), ops.transpose(self.words.embeddings)) + self.bias
        target = ops.take_along_axis(text, chosen, axis=1)
        return dict(errors=class_cross_entropy(logits, target, weights=weights), counts=ops.sum(weights, axis=1))

    def objective(self, errors, counts):
        errors, counts = gather(errors), gather(counts)
        return ops.sum(errors * counts) / ops.maximum(ops.sum(counts), 1.0)

    def _chosen(self, text, training):
        """Places (batch, most) of random tokens of each text, and 1 for the first share of its tokens, 0 for others."""
        count, length = ops.shape(text)[0], text.shape[1]
        most = max(1, round(self.mask_ratio * length))
        noise = self.uniform((count, length), 0, training=training)
        places = ops.argsort(ops.where(text > 0, noise, 2.0), axis=1)[:, :most]
        tokens = ops.sum(ops.cast(text > 0, "float32"), axis=1, keepdims=True)
        wanted = ops.minimum(tokens, ops.maximum(1.0, ops.round(self.mask_ratio * tokens)))
        return places, ops.cast(ops.arange(most, dtype="float32") < wanted, "float32")

    def _hidden(self, text, chosen, weights, training):
        """The texts, in which chosen tokens are replaced by the mask or a random token, or are kept."""
        shape = (ops.shape(text)[0], chosen.shape[1])
        kind, drawn = (self.uniform(shape, draw, training=training) for draw in (1, 2))
        other = 1 + ops.cast(ops.floor(drawn * (self.words.mask - 1)), text.dtype)
        kept = ops.take_along_axis(text, chosen, axis=1)
        new = ops.where(kind < MASKED, self.words.mask, ops.where(kind < MASKED + RANDOM, other, kept))
        place = ops.one_hot(chosen, text.shape[1], dtype=text.dtype) * ops.cast(weights, text.dtype)[..., None]
        return ops.where(ops.sum(place, axis=1) > 0, ops.sum(place * new[..., None], axis=1), text)
