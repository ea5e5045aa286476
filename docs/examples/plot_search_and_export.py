"""
Search by features, and open an export in plain TensorFlow
==========================================================

An exported encoder embeds images; nearest neighbours of the features are a search engine. The same folder opens without
sslzoo and without Keras.
"""

# %%
# An encoder, trained for some seconds.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import sslzoo

EPOCHS = 10
folder = Path(tempfile.mkdtemp())
digits = load_digits()
images = np.uint8(digits.images * 15.9)[..., None]
result = sslzoo.pretrain(
    "simclr", images, "mlp", epochs=EPOCHS, batch_size=128, optimizer="adam", learning_rate=0.002, hidden_dim=256,
    temperature=0.2, min_scale=0.5, flip=False, strength=0.5, runs=folder / "runs", export_to=folder, name="digits",
)

# %%
# Features of all images, as ``sslzoo embed`` writes them.
sslzoo.embed(folder / "digits", images, folder / "digits.npz")
features = np.load(folder / "digits.npz")["features"]
features /= np.linalg.norm(features, axis=1, keepdims=True)
print(features.shape)

# %%
# The six nearest neighbours of five queries, by the cosine of their features.
queries = [10, 21, 32, 43, 54]
near = np.argsort(-features[queries] @ features.T, axis=1)[:, 1:7]
figure, axes = plt.subplots(5, 7, figsize=(6, 4.4))
for line, (query, found) in enumerate(zip(queries, near, strict=True)):
    for column, number in enumerate([query, *found]):
        axes[line, column].imshow(images[number, ..., 0], cmap="gray")
        axes[line, column].axis("off")
axes[0, 0].set_title("query")
plt.show()
all_near = np.argsort(-features @ features.T, axis=1)[:, 1:7]
precision = np.mean(digits.target[all_near] == digits.target[:, None])
print(f"{precision:.1%} of the neighbours show the digit of their query")
assert 0.85 < precision <= 1, precision

# %%
# The same folder in plain TensorFlow.
import tensorflow as tf

plain = tf.saved_model.load(str(folder / "digits"))
own = np.asarray(sslzoo.load_encoder(folder / "digits")(images[:8] / np.float32(255)))
other = plain(tf.constant(images[:8] / np.float32(255))).numpy()
print("largest difference", np.abs(own - other).max())
assert np.abs(own - other).max() < 1e-5
