"""PIRL: an image and its shuffled parts both agree with the row of the image in a memory bank."""

from keras import ops

from sslzoo.layers import patches
from sslzoo.layers.heads import linear
from sslzoo.layers.memory import ContrastBank
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class PIRL(SSLModel):
    """jigsaw_weight NCE of the shuffled parts + (1 - jigsaw_weight) NCE of the image, both against the memory bank.

    The embedding becomes invariant to the order of the parts. NCE is that of InstDisc, as in the authors' code; see
    `ContrastBank`. Parts are resized to the input size of an encoder that accepts only one.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        dataset_size: int, number of examples in the data; each has a row in the bank.
        projection_dim: int, width of the embedding, which only training uses.
        temperature: float, divides the cosine similarities.
        negatives: int, rows of the bank that are the noise of NCE; 0 for the full softmax.
        bank_rate: float in (0, 1], share that a row of the bank moves towards a new embedding of its example.
        jigsaw_weight: float in 0..1, weight of the shuffled parts.
        grid: int, parts on a side of the second view, as its Jigsaw made them.

    Raises:
        ValueError: if `negatives` is negative, `bank_rate` is outside of (0, 1] or `jigsaw_weight` outside of 0..1.
    """

    paper = "https://arxiv.org/abs/1912.01991"
    use = "as InstDisc, invariant to shuffled parts; one memory slot per image"
    batch = 32
    views = "pirl"
    kinds = ("image",)

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
        features = patches.encode(self.encode, patches.cut(shuffled, side, side), self.encoder.input_shape[1:3])
        z_b = self.joint_projector(ops.reshape(self.part_projector(features), (-1, self.grid**2 * self.projection_dim)))
        return dict(z_a=self.embed(image), z_b=z_b, index=batch["index"])

    def objective(self, z_a, z_b, index):
        image, parts, index = gather(z_a), gather(z_b), gather(index)
        of_image, of_parts = (self.bank.contrast(z, index, image) for z in (image, parts))
        return (1 - self.jigsaw_weight) * of_image + self.jigsaw_weight * of_parts

    def after_step(self, z_a, index, **outputs):
        self.bank.remember(gather(z_a), gather(index))
