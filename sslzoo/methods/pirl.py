"""PIRL: an image and its shuffled parts both agree with what a memory bank holds of the image."""

from keras import ops

from sslzoo.layers import patches
from sslzoo.layers.banks import ContrastBank
from sslzoo.layers.heads import linear
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class PIRL(SSLModel):
    """jigsaw_weight NCE of the shuffled parts + (1 - jigsaw_weight) NCE of the image, both against the memory bank.

    The embedding ignores the order of the parts, rather than telling it. NCE is InstDisc's, as in the authors' code:
    see `ContrastBank`. An encoder that takes one size only sees the parts enlarged to it.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        dataset_size: images of the data, each with a row in the memory bank.
        projection_dim: width of the embedding, which training alone uses.
        temperature: divides the cosine similarities.
        negatives: 0 for a full softmax over the bank; else how many remembered images are the noise of NCE.
        bank_rate: the fraction that a remembered embedding moves towards the image's when the image is seen.
        jigsaw_weight: of the shuffled parts, 0..1.
        grid: parts on a side of the second view, as its Jigsaw made them.

    Raises:
        ValueError: a negative number of negatives, a bank_rate outside of (0, 1], a jigsaw_weight outside of 0..1.
    """

    paper = "https://arxiv.org/abs/1912.01991"
    views = "pirl"

    def __init__(
        self,
        encoder,
        dataset_size: int,
        projection_dim: int = 128,
        temperature: float = 0.07,
        negatives: int = 32000,
        bank_rate: float = 0.5,
        jigsaw_weight: float = 0.5,
        grid: int = 3,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if not 0 <= jigsaw_weight <= 1:
            raise ValueError(f"jigsaw_weight must be in 0..1, got {jigsaw_weight!r}: it weighs parts against images")
        self.dataset_size = dataset_size
        self.projection_dim = projection_dim
        self.temperature = temperature
        self.negatives = negatives
        self.bank_rate = bank_rate
        self.jigsaw_weight = jigsaw_weight
        self.grid = grid
        self.projector = linear(encoder.output_shape[-1], projection_dim, name="projector")
        self.part_projector = linear(encoder.output_shape[-1], projection_dim, name="part_projector")
        self.joint_projector = linear(grid**2 * projection_dim, projection_dim, name="joint_projector")
        self.bank = ContrastBank(dataset_size, projection_dim, temperature, negatives, bank_rate, name="bank")

    def call(self, batch):
        image, shuffled = batch["views"]
        if shuffled.shape[1] % self.grid:
            raise ValueError(
                f"{self.grid} x {self.grid} parts do not divide views of {shuffled.shape[1]} px: choose grid"
            )
        side = shuffled.shape[1] // self.grid
        parts = self.part_projector(patches.encode(self.encoder, patches.cut(shuffled, side, side)))
        z_b = self.joint_projector(ops.reshape(parts, (-1, self.grid**2 * self.projection_dim)))
        return dict(z_a=self.projector(self.encoder(image)), z_b=z_b, index=batch["index"])

    def objective(self, z_a, z_b, index):
        image, parts, index = gather(z_a), gather(z_b), gather(index)
        of_image, of_parts = (self.bank.contrast(z, index, image) for z in (image, parts))
        return (1 - self.jigsaw_weight) * of_image + self.jigsaw_weight * of_parts

    def after_step(self, z_a, index, **outputs):
        self.bank.remember(gather(z_a), gather(index))
