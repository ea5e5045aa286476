"""NEPA: predict the embedding of each next patch from the patches before it; vision transformers only."""

from keras import ops

from sslzoo import losses
from sslzoo.layers import attention_masks
from sslzoo.layers.transformer import parts, walk
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class NEPA(SSLModel):
    """Maximizes the cosine of outputs and embeddings of the next patch, in the order of rows, with causal attention.

    The target is the output of the patch embedding, stopped, to which positions are not yet added: the authors'
    transformer has rotary positions, and layer scale, SwiGLU and normalized queries and keys, which this one lacks. A
    class token sees itself alone. The paper fine-tunes; in the exported encoder every patch sees all others.

    Args:
        encoder: functional vision transformer, images (batch, height, width, channels) -> features (batch, features).

    Raises:
        ValueError: if the encoder has no patch tokens.
    """

    paper = "https://arxiv.org/abs/2512.16922"
    use = "vision transformers that are fine-tuned afterwards; no decoder, head or target network"
    batch = 32
    views = "nepa"
    default_encoder = "vit_tiny"
    kinds = ("image",)
    micro_batches = False

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder, **kwargs)
        self.stem, self.place, self.trunk = parts(encoder)
        self.extra = encoder.get_layer("tokens").extra

    def call(self, batch):
        patches = self.stem(batch["views"][0])
        tokens = self.place(patches)
        length = tokens.shape[1] - self.extra
        causal = attention_masks.with_extra(attention_masks.causal(length), ops.zeros((1, length), "bool"), self.extra)
        tokens, _ = walk(self.trunk, tokens, causal)
        target = ops.stop_gradient(ops.reshape(patches, (-1, length, patches.shape[-1])))
        prediction, target = (ops.cast(x, "float32") for x in (tokens[:, self.extra : -1], target[:, 1:]))
        return dict(prediction=prediction, target=target)

    def objective(self, prediction, target):
        loss = losses.negative_cosine(prediction, target)
        return ops.mean(gather(ops.broadcast_to(loss, ops.shape(prediction)[:1])))
