"""SPR: predict the latents of the next frames from a frame and the actions."""

import keras
from keras import layers, ops

from sslzoo.catalog.knobs import nearest
from sslzoo.layers.dynamics import MinMax, closed_loop, open_loop, transition
from sslzoo.layers.heads import norm_mlp, plain_mlp
from sslzoo.layers.maps import with_map
from sslzoo.layers.targets import Target
from sslzoo.losses import latent_prediction
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

VARIANTS = ("spr", "efficient_zero", "byol_explore")


class SPR(SSLModel):
    """Self-predictive representations: a transition model is unrolled over the actions; its latents match targets.

    A latent is the feature map within [0, 1]. Targets are projected latents of the next frames by the EMA networks,
    without gradient. Steps after the end of an episode count 0. In the paper the projector is the first layer of the
    agent's head; here it is a layer of its own. EfficientZero's consistency (arXiv 2111.00210) is
    variant="efficient_zero" with projection_dim=1024, state_gradient=0.5.

    BYOL-Explore's prediction (arXiv 2206.08332) is variant="byol_explore" with horizon=8, ema_rate=0.01. A GRU cell
    turns the flat feature map, not scaled, into a belief; a second one advances the belief by the actions; there is no
    projector. A window has no frames before its first: the state there is zero. The paper takes the mean over steps.

    Args:
        encoder: functional model whose features have no weights behind the feature map, such as nature_conv.
        horizon: int, number of next frames.
        hidden_dim: int, channels of the hidden layer of the transition model; in byol_explore width of the belief.
        projection_dim: int, width of projections and predictions; in byol_explore of the predictor's hidden layer.
        ema_rate: float, share that the target moves to the online network; 1, a copy, with augmentation, 0.01 without.
        variant: "spr", dense projector and predictor, "efficient_zero", deeper ones with BatchNorm, or "byol_explore".
        state_gradient: float in 0..1, factor of the gradient of a latent at each step of the transition model.
        action_dim: int, width of the actions, as pretraining finds it.
        input_shape: (height, width, channels) of the frames, needed if the encoder accepts any size.

    Raises:
        ValueError: if a name is unknown, or the encoder has weights behind its feature map.
    """

    paper = "https://arxiv.org/abs/2007.05929"
    use = "frames of episodes with actions: what an agent can change"
    batch = 32
    views = "spr"
    relation = "following"
    default_encoder = "nature_conv"
    kinds = ("image",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        horizon: int = 5,
        hidden_dim: int = 256,
        projection_dim: int = 512,
        ema_rate: float = 1.0,
        variant: str = "spr",
        state_gradient: float = 1.0,
        action_dim: int = 0,
        input_shape: tuple | None = None,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if variant not in VARIANTS:
            raise ValueError(nearest("variant", variant, VARIANTS))
        self.horizon, self.hidden_dim, self.projection_dim = horizon, hidden_dim, projection_dim
        self.ema_rate, self.variant, self.state_gradient = ema_rate, variant, state_gradient
        self.action_dim, self.input_shape = action_dim, input_shape
        read = layers.Flatten(dtype="float32") if variant == "byol_explore" else MinMax(name="range")
        self.latent = keras.Model(encoder.input, read(with_map(encoder).outputs[0]), name="latent")
        if len(self.latent.weights) < len(encoder.weights):
            raise ValueError(f"{encoder.name} has weights behind its feature map: take an encoder such as nature_conv")
        shape = self.latent.compute_output_shape((None, *(input_shape or encoder.input_shape[1:])))[1:]
        self.start, self.transition = self._dynamics(shape)
        self.projector, self.predictor = self._heads(shape)
        self.target = Target(self.latent, self.projector)

    def _dynamics(self, shape):
        sizes = self.action_dim, self.hidden_dim
        if self.variant == "byol_explore":
            return closed_loop(*shape, self.hidden_dim, name="start"), open_loop(*sizes, name="transition")
        return layers.Identity(dtype="float32", name="start"), transition(shape, *sizes, name="transition")

    def _heads(self, shape):
        dim, flat = self.projection_dim, [keras.Input(shape), layers.Flatten()]
        if self.variant == "byol_explore":
            predictor = plain_mlp(self.hidden_dim, dim, *shape, name="predictor")
            return layers.Identity(dtype="float32", name="projector"), predictor
        if self.variant == "efficient_zero":
            flat.append(norm_mlp(shape[0] * shape[1] * shape[2], dim, dim, hidden_layers=2))
            predictor = norm_mlp(dim, dim // 2, dim, last_norm=False, last_bias=True, name="predictor")
            return keras.Sequential(flat, name="projector"), predictor
        projector = keras.Sequential([*flat, layers.Dense(dim, dtype="float32")], name="projector")
        return projector, keras.Sequential([keras.Input((dim,)), layers.Dense(dim, dtype="float32")], name="predictor")

    def call(self, batch):
        frame, *later = batch["views"]
        latent, predictions = self.latent(frame), []
        z_a, state = self.projector(latent), self.start(latent)
        for step in range(self.horizon):
            share = self.state_gradient
            state = share * state + (1 - share) * ops.stop_gradient(state)
            state = self.transition([state, batch["action"][:, step]])
            predictions.append(self.predictor(self.projector(state)))
        targets = self.together(tuple(later), self.target)
        predictions, targets = ops.stack(predictions, axis=1), ops.stack(targets, axis=1)
        return dict(z_a=z_a, z_b=targets[:, 0], p=predictions, targets=targets, valid=batch["valid"])

    def embed(self, inputs):
        return self.projector(self.latent(inputs))

    def objective(self, p, targets, valid, **embeddings):
        return latent_prediction(gather(p), ops.stop_gradient(gather(targets)), gather(valid))

    def after_step(self, **outputs):
        self.target.update(self.ema_rate)
