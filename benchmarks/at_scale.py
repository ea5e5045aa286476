"""Evaluators on many features, next to scikit-learn's: the same task, each side in a process of its own, in turns.

    python benchmarks/at_scale.py --repeats 3

The features are drawn at random: classes of decaying variance, 512 dimensions, float32. Both sides of the linear probe
minimize the same loss at the same C. k-means of both has 2 starts of k-means++; those of sslzoo see 64 principal axes
before the better one is continued in all dimensions, on one thread. The floor of k-NN is the product of queries and
bank alone, which either side has to compute: 3 times is out of reach where scikit-learn takes less than 3 floors. MB is
the growth of the process's peak memory after the features are there.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import peers

DIM, K, TEMPERATURE, STRENGTH = 512, 20, 0.07, 0.01
TITLES = {
    "knn": "k-NN, bank 60 000, 10 000 queries",
    "linear": "linear probe, 60 000 images, 10 classes, C 0.01",
    "kmeans": "k-means, 100 000 images, 20 clusters, 2 starts",
}
SIZES = {"knn": (60_000, 10_000, 10), "linear": (60_000, 10_000, 10), "kmeans": (100_000, 1, 20)}
SIDES = {"sslzoo": "sslzoo", "sklearn": "scikit-learn", "floor": "the products alone"}


def features(count: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (count, DIM) float32 and labels of overlapping classes."""
    centres = np.random.default_rng(0).normal(size=(classes, DIM)).astype("float32")
    rng, scale = np.random.default_rng(seed + 1), np.logspace(0, -1, DIM, dtype="float32")
    labels = rng.integers(0, classes, count)
    x = rng.standard_normal((count, DIM), "float32")
    x += 0.15 * centres[labels]
    x *= scale
    return x, labels


def sslzoo_knn(x, y, z, t) -> np.ndarray:
    from sslzoo.evaluators.knn import vote

    return vote(x, y, z, K, TEMPERATURE)


def sklearn_knn(x, y, z, t) -> np.ndarray:
    from sklearn.neighbors import KNeighborsClassifier

    def weights(distance: np.ndarray) -> np.ndarray:
        return np.exp((1 - distance) / TEMPERATURE)

    found = KNeighborsClassifier(K, weights=weights, algorithm="brute", metric="cosine", n_jobs=-1).fit(x, y)
    return found.predict(z)


def floor_knn(x, y, z, t) -> np.ndarray:
    for start in range(0, len(z), 1000):
        z[start : start + 1000] @ x.T
    return np.zeros(len(z), int)


def sslzoo_linear(x, y, z, t):
    from threadpoolctl import threadpool_limits

    from sslzoo.evaluators import linear
    from sslzoo.evaluators.logistic import rotated, solve

    with threadpool_limits(1):
        turned, rotation, axes = rotated(x)
        start = np.zeros((turned.shape[1] + 1, 1, int(y.max()) + 1), "float32")
        weights = solve(turned, y, np.ones((len(y), 1), bool), STRENGTH, start, axes, linear.TOLERANCE)[:, 0]
    return weights[:-1] if rotation is None else rotation @ weights[:-1], weights[-1]


def sklearn_linear(x, y, z, t):
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=STRENGTH, max_iter=1000).fit(x, y)
    return found.coef_.T, found.intercept_


def sslzoo_kmeans(x, y, z, t) -> np.ndarray:
    from sslzoo.evaluators import clustering

    clustering.STARTS = 2
    return clustering.k_means(x, SIZES["kmeans"][2])


def sklearn_kmeans(x, y, z, t) -> np.ndarray:
    from sklearn.cluster import KMeans

    return KMeans(SIZES["kmeans"][2], n_init=2, random_state=0).fit_predict(x)


def answer(task: str, found, x, y, z, t) -> dict[str, float]:
    """What is compared of the results."""
    if task == "knn":
        return dict(accuracy=float(np.mean(found == t)))
    if task == "kmeans":
        means = np.stack([x[found == cluster].mean(0) for cluster in range(SIZES[task][2])])
        return dict(inertia=float(sum(np.square(x[i::100] - means[found[i::100]]).sum() for i in range(100))))
    logits = z @ found[0] + found[1]
    values = x @ found[0] + found[1]
    loss = np.mean(np.logaddexp.reduce(values, 1) - values[np.arange(len(y)), y])
    penalty = np.square(found[0]).sum() / (2 * STRENGTH * len(y))
    return dict(accuracy=float(np.mean(logits.argmax(1) == t)), loss=float(loss + penalty))


def measure(task: str, side: str, share: float) -> None:
    """Prints the measurement of one side as JSON."""
    count, queries = (max(1, int(n * share)) for n in SIZES[task][:2])
    classes = SIZES[task][2]
    (x, y), (z, t) = features(count, classes, 0), features(queries, classes, 1)
    solve: Callable = globals()[f"{side}_{task}"]
    small = slice(0, 20 * classes)
    solve(x[small], y[small], z[:9], t[:9])  # imports, and threads start
    before, cpu, wall = peak(), time.process_time(), time.perf_counter()
    found = solve(x, y, z, t)
    wall, cpu, memory = time.perf_counter() - wall, time.process_time() - cpu, peak() - before
    print(json.dumps(dict(wall=wall, cpu=cpu, memory=memory, **answer(task, found, x, y, z, t))), flush=True)


def peak() -> float:
    """Peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(task: str, repeats: int, share: float) -> list[str]:
    """Returns the rows of the table, with every side measured in turns."""
    sides = [side for side in SIDES if f"{side}_{task}" in globals()]
    runs = {side: [] for side in sides}
    for _ in range(repeats):
        for side in sides:
            runs[side].append(peers.run(sys.executable, __file__, "--measure", task, side, "--share", share))
    lines = []
    for side, found in runs.items():
        wall, cpu, memory = ([one[name] for one in found] for name in ("wall", "cpu", "memory"))
        times = [other["cpu"] / one["cpu"] for one, other in zip(found, runs["sklearn"], strict=True)]
        scores = ", ".join(f"{n} {found[0][n]:.5g}" for n in ("accuracy", "loss", "inertia") if n in found[0])
        cells = [TITLES[task], SIDES[side], peers.spread(wall, 1), peers.spread(cpu, 1), peers.spread(times, 1)]
        lines.append(
            f"| {' | '.join(cells)} | {'' if side == 'floor' else scores} | {statistics.median(memory):,.0f} |"
        )
        print(lines[-1], flush=True)
    return lines


HEAD = [
    "| task | side | seconds: median (range) | CPU seconds | times scikit-learn, by CPU | result | MB |",
    "|---|---|---|---|---|---|---|",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3, help="processes for each side (default 3)")
    parser.add_argument("--share", type=float, default=1.0, help="of the numbers of images (default 1)")
    parser.add_argument("--only", nargs="*", default=list(TITLES), choices=TITLES, help="tasks (default all)")
    parser.add_argument("--measure", nargs=2, metavar=("TASK", "SIDE"), help="one side of one task, in this process")
    given = parser.parse_args()
    if given.measure:
        return measure(*given.measure, given.share)
    lines = [line for task in given.only for line in compare(task, given.repeats, given.share)]
    command = f"`python benchmarks/{Path(__file__).name} --repeats {given.repeats} --share {given.share:g}`"
    where = f"{command}: {peers.machine()}; {peers.versions('scikit-learn', 'scipy', 'numpy')}."
    about = __doc__.split("\n\n")[2].strip()
    peers.write_section("Evaluators at scale", "\n".join([where, "", about, "", *HEAD, *lines]))


if __name__ == "__main__":
    main()
