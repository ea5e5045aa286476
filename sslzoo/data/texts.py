"""Texts as tokens, from any source, with classes and a test part; the vocabulary is that of the training part."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sslzoo.catalog.knobs import nearest
from sslzoo.data import labels as numbers
from sslzoo.data.dataset import DataError, Dataset
from sslzoo.data.made import in_memory
from sslzoo.data.selection import divided
from sslzoo.data.text_sources import Source, read
from sslzoo.layers.text import Tokenizer, fit_vocabulary

WORDS = 8192  # or pieces, of the vocabulary, at most
LONGEST = {"words": 64, "pieces": 128, "bytes": 256}  # tokens of a text, at most
PART = 4096  # texts that are tokenized at a time


def parts(data: Any, labels: str = "auto", tokenizer: str | None = None) -> dict[str, Dataset]:
    """The parts of texts.

    A text is split into words, in lower case and without punctuation, or as `tokenizer` says. The vocabulary is that of
    the training part alone, after a test part is held out. Equal texts are in one part.

    Args:
        data: "text:fortunes" or "text:wordnet"; the path of a .txt file with a text in each line, or of a .csv or
            .jsonl file with a column of texts, whose name may end in _train or _test; a list of texts; a pair (texts,
            labels); or two such pairs for training and testing.
        labels: column of the classes. "auto" takes a column called label, class, target or category; "none" takes none.
        tokenizer: "words", "pieces" of words, or "bytes", as of `sslzoo.layers.text.Tokenizer`; words if None.

    Returns:
        "train", and with labels "test" -> datasets of int32 (n, tokens).

    Raises:
        DataError: a line that says what is wrong and what to do.
    """
    how = tokenizer or "words"
    if how not in LONGEST:
        raise DataError(nearest("tokenizer", how, LONGEST))
    source = read(data, labels)
    texts, y, classes, notes = _divided(source)
    vocabulary = fit_vocabulary(texts["train"], WORDS, how)
    if not vocabulary and how != "bytes":
        raise DataError(f"{source.name} has no words in its training part")
    lengths = _lengths(texts["train"], how, vocabulary)
    length = int(np.clip(np.quantile(lengths, 0.95), 2, LONGEST[how]))
    cut = float(np.mean(lengths > length))
    known = f"{len(vocabulary)} {how}, the most frequent of the training part" if vocabulary else "bytes of UTF-8"
    notes += [f"{known}; {length} tokens of each text"]
    notes += [f"{cut:.1%} of the training texts are longer and are cut"] if cut else []
    fitted = {"how": how, "length": length, "vocabulary": list(vocabulary)}
    return {
        part: of_texts(
            source.name, some, fitted, labels=y.get(part), class_names=classes if y else None, notes=tuple(notes)
        )
        for part, some in texts.items()
    }


def _lengths(texts: Sequence[str], how: str, vocabulary: Sequence[str]) -> np.ndarray:
    """Number of tokens of each text, up to one more than the longest text may have."""
    if how == "words":
        return np.array([len(text.split()) for text in texts])
    return np.count_nonzero(tokenized(texts, Tokenizer(how, LONGEST[how] + 1, vocabulary)), axis=1)


def of_texts(name: str, texts: Sequence[str], tokenizer: dict, **fields) -> Dataset:
    """The dataset of some texts.

    Args:
        name: of the dataset.
        texts: strings.
        tokenizer: arguments of `Tokenizer`.
        **fields: other attributes of the Dataset.
    """
    tokens = tokenized(texts, Tokenizer(**tokenizer))
    return in_memory(name, tokens, kind="text", columns=(tokenizer,), texts=tuple(texts), **fields)


def tokenized(texts: Sequence[str], tokenizer: Tokenizer) -> np.ndarray:
    """Tokens int32 (n, length) of texts."""
    texts = list(texts)
    made = [tokenizer(tf.constant(texts[k : k + PART])).numpy() for k in range(0, len(texts), PART)]
    return np.concatenate(made) if made else np.zeros((0, tokenizer.length), np.int32)


def with_tokenizer(data: Dataset, tokenizer: dict) -> Dataset:
    """The same texts with the tokens of another tokenizer.

    Raises:
        ValueError: the texts are not known.
    """
    if data.columns == (tokenizer,):
        return data
    if data.texts is None:
        raise ValueError(f"{data.name} has tokens of another vocabulary, and no texts: give a list of texts")
    own = {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    kept = ("labels", "class_names", "files", "notes", "version")
    return of_texts(data.name, data.texts, tokenizer, **{name: own[name] for name in kept})


def _divided(source: Source) -> tuple[dict, dict, tuple, list[str]]:
    """Texts and labels of each part, the names of classes, and lines for the user."""
    texts, notes = {part: list(some) for part, some in source.texts.items()}, list(source.notes)
    if source.labels is None:
        return texts, {}, (), notes
    y, classes = _numbered(texts, source.labels)
    if "test" in texts:
        return texts, y, classes, notes
    once = sorted({text: row for row, text in reversed([*enumerate(texts["train"])])}.values())
    if repeated := len(texts["train"]) - len(once):
        notes.append(f"{repeated} texts are there before and are left out")
        texts["train"], y["train"] = [texts["train"][row] for row in once], y["train"][once]
    if (split := divided(y["train"], "texts")) is None:
        return texts, y, classes, notes
    train, test, note = split
    rows = {"train": train, "test": test}
    return (
        {part: [texts["train"][row] for row in some] for part, some in rows.items()},
        {part: y["train"][some] for part, some in rows.items()},
        classes,
        [*notes, note],
    )


def _numbered(texts: dict[str, list], labels: dict[str, Sequence]) -> tuple[dict[str, np.ndarray], tuple]:
    """Labels of each part as numbers, and the names of classes."""
    for part, some in labels.items():
        if len(some) != len(texts[part]):
            raise DataError(f"{len(texts[part])} texts and {len(some)} labels: give one label for each text")
    names = [None if one is None else str(one) for part in texts for one in labels[part]]
    found, classes = numbers.by_name([None if name == str(numbers.UNLABELLED) else name for name in names])
    ends = np.cumsum([len(some) for some in texts.values()])[:-1]
    return dict(zip(texts, np.split(found, ends), strict=True)), classes
