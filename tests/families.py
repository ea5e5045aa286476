"""Which parameters a costly test takes in the suite; the others have the marker "long", and -m long runs them."""

from collections.abc import Iterable

import pytest

FAMILIES = ("simclr", "byol", "swav", "mae", "ts2vec", "mlm")  # methods
PRESETS = ("simclr", "byol", "multi_crop", "cpc", "puzzle", "mae", "same_crop")  # of views of images


def spread(values: Iterable, kept: Iterable = FAMILIES) -> list:
    """The values as parameters, tuples as several; those that are not among `kept` have the marker "long"."""
    return [value if value in kept else _long(*(value if isinstance(value, tuple) else (value,))) for value in values]


def _long(*values):
    return pytest.param(*values, marks=pytest.mark.long)
