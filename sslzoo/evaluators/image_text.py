"""Retrieval between images and texts, zero-shot classification, and baselines that need no text encoder."""

from collections.abc import Sequence

import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import unit_length

WORDS = 4096  # of TF-IDF vectors, which are dense
TEMPLATES = ("{}.", "a picture of {}.", "{}")


@checked("queries candidates", "queries candidates")
def ranks(similarity, right) -> np.ndarray:
    """Places of the first right candidate of each query: those before it, and of how many equal ones it is.

    Args:
        similarity: (queries, candidates).
        right: bool (queries, candidates), which candidates are right, at least one for each query.

    Returns:
        int (queries, 3): the candidates with a larger similarity than the best right one; those of its similarity, it
        included; and the right ones among these.
    """
    similarity, right = np.asarray(similarity, "float64"), np.asarray(right, bool)
    best = np.max(np.where(right, similarity, -np.inf), axis=1, keepdims=True)
    tied = similarity == best
    return np.stack([(similarity > best).sum(1), tied.sum(1), (tied & right).sum(1)], axis=1)


@checked("queries places")
def recall(places, k: int) -> np.ndarray:
    """Whether a right candidate is among the first k of each query, (queries,); a probability where similarities tie.

    Of t equal candidates, r of them right, in random order, the first j have none right with probability
    C(t - r, j) / C(t, j). Constant embeddings therefore score as chance.

    Args:
        places: int (queries, 3), as of `ranks`.
        k: int, number of candidates.
    """
    before, tied, right = np.asarray(places).T
    missed = np.ones(len(before))
    for drawn in range(k):
        open_places = np.clip(tied - drawn, 1, None)
        within = before + drawn < k
        missed *= np.where(within, np.clip(tied - right - drawn, 0, None) / open_places, 1.0)
    return 1 - missed


@checked("queries places")
def mean_rank(places) -> np.ndarray:
    """Rank from 1 of the first right candidate of each query, (queries,); the expected one where similarities tie."""
    before, tied, right = np.asarray(places).T
    return before + (tied + 1) / (right + 1)


@checked("images dim", "classes templates dim")
def zero_shot(images, texts) -> np.ndarray:
    """Classes (images,) by the cosine to the mean direction of the texts of each class (CLIP, section 3.1).

    Args:
        images: (images, dim), embeddings of any norm.
        texts: (classes, templates, dim), embeddings of the texts with the name of each class, of any norm.
    """
    texts = np.asarray(texts, "float64")
    directions = unit_length(texts.reshape(-1, texts.shape[-1])).reshape(texts.shape)
    classes = unit_length(directions.mean(1))
    return np.argmax(unit_length(np.asarray(images, "float64")) @ classes.T, axis=1)


def named(classes: Sequence[str], templates: Sequence[str] = TEMPLATES) -> list[list[str]]:
    """The texts of each class: its name, without underscores, in each template."""
    return [[template.format(name.replace("_", " ")) for template in templates] for name in classes]


def of_neighbours(train, train_texts: Sequence[str], test, texts: Sequence[str], k: int = 5) -> np.ndarray:
    """Similarity of images and texts without a text encoder: the words of the k nearest training images.

    Args:
        train, test: (images, dim), features of training and test images.
        train_texts: a caption of each training image.
        texts: the candidates.
        k: int, number of neighbours.

    Returns:
        (test images, texts): cosines of TF-IDF vectors of the texts and of the mean of the neighbours' captions.
    """
    from sklearn.neighbors import NearestNeighbors

    known, asked = tf_idf(train_texts, texts)
    found = NearestNeighbors(n_neighbors=min(k, len(train)), algorithm="brute").fit(train)
    nearest = found.kneighbors(test, return_distance=False)
    return unit_length(np.stack([known[rows].mean(0) for rows in nearest])) @ asked.T


def of_ridge(train, train_texts: Sequence[str], test, texts: Sequence[str], penalty: float = 100.0) -> np.ndarray:
    """As `of_neighbours`, with TF-IDF vectors that ridge regression predicts from standardized features."""
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    known, asked = tf_idf(train_texts, texts)
    scaler = StandardScaler().fit(train)
    predicted = Ridge(penalty).fit(scaler.transform(train), known).predict(scaler.transform(test))
    return unit_length(predicted) @ asked.T


def tf_idf(known: Sequence[str], others: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """TF-IDF vectors of texts in the WORDS most frequent words of the first ones; a text without any of them is 0."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    fitted = TfidfVectorizer(token_pattern=r"\w+", max_features=WORDS).fit(known)
    return fitted.transform(known).toarray(), fitted.transform(others).toarray()
