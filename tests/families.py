"""Which methods a costly test of every method takes in the suite: one of each family. -m long runs the others."""

from collections.abc import Iterable

import pytest

FAMILIES = ("simclr", "moco", "byol", "swav", "mae", "lejepa", "vime", "ts2vec", "mlm", "vip")


def spread(names: Iterable[str]) -> list:
    """The names as parameters; those that stand for no family have the marker "long"."""
    return [name if name in FAMILIES else pytest.param(name, marks=pytest.mark.long) for name in names]
