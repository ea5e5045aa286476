"""Views of any kind: parameters are drawn for the global batch, then applied once."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import tensorflow as tf

from sslzoo.catalog.kinds import KINDS
from sslzoo.views.engines import check_engine
from sslzoo.views.operation import check_count, fold


class Drawn:
    """A view that draws its parameters first; the base class of `View` and `SeriesView`.

    A subclass defines `sample`, `apply` and `where`, and is hashable: equal views share one compiled function.

    Attributes:
        kind: kind of the examples, and name of their column.
    """

    kind: ClassVar[str] = "image"

    def sample(self, seed: tf.Tensor, count: int | tf.Tensor) -> Any:
        """Draws the parameters from `seed` (2,) int32: a structure of tensors of `count` rows."""
        raise NotImplementedError

    def apply(self, examples: tf.Tensor, sizes: tf.Tensor, draws: Any) -> tf.Tensor:
        """Makes the views of examples (n, ...) of sizes (n, axes) with n rows of parameters."""
        raise NotImplementedError

    def sample_of(self, seed: tf.Tensor, number: int, count: int | tf.Tensor) -> Any:
        """Draws the parameters of view `number`; a kind may draw some of them from `seed` for all views alike."""
        return self.sample(fold(seed, number), count)

    def where(self, sizes: tf.Tensor, draws: Any) -> tf.Tensor:
        """The part of each example that the view shows, float32 (n, k)."""
        raise NotImplementedError

    def look(self, examples: tf.Tensor, engine: str = "auto", xla: bool = True) -> Callable:
        """The function (examples, sizes, rows, parameters of the global batch) -> (views, boxes).

        Args:
            examples: those that the function will be called with.
            engine, xla: as of `Views`.
        """
        return looker(self, xla)


@functools.lru_cache(64)
def looker(view: Drawn, xla: bool) -> Callable:
    """One function for a view and its boxes, for all equal views of the process: XLA never frees what it compiled."""

    def look(examples: tf.Tensor, sizes: tf.Tensor, rows: tf.Tensor, draws: Any) -> tuple:
        draws = of_rows(draws, rows)
        return view.apply(examples, sizes, draws), view.where(sizes, draws)

    return tf.function(look, jit_compile=xla, autograph=False)


def of_rows(draws: Any, rows: tf.Tensor) -> Any:
    """Returns the parameters of some rows of the global batch."""
    return tf.nest.map_structure(lambda drawn: tf.gather(drawn, rows), draws)


class Views:
    """The views of a batch, equal on any number of devices, on the host or inside a training step.

    Parameters are drawn for the global batch from (seed, step, view), and each example uses those of its row.
    The views therefore do not depend on how a batch is distributed over devices and workers, or on a resume.

    Args:
        views: one chain for each view; sizes may differ.
        batch_size: number of examples in the global batch.
        seed: seed of all draws.
        xla: compile the functions with XLA. Compilation takes seconds for each batch shape; small views are then
            computed faster.
        engine: what crops, resizes and blurs: "xla", TensorFlow operations on any device, or "opencv", Python functions
            on the host; they are equal within 1e-4. "auto" is the faster one for the size and the images; inside a
            training step that XLA compiles, or that is sent to another process, use "xla".

    Raises:
        ValueError: if there are no views, the batch size is below 1, a batch has more images than `batch_size`, or the
            engine is unknown or not installed.
    """

    def __init__(
        self, views: Sequence[Drawn], batch_size: int, seed: int = 0, xla: bool = True, engine: str = "auto"
    ) -> None:
        check_count("Views", "number of views", len(views))
        check_count("Views", "batch_size", batch_size)
        if not all(isinstance(view, Drawn) for view in views) or len({view.kind for view in views}) != 1:
            raise ValueError(f"Views: views must be a list of View, all of one kind, got {list(views)!r}")
        check_engine(engine)
        self.views, self.batch_size, self.seed, self.xla, self.engine = tuple(views), batch_size, seed, xla, engine

    def __repr__(self) -> str:
        return f"<Views: {len(self.views)} of each image, batches of {self.batch_size}, seed {self.seed}>"

    def __call__(self, batch: Mapping[str, tf.Tensor]) -> dict:
        """Replaces the main column, `size`, `row` and `step` by `views` and `boxes`; other columns pass through.

        Where a relation drew `partners` (n, partners, ...), there is one view of each example and partner instead of
        several views of an example: of the k-th of them by the k-th view, or the last one if there are fewer.

        Args:
            batch: the column of the kind: `image` (n, height, width, channels) uint8, uint16 or float, or `series` (n,
                steps, channels) float; `size` (n, axes) int, the extent of the valid part, of images height and width,
                which is in the top left corner; `row` (n,) int, position in the global batch; `step`
                (n,) int, the global training step, equal in all rows.

        Returns:
            A dict of `views`, a tuple with the float32 output of each view, of images (n, size, size, channels) in
            [0, 1]; `boxes`, a tuple with the part that each view shows: of images float32 (n, 5), top, left, height and
            width in units of the longer side of the valid part, and 1 for mirrored images; of series (n, 2), start and
            length in units of the length; and the other columns.
        """
        consumed = (self.views[0].kind, "size", "row", "step", "partners", "partner_size")
        examples, sizes, rows, step = (batch[name] for name in consumed[:4])
        if (examples.shape[0] or 0) > self.batch_size:
            noun = KINDS[consumed[0]].noun
            raise ValueError(
                f"Views: batch_size is {self.batch_size}, got {examples.shape[0]} {noun}: give the global size"
            )
        frames = [(tf.convert_to_tensor(examples), sizes)]
        if "partners" in batch:
            frames += zip(*(tf.unstack(batch[name], axis=1) for name in consumed[4:]), strict=True)
        chain = self.chain(len(frames))
        frames = frames if len(frames) == len(chain) else frames * len(chain)
        looks = [
            view.look(one, self.engine, self.xla)(one, size, rows, drawn)
            for view, (one, size), drawn in zip(chain, frames, self.sample(tf.reduce_max(step), chain), strict=True)
        ]
        views, boxes = zip(*looks, strict=True)
        rest = {name: column for name, column in batch.items() if name not in consumed}
        return {"views": views, "boxes": boxes, **rest}

    def chain(self, frames: int = 1) -> tuple[Drawn, ...]:
        """The views of a batch: all views of one frame, or one view of each of several; the last serves the others."""
        return self.views if frames == 1 else tuple(self.views[min(k, len(self.views) - 1)] for k in range(frames))

    def sample(self, step: int | tf.Tensor, chain: Sequence[Drawn] | None = None) -> list:
        """Draws the parameters of each operation of each view for the global batch at `step`."""
        seed = fold(tf.constant([self.seed, 0], tf.int32), step)
        return [view.sample_of(seed, k, self.batch_size) for k, view in enumerate(chain or self.views)]
