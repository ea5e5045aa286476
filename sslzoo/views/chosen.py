"""The views of an experiment, from the name of a preset, a function, a list of views or a function of a batch."""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sslzoo import catalog
from sslzoo.catalog.kinds import DEFAULT, KINDS
from sslzoo.views.drawn import Drawn, Views

Chain = Sequence[Drawn] | Callable[[Mapping], dict]


def make(preset: Any, size: int, channels: int, kind: str = DEFAULT, bank: Any = None, **knobs) -> Chain:
    """Makes the views of a preset.

    Args:
        preset: name of a preset; a function `(size, channels, **knobs) -> list of View`, of series `(length, channels,
            **knobs) -> list of SeriesView`, of rows `(columns, bank, **knobs) -> list of RowView`, of texts `(tokens,
            **knobs) -> list of TextView`; such a list; or a function from batch to batch that adds `views`, a tuple of
            float32 tensors, of images (n, height, width, channels), of texts int32. A function of series may have an
            argument `bank` as well.
        size: extent of the views: of images the side in pixels, of series the number of steps, of rows that of columns.
        channels: number of channels of the examples.
        kind: of the data.
        bank: of the training data, as of the function `bank` of the kind.
        knobs: arguments of the preset.

    Returns:
        A list of `View`, or the function of a batch.

    Raises:
        ValueError: if `preset` is none of these.
    """
    preset = catalog.found("presets", preset)
    if isinstance(preset, str):
        module = f"sslzoo.views.{catalog.presets(kind)[preset].stem}"
        function = getattr(importlib.import_module(module), preset)
        return function(size, **_taken(function, channels=channels, bank=bank), **knobs)
    if isinstance(preset, Sequence):
        return _checked(list(preset), kind)
    if not callable(preset):
        raise ValueError(f"{preset!r} gives no views: use a preset's name, a list of View or a function of a batch")
    made = {KINDS[kind].extent, KINDS[kind].second} - {""} <= inspect.signature(preset).parameters.keys()
    given = _taken(preset, channels=channels, bank=bank)
    return _checked(preset(size, **given, **knobs), kind) if made else preset


def _taken(function: Callable, **given: Any) -> dict[str, Any]:
    """The given arguments that a function has."""
    return {name: value for name, value in given.items() if name in inspect.signature(function).parameters}


def of_batch(chain: Chain, batch_size: int, seed: int, engine: str = "auto") -> Callable[[Mapping], dict]:
    """Returns the function from batch to batch that computes the views.

    Args:
        chain: the return value of `make`.
        batch_size: number of examples in the global batch.
        seed: seed of the views. A function of the user ignores it; it draws from `step` and `row` of the batch.
        engine: as for `Views`. A function of the user ignores it.
    """
    return chain if callable(chain) else Views(chain, batch_size=batch_size, seed=seed, engine=engine)


def _checked(chain: Any, kind: str) -> Chain:
    if callable(chain):
        return chain
    if not (isinstance(chain, Sequence) and chain and all(isinstance(view, Drawn) for view in chain)):
        raise ValueError("views must be a list of at least one sslzoo.views.View, or a function of a batch")
    other = next((view.kind for view in chain if view.kind != kind), None)
    if other:
        raise ValueError(f"these views are of {KINDS[other].noun}, the data are {KINDS[kind].noun}")
    return chain
