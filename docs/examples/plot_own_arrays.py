"""
Train on your own arrays
========================

An array of images is all that a training needs. This example trains SimCLR with a small network of convolutions on
scikit-learn's digits, 8 x 8 pixels, reads the verdict, and looks at the scores.
"""

# %%
# The data: images (n, height, width, channels) as uint8, or as floats in [0, 1]. The labels are used for judging alone.
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import sslzoo

EPOCHS = 25
folder = Path(tempfile.mkdtemp())
digits = load_digits()
images = np.uint8(digits.images * 15.9)[..., None]
print(images.shape, images.dtype)

# %%
# The views. Small images need large crops, and mirrored digits are no digits: ``min_scale`` and ``flip`` are knobs of
# the preset. The sheet shows originals on the left, then draws of both views.
import matplotlib.image
import matplotlib.pyplot as plt

views = dict(min_scale=0.5, flip=False, strength=0.5)
data = images, digits.target
sheet = sslzoo.draw_views("simclr", data, "conv6", runs=folder, name="digits", **views)
plt.figure(figsize=(7, 7))
plt.imshow(matplotlib.image.imread(sheet))
plt.axis("off")
plt.show()

# %%
# The training. Every keyword is an option of ``sslzoo train`` too. A fifth of the images is held out for the scores.
result = sslzoo.pretrain(
    "simclr", data, "conv6", width=0.25, epochs=EPOCHS, batch_size=128,
    optimizer="adam", learning_rate=0.002, hidden_dim=128, temperature=0.2,
    runs=folder / "runs", export_to=folder / "exports", name="digits", **views,
)
print(result.verdict)

# %%
# k-NN and loss over the epochs; epoch 0 is the untrained encoder.
figure = result.plot()
plt.figure(figsize=(7, 2.6))
figure.savefig(folder / "curve.png", dpi=110)
plt.imshow(matplotlib.image.imread(folder / "curve.png"))
plt.axis("off")
plt.show()

# %%
# The scores of the held-out images, next to the untrained encoder and to raw pixels. k-NN gains over the untrained
# encoder. Centred digits of 64 pixels are a case in which raw pixels are hard to beat, and the table says so.
scores = result.scores.to_dict()
print(result.scores)
assert result.verdict.startswith("learning"), result.verdict
assert scores["untrained"]["knn"]["mean"] < scores["trained"]["knn"]["mean"] <= 1, scores

# %%
# The encoder is a Keras model, and is exported too.
encoder = sslzoo.load_encoder(result.exported)
features = encoder(images[:5] / np.float32(255))
print(features.shape)
