"""Scores cached on disk: those of raw inputs are the same for all encoders judged on the same data."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from sslzoo.evaluators import Score
from sslzoo.utils.caches import cache_folder
from sslzoo.utils.files import replacing


def remembered(inputs: Iterable, make: Callable[[], list[Score]]) -> list[Score]:
    """The result of `make()`, read from the cache folder if the same code computed it from the same inputs before.

    Args:
        inputs: everything that the scores depend on: arrays, and values that differ in their `repr`.
        make: computes the scores.
    """
    file = cache_folder() / "scores" / f"{_digest(inputs)}.npz"
    if (kept := _read(file)) is not None:
        return kept
    scores = make()
    with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
        _write(file, scores)
    return scores


def _digest(inputs: Iterable) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for value in inputs:
        digest.update(np.ascontiguousarray(value) if isinstance(value, np.ndarray) else repr(value).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _read(file: Path) -> list[Score] | None:
    try:
        with np.load(file, allow_pickle=False) as kept:
            scores = json.loads(str(kept["scores"]))
            return [Score(**one, answers=kept.get(f"answers{number}")) for number, one in enumerate(scores)]
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None  # there is none, or it is damaged


def _write(file: Path, scores: list[Score]) -> None:
    values = [{name: value for name, value in one._asdict().items() if name != "answers"} for one in scores]
    arrays = {f"answers{number}": one.answers for number, one in enumerate(scores) if one.answers is not None}
    with replacing(file) as temporary:
        np.savez_compressed(temporary, scores=json.dumps(values), **arrays)
