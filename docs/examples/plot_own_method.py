"""
An own method in twenty lines
=============================

A method is a class: ``call`` maps a batch to named tensors, ``objective`` maps these to a scalar. Everything else, such
as views, monitors, checkpoints, several devices and exports, is the same as for the methods of the package.
"""

# %%
# The method: embeddings of two views agree, and each feature keeps a standard deviation of 1 or more.
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import ops
from sklearn.datasets import load_digits

import sslzoo
from sslzoo.utils.replicas import gather


class Hinge(sslzoo.SSLModel):
    """Agreement of two views with a hinge on the deviation of each feature.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        dim: int, width of the embedding.
        weight: float, weight of the hinge.
    """

    views = "simclr"

    def __init__(self, encoder, dim: int = 64, weight: float = 4.0, **kwargs):
        super().__init__(encoder, **kwargs)
        self.dim, self.weight = dim, weight
        self.projector = keras.Sequential([keras.Input(encoder.output_shape[1:]), keras.layers.Dense(dim)])

    def call(self, batch):
        z_a, z_b = self.together(batch["views"], self.embed)
        return {"z_a": z_a, "z_b": z_b}

    def objective(self, z_a, z_b):
        z_a, z_b = gather(z_a), gather(z_b)  # the batch of all devices
        narrow = ops.mean(ops.relu(1 - ops.std(z_a, axis=0))) + ops.mean(ops.relu(1 - ops.std(z_b, axis=0)))
        return ops.mean((z_a - z_b) ** 2) + self.weight * narrow


# %%
# It is trained like any other: by ``weight=`` and ``dim=`` as knobs, with k-NN and a verdict.
EPOCHS = 20
folder = Path(tempfile.mkdtemp())
digits = load_digits()
images = np.uint8(digits.images * 15.9)[..., None]
result = sslzoo.pretrain(
    Hinge, (images, digits.target), "conv6", width=0.25, weight=4.0, epochs=EPOCHS, batch_size=128, optimizer="adam",
    learning_rate=0.002, min_scale=0.5, flip=False, strength=0.5, evaluate=False, export_to=None,
    runs=folder, name="hinge",
)  # fmt: skip
print(result.verdict)
assert result.history["knn"][-1] > 0.85
assert result.history["spread"][-1] > 0.2

# %%
# ``sslzoo.testing.check_method(Hinge)`` runs the checks that every method of the package passes.
from sslzoo.testing import METHOD_CHECKS

print([check.__name__ for check in METHOD_CHECKS])
