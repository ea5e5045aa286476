"""SwAV: predict from one crop of an image the soft cluster that another crop was given."""

from keras import ops

from sslzoo.layers.heads import Prototypes, norm_mlp
from sslzoo.layers.queues import Queue
from sslzoo.losses import cross_view_entropy, sinkhorn
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class SwAV(SSLModel):
    """Gives the two large crops codes, balanced over the global batch; every other crop of the image predicts them.

    All crops of a size pass together, then all features pass the projector together. The prototypes have norm one
    after each step.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        projection_dim: width of the embedding, which training alone uses.
        hidden_dim: width of the projector's hidden layer.
        prototypes: how many clusters there are.
        temperature: divides the cosine similarities of predictions.
        sinkhorn_epsilon: divides those of the codes; smaller is closer to one prototype for each crop.
        sinkhorn_iterations: how often prototypes and crops are balanced.
        queue_size: recent embeddings that are balanced along with those of a small batch; 0 is no queue.
        queue_start: the share of the training after which the queue is used, once it is full.
        freeze_epochs: so many epochs at the start leave the prototypes alone.
    """

    paper = "https://arxiv.org/abs/2006.09882"
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
        z = ops.stack(self.together(self.together(batch["views"], self.encoder), self.projector), axis=1)
        # What the prototypes were before the step, for an epoch that has to leave them bitwise as they are.
        before = ops.copy(self.scores.kernel)
        return dict(z_a=z[:, 0], z_b=z[:, 1], z=z, before=before, frozen=self._frozen())

    def objective(self, z, frozen, **outputs):
        z = ops.normalize(gather(z))
        scores = self.scores(z, frozen=frozen)
        codes = [self._codes(scores[:, 0], *self.queues[:1]), self._codes(scores[:, 1], *self.queues[1:])]
        return cross_view_entropy(ops.stack(codes, axis=1), scores / self.temperature)

    def after_step(self, z, before, frozen, **outputs):
        self.scores.kernel.assign(ops.where(frozen, before, ops.normalize(self.scores.kernel, axis=0)))
        z = ops.normalize(gather(z[:, :2]))
        for view, queue in enumerate(self.queues):
            queue.enqueue(z[:, view])

    def _frozen(self):
        steps = self.freeze_epochs * self.steps_per_epoch
        return ops.convert_to_tensor(self.optimizer.iterations < steps if steps else False)

    def _codes(self, scores, queue: Queue | None = None):
        """Codes of one crop by its scores (batch, prototypes), balanced with the queue where that is full."""
        options = (self.sinkhorn_epsilon, self.sinkhorn_iterations)
        alone = sinkhorn(scores, *options)
        if queue is None:
            return alone
        filled = self.optimizer.iterations * ops.shape(scores)[0] >= queue.size
        together = sinkhorn(ops.concatenate([self.scores(queue.rows), scores]), *options)
        return ops.where(filled & (self.progress >= self.queue_start), together[queue.size :], alone)
