"""Captions of images as texts and as tokens, and parts of data that have no caption in common."""

import dataclasses
import re
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Captions:
    """Captions of the images of a dataset.

    Attributes:
        texts: of each image any number of captions.
        tokens: int32 (count, captions, length), as of `tokenized`; None before that.
    """

    texts: tuple[tuple[str, ...], ...]
    tokens: np.ndarray | None = None

    def take(self, chosen: np.ndarray) -> "Captions":
        """The captions of the images `chosen` (n,)."""
        texts = tuple(self.texts[index] for index in chosen)
        return Captions(texts, None if self.tokens is None else self.tokens[chosen])

    def tokenized(self, tokenize: Callable[[list[str]], np.ndarray]) -> "Captions":
        """The same captions with tokens; those of images with fewer captions are repeated.

        Args:
            tokenize: texts -> int32 (number of texts, length).
        """
        most = max(map(len, self.texts))
        flat = tokenize([texts[k % len(texts)] for texts in self.texts for k in range(most)])
        return Captions(self.texts, np.reshape(flat, (len(self.texts), most, -1)).astype(np.int32))

    def groups(self) -> np.ndarray:
        """Numbers (count,) from 0 that are equal for images with a caption in common, directly or through others."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        number: dict[str, int] = {}
        flat = [(row, normal(text)) for row, texts in enumerate(self.texts) for text in texts]
        pairs = [(row, number.setdefault(text, len(number))) for row, text in flat]
        rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
        count = len(self.texts)
        links = coo_matrix((np.ones(len(rows)), (rows, count + columns)), shape=(count + len(number),) * 2)
        return connected_components(links, directed=False)[1][:count]


def normal(text: str) -> str:
    """A text in lower case without punctuation, by which captions are equal; unchanged if it has no letter or digit."""
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower()).split()) or text


def held_out(captions: Captions) -> np.ndarray:
    """About a fifth of the images, drawn with a fixed seed: no other image has a caption of theirs."""
    groups = captions.groups()
    order = np.random.default_rng(0).permutation(int(groups.max()) + 1)
    test = order[: max(1, round(len(order) / 5))]
    return np.flatnonzero(np.isin(groups, test))
