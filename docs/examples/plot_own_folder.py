"""
Train on your own folder
========================

A folder of images in any format and size, with or without sub-folders. This example writes one, with a damaged file in
it, and trains on it. ``sslzoo train simclr --data FOLDER`` does the same.
"""

# %%
# A folder with a sub-folder for each class. Without labels it would be flat.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

import sslzoo
from sslzoo.utils.log import show

EPOCHS = 12
folder = Path(tempfile.mkdtemp())
digits = load_digits()
for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
    path = folder / "photos" / str(label) / f"{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(pixels * 15.9)).save(path)
(folder / "photos" / "0" / "damaged.png").write_bytes(b"no image")

# %%
# ``show()`` prints the messages of the library, as the command line does: what was found and left out, what was chosen,
# and a line for each epoch.
show()
result = sslzoo.pretrain(
    "simclr", folder / "photos", "conv6", width=0.25, epochs=EPOCHS, batch_size=128, optimizer="adam",
    learning_rate=0.002, hidden_dim=128, temperature=0.2, min_scale=0.5, flip=False, evaluate=False,
    runs=folder / "runs", export_to=folder / "exports", name="photos",
)

# %%
# The damaged file was named and left out. A fifth of the images is held out. k-NN gains some points over epoch 0, the
# untrained encoder.
gain = result.history["knn"][-1] - result.history["knn"][0]
print(f"k-NN {result.history['knn'][0]:.3f} -> {result.history['knn'][-1]:.3f}")
plt.figure(figsize=(4, 2.6), layout="constrained")
plt.plot(result.history["knn"], marker=".")
plt.xlabel("epoch")
plt.ylabel("k-NN accuracy")
plt.show()
assert len(result.plan.train_set) < len(digits.images)
assert 0 < gain < 0.1, gain
