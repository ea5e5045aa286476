"""Rotation: recognize by which multiple of 90 degrees an image is rotated."""

import math

import keras
from keras import ops

from sslzoo.layers.drop_path import stacked
from sslzoo.layers.heads import linear
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class Rotation(SSLModel):
    """RotNet: classifies the four rotations of each image, which are in one batch; the features need no projector.

    The rotations move pixels without interpolation, whose traces would be recognized instead. Features of middle layers
    are often better than the last ones: `sslzoo evaluate --all` judges each stage. The first view is rotated; the
    second serves monitors.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
    """

    paper = "https://arxiv.org/abs/1803.07728"
    use = "photographs with an upright orientation; fast, no large batch"
    batch = 16
    views = "crop_flip"
    kinds = ("image",)

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder, **kwargs)
        self.head = linear(encoder.output_shape[-1], 4, name="head")

    def call(self, batch):
        images = batch["views"][0]
        rotated = ops.concatenate([ops.rot90(images, turns, axes=(1, 2)) for turns in range(4)])
        with stacked(4):
            logits = self.head(self.encode(rotated))
        turns = ops.repeat(ops.arange(4), ops.shape(images)[0])
        errors = keras.losses.sparse_categorical_crossentropy(turns, logits, from_logits=True)
        return dict(errors=ops.mean(ops.reshape(errors, (4, -1)), axis=0))

    def baseline(self, batch_size):
        return math.log(4)

    def objective(self, errors):
        return ops.mean(gather(errors))
