"""Checks of views: that they are inputs of encoders, and a function of the step and the row of the global batch."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from sslzoo import catalog
from sslzoo.catalog import knobs as source
from sslzoo.catalog.kinds import DEFAULT, KINDS
from sslzoo.layers.log_mel import BANDS
from sslzoo.testing.require import difference, require
from sslzoo.views import Drawn, Views, chosen

COUNT = 8  # examples of the batch
CANVAS = {"image": (40, 48), "series": (40,), "audio": (2000,), "rows": (), "text": ()}  # extent of the examples
LAST = {"audio": BANDS}  # last axis of a view, where it is not that of the examples


def check_views(views, channels: int = 3, size: int = 32, kind: str = DEFAULT, **knobs) -> None:
    """Checks that views are inputs of encoders and depend on nothing but the example, the step and the row.

    Args:
        views: list of `sslzoo.views.View` or `SeriesView`; callable batch -> batch that adds `views`; or name of a
            preset.
        channels: int, of the images, 40 x 48 pixels of type uint8, or of the series, 40 steps; of the texts the
            number of tokens.
        size: int, extent of the views of a preset: side in pixels, or number of steps.
        kind: kind of the data, "image", "series", "audio", "rows" or "text".
        **knobs: of the preset.

    Raises:
        AssertionError: names the property that does not hold, and its consequence.
    """
    for check in VIEWS_CHECKS:
        check(views, channels, size, kind, **knobs)


def check_knobs(views, channels: int = 3, size: int = 32, kind: str = DEFAULT, **knobs) -> None:
    """Knobs of a preset are documented; lists and callables have none."""
    if isinstance(views, str):
        known = source.read(catalog.presets(kind)[views], views)
        silent = sorted(name for name, knob in known.items() if not knob.help)
        require(not silent, f"{views}: {', '.join(silent)} are not documented; `--help` shows these lines")


def check_images(views, channels: int = 3, size: int = 32, kind: str = DEFAULT, **knobs) -> None:
    """`views` is a tuple of float32, of images (n, side, side, channels) in [0, 1], of texts int32; others are kept."""
    made, given, noun = _called(views, channels, size, kind, knobs), batch(channels, kind), KINDS[kind].noun
    require("views" in made, f"the batch has no `views`, a tuple of {noun}, which methods read")
    require(isinstance(made["views"], tuple), f"`views` is a {type(made['views']).__name__}, not a tuple of {noun}")
    for number, view in enumerate(made["views"]):
        view, name = np.asarray(view), f"view {number}"
        axes = KINDS[kind].axes
        last, dtype = LAST.get(kind, channels), KINDS[kind].dtype
        shape = view.ndim == len(axes) + 1 and (len(view), view.shape[-1]) == (COUNT, last)
        require(shape, f"{name} has the shape {view.shape}, not ({COUNT}, {', '.join(axes[:-1])}, {last})")
        require(view.dtype == dtype, f"{name} is {view.dtype}: encoders take {dtype}")
        require(np.isfinite(view).all(), f"{name} has values that are not finite")
        inside = not KINDS[kind].pixels or 0 <= view.min() and view.max() <= 1
        require(inside, f"{name} has values in {view.min():.3g}..{view.max():.3g}: encoders take [0, 1]")
    for column in ("index", "label"):
        same = column in made and np.array_equal(made[column], given[column])
        require(same, f"the column `{column}` is changed or missing: banks and supervised methods read it")


def check_steps(views, channels: int = 3, size: int = 32, kind: str = DEFAULT, **knobs) -> None:
    """The same step gives the same views, another step gives others."""
    first, again, later = (_called(views, channels, size, kind, knobs, step=step)["views"] for step in (3, 3, 4))
    apart = max(difference(one, two) for one, two in zip(first, again, strict=True))
    line = f"two calls for the same step differ by {apart:.1e}: a resumed run would not repeat an uninterrupted one"
    require(apart == 0, f"{line}; draw from the column `step`, as `Views` does")
    moved = max(difference(one, two) for one, two in zip(first, later, strict=True))
    require(moved > 0, "the views of two steps are equal: an example would look the same in every epoch")


def check_rows(views, channels: int = 3, size: int = 32, kind: str = DEFAULT, **knobs) -> None:
    """Half of a batch gives the views of its rows: several devices see what one sees."""
    whole = _called(views, channels, size, kind, knobs)["views"]
    half = _called(views, channels, size, kind, knobs, rows=slice(COUNT // 2, COUNT))["views"]
    apart = max(difference(one[COUNT // 2 :], two) for one, two in zip(whole, half, strict=True))
    line = f"the rows of a batch have other views in half a batch, by {apart:.1e}: two devices would not train like one"
    require(apart < 1e-5, f"{line}; draw from the columns `step` and `row`, as `Views` does")


def batch(channels: int = 3, kind: str = DEFAULT, step: int = 3, rows: slice = slice(None)) -> dict[str, tf.Tensor]:
    """A batch as training gives it to views, or some rows of it."""
    canvas, number = CANVAS[kind], np.arange(COUNT, dtype="int32")
    values = np.random.default_rng(0).integers(0, 256, (COUNT, *canvas, channels), "uint8")
    values = values if KINDS[kind].pixels else values.astype(KINDS[kind].dtype) - 100 * (KINDS[kind].dtype == "float32")
    columns = {kind: values, "size": np.tile(np.array(canvas, "int32"), (COUNT, 1)), "row": number}
    columns |= dict(step=np.full(COUNT, step, "int64"), index=number + 100, label=number % 2)
    return {name: tf.constant(column[rows]) for name, column in columns.items()}


def _called(views, channels: int, size: int, kind: str, knobs: dict, **of_batch) -> dict:
    if isinstance(views, str):
        views = chosen.make(views, size, channels, kind, **knobs)
    if isinstance(views, Sequence):
        wrong = [type(view).__name__ for view in views if not isinstance(view, Drawn)]
        require(not wrong, f"views: the list holds {', '.join(wrong)}: take sslzoo.views.View, or one callable")
        views = Views(views, batch_size=COUNT, xla=False)
    require(callable(views), f"views={views!r} is no preset, list of View or callable batch -> batch")
    return views(batch(channels, kind, **of_batch))


VIEWS_CHECKS: tuple[Callable, ...] = (check_knobs, check_images, check_steps, check_rows)
