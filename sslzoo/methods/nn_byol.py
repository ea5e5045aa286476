"""NNBYOL: BYOL whose target is the nearest neighbour, among earlier images, of the target's embedding."""

from keras import ops

from sslzoo.layers.heads import byol_mlp
from sslzoo.layers.memory import Queue
from sslzoo.layers.targets import Target, cosine_to_zero
from sslzoo.losses import negative_cosine, unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class NNBYOL(SSLModel):
    """Minimizes |n(p) - neighbour(z)|^2 in both directions, p predicted from one view, z the target's of the other.

    The variant of BYOL in NNCLR's paper (section 4.4) and in solo-learn. The queue holds the target's embeddings of
    first views; neighbours are found before the batch enters it. The views pass through the networks one by one, with
    BatchNorm statistics of their own.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the hidden layers of projector and predictor.
        queue_size: int, number of embeddings among which neighbours are found.
        ema_rate: float, share that the target network moves towards the online network in a step at the start; decays
            to 0 along a cosine.
    """

    paper = "https://arxiv.org/abs/2104.14548"
    use = "as BYOL, where views vary less than the images of a class"
    batch = 64
    views = "byol"

    def __init__(
        self,
        encoder,
        projection_dim: int = 256,
        hidden_dim: int = 4096,
        queue_size: int = 65536,
        ema_rate: float = 0.01,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.queue_size = queue_size
        self.ema_rate = ema_rate
        self.projector = byol_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")
        self.predictor = byol_mlp(projection_dim, hidden_dim, projection_dim, name="predictor")
        self.target = Target(encoder, self.projector)
        self.queue = Queue(queue_size, projection_dim, name="queue")

    def call(self, batch):
        views = batch["views"]
        z_a, z_b = (self.embed(view) for view in views)
        target_a, target_b = map(self.target, views)
        return dict(
            z_a=z_a, z_b=z_b, p_a=self.predictor(z_a), p_b=self.predictor(z_b), target_a=target_a, target_b=target_b
        )

    def objective(self, p_a, p_b, target_a, target_b, **embeddings):
        near_a, near_b = (self.queue.nearest(ops.stop_gradient(gather(z))) for z in (target_a, target_b))
        return 4 + 2 * (negative_cosine(gather(p_a), near_b) + negative_cosine(gather(p_b), near_a))

    def after_step(self, target_a, **outputs):
        self.target.update(cosine_to_zero(self.ema_rate, self.progress_before))
        self.queue.enqueue(unit(gather(target_a)))
