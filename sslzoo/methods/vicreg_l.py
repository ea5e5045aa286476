"""VICRegL: VICReg on whole views, and on places of their feature maps with similar features or equal location."""

from keras import ops

from sslzoo.layers import maps
from sslzoo.layers.heads import norm_mlp
from sslzoo.losses import redundancy, too_narrow, vicreg_local
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class VICRegL(SSLModel):
    """Minimizes global_weight VICReg(embeddings) + (1 - global_weight) VICReg(matched places of the feature maps).

    The views pass through the networks one by one, with BatchNorm statistics of their own. The first two are compared
    with all others, and the loss is a mean over those pairs. The paper's maps have 7 x 7 places; in smaller ones all
    places may match. As in the paper, a mirrored view has mirrored positions, which the authors' code omits by default.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding of a view, which only training uses.
        hidden_dim: int, width of the expander's two hidden layers.
        map_dim: int, width of the embedding of a place and of its expander's two hidden layers.
        global_weight: float in 0..1, alpha of the paper: 0.75 or 0.9.
        matches: int, places of one of the first two views that are matched by location with another view, the nearest.
        matches_back: int, places of that other view that are matched with the first.
        invariance: float, weight of the mean squared difference of the views.
        variance: float, weight of the variance term.
        covariance: float, weight of the squared covariances between features, a mean of two views where VICReg has a
            sum.

    Raises:
        ValueError: if the encoder has no feature map, or `global_weight` is outside of 0..1.
    """

    paper = "https://arxiv.org/abs/2210.01571"
    use = "detection and segmentation: local features as well"
    batch = 128
    views = "vicreg_l"
    kinds = ("image",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        projection_dim: int = 8192,
        hidden_dim: int = 8192,
        map_dim: int = 512,
        global_weight: float = 0.75,
        matches: int = 20,
        matches_back: int = 4,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.map_dim = map_dim
        self.global_weight = global_weight
        self.matches = matches
        self.matches_back = matches_back
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance
        self.encoder_with_map = maps.with_map(encoder)
        channels = self.encoder_with_map.output_shape[0][-1]
        widths = encoder.output_shape[-1], hidden_dim, projection_dim
        self.projector = norm_mlp(*widths, hidden_layers=2, last_norm=False, name="projector")
        self.map_projector = norm_mlp(channels, map_dim, map_dim, 2, last_norm=False, name="map_projector")

    def call(self, batch):
        seen = [self._look(view, boxes) for view, boxes in zip(batch["views"], batch["boxes"], strict=True)]
        z, local, where = zip(*seen, strict=True)
        return dict(z_a=z[0], z_b=z[1], z=ops.stack(z, axis=1), local=local, where=where)

    def _look(self, view, boxes):
        """Embeddings of a view (n, dim) and of its places (n, places, dim), and their positions (n, places, 2)."""
        feature_map, features = self.encoder_with_map(view)
        _, height, width, channels = feature_map.shape
        places = self.map_projector(ops.reshape(feature_map, (-1, channels)))
        local = ops.reshape(places, (-1, height * width, self.map_dim))
        return self.projector(features), local, maps.positions(boxes, height, width)

    def objective(self, z, local, where, **embeddings):
        z, local, where = gather(z), [gather(x) for x in local], [gather(x) for x in where]
        pairs = [(i, j) for i in (0, 1) for j in range(len(local)) if i != j]
        options = dict(invariance=self.invariance, variance=self.variance, covariance=self.covariance)
        options["matches"] = (self.matches, self.matches_back)
        nearby = [vicreg_local(local[i], local[j], where[i], where[j], **options) for i, j in pairs]
        return self.global_weight * self._global(z, pairs) + (1 - self.global_weight) * sum(nearby) / len(pairs)

    def _global(self, z, pairs: list):
        """VICReg of the embeddings (n, views, dim): means over pairs of views, and over views."""
        z = ops.unstack(z, axis=1)
        apart = sum(ops.mean((z[i] - z[j]) ** 2) for i, j in pairs) / len(pairs)
        narrow, redundant = (sum(map(term, z)) / len(z) for term in (too_narrow, redundancy))
        return self.invariance * apart + self.variance * narrow + self.covariance * redundant
