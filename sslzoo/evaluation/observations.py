"""Scores of encoders of frames: states, rewards, the distance to the goal and time, next to those of pixels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from sslzoo.catalog.kinds import KINDS
from sslzoo.data import Dataset, Splits
from sslzoo.data.episode_files import PREFIX
from sslzoo.evaluators.bootstrap import difference_of, paired_difference
from sslzoo.evaluators.judge import TRAINED
from sslzoo.evaluators.observations import alignment, monotone, r2, reward_score, state_sums, values
from sslzoo.evaluators.report import Row
from sslzoo.evaluators.scores import Scores
from sslzoo.utils import plots
from sslzoo.utils.provenance import command
from sslzoo.views.inputs import encode, without_encoder

CHANCE = "chance"
MOST = 12  # variables of the state whose scores are listed; of more the mean alone is


def has_episodes(data: Splits) -> bool:
    """Whether both parts are frames of episodes."""
    return data.test is not None and all(part.episodes is not None for part in data)


def are_episodes(data: Any) -> bool:
    """Whether data are known to be frames of episodes before they are read."""
    named = isinstance(data, str | Path) and str(data).startswith(PREFIX)
    return named or getattr(getattr(data, "train", data), "episodes", None) is not None


def observation_scores(columns: Mapping[str, Sequence[keras.Model]], data: Splits, size: int) -> Scores:
    """Scores of encoders and of the raw frames, on the episodes of the test part.

    Args:
        columns: name -> encoders; the mean of several is taken.
        data: frames of episodes, with a test part.
        size: side of the inputs in pixels.

    Returns:
        Rows with the keys "state_NAME" and "state_mean" (R2 of ridge regressions), "reward_auc", "value_spearman",
        "value_monotone" and "time_alignment", as far as states and rewards are known and there are two test episodes.
        Gains have intervals but for the rewards, by a bootstrap over the test episodes.
    """
    found = {name: [_features(encoder, data, size) for encoder in encoders] for name, encoders in columns.items()}
    for name, baseline in KINDS["image"].functions.baselines(size).items():
        found[name] = [tuple(without_encoder(part, baseline) for part in data)]
    rows = [*_states(found, data), *_rewards(found, data), *_values(found, data.test), *_alignment(found, data.test)]
    count = len(np.unique(data.test.episodes.episode))
    note = f"{len(data.test)} frames of {count} test episodes, from which the bootstrap of the gains draws"
    return Scores(rows, [note])


def _features(encoder: keras.Model, data: Splits, size: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple(encode(encoder, part, size) for part in data)


def _states(found: Mapping, data: Splits) -> list[Row]:
    train, test = (part.episodes for part in data)
    if train.state is None or len(np.unique(train.episode)) < 2:
        return []
    parts = (train.state, test.state, train.episode, test.episode)
    sums = {name: [state_sums(*features, *parts) for features in encoders] for name, encoders in found.items()}
    means = {name: np.mean([r2(one) for one in several], axis=0) for name, several in sums.items()}
    known = [place for place in range(len(train.state_names)) if np.isfinite(means[next(iter(means))][place])]
    listed = [(f"state {train.state_names[k]}, R2", f"state_{train.state_names[k]}", [k]) for k in known]
    listed = (listed if len(train.state_names) <= MOST else []) + [("state, mean R2", "state_mean", known)]
    rows = []
    for title, key, places in listed:
        for name, mean in means.items():
            score = float(np.mean(mean[places])) if places else None
            rows.append(Row(title, name, score, key=key, gains=_state_gains(sums, places) if name == TRAINED else {}))
    return rows


def _state_gains(sums: Mapping[str, list[np.ndarray]], places: list[int]) -> dict:
    """What training gains in the mean R2 of some variables, by a bootstrap over the test episodes."""
    if not places or TRAINED not in sums or len(sums[TRAINED][0]) < 2:
        return {}

    def statistic(rows: np.ndarray) -> float:
        scores = r2(rows)[places]
        known = np.isfinite(scores)  # a variable may be constant in the episodes that were drawn
        return float(np.mean(scores[known])) if known.any() else 0.0

    others = {name: several for name, several in sums.items() if name != TRAINED}
    return {name: difference_of(statistic, sums[TRAINED][0], several) for name, several in others.items()}


def _rewards(found: Mapping, data: Splits) -> list[Row]:
    rewards = [part.episodes.reward for part in data]
    if any(reward is None or len(np.unique(reward > 0)) < 2 for reward in rewards):
        return []
    scores = {name: np.mean([reward_score(*one, *rewards) for one in encoders]) for name, encoders in found.items()}
    return [Row("frames with a reward, AUC", name, float(score), key="reward_auc") for name, score in scores.items()]


def _values(found: Mapping, test: Dataset) -> list[Row]:
    """The correlation of values with time, and the share of monotone episodes, with what training gains."""
    episodes, rows = test.episodes, []
    figures = {
        name: np.mean([monotone([*values(one[1], episodes.episode, episodes.time)]) for one in encoders], axis=0)
        for name, encoders in found.items()
    }
    titles = {"value_spearman": "value and time, Spearman", "value_monotone": "monotone episodes"}
    for place, (key, title) in enumerate(titles.items()):
        for name, figure in figures.items():
            if not figure.size:
                continue
            mean, gains = (
                float(np.mean(figure[place])),
                _gains(name, {one: both[place] for one, both in figures.items()}),
            )
            rows.append(Row(title, name, mean, percent=key == "value_monotone", key=key, gains=gains))
    return rows


def _alignment(found: Mapping, test: Dataset) -> list[Row]:
    """How near in progress the nearest frame of another episode is, with what training gains."""
    episodes = test.episodes
    if np.sum(np.unique(episodes.episode, return_counts=True)[1] > 1) < 2:
        return []
    both = {
        name: np.mean([alignment(one[1], episodes.episode, episodes.time) for one in encoders], axis=0)
        for name, encoders in found.items()
    }
    figures = {name: figure for name, (figure, _) in both.items()}
    figures[CHANCE] = next(iter(both.values()))[1]
    key, title = "time_alignment", "alignment in time"
    return [Row(title, name, float(one.mean()), key=key, gains=_gains(name, figures)) for name, one in figures.items()]


def _gains(name: str, figures: Mapping[str, np.ndarray]) -> dict:
    """What training gains over the other features, from one figure an episode; {} of others than the trained ones."""
    if name != TRAINED or len(figures[name]) < 2:
        return {}
    others = [other for other in figures if other not in (TRAINED, CHANCE)]
    return {other: paired_difference(figures[name], figures[other]) for other in others}


def draw_values(columns: Mapping[str, Sequence[keras.Model]], test: Dataset, size: int, path: str | Path) -> Path:
    """Draws the values along the longest test episode as a PNG: minus the distance to its last frame.

    Args:
        columns: name -> encoders, of which the first is taken.
        test: frames of episodes.
        size: side of the inputs in pixels.
        path: of the PNG.

    Returns:
        The path.
    """
    names, counts = np.unique(test.episodes.episode, return_counts=True)
    longest = test.take(test.episodes.episode == names[np.argmax(counts)])
    longest = longest.take(np.argsort(longest.episodes.time))
    found = {name: encode(encoders[0], longest, size) for name, encoders in columns.items()}
    baselines = KINDS["image"].functions.baselines(size)
    found |= {name: without_encoder(longest, baseline) for name, baseline in baselines.items()}
    lines = {name: next(values(x, longest.episodes.episode, longest.episodes.time)) for name, x in found.items()}
    lines = {name: line / max(-line.min(), 1e-12) for name, line in lines.items()}
    frames, _ = longest.arrays()
    some = np.unique(np.linspace(0, len(frames) - 1, 6).astype(int))
    return plots.values(lines, some, frames[some], Path(path), command())
