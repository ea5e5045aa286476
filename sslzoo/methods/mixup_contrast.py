"""Mixup contrastive learning: a mixture of two series is matched with both, to the shares that it has of them."""

import math

from keras import ops

from sslzoo.layers.heads import norm_mlp
from sslzoo.layers.mixing import beta
from sslzoo.losses import mixup_nt_xent
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather, own


class MixupContrast(SSLModel):
    """Contrasts mixtures of two series with all series of the global batch, with the shares as soft targets.

    The batch is mixed with a permutation of itself, by one share for all rows. No other augmentation is needed: of the
    views the first is trained on, and the second is one that monitors compare it with. The authors' encoder has the
    layers of fcn_1d with lengths 7, 5, 3 and dilations 2, 4, 8, and a batch is the whole training set.

    Args:
        encoder: encoder of series such as fcn_1d, (batch, steps, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        temperature: float, divides the cosine similarities.
        mixup_alpha: float, the share has the distribution Beta(alpha, alpha); 1 for a uniform one.
    """

    paper = "https://arxiv.org/abs/2203.09270"
    use = "a first choice for series: no augmentation that could destroy what matters"
    batch = 32
    views = "whole"
    kinds = ("series",)

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 128,
        temperature: float = 0.5,
        mixup_alpha: float = 1.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.mixup_alpha = mixup_alpha
        widths = encoder.output_shape[-1], hidden_dim, projection_dim
        self.projector = norm_mlp(*widths, last_norm=False, last_bias=True, name="projector")

    def call(self, batch, training=None):
        series = batch["views"][0]
        rows, everyone = ops.shape(series)[0], gather(series)
        order = ops.argsort(self.uniform((ops.shape(everyone)[0],), 0, everywhere=True, training=training))
        share = beta(self.uniform((1,), 1, everywhere=True, training=training), self.mixup_alpha)[0]
        mixed = share * series + (1 - share) * own(ops.take(everyone, order, axis=0), rows)
        # Passed through the encoder apart, as mixtures have BatchNorm statistics of their own.
        return dict(z=self.embed(series), z_mixed=self.embed(mixed), order=order, share=share)

    def baseline(self, batch_size):
        return math.log(2 * batch_size) + 1 / (2 * self.projection_dim * self.temperature**2)

    def objective(self, z, z_mixed, order, share):
        z = gather(z)
        z_b = ops.take(z, order, axis=0)
        return mixup_nt_xent(gather(z_mixed), z, z_b, share=share, temperature=self.temperature)
