"""
Train on your own table
=======================

A CSV file with numbers, a category and missing values. SCARF's views swap values of a row for those of other rows. The
scores stand next to raw columns and to gradient boosting.
"""

# %%
# The table: scikit-learn's breast cancer data with a made category and some missing values.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

import sslzoo

EPOCHS = 10
folder, rng = Path(tempfile.mkdtemp()), np.random.default_rng(0)
frame = load_breast_cancer(as_frame=True).frame.rename(columns={"target": "diagnosis"})
frame["diagnosis"] = frame["diagnosis"].map({0: "malignant", 1: "benign"})
frame["clinic"] = rng.choice(["north", "south", "west"], len(frame))
frame.loc[rng.random(len(frame)) < 0.1, "mean radius"] = np.nan
frame.to_csv(folder / "patients.csv", index=False)
print(frame.iloc[:3, :4])

# %%
# ``labels`` names the column of the classes, which is then no input.
result = sslzoo.pretrain(
    "simclr", folder / "patients.csv", "mlp_rows", preset="scarf", labels="diagnosis", epochs=EPOCHS, batch_size=64,
    runs=folder / "runs", export_to=folder / "exports", name="patients",
)
print(result.verdict)

# %%
# On a small table the raw columns are hard to beat, and the table of scores says so.
print(result.scores)
scores = result.scores.to_dict()
means = {name: found["knn"]["mean"] for name, found in scores.items() if "knn" in found}
plt.figure(figsize=(5, 1.8), layout="constrained")
plt.barh(list(means), list(means.values()))
plt.xlabel("k-NN accuracy")
plt.xlim(0.5, 1)
plt.show()
assert 0.88 < means["trained"] <= 1, means

# %%
# The export is a step of a scikit-learn pipeline. It finds the columns by name, in any order.
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

pipeline = make_pipeline(sslzoo.EncoderTransformer(result.exported), LogisticRegression(max_iter=1000))
half = len(frame) // 2
pipeline.fit(frame[:half], frame["diagnosis"][:half])
accuracy = pipeline.score(frame[half:], frame["diagnosis"][half:])
print(f"accuracy {accuracy:.3f}")
assert 0.88 < accuracy <= 1, accuracy
