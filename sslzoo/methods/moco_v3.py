"""MoCo v3: predict the key of the other view among the keys of the batch; no queue, an EMA key encoder."""

from keras import ops

from sslzoo.layers.heads import norm_mlp
from sslzoo.layers.targets import Target, cosine_to_zero
from sslzoo.losses import cross_view_info_nce
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class MoCoV3(SSLModel):
    """2 temperature times InfoNCE of predictions from one view and keys of the other, summed over both directions.

    The defaults are those for ResNet-50: heads, temperature, and crops of at least 0.2 of the area. A vision
    transformer takes hidden_layers 2, predictor_norm, temperature 0.2, min_scale 0.08 and the encoder's frozen_patches.
    The views pass through the networks one by one, with BatchNorm statistics of their own.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the hidden layers of projector and predictor.
        hidden_layers: int, hidden layers of the projector.
        predictor_norm: bool, BatchNorm after the predictor's last layer.
        temperature: float, divides the cosine similarities; 0.2 for a vision transformer, 1 for a ResNet-50.
        ema_rate: float, share that the key encoder moves towards the encoder in a step at the start; decays to 0 along
            a cosine.
    """

    paper = "https://arxiv.org/abs/2104.02057"
    use = "vision transformers and large batches"
    views = "moco_v3"

    def __init__(
        self,
        encoder,
        projection_dim: int = 256,
        hidden_dim: int = 4096,
        hidden_layers: int = 1,
        predictor_norm: bool = False,
        temperature: float = 1.0,
        ema_rate: float = 0.01,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.hidden_layers = hidden_layers
        self.predictor_norm = predictor_norm
        self.temperature = temperature
        self.ema_rate = ema_rate
        widths = dict(hidden_dim=hidden_dim, output_dim=projection_dim, affine=False)
        self.projector = norm_mlp(encoder.output_shape[-1], hidden_layers=hidden_layers, **widths, name="projector")
        self.predictor = norm_mlp(projection_dim, last_norm=predictor_norm, **widths, name="predictor")
        self.target = Target(encoder, self.projector)

    def call(self, batch):
        views = batch["views"]
        z_a, z_b = (self.embed(view) for view in views)
        key_a, key_b = map(self.target, views)
        return dict(z_a=z_a, z_b=z_b, p_a=self.predictor(z_a), p_b=self.predictor(z_b), key_a=key_a, key_b=key_b)

    def objective(self, p_a, p_b, key_a, key_b, **embeddings):
        key_a, key_b = ops.stop_gradient(gather(key_a)), ops.stop_gradient(gather(key_b))
        a_to_b = cross_view_info_nce(gather(p_a), key_b, temperature=self.temperature)
        b_to_a = cross_view_info_nce(gather(p_b), key_a, temperature=self.temperature)
        return 2 * self.temperature * (a_to_b + b_to_a)

    def after_step(self, **outputs):
        self.target.update(cosine_to_zero(self.ema_rate, self.progress))
