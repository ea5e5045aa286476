"""FastSiam: SimSiam whose targets are means over several other views, which have a lower variance."""

from keras import ops

from sslzoo.layers.heads import sim_siam
from sslzoo.losses import negative_cosine
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class FastSiam(SSLModel):
    """Minimizes the mean over views of -cos(p, mean of the other views' z), p the prediction from one view.

    Heads, BatchNorm and the learning rate of the predictor are those of SimSiam. With two views it is SimSiam.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding and of the projector's hidden layers, which only training uses.
        hidden_dim: int, width of the predictor's bottleneck.
        hidden_layers: int, hidden layers of the projector.
    """

    paper = "https://doi.org/10.1007/978-3-031-16788-1_4"
    use = "SimSiam with small batches and stable targets; four views per image"
    batch = 32
    views = "fast_siam"

    def __init__(self, encoder, projection_dim: int = 2048, hidden_dim: int = 512, hidden_layers: int = 2, **kwargs):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.hidden_layers = hidden_layers
        self.projector, self.predictor = sim_siam(
            encoder.output_shape[-1], projection_dim, hidden_dim, hidden_layers=hidden_layers
        )

    def call(self, batch):
        z = [self.embed(view) for view in batch["views"]]
        p = [self.predictor(embedding) for embedding in z]
        return dict(z_a=z[0], z_b=z[1], z=ops.stack(z, axis=1), p=ops.stack(p, axis=1))

    def objective(self, z, p, **embeddings):
        z, p = gather(ops.stop_gradient(z)), gather(p)
        others = (ops.sum(z, axis=1, keepdims=True) - z) / (z.shape[1] - 1)
        return negative_cosine(p, others)

    def learning_rate_of(self, weight, learning_rate, peak):
        return peak if any(weight is own for own in self.predictor.weights) else learning_rate
