"""SMoG: contrast images with groups of images, which move along with the embeddings they gain."""

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers.heads import norm_mlp
from sslzoo.layers.queues import Queue
from sslzoo.layers.targets import Target
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class SMoG(SSLModel):
    """Predicts from one view of an image the group that a slowly following network finds for the other view.

    Groups move within the step, and the gradient passes through that to all embeddings of the batch. The views change
    roles with every step. Now and then k-means starts the groups afresh, and the slow network catches up.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        projection_dim: width of the embedding, which training alone uses.
        hidden_dim: width of the hidden layers of projector and predictor.
        prototypes: how many groups there are.
        temperature: divides the cosine similarities.
        group_rate: the fraction that a group moves to the mean of the embeddings it gains in a step.
        ema_rate: the fraction that the slow network moves in a step.
        reset_interval: steps between two k-means.
        queue_size: recent embeddings of the slow network, which k-means takes.
        kmeans_iterations: steps of a k-means.

    Raises:
        ValueError: more groups than embeddings to start them from.
    """

    paper = "https://arxiv.org/abs/2207.06167"
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
        state = dict(dtype="float32", autocast=False, trainable=False, aggregation="only_first_replica")
        self.groups = self.add_weight(
            (prototypes, projection_dim), keras.initializers.RandomNormal(), name="groups", **state
        )
        self.groups.assign(ops.normalize(self.groups))

    def call(self, batch):
        view_a, view_b = batch["views"][:2]
        odd = ops.cast(self.optimizer.iterations if self.optimizer else 0, "int32") % 2 == 1
        view, other = ops.where(odd, view_b, view_a), ops.where(odd, view_a, view_b)
        z = self.projector(self.encoder(view))
        p, target = self.predictor(z), self.target(other)
        # For the monitors alone: a training step's graph drops it. It comes last, since Keras hands `training` on.
        z_b = self.projector(self.encoder(other, training=False), training=False)
        return dict(z_a=z, z_b=z_b, p=p, target=target)

    def objective(self, z_a, p, target, **embeddings):
        groups = losses.update_groups(self.groups, gather(z_a), self.group_rate)
        labels = losses.nearest(ops.stop_gradient(gather(target)), self.groups)
        return losses.group_cross_entropy(gather(p), groups, labels, self.temperature)

    def after_step(self, z_a, target, **outputs):
        self.queue.enqueue(ops.normalize(gather(target)))
        groups = losses.update_groups(self.groups, gather(z_a), self.group_rate)
        reset = self.optimizer.iterations % self.reset_interval == 0
        self.groups.assign(ops.cond(reset, self._cluster, lambda: groups))
        self.target.follow(ops.where(reset, 1.0, self.ema_rate))

    def _cluster(self):
        """Groups from the embeddings of the queue, whose rows are in random order: any of them start as centroids."""
        rows = ops.convert_to_tensor(self.queue.rows)
        first = rows[:: self.queue_size // self.prototypes][: self.prototypes]
        return losses.spherical_kmeans(rows, first, self.kmeans_iterations)
