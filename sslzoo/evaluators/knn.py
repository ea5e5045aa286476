"""k-NN: accuracy of a weighted vote of the nearest neighbours; nothing is trained."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study, WrongOption, as_features, as_labels, unit_length
from sslzoo.utils.bars import progress

CHUNK = 256  # queries of a thread: 256 similarities to a bank of 60 000 are 61 MB
BLOCK = 64  # examples of the bank whose largest similarity is looked at first
K, TEMPERATURE = 20, 0.07  # DINO's best; InstDisc has 200 and 0.07, lightly 200 and 0.1


def evaluate(study: Study, *, k: int = K, temperature: float = TEMPERATURE) -> Iterator[Score]:
    """Accuracy of `vote` on the test examples."""
    labels, test_labels = study.labels
    right = (vote(study.train, labels, study.test, k, temperature) == test_labels).astype("float32")
    title = f"k-NN, {min(k, len(labels))} neighbours"
    yield Score("knn", float(right.mean()), title, percent=True, answers=right)


@checked("N dim", "", "M dim", "")
def knn(train_x, train_y, test_x, test_y, k: int = K, temperature: float = TEMPERATURE) -> float:
    """Accuracy in [0, 1] of `vote`.

    Args:
        train_x, train_y: the bank, features (examples, features) and labels (examples,).
        test_x, test_y: the queries.
        k: number of neighbours that vote; at most the whole bank.
        temperature: of the similarities; towards 0 the nearest neighbour decides, a large one weights all alike.

    Raises:
        ValueError: for features or labels of a wrong shape, NaN, or k or temperature that are not positive.
    """
    train_x, test_x = as_features(train_x), as_features(test_x)
    train_y, test_y = as_labels(train_y, train_x), as_labels(test_y, test_x)
    return float(np.mean(vote(train_x, train_y, test_x, k, temperature) == test_y))


def leave_one_out(features: np.ndarray, labels: np.ndarray, k: int = K, temperature: float = TEMPERATURE) -> np.ndarray:
    """The class of each example by `vote` of all other examples: labels (examples,)."""
    return _voted(features, labels, features, min(k, len(features) - 1), temperature, own=True)


def vote(
    bank: np.ndarray, labels: np.ndarray, queries: np.ndarray, k: int = K, temperature: float = TEMPERATURE
) -> np.ndarray:
    """The class of each query: its k neighbours of highest cosine similarity s vote with weight exp(s / temperature).

    Wu et al. 2018, https://arxiv.org/abs/1805.01978, section 3.4. Of classes with equal votes, the first is chosen.

    Args:
        bank, queries: features (examples, features).
        labels: of the bank, (examples,).
        k, temperature: as of `knn`.

    Returns:
        Labels (queries,).
    """
    return _voted(bank, labels, queries, min(k, len(bank)), temperature, own=False)


def _voted(bank, labels, queries, k, temperature, own):
    """Labels (queries,); with `own`, query i is row i of the bank and has no vote for itself."""
    if k < 1 or not temperature > 0:
        raise WrongOption(f"k and temperature must be positive, not {k} and {temperature}")
    classes, numbers = np.unique(labels, return_inverse=True)
    bank, queries = _padded(unit_length(bank)), unit_length(queries)

    def winners(start: int) -> np.ndarray:
        similarity = queries[start : start + CHUNK] @ bank.T
        similarity[:, len(labels) :] = -np.inf
        if own:
            similarity[np.arange(len(similarity)), start + np.arange(len(similarity))] = -np.inf
        return _winners(similarity, numbers, len(classes), k, temperature)

    starts = range(0, len(queries), CHUNK)
    # A thread for each chunk and not for each product, so that the search for neighbours is parallel too.
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(progress(pool.map(winners, starts), "nearest neighbours", len(starts)))
    return classes[np.concatenate(found)]


def _padded(bank):
    """The bank with rows of zeros up to a multiple of BLOCK."""
    return np.concatenate([bank, np.zeros((-len(bank) % BLOCK, bank.shape[1]), bank.dtype)])


def top(similarity: np.ndarray, k: int, filled: int | None = None) -> np.ndarray:
    """Numbers (queries, k) of the k largest similarities (queries, bank) of each query, in any order.

    Where more examples are as similar as the last of them, the first ones are chosen, on every processor.

    Args:
        similarity: (queries, bank).
        k: number of neighbours.
        filled: number of columns that are examples, all by default; the rest is -inf.
    """
    found = _largest(similarity, k, filled)
    least = np.take_along_axis(similarity, found, axis=1).min(1, keepdims=True)
    tied = np.count_nonzero(similarity >= least, axis=1) > k
    if tied.any():
        some, least = similarity[tied, :filled], least[tied]
        above, equal = some > least, some == least
        left = k - np.count_nonzero(above, axis=1, keepdims=True)
        found[tied] = np.nonzero(above | (equal & (np.cumsum(equal, axis=1) <= left)))[1].reshape(-1, k)
    return found


def _largest(similarity, k, filled):
    """As `top`, but which of several equal ones are chosen depends on the processor.

    They are in the k blocks of the largest maxima, so that only these are searched. A block is every n-th column, since
    maxima over rows of memory are slower than maxima of rows.
    """
    count = similarity.shape[1] // BLOCK
    if similarity.shape[1] % BLOCK or k >= count:
        return np.argpartition(similarity[:, :filled], -k, axis=1)[:, -k:]
    blocks = similarity.reshape(len(similarity), BLOCK, count)
    largest = np.argpartition(blocks.max(1), -k, axis=1)[:, -k:]
    few = np.take_along_axis(blocks, largest[:, None], axis=2).reshape(len(similarity), -1)
    places = np.argpartition(few, -k, axis=1)[:, -k:]
    return places // k * count + np.take_along_axis(largest, places % k, axis=1)


def _winners(similarity, numbers, classes, k, temperature):
    """Class numbers (queries,) from similarities (queries, bank)."""
    nearest = top(similarity, k, len(numbers))
    chosen = np.take_along_axis(similarity, nearest, axis=1).astype("float64")
    # Less the highest similarity: one factor for all classes, which keeps a small temperature from overflowing.
    weights = np.exp((chosen - chosen.max(1, keepdims=True)) / temperature)
    cells = np.arange(len(similarity))[:, None] * classes + numbers[nearest]
    votes = np.bincount(cells.ravel(), weights.ravel(), minlength=len(similarity) * classes)
    return votes.reshape(-1, classes).argmax(1)
