"""A view of images, and the views of a batch: parameters are drawn for the global batch, then applied once."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import tensorflow as tf

from sslzoo.views import opencv
from sslzoo.views.colour import identity, recolour
from sslzoo.views.engines import check_engine, chosen_engine
from sslzoo.views.geometry import Blur
from sslzoo.views.operation import Box, Colour, Draws, Operation, check_count, fold, whole
from sslzoo.views.resample import resample

# Columns of a batch that the views replace; all other columns pass through.
CONSUMED = ("image", "size", "row", "step")
LARGEST = {tf.uint8: 255.0, tf.uint16: 65535.0}


class Linear(NamedTuple):
    """The composed geometry, blur and colour of a view, one row per image, which an engine applies to the pixels.

    Attributes:
        box: the part of each image.
        sigma: (n,) standard deviation of the blur in pixels of the view; None without blur.
        colour: the colour map of each image; None without colour operations.
    """

    box: Box
    sigma: tf.Tensor | None
    colour: Colour | None


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

    @property
    def reach(self) -> int:
        """Pixels that the kernel of the blur reaches to each side."""
        blurs = [operation for operation in self.operations if isinstance(operation, Blur)]
        return max((blur.reach(self.size) for blur in blurs), default=0)

    @property
    def before_crop(self) -> bool:
        """Whether contrast is relative to the mean of the whole image."""
        return any(getattr(operation, "before_crop", False) for operation in self.operations)

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
        largest, scale = images.shape[1:3], unit(images.dtype)
        box, sigma, colour = self.compose(sizes, draws, images.shape[-1])
        for operation in self.operations:
            largest = operation.largest(*largest)
        pixels, mean = resample(images, box, self.size, sigma, largest, self.reach)
        mean = _mean_of(images, sizes) if self.before_crop else mean
        if colour is not None:
            pixels = recolour(pixels, mean, colour)
        return self.finish(tf.clip_by_value(pixels / scale, 0.0, 1.0), draws)

    def compose(self, sizes: tf.Tensor, draws: Sequence[Draws], channels: int) -> Linear:
        """Composes the parameters of all operations that are linear in the pixels, for images of `sizes` (n, 2)."""
        sigma, unchanged = None, identity(tf.shape(sizes)[0], channels)
        colour = unchanged
        for operation, drawn in zip(self.operations, draws, strict=True):
            sigma = operation.soften(sigma, drawn)
            colour = operation.mix(colour, drawn)
        return Linear(self.place(sizes, draws), sigma, None if colour is unchanged else colour)

    def finish(self, pixels: tf.Tensor, draws: Sequence[Draws]) -> tf.Tensor:
        """Applies the nonlinear operations to pixels (n, size, size, channels) in [0, 1]."""
        for operation, drawn in zip(self.operations, draws, strict=True):
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
        xla: compile the functions with XLA. Compilation takes seconds for each batch shape; small views are then
            computed faster.
        engine: "xla" applies the views as TensorFlow operations on any device, "opencv" in Python functions on the
            host; they are equal within 1e-4. "auto" is the faster one for the size and the images; inside a training
            step that XLA compiles, or that is sent to another process, use "xla".

    Raises:
        ValueError: if there are no views, the batch size is below 1, a batch has more images than `batch_size`, or the
            engine is unknown or not installed.
    """

    def __init__(
        self, views: Sequence[View], batch_size: int, seed: int = 0, xla: bool = True, engine: str = "auto"
    ) -> None:
        check_count("Views", "number of views", len(views))
        check_count("Views", "batch_size", batch_size)
        if not all(isinstance(view, View) for view in views):
            raise ValueError(f"Views: views must be a list of View, got {list(views)!r}")
        check_engine(engine)
        self.views, self.batch_size, self.seed, self.xla, self.engine = tuple(views), batch_size, seed, xla, engine

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
        images = tf.convert_to_tensor(images)
        engines = [chosen_engine(self.engine, view.size, images.shape[-1], images.dtype) for view in self.views]
        draws = self.sample(tf.reduce_max(step))
        looks = [
            _looker(view, engine, self.xla)(images, sizes, rows, drawn)
            for engine, view, drawn in zip(engines, self.views, draws, strict=True)
        ]
        views, boxes = zip(*looks, strict=True)
        rest = {name: column for name, column in batch.items() if name not in CONSUMED}
        return {"views": views, "boxes": boxes, **rest}

    def sample(self, step: int | tf.Tensor) -> list[list[Draws]]:
        """Draws the parameters of each operation of each view for the global batch at `step`."""
        seed = fold(tf.constant([self.seed, 0], tf.int32), step)
        return [view.sample(fold(seed, k), self.batch_size) for k, view in enumerate(self.views)]


@functools.lru_cache(64)
def _looker(view: View, engine: str, xla: bool) -> Callable:
    """Returns the function of a view, one for all equal views of the process: XLA never frees what it compiled."""
    compiled = functools.partial(tf.function, jit_compile=xla, autograph=False)
    return (_opencv_looker if engine == "opencv" else _xla_looker)(view, compiled)


def _xla_looker(view: View, compiled: Callable) -> Callable:
    """Returns one function for a view and its boxes, since the pixels are computed from the boxes."""

    def look(images: tf.Tensor, sizes: tf.Tensor, rows: tf.Tensor, draws: Sequence[Draws]) -> tuple:
        draws = of_rows(draws, rows)
        return view.apply(images, sizes, draws), relative(view.place(sizes, draws), sizes)

    return compiled(look)


def _opencv_looker(view: View, compiled: Callable) -> Callable:
    """Returns the same function with the linear operations by OpenCV, between two functions that are compiled."""
    compose = compiled(lambda sizes, rows, draws, channels: view.compose(sizes, of_rows(draws, rows), channels))
    finish = compiled(lambda pixels, rows, draws: view.finish(pixels, of_rows(draws, rows)))
    nonlinear = any(operation.stage == 2 for operation in view.operations)

    def look(images: tf.Tensor, sizes: tf.Tensor, rows: tf.Tensor, draws: Sequence[Draws]) -> tuple:
        scale = unit(images.dtype)
        linear = compose(sizes, rows, draws, images.shape[-1])
        whole = sizes if view.before_crop else None
        pixels = opencv.pixels(images, view.size, *linear, scale, whole, view.reach)
        return finish(pixels, rows, draws) if nonlinear else pixels, relative(linear.box, sizes)

    return look


def _mean_of(images: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """Returns the mean pixel (n, c) of the valid part of each image."""
    down, across = (
        tf.cast(tf.range(side) < tf.cast(sizes[:, axis, None], tf.int32), tf.float32)
        for axis, side in enumerate(images.shape[1:3])
    )
    total = tf.einsum("nhwc,nh,nw->nc", tf.cast(images, tf.float32), down, across)
    return total / tf.cast(tf.reduce_prod(sizes, axis=1), tf.float32)[:, None]


def of_rows(draws: Sequence[Draws], rows: tf.Tensor) -> Sequence[Draws]:
    """Returns the parameters of some rows of the global batch."""
    return tf.nest.map_structure(lambda drawn: tf.gather(drawn, rows), draws)


def relative(box: Box, sizes: tf.Tensor) -> tf.Tensor:
    """Returns boxes as (n, 5): top, left, height and width in units of the longer side, and 1 for mirrored images."""
    box = tf.stack([tf.cast(column, tf.float32) for column in box], axis=1)
    side = tf.cast(tf.reduce_max(sizes, axis=1, keepdims=True), tf.float32)
    return tf.concat([box[:, :4] / side, box[:, 4:]], axis=1)


def unit(dtype: tf.DType) -> float:
    """Returns the value of the images that is 1 in views.

    Raises:
        ValueError: if images of this type are not supported.
    """
    if not (dtype in LARGEST or dtype.is_floating):
        raise ValueError(f"views take images of uint8, uint16 or float in [0, 1], got {dtype.name}")
    return LARGEST.get(dtype, 1.0)
