"""SimCSE: a text twice, with other units dropped, is contrasted with the other texts of the batch."""

import keras

from sslzoo.layers.tokenized import words_of
from sslzoo.layers.transformer import dense
from sslzoo.losses import cross_view_info_nce
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class SimCSE(SSLModel):
    """Contrasts the two passes of each text through the encoder; dropout is their only difference.

    The paper starts from a pretrained language model, and so should you: train `mlm` first, and give its exported
    encoder as `encoder`. From new weights the loss is near 0 within a few steps, since untrained encoders separate any
    two texts. The projector, a dense layer and tanh, is used in training alone. Of the views the first is trained on,
    twice.

    Args:
        encoder: text_transformer with dropout, tokens (batch, length) -> features (batch, features).
        temperature: float, divides the cosine similarities; 0.05 in the paper.
    """

    paper = "https://arxiv.org/abs/2104.08821"
    use = "texts, after mlm"
    batch = 64
    views = "whole"
    kinds = ("text",)

    def __init__(self, encoder, temperature: float = 0.05, **kwargs):
        super().__init__(encoder, **kwargs)
        self.temperature = temperature
        words_of(encoder, "sim_cse")
        dim = encoder.output_shape[-1]
        layer = dense(dim, "dense", activation="tanh", dtype="float32")
        self.projector = keras.Sequential([keras.Input((dim,)), layer], name="projector")

    def call(self, batch):
        z_a, z_b = self.together((batch["views"][0],) * 2, self.embed)
        return dict(z_a=z_a, z_b=z_b)

    def objective(self, z_a, z_b):
        return cross_view_info_nce(gather(z_a), gather(z_b), temperature=self.temperature)
