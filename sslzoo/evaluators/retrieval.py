"""Retrieval: precision and recall of the nearest examples of each example."""

from collections.abc import Iterator, Sequence

import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study, as_features, as_labels, unit_length

QUERIES = 2000
CHUNK = 256  # queries at once: 256 rankings of 10 000 examples are 20 MB


def evaluate(study: Study) -> Iterator[Score]:
    """The figures of `retrieval` of the test examples."""
    for figure, values in retrieval_answers(study.test, study.labels[1]).items():
        title = f"retrieval, {figure}"
        yield Score(f"retrieval_{figure}", float(np.mean(values)), title, percent=True, answers=values)


@checked("N dim")
def retrieval(features, labels, depths: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Precision and recall of the examples of the same class among all others, ranked by cosine similarity.

    At most 2000 examples, drawn with a fixed seed, are queries. All other examples are ranked. An example whose class
    has no other example is no query.

    Args:
        features: (examples, features).
        labels: (examples,).
        depths: K of the first two figures; at most all other examples.

    Returns:
        "P@K": share of the first K examples with the class of the query. "R@K": share of the queries with at least one
        such example among the first K, as in metric learning. "mAP": mean over the queries of the average precision.
        All in [0, 1].

    Raises:
        ValueError: no class has two examples.
    """
    return {name: float(np.mean(values)) for name, values in retrieval_answers(features, labels, depths).items()}


@checked("N dim")
def retrieval_answers(features, labels, depths: Sequence[int] = (1, 5, 10)) -> dict[str, np.ndarray]:
    """The figures of `retrieval` for each query: name -> (queries,)."""
    features = as_features(features)
    labels = np.unique(as_labels(labels, features), return_inverse=True)[1]
    queries = np.flatnonzero(np.bincount(labels)[labels] > 1)
    if not len(queries):
        raise ValueError("no class has two examples: nothing can be retrieved")
    queries = np.sort(np.random.default_rng(0).permutation(queries)[:QUERIES])
    unit = unit_length(features)
    chunks = [queries[start : start + CHUNK] for start in range(0, len(queries), CHUNK)]
    parts = [_figures(_hits(unit, labels, chunk), depths) for chunk in chunks]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _hits(unit, labels, queries):
    """Whether each example of the ranking, the query not among them, has its class: bool (queries, examples - 1)."""
    similarity = unit[queries] @ unit.T
    similarity[np.arange(len(queries)), queries] = -np.inf
    ranking = np.argsort(-similarity, axis=1, kind="stable")[:, :-1]
    return labels[ranking] == labels[queries][:, None]


def _figures(hits, depths):
    """One value a query of each figure."""
    precision = np.cumsum(hits, 1) / np.arange(1, hits.shape[1] + 1)
    depths = [min(depth, hits.shape[1]) for depth in depths]
    found = {f"P@{depth}": hits[:, :depth].mean(1) for depth in depths}
    found |= {f"R@{depth}": hits[:, :depth].any(1) for depth in depths}
    return found | {"mAP": (precision * hits).sum(1) / hits.sum(1)}
