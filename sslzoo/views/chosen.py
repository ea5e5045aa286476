"""The views of an experiment, from the name of a preset, a function, a list of `View` or a function of a batch."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sslzoo import catalog
from sslzoo.views import presets
from sslzoo.views.image import View, Views

Chain = Sequence[View] | Callable[[Mapping], dict]


def make(preset: Any, size: int, channels: int, **knobs) -> Chain:
    """Makes the views of a preset.

    Args:
        preset: name of a preset; a function `(size, channels, **knobs) -> list of View`; a list of `View`; or a
            function from batch to batch that adds `views`, a tuple of float32 (n, height, width, channels).
        size: side of the views in pixels.
        channels: number of channels of the images.
        knobs: arguments of the preset.

    Returns:
        A list of `View`, or the function of a batch.

    Raises:
        ValueError: if `preset` is none of these.
    """
    preset = catalog.found("presets", preset)
    if isinstance(preset, str):
        return getattr(presets, preset)(size, channels=channels, **knobs)
    if isinstance(preset, Sequence):
        return _checked(list(preset))
    if not callable(preset):
        raise ValueError(f"{preset!r} gives no views: use a preset's name, a list of View or a function of a batch")
    names = inspect.signature(preset).parameters
    return _checked(preset(size, channels=channels, **knobs)) if {"size", "channels"} <= names.keys() else preset


def of_batch(chain: Chain, batch_size: int, seed: int, engine: str = "auto") -> Callable[[Mapping], dict]:
    """Returns the function from batch to batch that computes the views.

    Args:
        chain: the return value of `make`.
        batch_size: number of images in the global batch.
        seed: seed of the views. A function of the user ignores it; it draws from `step` and `row` of the batch.
        engine: as for `Views`. A function of the user ignores it.
    """
    return chain if callable(chain) else Views(chain, batch_size=batch_size, seed=seed, engine=engine)


def _checked(chain: Any) -> Chain:
    if isinstance(chain, Sequence) and chain and all(isinstance(view, View) for view in chain):
        return chain
    if callable(chain):
        return chain
    raise ValueError("views must be a list of at least one sslzoo.views.View, or a function of a batch")
