"""SwAV: predict the soft cluster assignment of one crop of an image from another crop."""

from keras import ops

from sslzoo.layers.heads import Prototypes, norm_mlp
from sslzoo.layers.memory import Queue
from sslzoo.losses import cross_view_entropy, sinkhorn, unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class SwAV(SSLModel):
    """Assigns two large crops to clusters, balanced over the global batch; every other crop predicts the assignments.

    All crops of a size pass through the encoder together, then all features through the projector together. The
    prototypes are normalized after each step.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        prototypes: int, number of clusters.
        temperature: float, divides the cosine similarities of predictions.
        sinkhorn_epsilon: float, divides those of the assignments; smaller gives sharper ones.
        sinkhorn_iterations: int, iterations that balance the assignments.
        queue_size: int, recent embeddings that are assigned along with those of a small batch; 0 for no queue.
        queue_start: float, share of the training after which the queue is used, once it is full.
        freeze_epochs: int, epochs at the start in which the prototypes do not change.
    """

    paper = "https://arxiv.org/abs/2006.09882"
    use = "data with clear groups; multi-crop; a queue for batches below the number of prototypes"
    batch = 64
    views = "multi_crop"

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 2048,
        prototypes: int = 3000,
        temperature: float = 0.1,
        sinkhorn_epsilon: float = 0.05,
        sinkhorn_iterations: int = 3,
        queue_size: int = 3840,
        queue_start: float = 0.04,
        freeze_epochs: int = 1,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.prototypes = prototypes
        self.temperature = temperature
        self.sinkhorn_epsilon = sinkhorn_epsilon
        self.sinkhorn_iterations = sinkhorn_iterations
        self.queue_size = queue_size
        self.queue_start = queue_start
        self.freeze_epochs = freeze_epochs
        width = encoder.output_shape[-1]
        self.projector = norm_mlp(width, hidden_dim, projection_dim, last_norm=False, last_bias=True, name="projector")
        self.scores = Prototypes(projection_dim, prototypes, name="prototypes")
        if queue_size:
            self.queue_a, self.queue_b = (Queue(queue_size, projection_dim, name=f"queue_{view}") for view in "ab")

    @property
    def queues(self) -> list[Queue]:
        return [self.queue_a, self.queue_b] if self.queue_size else []

    def call(self, batch):
        z = ops.stack(self.together(self.together(batch["views"], self.encode), self.projector), axis=1)
        # What the prototypes were before the step, for an epoch that has to leave them bitwise as they are.
        before = ops.copy(self.scores.kernel)
        return dict(z_a=z[:, 0], z_b=z[:, 1], z=z, before=before, frozen=self._frozen())

    def objective(self, z, frozen, **outputs):
        z = unit(gather(z))
        scores = self.scores(z, frozen=frozen)
        codes = [self._codes(scores[:, 0], *self.queues[:1]), self._codes(scores[:, 1], *self.queues[1:])]
        return cross_view_entropy(scores / self.temperature, ops.stack(codes, axis=1))

    def after_step(self, z, before, frozen, **outputs):
        self.scores.kernel.assign(ops.where(frozen, before, ops.normalize(self.scores.kernel, axis=0)))
        z = unit(gather(z[:, :2]))
        for view, queue in enumerate(self.queues):
            queue.enqueue(z[:, view])

    def _frozen(self):
        steps = self.freeze_epochs * self.steps_per_epoch
        return ops.convert_to_tensor(self.step < steps if steps else False)

    def _codes(self, scores, queue: Queue | None = None):
        """Assignments of a crop from its scores (batch, prototypes), balanced with those of the full queue."""
        options = dict(epsilon=self.sinkhorn_epsilon, iterations=self.sinkhorn_iterations)
        alone = sinkhorn(scores, **options)
        if queue is None:
            return alone
        filled = self.step * ops.shape(scores)[0] >= queue.size
        together = sinkhorn(ops.concatenate([self.scores(queue.rows), scores]), **options)
        return ops.where(filled & (self.progress >= self.queue_start), together[queue.size :], alone)
