"""k-NN: accuracy of a weighted vote of the nearest neighbours; nothing is trained."""

from collections.abc import Iterator

import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study, WrongOption, as_features, as_labels, unit_length

CHUNK = 128  # queries at once: 128 similarities to a bank of 60 000 are 30 MB
K, TEMPERATURE = 20, 0.07  # DINO's best; InstDisc has 200 and 0.07, lightly 200 and 0.1


def evaluate(study: Study, *, k: int = K, temperature: float = TEMPERATURE) -> Iterator[Score]:
    """Accuracy of `vote` on the test images."""
    labels, test_labels = study.labels
    right = (vote(study.train, labels, study.test, k, temperature) == test_labels).astype("float32")
    title = f"k-NN, {min(k, len(labels))} neighbours"
    yield Score("knn", float(right.mean()), title, percent=True, answers=right)


@checked("N dim", "", "M dim", "")
def knn(train_x, train_y, test_x, test_y, k: int = K, temperature: float = TEMPERATURE) -> float:
    """Accuracy in [0, 1] of `vote`.

    Args:
        train_x, train_y: the bank, features (images, features) and labels (images,).
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
    """The class of each image by `vote` of all other images: labels (images,)."""
    return _voted(features, labels, features, min(k, len(features) - 1), temperature, own=True)


def vote(
    bank: np.ndarray, labels: np.ndarray, queries: np.ndarray, k: int = K, temperature: float = TEMPERATURE
) -> np.ndarray:
    """The class of each query: its k neighbours of highest cosine similarity s vote with weight exp(s / temperature).

    Wu et al. 2018, https://arxiv.org/abs/1805.01978, section 3.4. Of classes with equal votes, the first is chosen.

    Args:
        bank, queries: features (images, features).
        labels: of the bank, (images,).
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
    bank, queries = unit_length(bank), unit_length(queries)
    winners = []
    for start in range(0, len(queries), CHUNK):
        similarity = queries[start : start + CHUNK] @ bank.T
        if own:
            similarity[np.arange(len(similarity)), start + np.arange(len(similarity))] = -np.inf
        winners.append(_winners(similarity, numbers, len(classes), k, temperature))
    return classes[np.concatenate(winners)]


def _winners(similarity, numbers, classes, k, temperature):
    """Class numbers (queries,) from similarities (queries, bank)."""
    nearest = np.argpartition(similarity, -k, axis=1)[:, -k:]
    chosen = np.take_along_axis(similarity, nearest, axis=1).astype("float64")
    # Less the highest similarity: one factor for all classes, which keeps a small temperature from overflowing.
    weights = np.exp((chosen - chosen.max(1, keepdims=True)) / temperature)
    cells = np.arange(len(similarity))[:, None] * classes + numbers[nearest]
    votes = np.bincount(cells.ravel(), weights.ravel(), minlength=len(similarity) * classes)
    return votes.reshape(-1, classes).argmax(1)
