"""MSN and PMSN: a view with patches missing joins the clusters of a whole one; takes a vision transformer."""

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers.heads import Prototypes, gelu_mlp
from sslzoo.layers.targets import Target
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather, uniform


class MSN(SSLModel):
    """Matches clusters of anchors, the second view with patches dropped and all small crops, with those of the first.

    The first view's clusters are a slowly following network's, sharpened and balanced over the batch. Anchors are to
    spread over all clusters (MSN), or over a power law of them (PMSN, arXiv 2210.07277) for data with long tails.

    Args:
        encoder: a vision transformer such as vit_tiny: images -> features (batch, features), its layer "tokens" before
            the blocks.
        projection_dim: width of the embedding, which training alone uses.
        hidden_dim: width of the two hidden layers of the projector.
        prototypes: how many clusters there are.
        temperature: divides the cosine similarities.
        sharpening: temperature that sharpens the targets; lower is sharper.
        sinkhorn_iterations: how often the targets are balanced; 0 is not at all.
        patch_drop: share of the patches that the second view loses in training.
        me_max_weight: of the term that spreads the anchors.
        prior_exponent: 0 spreads them evenly; the k-th cluster gets k^-prior_exponent otherwise, 0.25 in PMSN.
        ema_rate: the fraction that the target moves in a step at the start; falls linearly to a fifth.

    Raises:
        ValueError: an encoder without tokens; a patch_drop not in [0, 1).
    """

    paper = "https://arxiv.org/abs/2204.07141"
    views = "msn"
    micro_batches = False

    def __init__(
        self,
        encoder,
        projection_dim: int = 256,
        hidden_dim: int = 2048,
        prototypes: int = 1024,
        temperature: float = 0.1,
        sharpening: float = 0.25,
        sinkhorn_iterations: int = 3,
        patch_drop: float = 0.15,
        me_max_weight: float = 1.0,
        prior_exponent: float = 0.0,
        ema_rate: float = 0.004,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if "tokens" not in [layer.name for layer in encoder.layers]:
            raise ValueError(f"msn drops patches, which {encoder.name} has not: take a vision transformer, as vit_tiny")
        if not 0 <= patch_drop < 1:
            raise ValueError(f"patch_drop must be in [0, 1), got {patch_drop!r}: it is a share of the patches")
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.prototypes = prototypes
        self.temperature = temperature
        self.sharpening = sharpening
        self.sinkhorn_iterations = sinkhorn_iterations
        self.patch_drop = patch_drop
        self.me_max_weight = me_max_weight
        self.prior_exponent = prior_exponent
        self.ema_rate = ema_rate
        tokens = encoder.get_layer("tokens").output
        self.tokens, self.trunk = keras.Model(encoder.input, tokens), keras.Model(tokens, encoder.output)
        width = encoder.output_shape[-1]
        self.projector = gelu_mlp(width, hidden_dim, projection_dim, norm=True, name="projector")
        self.scores = Prototypes(projection_dim, prototypes, weight_norm=True, name="prototypes")
        self.target = Target(encoder, self.projector)

    def call(self, batch, training=None):
        view, masked, *small = batch["views"]
        features = self.trunk(self._drop(self.tokens(masked)) if training else self.tokens(masked))
        z = self.together([features, *self.together(small, self.encoder)], self.projector)
        target = self.target(view)
        # For the monitors alone: a training step's graph drops it. It comes last, since Keras hands `training` on.
        z_a = self.projector(self.encoder(view, training=False), training=False)
        return dict(z_a=z_a, z_b=z[0], z=ops.stack(z, axis=1), target=target)

    def objective(self, z, target, **embeddings):
        # The target's prototypes are the anchors', as they stand; only the embedding has a slow network.
        anchors, targets = self.scores(gather(z)), self.scores(ops.stop_gradient(gather(target)))
        options = (self.temperature, self.sharpening, self.sinkhorn_iterations)
        return losses.msn(anchors, targets, *options, self.me_max_weight, self.prior_exponent)

    def after_step(self, **outputs):
        self.target.follow(self.ema_rate * (1 - self.progress / 1.25))

    def _drop(self, tokens):
        """The class token and a random part of the others, (batch, 1 + kept, dim): drawn for each image and step."""
        count = tokens.shape[1] - 1
        order = ops.argsort(uniform(ops.shape(tokens)[0], count, self.optimizer.iterations))
        kept = order[:, : count - int(count * self.patch_drop)] + 1
        return ops.concatenate([tokens[:, :1], ops.take_along_axis(tokens, kept[..., None], axis=1)], axis=1)
