"""VIME: find the values of a row that were swapped for those of other rows, and restore them."""

from keras import ops

from sslzoo.layers.columns import columns_of
from sslzoo.layers.heads import linear
from sslzoo.losses import mse, swap_entropy
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class VIME(SSLModel):
    """Minimizes cross-entropy of the mask + `value_weight` times squared error of the values, from a corrupted row.

    A value that is swapped for an equal one counts as not swapped. Both heads are linear: the mask is found for each
    column, and the standardized, one-hot values are restored. The authors scale values to [0, 1] and restore them by a
    sigmoid; they corrupt the rows once before the training, the views here in each step. Their encoder is one layer,
    `mlp_rows` with depth=1.

    Args:
        encoder: encoder of rows such as mlp_rows, (batch, columns) -> features (batch, features).
        value_weight: float, weight of the error of the values.
    """

    paper = "https://proceedings.neurips.cc/paper/2020/hash/7d97667a3e056acab9aaf653807b4a03-Abstract.html"
    use = "tables with columns that depend on each other"
    batch = 128
    views = "vime"
    kinds = ("rows",)

    def __init__(self, encoder, value_weight: float = 2.0, **kwargs):
        super().__init__(encoder, **kwargs)
        self.value_weight = value_weight
        self.columns = columns_of(encoder, "vime")
        self.mask_head = linear(encoder.output_shape[-1], len(self.columns.columns), name="mask_head")
        self.value_head = linear(encoder.output_shape[-1], sum(self.columns.widths), name="value_head")

    def call(self, batch):
        row, corrupted = batch["views"][:2]
        features = self.encode(corrupted)
        return dict(
            mask_errors=swap_entropy(self.mask_head(features), row, corrupted),
            value_errors=mse(self.value_head(features), self.columns(row)),
        )

    def objective(self, mask_errors, value_errors):
        return ops.mean(gather(mask_errors)) + self.value_weight * ops.mean(gather(value_errors))
