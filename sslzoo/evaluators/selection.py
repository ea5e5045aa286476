"""Selection: which examples to label first, from features alone."""

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import as_features, unit_length
from sslzoo.evaluators.overlap import neighbours

CLUSTERS = 500  # of the paper, at most
NEIGHBOURS = 20  # of the paper
LEAST = 5  # examples of a cluster from which an example is taken, of the paper


@checked("N dim")
def k_centre(features, count: int, labelled=()) -> np.ndarray:
    """Greedy k-centre (core-set, Sener and Savarese, arXiv 1708.00489, algorithm 1).

    Each example is the one farthest from all chosen before. Without labelled examples the first one is that nearest to
    the mean. Distances are Euclidean.

    Args:
        features: (examples, dim).
        count: number of examples to choose.
        labelled: rows that have labels.

    Returns:
        int64 (count,), in the order of the choice.

    Raises:
        ValueError: more are to be chosen than there are without a label.
    """
    features, labelled = _checked(features, count, labelled)
    distance = np.full(len(features), np.inf)
    for row in labelled:
        distance = np.minimum(distance, _distances(features, row))
    first = np.argmin(np.sum((features - features.mean(0)) ** 2, axis=1))
    chosen, free = [], np.ones(len(features), bool)
    free[labelled] = False
    while len(chosen) < count:
        row = int(first) if np.isinf(distance).all() else int(np.argmax(np.where(free, distance, -1)))
        chosen.append(row)
        free[row] = False
        distance = np.minimum(distance, _distances(features, row))
    return np.array(chosen)


@checked("N dim")
def typical(features, count: int, labelled=(), seed: int = 0) -> np.ndarray:
    """TypiClust (Hacohen et al., arXiv 2202.02794, section 3): the most typical example of each uncovered cluster.

    Features of length one are clustered by k-means into as many clusters as there are labelled and chosen examples, at
    most 500. The largest clusters with the fewest labelled examples come first. Typicality is the inverse of the mean
    distance to the 20 nearest neighbours within the cluster. Clusters of fewer than 5 examples come last.

    Args:
        features: (examples, dim).
        count: number of examples to choose.
        labelled: rows that have labels.
        seed: of k-means.

    Returns:
        int64 (count,), in the order of the choice.

    Raises:
        ValueError: more are to be chosen than there are without a label.
    """
    features, labelled = _checked(features, count, labelled)
    unit = unit_length(features)
    with threadpool_limits(1):
        model = KMeans(min(count + len(labelled), CLUSTERS, len(unit)), n_init=1, random_state=seed).fit(unit)
    members = [np.flatnonzero(model.labels_ == number) for number in range(model.n_clusters)]
    taken, chosen = [set(np.intersect1d(labelled, some).tolist()) for some in members], []
    queues = [some[np.argsort(-typicality(unit[some]), kind="stable")].tolist() for some in members]
    while len(chosen) < count:
        open_ones = [place for place, some in enumerate(members) if len(some) > len(taken[place])]
        place = min(open_ones, key=lambda one: (len(members[one]) < LEAST, len(taken[one]), -len(members[one])))
        row = next(one for one in queues[place] if one not in taken[place])
        taken[place].add(row)
        chosen.append(row)
    return np.array(chosen)


def typicality(features: np.ndarray) -> np.ndarray:
    """Inverse of the mean Euclidean distance to the 20 nearest others, of features of length one: (examples,)."""
    if len(features) < 2:
        return np.ones(len(features))
    similarity = neighbours(features, min(NEIGHBOURS, len(features) - 1))[1].astype("float64")
    return 1 / np.maximum(np.sqrt(np.maximum(2 - 2 * similarity, 0)).mean(1), 1e-12)


def _distances(features: np.ndarray, row: int) -> np.ndarray:
    return np.sqrt(np.sum((features - features[row]) ** 2, axis=1))


def _checked(features, count: int, labelled) -> tuple[np.ndarray, np.ndarray]:
    features, labelled = as_features(features), np.unique(np.asarray(labelled, np.int64).reshape(-1))
    if len(labelled) and not 0 <= labelled[0] <= labelled[-1] < len(features):
        raise ValueError(f"labelled holds {labelled[-1]}: rows are 0 to {len(features) - 1}")
    if count > len(features) - len(labelled):
        raise ValueError(f"count={count}: there are {len(features) - len(labelled)} examples without a label")
    return features, labelled
