"""Instance discrimination: each image is a class of its own, represented by its row in a memory bank."""

from keras import ops

from sslzoo.layers.heads import linear
from sslzoo.layers.memory import ContrastBank
from sslzoo.losses import unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class InstDisc(SSLModel):
    """Finds an image among the stored embeddings of all images, by the full softmax or by NCE.

    Only the first view is used in training. See `ContrastBank` for noise and normalizer of NCE.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        dataset_size: int, number of examples in the data; each has a row in the bank.
        projection_dim: int, width of the embedding, which only training uses.
        temperature: float, divides the cosine similarities; 0.07 in the paper, 0.1 for CIFAR-10 in the authors' code.
        negatives: int, rows of the bank that are the noise of NCE, 4096 for ImageNet; 0 for the full softmax.
        bank_rate: float in (0, 1], share that a row of the bank moves towards a new embedding of its example.
        proximal_weight: float, weight of the squared distance to the row of the same image; 30 in the paper's ablation.

    Raises:
        ValueError: if `negatives` is negative or `bank_rate` is outside of (0, 1].
    """

    paper = "https://arxiv.org/abs/1805.01978"
    use = "data of up to some 100 000 images, one memory slot each; small batches"
    batch = 32
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
        return dict(z_a=self.embed(batch["views"][0]), index=batch["index"])

    def objective(self, z_a, index):
        z, index = gather(z_a), gather(index)
        apart = ops.mean(ops.sum((unit(z) - self.bank.read(index)) ** 2, axis=-1))
        return self.bank.contrast(z, index, z) + self.proximal_weight * apart

    def after_step(self, z_a, index):
        self.bank.remember(gather(z_a), gather(index))
