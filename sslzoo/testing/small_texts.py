"""Small texts and an encoder of them, on which checks train methods."""

import keras
import numpy as np

from sslzoo.catalog import options
from sslzoo.encoders.text import text_transformer
from sslzoo.views import chosen

COUNT, TOKENS = 32, 12  # texts of a batch, tokens of a text
VOCABULARY = tuple(f"word{number}" for number in range(20))
SCHEMA = {"how": "words", "vocabulary": VOCABULARY}


def texts(count: int, seed: int = 0) -> np.ndarray:
    """Tokens int32 (count, TOKENS) of texts of 6 to 12 words, each of which counts on from the one before."""
    rng = np.random.default_rng(seed)
    start, step, length = (rng.integers(low, high, (count, 1)) for low, high in ((0, 20), (1, 8), (6, 13)))
    place = np.arange(TOKENS)[None]
    return np.where(place < length, 2 + (start + step * place) % len(VOCABULARY), 0).astype("int32")


def views_of_texts(model: keras.Model, seed: int) -> tuple[np.ndarray, ...]:
    """The views of COUNT texts by the preset of a method."""
    tokens = texts(COUNT, seed)
    chain = chosen.make(options.views_of(type(model), "text"), TOKENS, TOKENS, "text")
    return tuple(view(tokens, np.zeros((COUNT, 0)), (seed, k)).numpy() for k, view in enumerate(chain))


def worded() -> keras.Model:
    """A small encoder of texts."""
    return text_transformer((TOKENS,), dim=32, depth=1, heads=2, schema=SCHEMA)
