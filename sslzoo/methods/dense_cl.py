"""DenseCL: MoCo for whole views, and for the places of two views with the most similar features."""

from keras import ops

from sslzoo.layers import maps
from sslzoo.layers.heads import plain_mlp
from sslzoo.layers.memory import Queue
from sslzoo.layers.targets import Target, in_groups
from sslzoo.losses import correspondence, info_nce, unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class DenseCL(SSLModel):
    """(1 - dense_weight) InfoNCE of views + dense_weight InfoNCE of the places of their feature maps.

    The key of a place in view a is the place in view b with the most similar feature before any head. Its negatives are
    queued keys of whole images, each the mean over its places. As in MoCo the keys have BatchNorm statistics of small
    groups.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embeddings of views and places, which only training uses.
        hidden_dim: int, width of the hidden layer of both projectors.
        temperature: float, divides the cosine similarities; 0.2 in the authors' settings.
        queue_size: int, number of keys in each of two queues.
        ema_rate: float, share that the key encoder moves towards the encoder in a step.
        norm_groups: int, parts of a replica's batch whose keys have BatchNorm statistics of their own.
        dense_weight: float in 0..1, weight of the places; 0 is MoCo v2.

    Raises:
        ValueError: if the encoder has no feature map, `dense_weight` is outside of 0..1 or `norm_groups` is less than
            1.
    """

    paper = "https://arxiv.org/abs/2011.09157"
    use = "detection and segmentation: it trains the feature maps as well"
    batch = 32
    views = "moco_v2"
    kinds = ("image",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 2048,
        temperature: float = 0.2,
        queue_size: int = 65536,
        ema_rate: float = 0.001,
        norm_groups: int = 8,
        dense_weight: float = 0.5,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.queue_size = queue_size
        self.ema_rate = ema_rate
        self.norm_groups = norm_groups
        self.dense_weight = dense_weight
        self.encoder_with_map = maps.with_map(encoder)
        channels = self.encoder_with_map.output_shape[0][-1]
        self.projector = plain_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, name="projector")
        self.map_projector = plain_mlp(channels, hidden_dim, projection_dim, name="map_projector")
        self.target = Target(encoder, self.projector, self.map_projector)
        self.target_with_map = maps.with_map(self.target.copies[0])
        self.queue = Queue(queue_size, projection_dim, name="queue")
        self.map_queue = Queue(queue_size, projection_dim, name="map_queue")

    def call(self, batch, training=False):
        view_a, view_b = batch["views"]
        z_a, places_a, features_a = self.query(view_a)
        z_b, places_b, features_b = in_groups(self.key, view_b, self.norm_groups if training else 1)
        partners = correspondence(features_a, features_b)
        matched = ops.take_along_axis(places_b, partners[:, :, None], axis=1)
        return dict(z_a=z_a, z_b=z_b, places=places_a, matched=matched, map_key=ops.mean(places_b, axis=1))

    def query(self, images):
        """Embeddings of views (n, dim) and of places (n, places, dim), features of places (n, places, channels)."""
        return _look(images, self.encoder_with_map, self.projector, self.map_projector)

    def key(self, images):
        """The same of the EMA copies."""
        return _look(images, self.target_with_map, *self.target.copies[1:])

    def objective(self, z_a, z_b, places, matched, **outputs):
        whole = info_nce(gather(z_a), ops.stop_gradient(gather(z_b)), self.queue.rows, temperature=self.temperature)
        places, matched = (ops.reshape(gather(z), (-1, self.projection_dim)) for z in (places, matched))
        dense = info_nce(places, ops.stop_gradient(matched), self.map_queue.rows, temperature=self.temperature)
        return (1 - self.dense_weight) * whole + self.dense_weight * dense

    def after_step(self, z_b, map_key, **outputs):
        self.target.update(self.ema_rate)
        self.queue.enqueue(unit(gather(z_b)))
        self.map_queue.enqueue(unit(gather(map_key)))


def _look(images, encoder, projector, map_projector):
    feature_map, features = encoder(images)
    _, height, width, channels = feature_map.shape
    places = map_projector(ops.reshape(feature_map, (-1, channels)))
    places = ops.reshape(places, (-1, height * width, places.shape[-1]))
    return projector(features), places, ops.reshape(feature_map, (-1, height * width, channels))
