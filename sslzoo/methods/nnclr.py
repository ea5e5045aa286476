"""NNCLR: the nearest neighbour of a view in a queue is the positive of the other view."""

from sslzoo.layers.heads import norm_mlp
from sslzoo.layers.memory import Queue
from sslzoo.losses import cross_view_info_nce, unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class NNCLR(SSLModel):
    """InfoNCE between a view's nearest neighbour in a queue and the predictions from the other view, both directions.

    Neighbours are found before the batch enters the queue; otherwise each embedding would be its own neighbour.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's two hidden layers.
        predictor_dim: int, width of the predictor's hidden layer.
        temperature: float, divides the cosine similarities.
        queue_size: int, number of embeddings among which neighbours are found.
    """

    paper = "https://arxiv.org/abs/2104.14548"
    use = "images whose classes vary more than views do; needs a queue that fits the data"
    batch = 128
    views = "simclr"

    def __init__(
        self,
        encoder,
        projection_dim: int = 256,
        hidden_dim: int = 2048,
        predictor_dim: int = 4096,
        temperature: float = 0.1,
        queue_size: int = 98304,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.predictor_dim = predictor_dim
        self.temperature = temperature
        self.queue_size = queue_size
        self.projector = norm_mlp(
            encoder.output_shape[-1], hidden_dim, projection_dim, hidden_layers=2, name="projector"
        )
        self.predictor = norm_mlp(projection_dim, predictor_dim, projection_dim, last_norm=False, name="predictor")
        self.queue = Queue(queue_size, projection_dim, name="queue")

    def call(self, batch):
        z_a, z_b = (self.embed(view) for view in batch["views"])
        return dict(z_a=z_a, z_b=z_b, p_a=self.predictor(z_a), p_b=self.predictor(z_b))

    def objective(self, z_a, z_b, p_a, p_b):
        near_a, near_b = self.queue.nearest(gather(z_a)), self.queue.nearest(gather(z_b))
        a_to_b = cross_view_info_nce(near_a, gather(p_b), temperature=self.temperature)
        b_to_a = cross_view_info_nce(near_b, gather(p_a), temperature=self.temperature)
        return (a_to_b + b_to_a) / 2

    def after_step(self, z_a, **outputs):
        self.queue.enqueue(unit(gather(z_a)))
