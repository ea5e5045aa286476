"""TF-IDF of tokens, the baseline of encoders of texts that needs no encoder."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study
from sslzoo.evaluators.linear import FRACTIONS, SEEDS, Predicted, draws_of, label_subset, predicted, shares

TOPICS = 128  # dimensions of latent semantic analysis


def counted(tokens: np.ndarray, words: int) -> csr_matrix:
    """How often each text has each token, (n, words); 0, the end, and 1, the unknown word, are not counted.

    Args:
        tokens: int (n, length).
        words: number of tokens.
    """
    rows, places = np.nonzero(np.asarray(tokens) > 1)
    columns = np.asarray(tokens, np.int64)[rows, places]
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(tokens), words))


def latent(train: np.ndarray, words: int) -> Callable[[np.ndarray], np.ndarray]:
    """Latent semantic analysis, fitted to the tokens of training texts: a function tokens -> features (n, dim).

    Args:
        train: int (n, length).
        words: number of tokens.
    """
    scaled = TfidfTransformer(sublinear_tf=True).fit(counted(train, words))
    dim = max(1, min(TOPICS, len(train) - 1, words - 1))
    reduced = TruncatedSVD(dim, random_state=0).fit(scaled.transform(counted(train, words)))
    return lambda tokens: reduced.transform(scaled.transform(counted(tokens, words))).astype("float32")


def evaluate_words(study: Study, *, fractions: Sequence[float] = FRACTIONS, seeds: int = SEEDS) -> Iterator[Score]:
    """Scores of `tf_idf` for the shares of the labels of the linear probe, under its keys."""
    return shares(study, tf_idf, fractions, seeds)


@checked("N dim", "", "M dim")
def tf_idf(train_x, train_y, test_x, fraction: float = 1.0, seeds: int = SEEDS) -> Predicted:
    """What a linear support vector machine on TF-IDF predicts for the test texts; options are those of scikit-learn.

    Args:
        train_x, test_x: tokens (rows, length), 0 after the end, 1 an unknown word.
        train_y: labels (rows,).
        fraction: share of the train labels in (0, 1], at least one text of every class.
        seeds: draws of the labels; one if `fraction` is 1.
    """
    train_x, test_x = np.asarray(train_x), np.asarray(test_x)
    words = 1 + int(max(train_x.max(), test_x.max(), 1))
    subsets = [(label_subset(train_y, fraction, seed), seed) for seed in draws_of(fraction, seeds)]
    with threadpool_limits(1):  # on busy cores more threads wait for each other
        return predicted((_fitted(train_x[rows], train_y[rows], words) for rows, _ in subsets), test_x)


def _fitted(x: np.ndarray, y: np.ndarray, words: int) -> Pipeline:
    counts = FunctionTransformer(counted, kw_args={"words": words})
    return make_pipeline(counts, TfidfTransformer(sublinear_tf=True), LinearSVC()).fit(x, y)
