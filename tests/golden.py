"""Golden values of masked methods: numbers of reference implementations on fixed arrays."""

import json
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "data" / "golden"
VALUES = json.loads((FOLDER / "masked.json").read_text("utf-8"))
ARRAYS = dict(np.load(FOLDER / "masked.npz"))


def golden(name: str):
    """The number of that name, to be compared with float32 results."""
    return pytest.approx(VALUES[name], rel=2e-4, abs=2e-4)
