"""CLIP: the embeddings of an image and of its caption agree, and differ from those of the rest of the batch."""

import math

from keras import ops

from sslzoo import losses
from sslzoo.catalog.knobs import nearest
from sslzoo.layers.heads import mlp
from sslzoo.layers.text import projection, text_tower, token_count
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

VARIANTS = ("softmax", "sigmoid")
LARGEST_SCALE = 100.0  # of the cosines, section 2.5
SIMCLR_DIM, SIMCLR_TEMPERATURE = 256, 0.1  # of SLIP


class CLIP(SSLModel):
    """Contrasts images with captions over the global batch, by two towers and a learned temperature.

    Equal captions in a batch belong to each other's images. A step takes one caption of each image at random. SigLIP
    (arXiv 2303.15343) is variant="sigmoid" with temperature 0.1, ALIGN (2102.05918) label_smoothing=0.1, LiT
    (2111.07991) frozen_image=True, SLIP (2112.12750) simclr_weight=1 with the preset slip.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embeddings; unused with frozen_image, which embeds in the features' width.
        text_dim, text_depth, text_heads: int, width, number of blocks and heads of the text encoder.
        text_length: int, tokens of a caption; longer ones are cut.
        tokenizer: "words", those of the training captions, "pieces" of them, or "bytes" of UTF-8, for any language.
        word_count: int, maximum number of different words or pieces.
        variant: "softmax", or "sigmoid" as in SigLIP.
        temperature: float, divides the cosine similarities at the start.
        offset: float, subtracted from the similarities at the start, if variant="sigmoid"; minus SigLIP's bias.
        label_smoothing: float in 0..1, of the softmax.
        frozen_image: bool, keeps the weights of the encoder, which should then be a trained one.
        simclr_weight: float, weight of SimCLR's loss of the second and third view.
        hidden_dim: int, width of the hidden layers of SimCLR's projector.
        vocabulary: the words or pieces, most frequent first, as pretraining finds them.

    Raises:
        ValueError: if a name is unknown, words or pieces have no vocabulary, or the heads do not divide the width.
    """

    paper = "https://arxiv.org/abs/2103.00020"
    use = "images with captions: search by text, classification without examples"
    views = "clip"
    kinds = ("image",)
    captions = True

    def __init__(
        self,
        encoder,
        projection_dim: int = 512,
        text_dim: int = 512,
        text_depth: int = 12,
        text_heads: int = 8,
        text_length: int = 77,
        tokenizer: str = "words",
        word_count: int = 49408,
        variant: str = "softmax",
        temperature: float = 0.07,
        offset: float = 10.0,
        label_smoothing: float = 0.0,
        frozen_image: bool = False,
        simclr_weight: float = 0.0,
        hidden_dim: int = 4096,
        vocabulary: tuple = (),
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if variant not in VARIANTS:
            raise ValueError(nearest("variant", variant, VARIANTS))
        self.projection_dim, self.text_length, self.word_count = projection_dim, text_length, word_count
        self.text_dim, self.text_depth, self.text_heads = text_dim, text_depth, text_heads
        self.tokenizer, self.vocabulary = tokenizer, tuple(vocabulary)
        self.variant, self.temperature, self.offset = variant, temperature, offset
        self.label_smoothing, self.frozen_image = label_smoothing, frozen_image
        self.simclr_weight, self.hidden_dim = simclr_weight, hidden_dim
        features = encoder.output_shape[-1]
        self.encoder.trainable = not frozen_image
        self.projector = None if frozen_image else projection(features, projection_dim, name="projector")
        tower = token_count(tokenizer, vocabulary), text_length, text_dim, text_depth, text_heads
        self.text = text_tower(*tower, output_dim=features if frozen_image else projection_dim)
        if simclr_weight:
            self.simclr_projector = mlp(features, hidden_dim, SIMCLR_DIM, 2, name="simclr_projector")
        self.log_scale = self._scalar("log_scale", -math.log(temperature))
        if variant == "sigmoid":
            self.learned_offset = self._scalar("offset", offset)

    def _scalar(self, name: str, start: float):
        return self.add_weight((), lambda *args, **kwargs: ops.full((), start), name=name, autocast=False)

    def call(self, batch, training=None):
        captions, (images, *others) = batch["text"], batch["views"]
        drawn = self.uniform((ops.shape(captions)[0], 1, 1), 0, training=training) * captions.shape[1]
        tokens = ops.take_along_axis(captions, ops.cast(drawn, "int32"), axis=1)[:, 0]
        outputs = dict(z_a=self.embed(images), z_b=self.text(tokens), tokens=tokens)
        if self.simclr_weight:
            if len(others) != 2:
                raise ValueError("simclr_weight above 0 needs two more views: give preset='slip'")
            p_a, p_b = self.together(others, lambda view: self.simclr_projector(self.encode(view)))
            outputs |= dict(p_a=p_a, p_b=p_b)
        return outputs

    def objective(self, z_a, z_b, tokens, p_a=None, p_b=None):
        z_a, z_b, tokens = map(gather, (z_a, z_b, tokens))
        same, scale = ops.all(tokens[:, None] == tokens, axis=-1), ops.exp(self.log_scale)
        if self.variant == "sigmoid":
            loss = losses.image_text_sigmoid(z_a, z_b, same, scale=scale, offset=self.learned_offset)
        else:
            loss = losses.image_text_softmax(z_a, z_b, same, scale=scale, label_smoothing=self.label_smoothing)
        if not self.simclr_weight:
            return loss
        return loss + self.simclr_weight * losses.nt_xent(gather(p_a), gather(p_b), temperature=SIMCLR_TEMPERATURE)

    def after_step(self, **outputs):
        if self.variant == "softmax":
            self.log_scale.assign(ops.clip(self.log_scale, 0.0, math.log(LARGEST_SCALE)))
