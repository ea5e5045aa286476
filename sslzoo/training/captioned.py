"""Captions of a training: the words of a method, and captions as its tokens."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from sslzoo.catalog import options
from sslzoo.data import DataError, Dataset, Splits
from sslzoo.layers.text import Tokenizer, fit_vocabulary
from sslzoo.utils.log import log

MISSING = (
    "{name} needs captions and {data} has none: give captions=FILE with rows FILE,CAPTION, captions='txt' for a file "
    "NAME.txt next to each image, or data with captions, such as 'stamps'"
)

NO_MISSION = (
    "{name} with language_weight above 0 needs missions and {data} has none: give episodes with an array mission, or "
    "language_weight=0"
)


def tokenized(
    splits: Splits, method: Callable, name: str, knobs: dict[str, Any], preset: Any = None, how: str | None = None
) -> tuple[Splits, dict[str, Any]]:
    """The images with captions, and these as tokens, where a method compares images, or clips, with them.

    Args:
        splits: the data.
        method: the method, a class or a function.
        name: name of the method.
        knobs: knobs of the method, with defaults.
        preset: of the views.
        how: the tokenizer of the captions; words if None.

    Returns:
        The splits; the arguments `vocabulary` and `tokenizer` of the method, {} for others.

    Raises:
        DataError: there are no captions to train on.
        ValueError: the preset has too few views, or the method takes no text, or words alone.
    """
    language = knobs.get("language_weight")
    if not (options.needs_captions(method) or language):
        if how and splits.train.kind != "text":
            raise ValueError(f"tokenizer={how!r}: for texts and captions, and {name} takes neither here; leave it out")
        return splits, {}
    if splits.train.captions is None:
        raise DataError((NO_MISSION if language else MISSING).format(name=name, data=splits.train.name))
    if knobs.get("simclr_weight") and preset == method.views:
        raise ValueError("simclr_weight above 0 needs two more views: give preset='slip'")
    splits = Splits(*(part and _with_caption(part) for part in splits))
    texts = [text for texts in splits.train.captions.texts for text in texts]
    how = how or "words"
    if how != "words" and "tokenizer" not in inspect.signature(method).parameters:
        raise ValueError(f"tokenizer={how!r}: {name} takes words; leave it out")
    words = fit_vocabulary(texts, knobs["word_count"], how)
    tokenizer = Tokenizer(how, knobs["text_length"], words)
    known = f", {len(words)} {how}" if words else ""
    log.info(f"{len(texts)} captions, {len(set(texts))} of them different{known}")
    return Splits(*(part and _with_tokens(part, tokenizer) for part in splits)), {"vocabulary": words, "tokenizer": how}


def _with_caption(dataset: Dataset) -> Dataset | None:
    """The images that have a caption; None where none has."""
    known = np.array([bool(texts) for texts in dataset.captions.texts]) if dataset.captions else np.zeros(len(dataset))
    return dataset if known.all() else dataset.take(known.astype(bool)) if known.any() else None


def _with_tokens(dataset: Dataset, tokenizer: Tokenizer) -> Dataset:
    captions = dataset.captions.tokenized(lambda texts: tokenizer(tf.constant(texts)).numpy())
    return dataclasses.replace(dataset, captions=captions)
