"""All4One: contrast with the nearest neighbour, with a summary of several neighbours, and agreement of features."""

from keras import ops

from sslzoo.layers.heads import norm_mlp
from sslzoo.layers.memory import Queue
from sslzoo.layers.neighbours import neighbour_transformer
from sslzoo.layers.targets import Target, cosine_to_zero
from sslzoo.losses import cross_view_info_nce, feature_agreement, unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

CENTROID_TEMPERATURE = 0.1  # of the summaries, fixed in the authors' code


class All4One(SSLModel):
    """Half the sum of NNCLR's loss, the same loss of summaries of neighbours, and the redundancy of features.

    A small transformer summarizes the neighbours of the target's embedding. The summary for one view is contrasted with
    one for the other view, whose first neighbour is a prediction. The queue holds the target's embeddings of first
    views. The views pass through the networks one by one, with BatchNorm statistics of their own.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, a multiple of 8, which only training uses.
        hidden_dim: int, width of the projector's two hidden layers.
        predictor_dim: int, width of the hidden layer of both predictors.
        temperature: float, divides the cosine similarities of nearest neighbours.
        neighbours: int, number of neighbours that are summarized.
        queue_size: int, number of embeddings among which neighbours are found.
        transformer_rate: float in (0, 1], factor of the transformer's learning rate.
        ema_rate: float, share that the target network moves towards the online network in a step at the start; decays
            to 0 along a cosine.
    """

    paper = "https://arxiv.org/abs/2303.09417"
    use = "images whose classes vary more than views do; as NNCLR, with several neighbours"
    batch = 64
    views = "byol"

    def __init__(
        self,
        encoder,
        projection_dim: int = 256,
        hidden_dim: int = 2048,
        predictor_dim: int = 4096,
        temperature: float = 0.2,
        neighbours: int = 5,
        queue_size: int = 98304,
        transformer_rate: float = 0.1,
        ema_rate: float = 0.01,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.predictor_dim = predictor_dim
        self.temperature = temperature
        self.neighbours = neighbours
        self.queue_size = queue_size
        self.transformer_rate = transformer_rate
        self.ema_rate = ema_rate
        widths = encoder.output_shape[-1], hidden_dim, projection_dim
        self.projector = norm_mlp(*widths, hidden_layers=2, last_bias=True, name="projector")
        head = dict(hidden_dim=predictor_dim, output_dim=projection_dim, last_norm=False, last_bias=True)
        self.predictor = norm_mlp(projection_dim, **head, name="predictor")
        self.shift_predictor = norm_mlp(projection_dim, **head, name="shift_predictor")
        self.transformer = neighbour_transformer(neighbours, projection_dim, name="transformer")
        self.target = Target(encoder, self.projector)
        self.queue = Queue(queue_size, projection_dim, name="queue")

    def call(self, batch):
        seen = [self._look(view) for view in batch["views"]]
        return {f"{name}_{view}": value for one, view in zip(seen, "ab", strict=True) for name, value in one.items()}

    def _look(self, view):
        z, target = self.embed(view), ops.stop_gradient(self.target(view))
        near = self.queue.neighbours(target, self.neighbours)
        shifted = ops.concatenate([self.shift_predictor(z)[:, None], near[:, :-1]], axis=1)
        named = dict(z=z, p=self.predictor(z), target=unit(target), near=near[:, 0])
        return named | dict(summary=self.transformer(near), shifted=self.transformer(shifted))

    def objective(self, **outputs):
        a, b = ({name: gather(outputs[f"{name}_{view}"]) for name in outputs_of(outputs)} for view in "ab")
        nearest = self._contrast(a["near"], b["p"], b["near"], a["p"], self.temperature)
        centroid = self._contrast(a["summary"], b["shifted"], b["summary"], a["shifted"], CENTROID_TEMPERATURE)
        return (nearest + centroid + feature_agreement(a["z"], b["z"], a["target"], b["target"])) / 2

    def _contrast(self, one_a, other_b, one_b, other_a, temperature: float):
        pairs = (one_a, other_b), (one_b, other_a)
        return sum(cross_view_info_nce(*pair, temperature=temperature) for pair in pairs) / 2

    def learning_rate_of(self, weight, learning_rate, peak):
        own = any(weight is one for one in self.transformer.weights)
        return learning_rate * (self.transformer_rate if own else 1.0)

    def after_step(self, target_a, **outputs):
        self.target.update(cosine_to_zero(self.ema_rate, self.progress_before))
        self.queue.enqueue(gather(target_a))


def outputs_of(outputs: dict) -> list[str]:
    """The names of the outputs of a view, without the view."""
    return [name.removesuffix("_a") for name in outputs if name.endswith("_a")]
