"""SimSiam: predict the other view's embedding with a stop-gradient; no negatives, no target network."""

from keras import ops

from sslzoo.layers.heads import sim_siam
from sslzoo.losses import negative_cosine
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class SimSiam(SSLModel):
    """Minimizes the mean of both directions of -cos(p, z), p the prediction from one view, z of the other view.

    The views pass through the networks one by one, with BatchNorm statistics of their own. The predictor's learning
    rate stays at its peak.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding and of the projector's hidden layers, which only training uses.
        hidden_dim: int, width of the predictor's bottleneck, a quarter of projection_dim in the paper.
        hidden_layers: int, hidden layers of the projector; 2 in the paper for ImageNet, 1 for CIFAR-10.
    """

    paper = "https://arxiv.org/abs/2011.10566"
    use = "few resources: no negatives, no queue, no target network; watch for collapse"
    batch = 64
    views = "moco_v2"

    def __init__(self, encoder, projection_dim: int = 2048, hidden_dim: int = 512, hidden_layers: int = 2, **kwargs):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.hidden_layers = hidden_layers
        self.projector, self.predictor = sim_siam(
            encoder.output_shape[-1], projection_dim, hidden_dim, hidden_layers=hidden_layers
        )

    def call(self, batch):
        z_a, z_b = (self.embed(view) for view in batch["views"][:2])
        return dict(z_a=z_a, z_b=z_b, p_a=self.predictor(z_a), p_b=self.predictor(z_b))

    def objective(self, z_a, z_b, p_a, p_b):
        z_a, z_b, p_a, p_b = map(gather, (ops.stop_gradient(z_a), ops.stop_gradient(z_b), p_a, p_b))
        return (negative_cosine(p_a, z_b) + negative_cosine(p_b, z_a)) / 2

    def learning_rate_of(self, weight, learning_rate, peak):
        return peak if any(weight is own for own in self.predictor.weights) else learning_rate
