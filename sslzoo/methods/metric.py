"""Metric: deep metric learning with labels, by losses of all pairs of the batch and of a memory of earlier batches."""

from keras import ops

from sslzoo import losses
from sslzoo.catalog.knobs import nearest
from sslzoo.layers.heads import plain_mlp
from sslzoo.layers.memory import LabelledQueue
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

# Loss -> its arguments -> the knobs that they take their values from.
LOSSES = {
    "multi_similarity": dict(positive_scale="positive_scale", negative_scale="negative_scale"),
    "circle": dict(margin="circle_margin", scale="circle_scale"),
    "lifted_structure": dict(margin="lifted_margin"),
    "soft_nearest_neighbour": dict(temperature="neighbour_temperature"),
    "positive_negative": dict(margin="triplet_margin"),
}


class Metric(SSLModel):
    """Examples of a label close to each other, those of other labels apart, by one of five losses of labelled pairs.

    The losses are multi-similarity (arXiv 1904.06627), circle (arXiv 2002.10857), lifted structure (arXiv 1511.06452),
    soft nearest neighbour (arXiv 1902.01889) and the PN loss of Ivis (Sci Rep 9, 8914). With a queue they also compare
    with embeddings of earlier batches (cross-batch memory, arXiv 1912.06798). All views of an example have its label.
    `examples_per_class` of the training gives batches with the same number of examples of each class.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer; 0 for a linear projector, as in the papers.
        pair_loss: "multi_similarity", "circle", "lifted_structure", "soft_nearest_neighbour" or "positive_negative".
        positive_scale: float, alpha of multi-similarity, factor of the cosines of positives.
        negative_scale: float, beta of multi-similarity, factor of the cosines of negatives.
        circle_margin: float, m of circle: 0.4 for image retrieval, 0.25 for faces.
        circle_scale: float, gamma of circle: 80 for image retrieval, 256 for faces.
        lifted_margin: float, alpha of lifted structure, between Euclidean distances.
        neighbour_temperature: float, divides the squared distances of soft nearest neighbour.
        triplet_margin: float, of PN, between cosine distances; None for the soft margin log(1 + exp(difference)).
        queue_size: int, number of embeddings of earlier batches; 0 for none.
        queue_start: float in 0..1, share of the training before the queue is used. Embeddings change fast at first.

    Raises:
        ValueError: if `pair_loss` is unknown.
    """

    paper = "https://arxiv.org/abs/1904.06627"
    use = "labelled data of many classes: retrieval and verification"
    batch = 64
    views = "sup_con"
    supervised = True

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 0,
        pair_loss: str = "multi_similarity",
        positive_scale: float = 2.0,
        negative_scale: float = 50.0,
        circle_margin: float = 0.4,
        circle_scale: float = 80.0,
        lifted_margin: float = 1.0,
        neighbour_temperature: float = 1.0,
        triplet_margin: float | None = None,
        queue_size: int = 0,
        queue_start: float = 0.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if pair_loss not in LOSSES:
            raise ValueError(nearest("pair_loss", pair_loss, LOSSES))
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.pair_loss = pair_loss
        self.positive_scale = positive_scale
        self.negative_scale = negative_scale
        self.circle_margin = circle_margin
        self.circle_scale = circle_scale
        self.lifted_margin = lifted_margin
        self.neighbour_temperature = neighbour_temperature
        self.triplet_margin = triplet_margin
        self.queue_size = queue_size
        self.queue_start = queue_start
        self.projector = plain_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")
        self.queue = LabelledQueue(queue_size, projection_dim, name="queue") if queue_size else None

    def call(self, batch):
        z = ops.stack(self.together(batch["views"], self.embed), axis=1)
        return dict(z=z, labels=batch["label"])

    def objective(self, z, labels):
        compared = self._rows(z, labels)
        if self.queue:
            used = self.progress >= self.queue_start
            compared += (self.queue.rows, ops.where(used, self.queue.labels, -1))
        knobs = {name: getattr(self, knob) for name, knob in LOSSES[self.pair_loss].items()}
        return getattr(losses, self.pair_loss)(*compared, **knobs)

    def after_step(self, z, labels):
        if self.queue:
            self.queue.enqueue(*self._rows(z, labels))

    def _rows(self, z, labels):
        """Embeddings (rows, dim) and labels (rows,) of the global batch; views of an example are successive rows."""
        z, labels = gather(z), gather(labels)
        return ops.reshape(z, (-1, z.shape[-1])), ops.repeat(labels, z.shape[1])
