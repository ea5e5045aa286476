"""Ranges: every default passes, every number out of range is refused before anything is built."""

import math

import pytest

from sslzoo import catalog
from sslzoo.catalog import options, ranges, resolved
from sslzoo.catalog import recipe as recipes
from sslzoo.catalog.kinds import kind_of
from sslzoo.catalog.knobs import Knob

EVERY = {
    **{("method", name): catalog.method_knobs(name) for name in catalog.methods()},
    **{("encoder", name): catalog.encoder_knobs(name) for name in catalog.every_encoder()},
    **{("views", name): catalog.preset_knobs(name) for name in catalog.presets()},
    **{("series views", name): catalog.preset_knobs(name, "series") for name in catalog.presets("series")},
}
NUMBERS = [
    pytest.param(part, name, knob, id=f"{name}-{knob.name}")
    for (part, name), found in EVERY.items()
    for knob in found.values()
    if knob.type.replace(" | None", "") in ("int", "float")
]


def resolve(where, name, **knobs):
    part, kind = where.split()[-1], "series" if where.startswith("series") else None
    chosen = {"method": "simclr", "encoder": "mlp", "preset": "simclr", {"views": "preset"}.get(part, part): name}
    return resolved.resolve(knobs, **chosen, kind=kind)


@pytest.mark.parametrize("part, name, knob", NUMBERS)
def test_a_default_passes_and_values_that_cannot_work_are_refused_with_the_name(part, name, knob):
    if knob.default is not None:
        resolve(part, name, **{knob.name: knob.default})
    for value in (-1, math.nan, math.inf, "3", True):
        with pytest.raises(ValueError, match=f"^{knob.name} must be ") as refusal:
            resolve(part, name, **{knob.name: value})
        assert "\\n" not in str(refusal.value)
    if knob.type.startswith("int"):
        with pytest.raises(ValueError, match=f"^{knob.name} must be an integer, got 1.5"):
            resolve(part, name, **{knob.name: 1.5})


@pytest.mark.parametrize("name, value", [("temperature", 0.0), ("bank_rate", 2.0), ("min_scale", 0)])
def test_the_ends_that_are_excluded(name, value):
    with pytest.raises(ValueError, match=f"{name} must be above 0"):
        ranges.check(Knob(name, 0.5, "float", ""), value)


def test_the_settings_of_every_recipe_are_in_range():
    for path in catalog.recipes().values():
        recipe = recipes.read(path)
        if recipe is not None:
            own = {n: v for n, v in recipe.settings.items() if n not in catalog.experiment_knobs()}
            method, encoder = (recipe.settings[part] for part in ("method", "encoder"))
            data = recipe.settings["data"], recipe.settings.get("kind")
            preset = recipe.settings.get("preset") or options.views_of(method, kind_of(*data))
            resolved.resolve(own, method, encoder, preset, *data)


def test_a_range_in_words_is_that_of_the_refusal():
    assert ranges.words(Knob("temperature", 0.1, "float", "")) == "above 0"
    assert ranges.words(Knob("mask_ratio", 0.5, "float | None", "")) == "at least 0 and at most 1"
    assert ranges.words(Knob("variant", "a", "str", "")) == ""
    with pytest.raises(ValueError, match=ranges.words(Knob("depth", 1, "int", ""))):
        ranges.check(Knob("depth", 1, "int", ""), 0)
