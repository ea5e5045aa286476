"""
Train on your own time series
=============================

Noisy waves of four frequencies, written to a ``.npz`` file. The scores stand next to those of three baselines that need
no training: flattened series, simple statistics, and random convolution kernels.
"""

# %%
# Series are (n, steps, channels). Shorter series are padded by NaN at their end, missing values are NaN.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import sslzoo

EPOCHS = 8
folder, rng = Path(tempfile.mkdtemp()), np.random.default_rng(0)
time, classes = np.linspace(0, 1, 100), np.arange(480) % 4
waves = np.stack([np.sin(2 * np.pi * (3 + k) * (time + rng.uniform())) * rng.uniform(0.5, 1.5) for k in classes])
x = (waves + 1.5 * rng.normal(size=waves.shape))[..., None].astype("float32")
np.savez(folder / "waves.npz", x=x, y=classes)
figure, axes = plt.subplots(1, 4, figsize=(9, 2), sharey=True)
for k, one in enumerate(axes):
    one.plot(time, x[k, :, 0], linewidth=0.7)
    one.set_title(f"class {k}")
plt.show()

# %%
# A file that ends in ``.npz`` is read as series. The preset ``simclr`` of series crops, scales and adds noise.
result = sslzoo.pretrain(
    "simclr", folder / "waves.npz", "fcn_1d", epochs=EPOCHS, batch_size=64, hidden_dim=128, temperature=0.2,
    runs=folder / "runs", export_to=folder / "exports", name="waves",
)
print(result.verdict)

# %%
# The table of scores. The training gains over the untrained encoder. Random kernels, which need no training, are
# better, since these waves differ by their frequency alone.
print(result.scores)
scores = result.scores.to_dict()
knn = {name: found["knn"]["mean"] for name, found in scores.items() if "knn" in found}
assert result.verdict.startswith("learning"), result.verdict
assert 0.3 < knn["trained"] < knn["random kernels"], knn

# %%
# A raw series of any length goes into the exported encoder.
encoder = sslzoo.load_encoder(result.exported)
print(encoder(x[:3]).shape, encoder(x[:3, :60]).shape)
assert encoder(x[:3]).shape == encoder(x[:3, :60]).shape
