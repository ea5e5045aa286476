"""MSN and PMSN: predict the cluster of a whole view from a view with missing patches; vision transformers only."""

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers.heads import Prototypes, gelu_mlp
from sslzoo.layers.targets import Target
from sslzoo.layers.transformer import reader
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather, uniform


class MSN(SSLModel):
    """Matches clusters of the anchors, the second view with patches dropped and all small crops, with the first view's.

    The clusters of the first view are those of an EMA network, sharpened and balanced over the batch. A regularizer
    spreads the anchors over all clusters (MSN), or a power law of them for long-tailed data (PMSN, arXiv 2210.07277).

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the two hidden layers of the projector.
        prototypes: int, number of clusters.
        temperature: float, divides the cosine similarities.
        sharpening: float, temperature that sharpens the targets; lower is sharper.
        sinkhorn_iterations: int, iterations that balance the targets; 0 for none.
        patch_drop: float in [0, 1), share of the patches that the second view loses in training.
        me_max_weight: float, weight of the regularizer.
        prior_exponent: float, 0 for a uniform prior; otherwise that of the k-th cluster is k^-prior_exponent: 0.25 in
            PMSN.
        prior_reverse: bool, takes the divergence of the prior from the anchors' mean distribution, not of that mean
            from the prior as in the paper.
        ema_rate: float, share that the target network moves towards the online network in a step at the start; decays
            linearly to a fifth.

    Raises:
        ValueError: if the encoder has no tokens, or `patch_drop` is outside of [0, 1).
    """

    paper = "https://arxiv.org/abs/2204.07141"
    use = "vision transformers with few labels afterwards; masked views make it cheap"
    batch = 64
    views = "msn"
    default_encoder = "vit_tiny"
    kinds = ("image",)
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
        prior_reverse: bool = False,
        ema_rate: float = 0.004,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if "tokens" not in [layer.name for layer in encoder.layers]:
            raise ValueError(f"msn drops patches, {encoder.name} has none: take a vision transformer such as vit_tiny")
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
        self.prior_reverse = prior_reverse
        self.ema_rate = ema_rate
        tokens, reading = encoder.get_layer("tokens").output, reader(encoder)
        self.tokens, self.trunk = keras.Model(encoder.input, tokens), keras.Model(tokens, reading.output)
        self.projector = gelu_mlp(reading.output_shape[-1], hidden_dim, projection_dim, norm=True, name="projector")
        self.scores = Prototypes(projection_dim, prototypes, weight_norm=True, name="prototypes")
        self.target = Target(encoder, self.projector)
        target = reader(self.target.copies[0])
        self.readers = lambda: (reading, target)  # Keras does not look into functions for layers to track

    def call(self, batch, training=None):
        view, masked, *small = batch["views"]
        features = self.trunk(self._drop(self.tokens(masked)) if training else self.tokens(masked))
        # As in the authors' code the head belongs to the pass of each resolution, with BatchNorm statistics of its own.
        z = [self.projector(features), *self.together(small, self.embed)]
        return dict(z=ops.stack(z, axis=1), target=self.target.copies[1](self.readers()[1](view)))

    def encode(self, inputs):
        return self.readers()[0](inputs)

    def exported(self):
        return self.target.copies[0]

    def objective(self, z, target):
        # Targets use the current prototypes; only the embedding has an EMA network.
        anchors, targets = self.scores(gather(z)), self.scores(ops.stop_gradient(gather(target)))
        names = "temperature sharpening sinkhorn_iterations me_max_weight prior_exponent prior_reverse".split()
        return losses.msn(anchors, targets, **{name: getattr(self, name) for name in names})

    def after_step(self, **outputs):
        self.target.update(self.ema_rate * (1 - self.progress_before / 1.25))

    def decays(self, weight):
        return weight is not self.scores.kernel  # as in the authors' code

    def _drop(self, tokens):
        """The class token and random other tokens, (batch, 1 + kept, dim), drawn for each image and step."""
        count = tokens.shape[1] - 1
        # Not `self.uniform`, whose seeds are in another order: runs of version 0.1 go on with the same numbers.
        order = ops.argsort(uniform((ops.shape(tokens)[0], count), (0, self.step)))
        kept = order[:, : count - int(count * self.patch_drop)] + 1
        return ops.concatenate([tokens[:, :1], ops.take_along_axis(tokens, kept[..., None], axis=1)], axis=1)
