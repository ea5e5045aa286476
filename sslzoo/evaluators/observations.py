"""What features of frames hold: states and rewards by linear probes, the distance to the goal, and time."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.linalg import solve
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from sslzoo.catalog.checked import checked
from sslzoo.evaluators.linear import standardize

ALPHAS = (1e-1, 1.0, 1e1, 1e2, 1e3, 1e4, 1e5)  # of the ridge
HELD_OUT = 4  # one of this number of training episodes chooses the strength of the ridge


@checked("n dim", "m dim", "n variables", "m variables", "n", "m")
def state_sums(train, test, train_state, test_state, episodes, test_episodes) -> np.ndarray:
    """A ridge regression from features to each variable of the state, judged on each test episode.

    The strength of the ridge is chosen on a quarter of the training episodes, since neighbouring frames are alike.

    Args:
        train, test: (n, dim) and (m, dim), features of frames; no episode is in both.
        train_state, test_state: (n, variables) and (m, variables).
        episodes, test_episodes: (n,) and (m,), number of the episode of each frame.

    Returns:
        (test episodes, 4, variables), of which `r2` is computed: the sum of the squared errors, the number of frames,
        and the sum and the sum of squares of the state, from its mean on the test part.

    Raises:
        ValueError: there is one training episode.
    """
    names = np.unique(episodes)
    if len(names) < 2:
        raise ValueError("states are probed by episodes: at least 2 are needed for training")
    inner = ~np.isin(episodes, names[::HELD_OUT])
    target, deviation = np.asarray(train_state, "float64"), np.std(train_state, axis=0)
    target = (target - np.mean(train_state, axis=0)) / np.where(deviation > 0, deviation, 1)
    tried = _ridge(train[inner], target[inner], train[~inner], ALPHAS)
    errors = [np.mean((found - target[~inner]) ** 2) for found in tried]
    (found,) = _ridge(train, np.asarray(train_state, "float64"), test, [ALPHAS[int(np.argmin(errors))]])
    state = np.asarray(test_state, "float64")
    middle = state - state.mean(axis=0)
    each = np.stack([(state - found) ** 2, np.ones_like(state), middle, middle**2], axis=1)
    return np.stack([each[test_episodes == one].sum(axis=0) for one in np.unique(test_episodes)])


def r2(sums: np.ndarray) -> np.ndarray:
    """R2 over some episodes: at most 1; 0 is as good as their mean; NaN for a constant.

    Args:
        sums: (episodes, 4, variables), as of `state_sums`.

    Returns:
        (variables,).
    """
    error, count, total, squares = np.sum(sums, axis=0)
    spread = squares - total**2 / count
    constant = spread <= 1e-9 * np.maximum(squares, 1e-12)
    return np.where(constant, np.nan, 1 - error / np.where(constant, 1, spread))


def _ridge(x: np.ndarray, y: np.ndarray, features: np.ndarray, alphas: Sequence[float]) -> list[np.ndarray]:
    """Predictions for features, of ridges of several strengths that are fitted to x and y."""
    x, new = (part.astype("float64") for part in standardize(x, features))
    middle, wide = np.mean(y, axis=0), x.shape[0] < x.shape[1]
    inner = x @ x.T if wide else x.T @ x  # of all strengths, in the smaller of the two dimensions
    wanted, penalty = (y - middle if wide else x.T @ (y - middle)), np.eye(len(inner))
    found = [solve(inner + alpha * penalty, wanted, assume_a="pos") for alpha in alphas]
    return [new @ (x.T @ weights if wide else weights) + middle for weights in found]


@checked("n dim", "m dim", "n", "m")
def reward_score(train, test, train_reward, test_reward) -> float:
    """Area under the ROC curve of a logistic regression that finds the frames with a reward above 0.

    Args:
        train, test: (n, dim) and (m, dim), features of frames.
        train_reward, test_reward: (n,) and (m,).

    Raises:
        ValueError: all frames of a part are rewarded, or none.
    """
    known, wanted = np.asarray(train_reward) > 0, np.asarray(test_reward) > 0
    if len({*known}) < 2 or len({*wanted}) < 2:
        raise ValueError("rewards are probed where some frames of each part have one, and some have none")
    x, new = standardize(train, test)
    model = LogisticRegression(C=0.01, max_iter=200).fit(x, known)
    return float(roc_auc_score(wanted, model.decision_function(new)))


def values(features, episodes, times) -> Iterator[np.ndarray]:
    """Minus the distance of each frame to the last one of its episode, in order of time, an episode at a time.

    Args:
        features: (n, dim).
        episodes, times: (n,) integers.
    """
    features, episodes = np.asarray(features, "float64"), np.asarray(episodes)
    for one in np.unique(episodes):
        rows = np.flatnonzero(episodes == one)
        rows = rows[np.argsort(np.asarray(times)[rows])]
        yield -np.linalg.norm(features[rows] - features[rows[-1]], axis=1)


def monotone(series: Sequence[np.ndarray], least: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """How values rise along episodes: Spearman's correlation with time, and whether no step lowers the value.

    The last frame, whose distance to itself is 0, is left out.

    Args:
        series: of each episode the values in order of time, as of `values`.
        least: number of frames below which an episode is left out.

    Returns:
        Two arrays with one entry for each episode; the correlation is 0 where all values are equal.
    """
    long = [one[:-1] for one in series if len(one) > least]
    correlations = [_spearman(one) for one in long]
    return np.array(correlations), np.array([float(np.all(np.diff(one) >= 0)) for one in long])


@checked("n dim", "n", "n")
def alignment(features, episodes, times) -> tuple[np.ndarray, np.ndarray]:
    """Retrieval in time, the alignment of TCN (arXiv 1704.06888, section 4.1).

    A frame's progress is 0 at the start and 1 at the end of its episode. Each frame retrieves the nearest frame, by the
    distance of features, among those of all other episodes; the error is the absolute difference of their progress.
    Episodes of one frame are left out.

    Args:
        features: (n, dim).
        episodes, times: (n,) integers.

    Returns:
        Two arrays with one entry for each episode: 1 - the mean error over its frames, and the value expected of a
        frame drawn at random. 1 is the best; with long episodes a random frame has 2/3.

    Raises:
        ValueError: fewer than two episodes have two frames.
    """
    features, episodes, progress = _with_progress(np.asarray(features, "float64"), *map(np.asarray, (episodes, times)))
    names, squares = np.unique(episodes), np.sum(features**2, axis=1)
    if len(names) < 2:
        raise ValueError("frames are retrieved from other episodes: at least 2 with two frames are needed")
    found = []
    for one in names:
        own = episodes == one
        distances = squares[~own] - 2 * features[own] @ features[~own].T  # squared, without a term that all share
        apart = np.abs(progress[own][:, None] - progress[~own])
        nearest = np.take_along_axis(apart, np.argmin(distances, axis=1)[:, None], axis=1)
        found.append((1 - nearest.mean(), 1 - apart.mean()))
    return tuple(np.array(found).T)


def _with_progress(features: np.ndarray, episodes: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, ...]:
    """The frames of episodes of two frames or more, in order of episode and time, and their progress in 0..1."""
    order = np.lexsort((times, episodes))
    _, first, counts = np.unique(episodes[order], return_index=True, return_counts=True)
    place, last = np.arange(len(order)) - np.repeat(first, counts), np.repeat(counts - 1, counts)
    order, place, last = (column[last > 0] for column in (order, place, last))
    return features[order], episodes[order], place / last


def _spearman(values: np.ndarray) -> float:
    ranks = rankdata(values)
    return 0.0 if np.ptp(ranks) == 0 else float(np.corrcoef(ranks, np.arange(len(values)))[0, 1])
