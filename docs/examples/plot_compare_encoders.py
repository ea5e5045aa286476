"""
Compare two encoders
====================

Two methods with the same encoder, data and length. ``compare`` judges them on the same test images, and gives the
difference an interval: without one, a point more or less says nothing.
"""

# %%
# Two trainings.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import sslzoo

EPOCHS = 20
folder = Path(tempfile.mkdtemp())
digits = load_digits()
data = (np.uint8(digits.images * 15.9)[..., None], digits.target)
common = dict(
    width=0.25, epochs=EPOCHS, batch_size=128, optimizer="adam", learning_rate=0.002, hidden_dim=128, min_scale=0.5,
    flip=False, strength=0.5, evaluate=False, runs=folder / "runs", export_to=folder,
)
sslzoo.pretrain("simclr", data, "conv6", temperature=0.2, name="simclr", **common)
sslzoo.pretrain("vicreg", data, "conv6", projection_dim=128, preset="simclr", name="vicreg", **common)

# %%
# The comparison: accuracies, gains over the untrained encoder of each and over the first encoder, and how many nearest
# neighbours the encoders share.
comparison = sslzoo.compare([folder / "simclr", folder / "vicreg"], data)
print(comparison)

# %%
# The same as plain values; ``to_pandas`` gives a DataFrame.
knn = {name: found["scores"]["knn"]["mean"] for name, found in comparison.to_dict().items() if "knn" in found["scores"]}
print(knn)
plt.figure(figsize=(5, 1.8), layout="constrained")
plt.barh(list(knn), list(knn.values()))
plt.xlabel("k-NN accuracy")
plt.xlim(0.5, 1)
plt.show()
assert all(0.85 < accuracy <= 1 for accuracy in knn.values()), knn
