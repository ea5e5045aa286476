"""What a method needs besides images: captions as tokens, or the partners of frames in episodes."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from sslzoo.catalog import options
from sslzoo.data import DataError, Splits
from sslzoo.training.captioned import tokenized

MISSING = (
    "{name} needs episodes and {data} has none: give data='episodes:FILE', an .npz file of frames and episodes, or a "
    "folder of videos; 'episodes:dot' is a generated example"
)


def companions(
    splits: Splits, method: Callable, name: str, knobs: dict[str, Any], preset: Any = None, how: str | None = None
) -> tuple[Splits, dict[str, Any]]:
    """The data with the companion columns of a method: `tokenized`, of methods of frames with a relation too.

    Args:
        splits, method, name, knobs, preset, how: as of `tokenized`.

    Returns:
        The splits; the arguments `vocabulary` and `tokenizer` of methods with captions, {} for others.

    Raises:
        DataError: the data have no captions, episodes or actions, and the method needs them.
        ValueError: the preset has too few views.
    """
    if relation := options.relation_of(method):
        splits = Splits(*(part and _related(part, relation, name, knobs) for part in splits))
        needs_action = "action_dim" in inspect.signature(method).parameters
        if needs_action and splits.train.episodes.action is None:
            raise DataError(f"{name} needs actions and {splits.train.name} has none: give an array action, or take atc")
    return tokenized(splits, method, name, knobs, preset, how)


def _related(part: Any, relation: str, name: str, knobs: dict[str, Any]) -> Any:
    if part.episodes is None:
        raise DataError(MISSING.format(name=name, data=part.name))
    return dataclasses.replace(part, episodes=part.episodes.with_relation(relation, **knobs))
