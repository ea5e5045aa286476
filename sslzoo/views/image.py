"""A view of images, and the views of a batch: parameters are drawn for the global batch, then applied once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import tensorflow as tf

from sslzoo.views.colour import identity, recolour
from sslzoo.views.operation import Box, Draws, Operation, check_count, fold, whole
from sslzoo.views.resample import resample

# Columns of a batch that the views replace; all other columns pass through.
CONSUMED = ("image", "size", "row", "step")
LARGEST = {tf.uint8: 255.0, tf.uint16: 65535.0}


@dataclass(frozen=True)
class View:
    """A chain of operations and the size of its output.

    Operations of one kind are composed before they are applied to pixels: geometry and blur into one resampling, colour
    into one affine map. Values are then clipped to [0, 1], and nonlinear operations follow.

    Args:
        operations: the operations, in the order crop and flip; colour and blur; solarize.
        size: side of the square view in pixels.

    Raises:
        ValueError: if the size is below 1 or the operations are in another order.
    """

    operations: Sequence[Operation]
    size: int

    def __post_init__(self) -> None:
        check_count("View", "size", self.size)
        object.__setattr__(self, "operations", tuple(self.operations))
        for operation in self.operations:
            if not isinstance(operation, Operation):
                raise ValueError(f"View: operations must be instances such as Flip(), got {operation!r}")
        for before, after in pairwise(self.operations):
            if before.stage > after.stage:
                raise ValueError(f"View: put {after.name} before {before.name} (geometry; colour, blur; solarize)")

    def __call__(self, images: tf.Tensor, sizes: tf.Tensor, seed: Sequence[int] = (0, 0)) -> tf.Tensor:
        """Draws parameters from `seed` and applies the view; a deterministic view needs no seed."""
        images = tf.convert_to_tensor(images)
        return self.apply(images, sizes, self.sample(tf.constant(seed, tf.int32), tf.shape(images)[0]))

    def sample(self, seed: tf.Tensor, count: int | tf.Tensor) -> list[Draws]:
        """Draws the parameters of each operation from `seed` (2,) int32: name -> tensor of `count` rows."""
        return [operation.draw(fold(seed, k), count) for k, operation in enumerate(self.operations)]

    def place(self, sizes: tf.Tensor, draws: Sequence[Draws]) -> Box:
        """Returns the box, in pixels, that the view takes from images of `sizes` (n, 2)."""
        box = whole(sizes)
        for operation, drawn in zip(self.operations, draws, strict=True):
            box = operation.place(box, drawn)
        return box

    def apply(self, images: tf.Tensor, sizes: tf.Tensor, draws: Sequence[Draws]) -> tf.Tensor:
        """Makes the views.

        Args:
            images: (n, height, width, channels) uint8, uint16 or float in [0, 1].
            sizes: (n, 2), height and width of the valid part, which is in the top left corner.
            draws: parameters returned by `sample`, n rows.

        Returns:
            float32 (n, size, size, channels) in [0, 1].

        Raises:
            ValueError: if the images have another type, or a colour operation requires RGB and gets other channels.
        """
        _check_type(images.dtype)
        chain, channels = list(zip(self.operations, draws, strict=True)), images.shape[-1]
        box, sigma, largest = self.place(sizes, draws), None, images.shape[1:3]
        colour = unchanged = identity(tf.shape(images)[0], channels)
        for operation, drawn in chain:
            largest = operation.largest(*largest)
            sigma = operation.soften(sigma, drawn)
            colour = operation.mix(colour, drawn)
        pixels, mean = resample(images, box, self.size, sigma, largest)
        if colour is not unchanged:
            pixels = recolour(pixels, mean, colour)
        pixels = tf.clip_by_value(pixels / LARGEST.get(images.dtype, 1.0), 0.0, 1.0)
        for operation, drawn in chain:
            pixels = operation.finish(pixels, drawn)
        return pixels


class Views:
    """The views of a batch, equal on any number of devices, on the host or inside a training step.

    Parameters are drawn for the global batch from (seed, step, view), and each image uses the parameters of its row.
    The views therefore do not depend on how a batch is distributed over devices and workers, or on a resume.

    Args:
        views: one chain for each view; sizes may differ.
        batch_size: number of images in the global batch.
        seed: seed of all draws.
        xla: compile the pixel operations with XLA. Compilation takes seconds for each batch shape; small views are then
            computed faster.

    Raises:
        ValueError: if there are no views, the batch size is below 1, or a batch has more images than `batch_size`.
    """

    def __init__(self, views: Sequence[View], batch_size: int, seed: int = 0, xla: bool = True) -> None:
        check_count("Views", "number of views", len(views))
        check_count("Views", "batch_size", batch_size)
        if not all(isinstance(view, View) for view in views):
            raise ValueError(f"Views: views must be a list of View, got {list(views)!r}")
        self.views, self.batch_size, self.seed, self.xla = tuple(views), batch_size, seed, xla
        # Equal views share one function, which halves the compile time of XLA.
        self._look = {view: tf.function(_looker(view), jit_compile=xla, autograph=False) for view in self.views}

    def __repr__(self) -> str:
        return f"<Views: {len(self.views)} of each image, batches of {self.batch_size}, seed {self.seed}>"

    def __call__(self, batch: Mapping[str, tf.Tensor]) -> dict:
        """Replaces `image`, `size`, `row` and `step` of a batch by `views` and `boxes`; other columns pass through.

        Args:
            batch: `image` (n, height, width, channels) uint8, uint16 or float; `size` (n, 2) int, height and width of
                the valid part, which is in the top left corner; `row` (n,) int, position in the global batch; `step`
                (n,) int, the global training step, equal in all rows.

        Returns:
            A dict of `views`, a tuple of float32 (n, size, size, channels) in [0, 1], one for each view; `boxes`, a
            tuple of float32 (n, 5), one for each view: top, left, height and width in units of the longer side of the
            valid part, and 1 for mirrored images; and the other columns.
        """
        images, sizes, rows, step = (batch[name] for name in CONSUMED)
        if (images.shape[0] or 0) > self.batch_size:
            raise ValueError(
                f"Views: batch_size is {self.batch_size}, got {images.shape[0]} images: give the global size"
            )
        draws = tf.nest.map_structure(lambda drawn: tf.gather(drawn, rows), self.sample(tf.reduce_max(step)))
        looks = [self._look[view](images, sizes, drawn) for view, drawn in zip(self.views, draws, strict=True)]
        views, boxes = zip(*looks, strict=True)
        rest = {name: column for name, column in batch.items() if name not in CONSUMED}
        return {"views": views, "boxes": boxes, **rest}

    def sample(self, step: int | tf.Tensor) -> list[list[Draws]]:
        """Draws the parameters of each operation of each view for the global batch at `step`."""
        seed = fold(tf.constant([self.seed, 0], tf.int32), step)
        return [view.sample(fold(seed, k), self.batch_size) for k, view in enumerate(self.views)]


def _looker(view: View):
    """Returns one function for a view and its boxes, since the pixels are computed from the boxes."""

    def look(images: tf.Tensor, sizes: tf.Tensor, draws: Sequence[Draws]) -> tuple[tf.Tensor, tf.Tensor]:
        box = tf.stack([tf.cast(column, tf.float32) for column in view.place(sizes, draws)], axis=1)
        side = tf.cast(tf.reduce_max(sizes, axis=1, keepdims=True), tf.float32)
        return view.apply(images, sizes, draws), tf.concat([box[:, :4] / side, box[:, 4:]], axis=1)

    return look


def _check_type(dtype: tf.DType) -> None:
    if not (dtype in LARGEST or dtype.is_floating):
        raise ValueError(f"views take images of uint8, uint16 or float in [0, 1], got {dtype.name}")
