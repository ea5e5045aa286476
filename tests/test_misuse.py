"""Misuse, generated from the signatures: whatever cannot work is refused before the first step, in one line.

The suite runs a part; `pytest -m slow tests/test_misuse.py` runs all.
"""

import dataclasses
import math

import numpy as np
import pytest

from sslzoo import catalog
from sslzoo.catalog import options
from sslzoo.data import load
from sslzoo.training.experiment import Experiment, RunOptions, divide
from sslzoo.training.plan import Plan

PART = 40  # every 40th case is in the suite
DIGITS = load("digits")
WRONG = {
    "int": (-1, math.nan, "x", 1.5, True, [3]),
    "float": (-1.0, math.nan, math.inf, "x", True, [0.1]),
    "bool": ("maybe", 2, None),
    "str": ("no such thing", 7, ""),
}
FREE = {"name", "runs", "export_to", "cache"}  # texts of which any may be meant


def kinds(knob):
    """The types of an annotation that have wrong values."""
    return [kind for kind in WRONG if kind in knob.type.replace("|", " ").split()]


def cases():
    fields = {**catalog.experiment_knobs(), **catalog.run_knobs()}
    for name, knob in fields.items():
        yield from (("simclr", name, value) for kind in kinds(knob) for value in WRONG[kind] if wrong(knob, value))
    for method in (name for name in catalog.methods() if "image" in options.kinds_of(name)):
        knobs = catalog.method_knobs(method) | catalog.preset_knobs(catalog.method_attribute(method, "views"))
        for name, knob in knobs.items():
            values = [value for kind in kinds(knob) if kind in ("int", "float") for value in WRONG[kind]]
            yield from ((method, name, value) for value in values)
        yield method, "no_such_knob", 1


def wrong(knob, value):
    optional = value is None and "None" in knob.type
    free = isinstance(value, str) and knob.name in FREE
    service = knob.name == "data_service"  # a name that does not answer takes seconds
    return not (optional or free or service)


ALL = list(cases())


def refusal(method, name, value):
    """The text with which a plan is refused; None if it is accepted."""
    settings = {"method": method, "data": DIGITS, "encoder": "mlp", "epochs": 1, name: value}
    try:
        Plan(*divide(settings))
    except ValueError as error:
        return str(error)
    return None


def test_there_are_a_thousand():
    assert len(ALL) > 1000


@pytest.mark.parametrize("method, name, value", ALL[::PART])
def test_misuse_is_refused_in_one_line_that_names_it(method, name, value):
    text = refusal(method, name, value)
    assert text is not None, "accepted"
    assert "\n" not in text and (name in text or str(value) in text), text


@pytest.mark.slow
def test_all_misuse_is_refused_in_one_line_that_names_it():
    bad = []
    for method, name, value in ALL:
        try:
            text = refusal(method, name, value)
        except Exception as error:  # the others shall be tried too
            bad.append((method, name, value, f"{type(error).__name__}: {error}"))
            continue
        if text is None or "\n" in text or not (name in text or str(value) in text):
            bad.append((method, name, value, text))
    assert not bad, f"{len(bad)} of {len(ALL)}: {bad[:20]}"


@pytest.mark.parametrize("cls", [Experiment, RunOptions])
def test_the_defaults_are_accepted(cls):
    cls(**{field.name: field.default for field in dataclasses.fields(cls) if field.default is not dataclasses.MISSING})
    assert np.isfinite(Experiment().learning_rate)
