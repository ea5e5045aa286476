"""SupCon: all images of a class are positives of each other; learns from labels."""

from sslzoo.layers.heads import plain_mlp
from sslzoo.losses import sup_con
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class SupCon(SSLModel):
    """Contrasts each image with those of other labels in the global batch: L_out of the paper.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        temperature: float, divides the cosine similarities.
    """

    paper = "https://arxiv.org/abs/2004.11362"
    use = "labelled data: usually better than cross entropy features"
    views = "sup_con"
    supervised = True

    def __init__(self, encoder, projection_dim: int = 128, hidden_dim: int = 2048, temperature: float = 0.1, **kwargs):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.projector = plain_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], self.embed)
        return dict(z_a=z_a, z_b=z_b, labels=batch["label"])

    def objective(self, z_a, z_b, labels):
        return sup_con(gather(z_a), gather(z_b), gather(labels), temperature=self.temperature)
