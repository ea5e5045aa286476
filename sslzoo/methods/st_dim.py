"""ST-DIM: contrast a frame with the places of the frame before it."""

from keras import ops

from sslzoo.layers.heads import linear
from sslzoo.layers.maps import with_map
from sslzoo.losses import place_info_nce
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class STDIM(SSLModel):
    """Matches the embedding of a frame, and its vector at each place, with the vectors of the frame before.

    The two terms are the paper's global-local and local-local objectives; the candidates of a place are the vectors
    there of all frames of the global batch. Pairs across the end of an episode are left out.

    Args:
        encoder: functional model with a feature map before its features, such as nature_conv.
        interval: int, steps between the two frames.
        projection_dim: int, width of the embedding of a frame, which only training uses.
    """

    paper = "https://arxiv.org/abs/1906.08226"
    use = "frames of episodes with small objects, whose places the feature map keeps"
    batch = 64
    views = "frames"
    relation = "later"
    default_encoder = "conv_rl"
    kinds = ("image",)
    micro_batches = False

    def __init__(self, encoder, interval: int = 1, projection_dim: int = 256, **kwargs):
        super().__init__(encoder, **kwargs)
        self.interval = interval
        self.projection_dim = projection_dim
        self.encoder_with_map = with_map(encoder)
        channels = self.encoder_with_map.output_shape[0][-1]
        self.projector = linear(encoder.output_shape[-1], projection_dim, name="projector")
        self.global_predictor = linear(projection_dim, channels, name="global_predictor")
        self.local_predictor = linear(channels, channels, name="local_predictor")

    def call(self, batch):
        before, frame = batch["views"]
        places, z_a = self.look(before)
        own, z_b = self.look(frame)
        predicted = self.global_predictor(z_b)[:, None] + ops.zeros_like(places)
        local = self.local_predictor(own)
        return dict(z_a=z_a, z_b=z_b, places=places, whole=predicted, local=local, valid=batch["valid"][:, 0])

    def look(self, images):
        """The vectors at the places of frames (n, places, channels) and their embeddings (n, projection_dim)."""
        feature_map, features = self.encoder_with_map(images)
        _, height, width, channels = feature_map.shape
        places = ops.reshape(ops.cast(feature_map, "float32"), (-1, height * width, channels))
        return places, self.projector(features)

    def objective(self, places, whole, local, valid, **embeddings):
        places, valid = gather(places), gather(valid)
        return place_info_nce(gather(whole), places, valid) + place_info_nce(gather(local), places, valid)
