"""SimCLR: the embeddings of two views agree, and differ from those of all other images of the batch."""

from sslzoo.layers.heads import mlp
from sslzoo.losses import nt_xent, nt_xent_baseline
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class SimCLR(SSLModel):
    """Contrasts each image with all others of the global batch.

    SimCLR v2 has two hidden layers and is fine-tuned from the first of them: `load_encoder(..., projector_layers=1)`.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layers.
        temperature: float, divides the cosine similarities; 0.1 in the paper for ImageNet, 0.5 for CIFAR-10.
        hidden_layers: int, hidden layers of the projector: 1, in SimCLR v2 (arXiv 2006.10029) 2; 0 for a linear one.
    """

    paper = "https://arxiv.org/abs/2002.05709"
    use = "a first choice with batches of 256 or more"
    views = "simclr"

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 2048,
        temperature: float = 0.1,
        hidden_layers: int = 1,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.hidden_layers = hidden_layers
        self.projector = mlp(encoder.output_shape[-1], hidden_dim, projection_dim, hidden_layers, name="projector")

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], self.embed)
        return dict(z_a=z_a, z_b=z_b)

    def baseline(self, batch_size):
        return nt_xent_baseline(batch_size, self.projection_dim, temperature=self.temperature)

    def objective(self, z_a, z_b):
        return nt_xent(gather(z_a), gather(z_b), temperature=self.temperature)
