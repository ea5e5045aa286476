"""
An own method in twenty lines
=============================

A method is a class: ``call`` maps a batch to named tensors, ``objective`` maps these to a scalar. Everything else, such
as views, monitors, checkpoints, several devices and exports, is the same as for the methods of the package.
"""

# %%
# The method: the other view of an image ranks before views of other images, by a logistic loss of the difference of two
# cosines.
import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from sklearn.datasets import load_digits

import sslzoo
from sslzoo.losses import unit
from sslzoo.utils.replicas import gather


class Ranking(sslzoo.SSLModel):
    """The other view is nearer than other images, by a margin.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        dim: int, width of the embedding.
        margin: float, wanted difference of the cosines.
        scale: float, multiplies the differences.
    """

    views = "simclr"

    def __init__(self, encoder, dim: int = 64, margin: float = 0.2, scale: float = 10.0, **kwargs):
        super().__init__(encoder, **kwargs)
        self.dim, self.margin, self.scale = dim, margin, scale
        self.projector = keras.Sequential([keras.Input(encoder.output_shape[1:]), keras.layers.Dense(dim)])

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], self.embed)
        return {"z_a": z_a, "z_b": z_b}

    def objective(self, z_a, z_b):
        z_a, z_b = unit(gather(z_a)), unit(gather(z_b))  # the batch of all devices
        cosines = ops.matmul(z_a, ops.transpose(z_b))
        behind = cosines - ops.diagonal(cosines)[:, None] + self.margin
        return ops.mean(ops.softplus(self.scale * behind))


# %%
# It is trained like any other: by ``margin=`` and ``dim=`` as knobs, with k-NN and a verdict.
EPOCHS = 20
folder = Path(tempfile.mkdtemp())
digits = load_digits()
images = np.uint8(digits.images * 15.9)[..., None]
result = sslzoo.pretrain(
    Ranking, (images, digits.target), "conv6", width=0.25, margin=0.1, epochs=EPOCHS, batch_size=128, optimizer="adam",
    learning_rate=0.002, min_scale=0.5, flip=False, strength=0.5, evaluate=False, export_to=None,
    runs=folder, name="ranking",
)
print(result.verdict)
plt.figure(figsize=(4, 2.6), layout="constrained")
plt.plot(result.history["knn"], marker=".")
plt.xlabel("epoch")
plt.ylabel("k-NN accuracy")
plt.show()
assert result.verdict.startswith("learning"), result.verdict
assert result.history["spread"][-1] > 0.5

# %%
# ``sslzoo.testing.check_method(Ranking)`` runs the checks that every method of the package passes.
from sslzoo.testing import METHOD_CHECKS

print([check.__name__ for check in METHOD_CHECKS])
