"""SMoG: contrast images with groups of images whose centres move with the embeddings assigned to them."""

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers.heads import norm_mlp
from sslzoo.layers.memory import Queue
from sslzoo.layers.targets import Target
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class SMoG(SSLModel):
    """Predicts from one view of an image the group to which an EMA network assigns the other view.

    Groups move within the step, and the gradient passes through this update to all embeddings of the batch. The views
    swap roles at every step. At intervals k-means initializes the groups anew, and the EMA network is set to the online
    one.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the hidden layers of projector and predictor.
        prototypes: int, number of groups.
        temperature: float, divides the cosine similarities.
        group_rate: float, share that a group moves to the mean of the embeddings assigned to it in a step.
        ema_rate: float, share that the target network moves towards the online network in a step.
        reset_interval: int, steps between two k-means.
        queue_size: int, recent embeddings of the EMA network, which k-means clusters.
        kmeans_iterations: int, steps of a k-means.

    Raises:
        ValueError: if there are more groups than embeddings to initialize them.
    """

    paper = "https://arxiv.org/abs/2207.06167"
    use = "data with clear groups and small batches"
    batch = 64
    views = "byol"

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 2048,
        prototypes: int = 3000,
        temperature: float = 0.1,
        group_rate: float = 0.01,
        ema_rate: float = 0.001,
        reset_interval: int = 300,
        queue_size: int = 10000,
        kmeans_iterations: int = 10,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if prototypes > queue_size:
            raise ValueError(f"{prototypes} prototypes start from {queue_size} embeddings: raise queue_size")
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.prototypes = prototypes
        self.temperature = temperature
        self.group_rate = group_rate
        self.ema_rate = ema_rate
        self.reset_interval = reset_interval
        self.queue_size = queue_size
        self.kmeans_iterations = kmeans_iterations
        self.projector = norm_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, affine=False, name="projector")
        self.predictor = norm_mlp(projection_dim, hidden_dim, projection_dim, last_norm=False, name="predictor")
        self.target = Target(encoder, self.projector)
        self.queue = Queue(queue_size, projection_dim, name="queue")
        self.groups = self.add_state("groups", (prototypes, projection_dim), keras.initializers.RandomNormal())
        self.groups.assign(losses.unit(self.groups))

    def call(self, batch):
        view_a, view_b = batch["views"][:2]
        odd = self.step % 2 == 1
        view, other = ops.where(odd, view_b, view_a), ops.where(odd, view_a, view_b)
        z = self.embed(view)
        return dict(z=z, p=self.predictor(z), target=self.target(other))

    def objective(self, z, p, target):
        groups = losses.update_groups(self.groups, gather(z), rate=self.group_rate)
        labels = losses.nearest_centroid(ops.stop_gradient(gather(target)), self.groups)
        return losses.group_cross_entropy(gather(p), labels, groups, temperature=self.temperature)

    def after_step(self, z, p, target):
        self.queue.enqueue(losses.unit(gather(target)))
        groups = losses.update_groups(self.groups, gather(z), rate=self.group_rate)
        reset = self.step % self.reset_interval == 0
        self.groups.assign(ops.cond(reset, self._cluster, lambda: groups))
        self.target.update(ops.where(reset, 1.0, self.ema_rate))

    def _cluster(self):
        """Groups from the embeddings of the queue. Its rows are in random order: any of them are initial centroids."""
        rows = ops.convert_to_tensor(self.queue.rows)
        first = rows[:: self.queue_size // self.prototypes][: self.prototypes]
        return losses.spherical_kmeans(rows, first, iterations=self.kmeans_iterations)
