"""Instance discrimination: every image is a class of its own, known by what a memory bank holds of it."""

from keras import ops

from sslzoo.layers.banks import ContrastBank
from sslzoo.layers.heads import linear
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class InstDisc(SSLModel):
    """Finds an image among the remembered embeddings of all images, by the full softmax or by NCE.

    One view an image learns; the other serves the monitors alone. `ContrastBank` says how NCE draws and normalizes.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        dataset_size: images of the data, each with a row in the memory bank.
        projection_dim: width of the embedding, which training alone uses.
        temperature: 0.07 in the paper, 0.1 for CIFAR-10 in the authors' code.
        negatives: 0 for the full softmax; else how many remembered images are the noise of NCE, 4096 for ImageNet.
        bank_rate: the fraction that a remembered embedding moves when its image is seen.
        proximal_weight: of the squared distance to what is remembered of the same image, 30 in the paper's ablation.

    Raises:
        ValueError: a negative number of negatives, a bank_rate outside of (0, 1].
    """

    paper = "https://arxiv.org/abs/1805.01978"
    views = "moco_v1"

    def __init__(
        self,
        encoder,
        dataset_size: int,
        projection_dim: int = 128,
        temperature: float = 0.07,
        negatives: int = 0,
        bank_rate: float = 0.5,
        proximal_weight: float = 0.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.dataset_size = dataset_size
        self.projection_dim = projection_dim
        self.temperature = temperature
        self.negatives = negatives
        self.bank_rate = bank_rate
        self.proximal_weight = proximal_weight
        self.projector = linear(encoder.output_shape[-1], projection_dim, name="projector")
        self.bank = ContrastBank(dataset_size, projection_dim, temperature, negatives, bank_rate, name="bank")

    def call(self, batch):
        view_a, view_b = batch["views"]
        z_a = self.projector(self.encoder(view_a))
        # In inference mode it leaves no trace; it comes last, since Keras hands `training` on to whatever comes later.
        z_b = self.projector(self.encoder(view_b, training=False))
        return dict(z_a=z_a, z_b=z_b, index=batch["index"])

    def objective(self, z_a, index, **outputs):
        z, index = gather(z_a), gather(index)
        apart = ops.mean(ops.sum((ops.normalize(z) - self.bank.read(index)) ** 2, axis=-1))
        return self.bank.contrast(z, index, z) + self.proximal_weight * apart

    def after_step(self, z_a, index, **outputs):
        self.bank.remember(gather(z_a), gather(index))
