"""ReSSL: the similarities of a distorted view to other images are those of an undistorted view for the teacher."""

from keras import ops

from sslzoo.layers.heads import plain_mlp
from sslzoo.layers.memory import Queue
from sslzoo.layers.targets import Target, cosine_to_zero
from sslzoo.losses import relational, unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class ReSSL(SSLModel):
    """Minimizes the cross-entropy of the student's similarities to queued embeddings with the teacher's, a sharper one.

    Other images are related to different degrees, where contrastive losses repel all of them alike. The teacher is an
    EMA network. Its views are only cropped and flipped, so that its relations are reliable.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        temperature: float, divides the student's cosine similarities.
        teacher_temperature: float, divides the teacher's; lower.
        queue_size: int, number of the teacher's embeddings in the queue.
        ema_rate: float, share that the teacher moves towards the student in a step at the start; decays to 0 along a
            cosine.
    """

    paper = "https://arxiv.org/abs/2107.09282"
    use = "small batches; images that are related to each other"
    batch = 64
    views = "ressl"

    def __init__(
        self,
        encoder,
        projection_dim: int = 256,
        hidden_dim: int = 4096,
        temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        queue_size: int = 65536,
        ema_rate: float = 0.01,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.teacher_temperature = teacher_temperature
        self.queue_size = queue_size
        self.ema_rate = ema_rate
        self.projector = plain_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")
        self.target = Target(encoder, self.projector)
        self.queue = Queue(queue_size, projection_dim, name="queue")

    def call(self, batch):
        strong, weak = batch["views"]
        return dict(z_a=self.embed(strong), z_b=self.target(weak))

    def objective(self, z_a, z_b):
        temperatures = dict(temperature=self.temperature, teacher_temperature=self.teacher_temperature)
        return relational(gather(z_a), ops.stop_gradient(gather(z_b)), self.queue.rows, **temperatures)

    def after_step(self, z_b, **outputs):
        self.target.update(cosine_to_zero(self.ema_rate, self.progress_before))
        self.queue.enqueue(unit(gather(z_b)))
