"""VIP: embeddings whose distance to a goal is the value of a frame, learned from videos without actions."""

import keras
from keras import ops

from sslzoo.layers.heads import linear
from sslzoo.losses import size_penalty, vip
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class VIP(SSLModel):
    """Value-implicit pre-training: minus the distance to the embedding of the goal is a value function.

    A clip gives a start, a goal, and two successive frames between them. The gradient passes to all of them: there is
    no target network. The exported model ends with the embedding, so that the distance of its outputs for a frame and
    for a goal is what has been learned. The defaults are those of the authors' training on Ego4D.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding.
        discount: float in 0..1, gamma of the value.
        negatives: int, frames of other clips for each goal; 0 for none, as in the paper's equation.
        l1_weight: float, weight of the mean L1 norm of the embeddings.
        l2_weight: float, weight of their mean L2 norm.
    """

    paper = "https://arxiv.org/abs/2210.00030"
    use = "videos that reach a goal, without actions: distance to the goal as a reward"
    batch = 32
    views = "same_crop"
    relation = "goal"
    kinds = ("image",)

    def __init__(
        self,
        encoder,
        projection_dim: int = 1024,
        discount: float = 0.98,
        negatives: int = 3,
        l1_weight: float = 0.001,
        l2_weight: float = 0.001,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.discount = discount
        self.negatives = negatives
        self.l1_weight = l1_weight
        self.l2_weight = l2_weight
        self.projector = linear(encoder.output_shape[-1], projection_dim, name="projector")

    def call(self, batch, training=False):
        start, goal, before, after = self.together(batch["views"], self.embed)
        drawn = self.uniform((ops.shape(start)[0], max(self.negatives, 1)), 0, training=training)
        return dict(z_a=start, z_b=goal, before=before, after=after, drawn=drawn, valid=batch["valid"][:, 0])

    def objective(self, z_a, z_b, before, after, drawn, valid):
        start, goal, before, after, drawn, valid = map(gather, (z_a, z_b, before, after, drawn, valid))
        orders = ops.transpose(ops.argsort(drawn, axis=0)) if self.negatives else None
        loss = vip(start, goal, before, after, valid, orders, discount=self.discount)
        frames, counted = ops.concatenate([start, goal, before, after]), ops.tile(valid, (4,))
        return loss + size_penalty(frames, counted, l1_weight=self.l1_weight, l2_weight=self.l2_weight)

    def of_images(self, network):
        head = linear(network.output_shape[-1], self.projection_dim, name="embedding")
        head.set_weights(self.projector.get_weights())  # a copy: networks that are kept do not change with training
        images = keras.Input(network.input_shape[1:])
        return keras.Model(images, head(network(images)), name=network.name)
