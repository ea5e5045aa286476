"""
Read the verdict
================

Three trainings of the same encoder on the same digits: one that learns, one whose learning rate is 0, and one whose
embeddings collapse. The verdict says which is which, the loss does not.
"""

# %%
# What all three have in common.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import sslzoo

EPOCHS = 15
folder = Path(tempfile.mkdtemp())
digits = load_digits()
images = np.uint8(digits.images * 15.9)[..., None]
common = dict(
    width=0.25, epochs=EPOCHS, batch_size=128, optimizer="adam", min_scale=0.5, flip=False, strength=0.5,
    evaluate=False, export_to=None, runs=folder,
)
data = (images, digits.target)

# %%
# SimCLR with a learning rate that fits: the interval of the gain is above zero.
simclr = dict(temperature=0.2, hidden_dim=128)
learns = sslzoo.pretrain("simclr", data, "conv6", learning_rate=0.002, **simclr, name="learns", **common)
print(learns.verdict)
assert learns.verdict.startswith("learning")

# %%
# A learning rate of 0. Nothing changes, and the verdict says so. A test of sslzoo demands this of every method.
still = sslzoo.pretrain("simclr", data, "conv6", learning_rate=0.0, **simclr, name="still", **common)
print(still.verdict)
assert still.verdict.startswith("no measurable gain")

# %%
# Alignment without uniformity: equal embeddings are the optimum. The loss falls to 0 and looks best of all.
settings = dict(learning_rate=0.01, uniform_weight=0.0, name="falls")
collapses = sslzoo.pretrain("align_uniform", data, "conv6", **settings, **common)
print(collapses.verdict)
assert collapses.verdict.startswith("collapsing")

# %%
# Loss, spread of the embeddings and k-NN over the epochs.
figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
for name, run in (("learns", learns), ("learning rate 0", still), ("collapses", collapses)):
    for one, key in zip(axes, ("loss", "spread", "knn"), strict=True):
        one.plot(run.history[key], label=name)
        one.set_title(key)
        one.set_xlabel("epoch")
axes[2].legend(fontsize=8)
plt.show()
assert collapses.history["spread"][-1] < 0.1 < learns.history["spread"][-1]
