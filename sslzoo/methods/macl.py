"""MACL: SimCLR whose temperature follows the alignment of the views, and whose easy examples keep their weight."""

from sslzoo.layers.heads import mlp
from sslzoo.losses import macl
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class MACL(SSLModel):
    """Contrasts each image with all others of the global batch; the temperature grows while views become similar.

    With a low temperature the nearest negatives, often of the same class, are repelled most. As the encoder learns,
    the temperature rises, which tolerates them. Weights 1 / (1 - p) keep the gradient of examples that are already
    recognized, and thereby reduce the need for large batches.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        temperature: float, tau_0 of the paper, divides the cosine similarities where the alignment is at the threshold.
        alpha: float, how much the temperature changes with the alignment.
        threshold: float, A_0 of the paper, the alignment at which the temperature is tau_0.
    """

    paper = "https://arxiv.org/abs/2207.07874"
    use = "as SimCLR, with smaller batches and a temperature that need not be tuned"
    batch = 64
    views = "simclr"

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 2048,
        temperature: float = 0.1,
        alpha: float = 0.5,
        threshold: float = 0.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.alpha = alpha
        self.threshold = threshold
        self.projector = mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], self.embed)
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        knobs = dict(temperature=self.temperature, alpha=self.alpha, threshold=self.threshold)
        return macl(gather(z_a), gather(z_b), **knobs)
