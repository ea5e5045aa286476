"""Retrieval between episodes and their missions by R3M's score, next to chance, new weights and raw pixels."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sslzoo.data import Dataset, Splits
from sslzoo.evaluation.baseline import fresh
from sslzoo.evaluation.image_text import CHANCE, MOST, PIXELS, TRAINED, UNTRAINED, baselines, pairs_of, retrieval_rows
from sslzoo.evaluators.scores import Scores
from sslzoo.layers.text import Tokenizer
from sslzoo.views.inputs import encode, pixels

DIRECTIONS = {"episode_to_mission": "episode to mission", "mission_to_episode": "mission to episode"}


def mission_scores(model: Any, encoder: keras.Model, untrained: keras.Model, data: Splits, size: int) -> Scores:
    """How often the score of a change, from the first to the last frame, is highest for the mission of the episode.

    Any episode of a mission is right for it. The column "untrained" has a new score network on the encoder before
    training. The baselines see the pixels of both frames.

    Args:
        model: R3M, trained with language.
        encoder: the trained encoder.
        untrained: the encoder before training.
        data: frames of episodes with missions in both parts; at most MOST test episodes are used.
        size: side of the frames in pixels.
    """
    train, test = (_ends(part) for part in data)
    pairs = pairs_of(test[0])
    tokens = Tokenizer("words", model.text_length, model.vocabulary)(tf.constant(pairs.texts))
    sentences = keras.ops.convert_to_numpy(model.sentence(tokens))
    networks = {TRAINED: (encoder, model.score), UNTRAINED: (untrained, fresh(model.score))}
    found = {}
    for name, (one, score) in networks.items():
        change = np.concatenate([encode(one, frames, size) for frames in test], axis=1)
        found[name] = np.stack([*_scored(score, change, sentences)], axis=1)
    seen = [np.concatenate([pixels(frames, PIXELS) for frames in ends], axis=1) for ends in (train, test)]
    found |= baselines(seen[0], train[0].captions.texts, seen[1], pairs.texts)
    found[CHANCE] = np.zeros(pairs.belongs.shape)
    note = f"missions: {len(test[0])} test episodes, {len(pairs.texts)} different missions; ties count as chance"
    return Scores(retrieval_rows(found, pairs.belongs, DIRECTIONS), [note])


def _scored(network: keras.Model, change: np.ndarray, sentences: np.ndarray) -> Iterator[np.ndarray]:
    """The scores (episodes,) of each sentence."""
    for sentence in sentences:
        rows = np.concatenate([change, np.broadcast_to(sentence, (len(change), len(sentence)))], axis=1)
        yield keras.ops.convert_to_numpy(network(rows.astype("float32"), training=False))[:, 0].astype("float64")


def _ends(part: Dataset) -> tuple[Dataset, Dataset]:
    """The first and the last frames of episodes with a mission."""
    episode = part.episodes.episode
    order = np.lexsort((part.episodes.time, episode))
    names, first, counts = np.unique(episode[order], return_index=True, return_counts=True)
    some = [place for place in range(len(names)) if part.captions.texts[order[first[place]]]][:MOST]
    return part.take(order[first[some]]), part.take(order[(first + counts - 1)[some]])
