"""SubTab: restore a row from subsets of its columns, whose embeddings agree."""

import itertools

import keras
from keras import layers, ops

from sslzoo.layers.columns import Subsets, columns_of
from sslzoo.losses import nt_xent
from sslzoo.losses.directions import unit
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class SubTab(SSLModel):
    """Minimizes, averaged over pairs of subsets: squared error of the row + NT-Xent + squared distance of embeddings.

    Each subset is taken from a row with swapped values of its own, and one network encodes all subsets, which it cannot
    tell apart. From its code the whole row is restored, standardized and one-hot. The encoder averages the codes of the
    subsets of the unchanged row.

    Subsets of few columns predict each other badly, and their embeddings then collapse, while the features do not: the
    weights 0 of contrast and distance leave the restoring of values.

    Args:
        encoder: subset_rows, (batch, columns) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the hidden layers of projector and decoder.
        temperature: float, divides the cosine similarities.
        value_weight: float, weight of the error of the values.
        contrast_weight: float, weight of NT-Xent; 0 omits it.
        distance_weight: float, weight of the squared distance; 0 omits it.

    Raises:
        ValueError: if the encoder has no layers "subsets" and "codes".
    """

    paper = "https://arxiv.org/abs/2110.04361"
    use = "tables of many columns that repeat each other"
    batch = 32
    views = "subtab"
    default_encoder = "subset_rows"
    kinds = ("rows",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 256,
        temperature: float = 0.1,
        value_weight: float = 1.0,
        contrast_weight: float = 1.0,
        distance_weight: float = 1.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.temperature = temperature
        self.value_weight = value_weight
        self.contrast_weight = contrast_weight
        self.distance_weight = distance_weight
        self.columns = columns_of(encoder, "subtab")
        if not any(isinstance(layer, Subsets) for layer in encoder.layers):
            raise ValueError(
                f"subtab encodes subsets of columns, {encoder.name} does not: choose encoder='subset_rows'"
            )
        self.coder = keras.Model(encoder.input, encoder.get_layer("codes").output)
        width = encoder.output_shape[-1]
        self.projector = _network(width, hidden_dim, projection_dim, "projector")
        self.decoder = _network(width, hidden_dim, sum(self.columns.widths), "decoder")

    def call(self, batch):
        row, *corrupted = batch["views"]
        codes = [self.coder(view)[:, place] for place, view in enumerate(corrupted)]
        z = [unit(self.projector(code)) for code in codes]
        target = ops.cast(self.columns(row), "float32")
        errors = [ops.sum((self.decoder(code) - target) ** 2, axis=-1) for code in codes]
        return dict(z=ops.stack(z, axis=1), errors=ops.stack(errors, axis=1))

    def objective(self, z, errors):
        z, errors = gather(z), ops.mean(gather(errors))
        pairs = list(itertools.combinations(range(z.shape[1]), 2))
        contrast = sum(nt_xent(z[:, a], z[:, b], temperature=self.temperature) for a, b in pairs) / len(pairs)
        distance = sum(ops.mean(ops.sum((z[:, a] - z[:, b]) ** 2, axis=-1)) for a, b in pairs) / len(pairs)
        return self.value_weight * errors + self.contrast_weight * contrast + self.distance_weight * distance


def _network(input_dim: int, hidden_dim: int, output_dim: int, name: str) -> keras.Sequential:
    """Dense, leaky ReLU, Dense; float32."""
    stack = [keras.Input((input_dim,)), layers.Dense(hidden_dim), layers.LeakyReLU()]
    stack += [layers.Dense(output_dim), layers.Activation("linear", dtype="float32")]
    return keras.Sequential(stack, name=name)
