"""Time of each evaluator on Fashion-MNIST: features of an untrained Conv6, 512 of these features, and raw pixels.

    python benchmarks/evaluators.py --only linear knn clustering

CPU seconds count all threads and vary less than wall time if other programs run. Nothing is written to disk.
"""

import argparse
import os
import platform
import time
from importlib.metadata import version

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from sslzoo import data, encoders
from sslzoo.evaluators.clustering import clustering
from sslzoo.evaluators.few_shot import few_shot
from sslzoo.evaluators.knn import knn
from sslzoo.evaluators.linear import linear_probes
from sslzoo.evaluators.mlp import mlp_probe
from sslzoo.evaluators.overlap import neighbour_overlap
from sslzoo.evaluators.projection import tsne
from sslzoo.evaluators.retrieval import retrieval
from sslzoo.evaluators.softmax import trained_probe
from sslzoo.evaluators.spectrum import eigenvalues, power_law
from sslzoo.views import inputs

COLUMNS = "| evaluator | features | score | CPU seconds | wall seconds |\n|---|---|---|---|---|"


def features(train: int, test: int) -> tuple[dict, np.ndarray, np.ndarray]:
    """Returns name -> features of both parts, and the labels of both parts."""
    splits = data.load("fashion_mnist")
    parts = splits.train.sample(train), splits.test.sample(test)
    keras.utils.set_random_seed(0)
    encoder = encoders.make("conv6", (28, 28, 1), width=0.5)
    wide = [inputs.encode(encoder, part, 28) for part in parts]
    narrow = [np.ascontiguousarray(x[:, :: x.shape[1] // 512][:, :512]) for x in wide]
    pixels = [inputs.pixels(part, 28) for part in parts]
    found = {"conv6": wide, "conv6, 512 of them": narrow, "pixels": pixels}
    return {f"{name}: {x.shape[1]}": (x, z) for name, (x, z) in found.items()}, *(part.labels for part in parts)


def evaluators() -> dict:
    """Returns name -> function of train features, train labels, test features and test labels to a score."""

    def linear(share):
        return lambda x, y, z, t: linear_probes(x, y, z, t, (share,))[share][0]

    return {
        "linear, 1 % of the labels, 5 draws": linear(0.01),
        "linear, 10 % of the labels, 5 draws": linear(0.1),
        "linear, all labels": linear(1.0),
        "knn": knn,
        "clustering": lambda x, y, z, t: clustering(z, t)["accuracy"],
        "retrieval": lambda x, y, z, t: retrieval(z, t)["mAP"],
        "few_shot, 5 images": lambda x, y, z, t: few_shot(z, t, shots=5)[0],
        "mlp, 20 epochs": lambda x, y, z, t: mlp_probe(x, y, z, t, epochs=20),
        "softmax, 20 epochs": lambda x, y, z, t: trained_probe(x, y, z, t, epochs=20),
        "overlap with its first half": lambda x, y, z, t: neighbour_overlap(z, z[:, : z.shape[1] // 2]),
        "spectrum": lambda x, y, z, t: power_law(eigenvalues(z)),
        "projection, t-SNE of 2000 images": lambda x, y, z, t: tsne(z)[0].std(),
    }


def timed(score, *data) -> tuple[float, float, float]:
    """Returns the score, CPU seconds and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    value = score(*data)
    return float(value), time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", type=int, default=10_000, help="training images (default 10000)")
    parser.add_argument("--test", type=int, default=5000, help="test images (default 5000)")
    parser.add_argument("--only", nargs="*", default=[""], help="first words of the evaluators to time (default all)")
    given = parser.parse_args()
    sets, train_y, test_y = features(given.train, given.test)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    versions = ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "scipy", "numpy"))
    only = "" if given.only == [""] else f" --only {' '.join(given.only)}"
    print(
        f"`python benchmarks/evaluators.py --train {given.train} --test {given.test}{only}`: {machine}; {versions}.\n"
    )
    print(COLUMNS)
    for name, score in evaluators().items():
        for what, (x, z) in sets.items() if name.startswith(tuple(given.only)) else ():
            value, cpu, wall = timed(score, x, train_y, z, test_y)
            print(f"| {name} | {what} | {value:.3f} | {cpu:.2f} | {wall:.2f} |", flush=True)


if __name__ == "__main__":
    main()
