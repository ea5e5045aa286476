"""The functions of the kind "text"; see `sslzoo.catalog.kinds`."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sslzoo.data import Dataset
from sslzoo.evaluators import words
from sslzoo.layers.text import spelled, token_count
from sslzoo.utils.files import replacing
from sslzoo.utils.plots import plain
from sslzoo.views import sheet, text_presets
from sslzoo.views.baselines import Baseline
from sslzoo.views.text import fitted

TEXTS, DRAWS, SHOWN = 4, 2, 90  # texts of a contact sheet, draws of each view, and letters of a line
FITTED = 20_000  # training texts that the baselines are fitted to, at most


def input_size(dataset: Dataset, wanted: int | None = None) -> int:
    """The number of tokens: the wanted one, or that of the data."""
    return wanted or dataset.shape[0]


def input_shape(size: int, channels: int) -> tuple[int]:
    """(tokens,)."""
    return (size,)


def evaluation(size: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The first `size` tokens of texts."""
    return lambda text, sizes: fitted(text, size)


def samples(shape: Sequence[int]) -> tuple[np.ndarray, str]:
    """Eight texts of a shape, and what they are of: small numbers of tokens, of which the last are 0."""
    rng = np.random.default_rng(0)
    ends = rng.integers(1, shape[0] + 1, (8, 1))
    return np.where(np.arange(shape[0]) < ends, rng.integers(1, 200, (8, *shape)), 0).astype("int32"), "random tokens"


def baselines(size: int, dataset: Dataset | None = None) -> dict[str, Baseline]:
    """TF-IDF with a linear classifier, and its latent semantic analysis; only their names without a dataset."""
    known: list[Callable] = []

    def latent(tokens: np.ndarray) -> np.ndarray:
        if not known:
            train = fitted(tf.constant(dataset.sample(FITTED).arrays()[0]), size).numpy()
            known.append(words.latent(train, _count(dataset)))
        return known[0](tokens)

    return {
        "TF-IDF": Baseline(size, lambda tokens: tokens.astype("float32"), {"linear": words.evaluate_words}),
        "LSA": Baseline(size, latent),
    }


def _count(dataset: Dataset) -> int:
    """Number of different tokens."""
    known = schema(dataset)
    return token_count(**known) if known else 1 + int(dataset.arrays()[0].max())


def schema(dataset: Dataset) -> dict | None:
    """How texts become tokens, and the words or pieces of the training part, the most frequent first."""
    return {name: dataset.columns[0][name] for name in ("how", "vocabulary")} if dataset.columns else None


def bank(dataset: Dataset) -> None:
    """None: views of texts take nothing from other texts."""


def views(size: int, channels: int, dataset: Dataset) -> list:
    """Mild views of any text, by which reports measure how an encoder changes."""
    return text_presets.simclr(size, deleted_share=0.1, span_share=0.85)


def draw(chain: Any, batch: dict, path: Path, dataset: Dataset) -> str:
    """Writes the contact sheet as a PNG; returns the table of the operations, "" for a function of a batch.

    Tokens are shown as text if the tokenizer of the dataset is known, otherwise by their numbers.
    """
    lines = _spelled(sheet.drawn(chain, batch, "text", DRAWS), schema(dataset))
    with replacing(path) as temporary:
        _lines(lines, temporary)
    return "" if callable(chain) else sheet.table(sheet.acting(chain, itertools.count()))


def _spelled(seen: dict[str, np.ndarray], tokenizer: dict | None) -> list[tuple[str, str]]:
    """Title and line of each text and, below it, of each of its views."""
    titles = ["original", *sorted(seen.keys() - {"original"})]
    rows = range(min(TEXTS, len(seen["original"])))
    line = (lambda tokens: spelled(tokens, **tokenizer)) if tokenizer else _numbers
    return [(title, line(seen[title][row])) for row in rows for title in titles]


def _numbers(tokens: np.ndarray) -> str:
    return " ".join(map(str, tokens[tokens > 0]))


def _lines(lines: list[tuple[str, str]], path: Path) -> None:
    """Draws titles and lines below each other."""
    from matplotlib.figure import Figure  # slow to import

    figure = Figure(figsize=(9, 0.2 * (1 + len(lines))))
    for number, (title, line) in enumerate(lines):
        shown = line if len(line) <= SHOWN else f"{line[:SHOWN]} ..."
        place = 1 - (number + 1) / (len(lines) + 1)
        figure.text(0.02, place, plain(title), fontsize=7, weight="bold" if title == "original" else "normal")
        figure.text(0.14, place, plain(shown), fontsize=7, family="monospace")
    figure.savefig(path, format="png", dpi=110)
