"""R3M: frames of a clip are closer the closer they are in time."""

from keras import ops

from sslzoo.losses import size_penalty, time_contrast
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class R3M(SSLModel):
    """Time-contrastive learning on videos, with a penalty of the norms of the features.

    Of three frames of a clip, the one between is closer to each end than the other end is, and than frames of other
    clips are. The features of the encoder are trained as they are. The paper's term for language, which needs a
    pretrained language model, is not part of it.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        negatives: int, frames of other clips for each frame, 1 or more.
        l1_weight: float, weight of the mean L1 norm of the features, which makes them sparse.
        l2_weight: float, weight of their mean L2 norm.

    Raises:
        ValueError: if there are no negatives.
    """

    paper = "https://arxiv.org/abs/2203.12601"
    use = "videos without actions, such as those of people at work"
    batch = 32
    views = "same_crop"
    relation = "clip"
    kinds = ("image",)

    def __init__(self, encoder, negatives: int = 3, l1_weight: float = 1e-5, l2_weight: float = 1e-5, **kwargs):
        super().__init__(encoder, **kwargs)
        if negatives < 1:
            raise ValueError(f"negatives must be at least 1, got {negatives}")
        self.negatives = negatives
        self.l1_weight = l1_weight
        self.l2_weight = l2_weight

    def call(self, batch, training=False):
        between, earlier, later = self.together(batch["views"], self.embed)
        drawn = self.uniform((ops.shape(between)[0], self.negatives), 0, training=training)
        valid = batch["valid"][:, 0]
        return dict(z_a=earlier, z_b=between, later=later, drawn=drawn, valid=valid)

    def objective(self, z_a, z_b, later, drawn, valid):
        earlier, between, later, drawn, valid = map(gather, (z_a, z_b, later, drawn, valid))
        loss = time_contrast(earlier, between, later, ops.transpose(ops.argsort(drawn, axis=0)), valid)
        frames, counted = ops.concatenate([earlier, between, later]), ops.tile(valid, (3,))
        return loss + size_penalty(frames, counted, l1_weight=self.l1_weight, l2_weight=self.l2_weight)
