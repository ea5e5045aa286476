"""SALT: predict the features of a frozen teacher at hidden patches; vision transformers only."""

from keras import ops

from sslzoo import losses
from sslzoo.exports.savedmodel import load_teacher
from sslzoo.layers import masking
from sslzoo.layers.targets import target_of
from sslzoo.layers.transformer import Predictor, kept, parts, through, token_width
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

LAYOUTS = 8  # drawn for each image, so that one of them has a context of the wanted size


class SALT(SSLModel):
    """Predicts, at hidden blocks, the features that a frozen teacher has of the whole image.

    The teacher was trained to reconstruct pixels, as `mae` is; it may be smaller than the encoder, and cannot collapse.
    The paper has video: masks, predictor and error are those of V-JEPA (arXiv 2404.08471) in two dimensions, where all
    hidden patches of an image are predicted together, and the error is the mean absolute one.

    Args:
        encoder: functional vision transformer, images (batch, height, width, channels) -> features (batch, features).
        teacher: folder of an exported vision transformer with the same patches; in Python also a functional model,
            which is copied.
        target_blocks: int, number of blocks that are hidden; they may overlap.
        target_min_scale, target_max_scale: float, range of the area of a block as a share of the image.
        context_share: float in (0, 1), share of the patches that the encoder receives, at random outside of the blocks.
        predictor_dim: int, width of the predictor.
        predictor_depth: int, number of blocks of the predictor.
        predictor_heads: int, heads of the predictor's attention; None for as many as in the encoder.

    Raises:
        ValueError: if there is no teacher or its patches have another size, the encoder has no patch tokens, the heads
            do not divide the width, or no patch is a context.
    """

    paper = "https://arxiv.org/abs/2509.24317"
    use = "a second stage after MAE: semantic features without a moving teacher"
    batch = 16
    views = "i_jepa"
    default_encoder = "vit_tiny"
    kinds = ("image",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        teacher: str | None = None,
        target_blocks: int = 8,
        target_min_scale: float = 0.15,
        target_max_scale: float = 0.15,
        context_share: float = 0.25,
        predictor_dim: int = 384,
        predictor_depth: int = 12,
        predictor_heads: int | None = 12,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if not teacher:
            raise ValueError("salt needs a teacher: give the folder of an exported vision transformer, such as mae's")
        self.parts = parts(encoder)
        # Its architecture is part of the config, so that a saved model does not need the folder.
        self.teacher = target_of(load_teacher(teacher), name="teacher")
        self.teacher_parts = parts(self.teacher)
        self.patch, taught = (network.get_layer("patches").patch for network in (encoder, self.teacher))
        if self.patch != taught:
            raise ValueError(f"the teacher has patches of {taught} px, the encoder of {self.patch}: make them equal")
        self.target_blocks = target_blocks
        self.target_min_scale, self.target_max_scale = target_min_scale, target_max_scale
        self.context_share = context_share
        self.predictor_dim, self.predictor_depth, self.predictor_heads = predictor_dim, predictor_depth, predictor_heads
        heads = predictor_heads or encoder.get_layer("block1_attention").heads
        widths = predictor_dim, predictor_depth, heads, token_width(self.teacher)
        self.predictor = Predictor(token_width(encoder), *widths, name="predictor")

    def call(self, batch, training=None):
        images, (stem, place, trunk) = batch["views"][0], self.parts
        patches = stem(images)
        grid, length = tuple(patches.shape[1:3]), patches.shape[1] * patches.shape[2]
        visible, hidden = self._mask(ops.shape(images)[0], grid, training)
        tokens = place(patches)
        seen = trunk(kept(tokens, visible, tokens.shape[1] - length))
        every = ops.broadcast_to(ops.arange(length)[None], ops.shape(hidden))
        prediction = self.predictor(seen, visible, every, grid=grid, real=hidden)
        target = ops.stop_gradient(losses.standardized(through(self.teacher_parts, images)[:, -length:]))
        return dict(prediction=prediction, target=target, hidden=hidden)

    def objective(self, prediction, target, hidden):
        return ops.mean(gather(losses.patch_l1(prediction, target, weights=hidden)))

    def _mask(self, count, grid: tuple, training):
        """Numbers of the patches that the encoder receives, and which patches are hidden, bool (count, patches)."""
        length = grid[0] * grid[1]
        keep = int(length * self.context_share)
        if not keep:
            raise ValueError(f"context_share={self.context_share} of {length} patches is none: raise it")
        size = self.uniform((1, 3), 0, everywhere=True, training=training)[0]
        places = self.uniform((count, LAYOUTS, self.target_blocks + 1, 2), 1, training=training)
        order = self.uniform((count, length), 2, training=training)
        scales = dict(scale=(self.target_min_scale, self.target_max_scale), context_scale=(1.0, 1.0))
        visible, blocks, real = masking.multi_block(size, places, order, grid, keep, **scales)
        return visible, masking.union(blocks, real, length)
