"""Generalized contrastive loss: views agree, and embeddings match a prior distribution of one's choice."""

from keras import ops

from sslzoo.catalog.knobs import nearest
from sslzoo.layers.heads import mlp
from sslzoo.losses import half_distance, log_sum_exp, normal, sliced_wasserstein, unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

PRIORS = ("log_sum_exp", "sphere", "normal", "cube")


class GeneralizedContrastive(SSLModel):
    """Minimizes the distance of two views + distribution_weight times a distribution term over the global batch.

    "Intriguing properties of contrastive losses": NT-Xent is one member of this family, and others reach similar
    accuracy. The term is the decoupled log-sum-exp of NT-Xent, or the sliced Wasserstein distance from samples of a
    prior, along the axes of a random rotation; both are drawn at each step.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        prior: "log_sum_exp"; "sphere", uniform directions; "normal", standard normal; "cube", uniform in (-1, 1). The
            first two normalize the embeddings.
        temperature: float, divides the inner products of "log_sum_exp".
        distribution_weight: float, weight of the distribution term, lambda of the paper.

    Raises:
        ValueError: if the prior is unknown.
    """

    paper = "https://arxiv.org/abs/2011.02803"
    use = "to study what a contrastive loss needs; as SimCLR, with a prior of one's choice"
    views = "simclr"

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 2048,
        prior: str = "log_sum_exp",
        temperature: float = 0.1,
        distribution_weight: float = 1.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if prior not in PRIORS:
            raise ValueError(nearest("prior", prior, PRIORS))
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.prior = prior
        self.temperature = temperature
        self.distribution_weight = distribution_weight
        self.projector = mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], self.embed)
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        z_a, z_b = gather(z_a), gather(z_b)
        if self.prior in ("log_sum_exp", "sphere"):
            z_a, z_b = unit(z_a), unit(z_b)
        z = ops.concatenate([z_a, z_b])
        return half_distance(z_a, z_b) + self.distribution_weight * self._spread(z)

    def _spread(self, z):
        if self.prior == "log_sum_exp":
            return log_sum_exp(z, temperature=self.temperature)
        dim = self.projection_dim
        rotation, _ = ops.qr(normal(self.uniform((dim, dim), 0, everywhere=True)))
        drawn = self.uniform(ops.shape(z), 1, everywhere=True)
        return sliced_wasserstein(z, self._samples(drawn), rotation)

    def _samples(self, uniform):
        """Samples of the prior from uniform numbers in [0, 1)."""
        if self.prior == "cube":
            return 2 * uniform - 1
        return unit(normal(uniform)) if self.prior == "sphere" else normal(uniform)
