"""DetCon: contrast of the regions of an image in two views, in place of the whole views."""

from keras import ops

from sslzoo.catalog.knobs import nearest
from sslzoo.layers import maps, regions
from sslzoo.layers.heads import byol_mlp
from sslzoo.layers.targets import Target, cosine_to_zero
from sslzoo.losses import det_con
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

VARIANTS = ("b", "s")


class DetCon(SSLModel):
    """Minimizes InfoNCE of regions over the global batch. DetCon-B has a predictor and a target network, DetCon-S none.

    A region is the mean of the feature map over the places of one object. Objects are the segments of the column
    `regions` of the batch, int (n, rows, columns), which covers the square of the image's longer side; without it they
    are the cells of a grid, the paper's baseline. `boxes` gives the objects of a view. The views pass through the
    networks one by one, with BatchNorm statistics of their own.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embeddings of regions, which only training uses.
        hidden_dim: int, width of the hidden layers of projector and predictor.
        temperature: float, divides the cosine similarities.
        variant: "b", as BYOL; or "s", as SimCLR, without predictor and target network.
        samples: int, regions of a view, drawn with replacement from those that it shows.
        grid: int, cells on a side of the image, where the batch has no regions.
        ema_rate: float, share that the target network moves towards the online network in a step at the start; decays
            to 0 along a cosine.

    Raises:
        ValueError: if the variant is unknown, or the encoder has no feature map.
    """

    paper = "https://arxiv.org/abs/2103.10957"
    use = "detection and segmentation; images of several objects"
    batch = 128
    views = "byol"
    kinds = ("image",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        projection_dim: int = 256,
        hidden_dim: int = 4096,
        temperature: float = 0.1,
        variant: str = "b",
        samples: int = 16,
        grid: int = 5,
        ema_rate: float = 0.004,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if variant not in VARIANTS:
            raise ValueError(nearest("variant", variant, VARIANTS))
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.variant = variant
        self.samples = samples
        self.grid = grid
        self.ema_rate = ema_rate
        self.encoder_with_map = maps.with_map(encoder)
        channels = self.encoder_with_map.output_shape[0][-1]
        self.projector = byol_mlp(channels, hidden_dim, projection_dim, name="projector")
        if variant == "b":
            self.predictor = byol_mlp(projection_dim, hidden_dim, projection_dim, name="predictor")
            self.target = Target(encoder, self.projector)
            self.target_with_map = maps.with_map(self.target.copies[0])

    def call(self, batch, training=None):
        seen = [self._look(batch, view, training) for view in (0, 1)]
        return {f"{name}_{view}": value for one, view in zip(seen, "ab", strict=True) for name, value in one.items()}

    def _look(self, batch, view: int, training):
        """The sampled objects of a view, their predictions and targets, and the mean of their embeddings."""
        images = batch["views"][view]
        feature_map, _ = self.encoder_with_map(images)
        where = maps.positions(batch["boxes"][view], *feature_map.shape[1:3])
        ids = regions.objects(batch.get("regions", regions.grid(self.grid)), where)
        drawn = regions.sample(ids, self.uniform((ops.shape(images)[0], self.samples), view, training=training))
        z = regions.each(self.projector, regions.pool(feature_map, ids, drawn))
        if self.variant == "s":
            return dict(z=ops.mean(z, axis=1), p=z, target=z, ids=drawn)
        feature_map, _ = self.target_with_map(images)
        target = regions.each(self.target.copies[1], regions.pool(feature_map, ids, drawn))
        return dict(z=ops.mean(z, axis=1), p=regions.each(self.predictor, z), target=target, ids=drawn)

    def objective(self, p_a, p_b, target_a, target_b, ids_a, ids_b, **embeddings):
        p_a, p_b, target_a, target_b = map(gather, (p_a, p_b, target_a, target_b))
        if self.variant == "b":
            target_a, target_b = ops.stop_gradient(target_a), ops.stop_gradient(target_b)
        return det_con(p_a, p_b, target_a, target_b, gather(ids_a), gather(ids_b), temperature=self.temperature)

    def after_step(self, **outputs):
        if self.variant == "b":
            self.target.update(cosine_to_zero(self.ema_rate, self.progress_before))
