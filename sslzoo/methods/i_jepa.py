"""I-JEPA: predict the features of image blocks from a context block; the target network is exported."""

from keras import ops

from sslzoo import losses
from sslzoo.layers import masking
from sslzoo.layers.targets import Target
from sslzoo.layers.transformer import Predictor, kept, parts, picked, through, token_width
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

LAYOUTS = 8  # drawn for each image, so that one of them has a context of the wanted size


class IJEPA(SSLModel):
    """Predicts the features that an EMA network has at blocks of the image, each from the context and its positions.

    The error is smooth L1 as in the authors' code; the paper has squared L2. Blocks may touch every border, which the
    last row and column of the authors' code do not. A class token of the encoder is one more token of each network.
    Nothing in the loss forbids a collapse: watch the spread, and lower `ema_rate` or the learning rate if it vanishes.

    Args:
        encoder: functional vision transformer, images (batch, height, width, channels) -> features (batch, features).
        target_blocks: int, number of blocks to predict.
        target_min_scale: float, smallest area of a block as a share of the image; all blocks of a batch have one size.
        target_max_scale: float, largest area of a block.
        context_min_scale: float in (0, 1], smallest area of the context block, from which the targets are cut.
        context_share: float in (0, 1), share of the patches that the context keeps; about that of the smallest context
            of the batch in the paper.
        predictor_dim: int, width of the predictor.
        predictor_depth: int, number of blocks of the predictor: 6 in the paper for ViT-B, 12 for larger ones.
        predictor_heads: int, heads of the predictor's attention; None for as many as in the encoder.
        ema_rate: float, share that the target network moves towards the encoder in a step at the start; decays
            linearly to 0.

    Raises:
        ValueError: if the encoder has no patch tokens, the heads do not divide the width, or no patch is a context.
    """

    paper = "https://arxiv.org/abs/2301.08243"
    use = "vision transformers without colour augmentation; semantic features from long trainings"
    batch = 32
    views = "i_jepa"
    default_encoder = "vit_tiny"
    kinds = ("image",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        target_blocks: int = 4,
        target_min_scale: float = 0.15,
        target_max_scale: float = 0.2,
        context_min_scale: float = 0.85,
        context_share: float = 0.25,
        predictor_dim: int = 384,
        predictor_depth: int = 6,
        predictor_heads: int | None = None,
        ema_rate: float = 0.004,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.target_blocks = target_blocks
        self.target_min_scale = target_min_scale
        self.target_max_scale = target_max_scale
        self.context_min_scale = context_min_scale
        self.context_share = context_share
        self.predictor_dim = predictor_dim
        self.predictor_depth = predictor_depth
        self.predictor_heads = predictor_heads
        self.ema_rate = ema_rate
        self.stem, self.place, self.trunk = parts(encoder)
        width, heads = token_width(encoder), predictor_heads or encoder.get_layer("block1_attention").heads
        self.predictor = Predictor(width, predictor_dim, predictor_depth, heads, width, name="predictor")
        self.target = Target(encoder)
        self.target_parts = parts(self.exported())

    def call(self, batch, training=None):
        images = batch["views"][0]
        patches = self.stem(images)
        grid = tuple(patches.shape[1:3])
        visible, hidden, real = self._mask(ops.shape(images)[0], grid, training)
        tokens = self.place(patches)
        extra = tokens.shape[1] - grid[0] * grid[1]
        context = self.trunk(kept(tokens, visible, extra))
        # Each block is predicted alone: the context is repeated for each.
        hidden, real = (ops.reshape(x, (-1, x.shape[-1])) for x in (hidden, real))
        context, visible = (ops.repeat(x, self.target_blocks, axis=0) for x in (context, visible))
        prediction = self.predictor(context, visible, hidden, grid=grid, real=real)
        target = losses.standardized(through(self.target_parts, images)[:, extra:])
        target = ops.stop_gradient(picked(ops.repeat(target, self.target_blocks, axis=0), hidden))
        return dict(prediction=prediction, target=target, real=real)

    def exported(self):
        return self.target.copies[0]

    def objective(self, prediction, target, real):
        return ops.mean(gather(losses.smooth_l1(prediction, target, weights=real)))

    def after_step(self, **outputs):
        self.target.update(self.ema_rate * (1 - self.progress_before))

    def _mask(self, count, grid: tuple, training):
        keep = int(grid[0] * grid[1] * self.context_share)
        if not keep:
            raise ValueError(f"context_share={self.context_share} of {grid[0] * grid[1]} patches is none: raise it")
        size = self.uniform((1, 3), 0, everywhere=True, training=training)[0]
        places = self.uniform((count, LAYOUTS, self.target_blocks + 1, 2), 1, training=training)
        order = self.uniform((count, grid[0] * grid[1]), 2, training=training)
        scale, context = (self.target_min_scale, self.target_max_scale), (self.context_min_scale, 1.0)
        return masking.multi_block(size, places, order, grid, keep, scale=scale, context_scale=context)
