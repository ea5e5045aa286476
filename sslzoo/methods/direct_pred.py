"""DirectPred: BYOL with a linear predictor that is computed from the correlation of embeddings, not trained."""

from keras import ops

from sslzoo.layers.heads import byol_mlp
from sslzoo.layers.targets import Target
from sslzoo.losses import negative_cosine
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


def predictor_of(correlation, power: float, epsilon: float):
    """The symmetric matrix with the eigenvectors of a correlation and eigenvalues (s / max s)^power + epsilon.

    Equations 18 and 19 of the paper.

    Args:
        correlation: float32 (dim, dim), symmetric.
        power: float, 0 or more.
        epsilon: float, 0 or more.

    Returns:
        float32 (dim, dim).
    """
    s, directions = ops.eigh(correlation)  # in ascending order
    s = (ops.maximum(s, 0.0) / ops.maximum(s[-1], 1e-12)) ** power + epsilon
    return ops.matmul(directions * s, ops.transpose(directions))


class DirectPred(SSLModel):
    """Minimizes |n(p) - n(z)|^2 in both directions, p = W z_online with W set after each step, z of the target.

    The views pass through the networks one by one, with BatchNorm statistics of their own.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        ema_rate: float, share that the target network moves towards the online network in a step.
        correlation_rate: float, share that the running correlation moves in a step: 1 - rho of the paper.
        power: float, 0.5 is DirectPred; 1 is DirectCopy (arXiv 2110.04947), the correlation itself.
        epsilon: float, added to the eigenvalues of the predictor, whose largest is 1 + epsilon.

    Raises:
        ValueError: if `power` is negative or `epsilon` not above 0.
    """

    paper = "https://arxiv.org/abs/2102.06810"
    use = "as BYOL, with a predictor that needs no training"
    batch = 64
    views = "byol"

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 512,
        ema_rate: float = 0.004,
        correlation_rate: float = 0.7,
        power: float = 0.5,
        epsilon: float = 0.01,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.ema_rate = ema_rate
        self.correlation_rate = correlation_rate
        self.power = power
        self.epsilon = epsilon
        self.projector = byol_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")
        self.target = Target(encoder, self.projector)
        square = (projection_dim, projection_dim)
        self.correlation = self.add_state("correlation", square)
        # The identity until there is a correlation. Read in half precision under a mixed policy, as by version 0.1.
        self.predictor = self.add_state("predictor", square, "identity", autocast=True)

    def call(self, batch):
        views = batch["views"][:2]
        z_a, z_b = (self.embed(view) for view in views)
        target_a, target_b = map(self.target, views)
        p_a, p_b = (ops.matmul(z, self.predictor) for z in (z_a, z_b))
        return dict(z_a=z_a, z_b=z_b, p_a=p_a, p_b=p_b, target_a=target_a, target_b=target_b)

    def objective(self, p_a, p_b, target_a, target_b, **embeddings):
        target_a, target_b = ops.stop_gradient(target_a), ops.stop_gradient(target_b)
        a_sees_b = negative_cosine(gather(p_a), gather(target_b))
        b_sees_a = negative_cosine(gather(p_b), gather(target_a))
        return 4 + 2 * (a_sees_b + b_sees_a)

    def after_step(self, z_a, z_b, **outputs):
        z = ops.concatenate([gather(z_a), gather(z_b)])
        correlation = ops.matmul(ops.transpose(z), z) / ops.cast(ops.shape(z)[0], "float32")
        moved = self.correlation + self.correlation_rate * (correlation - self.correlation)
        self.correlation.assign(moved)
        self.predictor.assign(predictor_of(moved, self.power, self.epsilon))
        self.target.update(self.ema_rate)
