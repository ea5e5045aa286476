"""A view of images: parameters are drawn first, then applied once."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import tensorflow as tf

from sslzoo.views import opencv
from sslzoo.views.colour import identity, recolour
from sslzoo.views.drawn import Drawn, looker, of_rows
from sslzoo.views.engines import chosen_engine
from sslzoo.views.geometry import Blur, Crop
from sslzoo.views.hsv import turned
from sslzoo.views.operation import Box, Draws, Linear, Operation, check_count, fold, whole
from sslzoo.views.resample import resample

LARGEST = {tf.uint8: 255.0, tf.uint16: 65535.0}


@dataclass(frozen=True)
class View(Drawn):
    """A chain of operations and the size of its output.

    Operations of one kind are composed before they are applied to pixels: geometry and blur into one resampling, colour
    into one affine map, or into one before and one after the hue of HSV. Values are then clipped to [0, 1], and
    nonlinear operations follow.

    Args:
        operations: the operations, in the order crop and flip; colour and blur; solarize.
        size: side of the square view in pixels.

    Raises:
        ValueError: if the size is below 1, the operations are in another order, or two jitters have the hue of HSV.
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

        if sum(_turns(operation) for operation in self.operations) > 1:
            raise ValueError("View: more than one Jitter with hue_space='hsv': use 'yiq' in all but one")

    @property
    def reach(self) -> int:
        """Pixels that the kernel of the blur reaches to each side."""
        blurs = [operation for operation in self.operations if isinstance(operation, Blur)]
        return max((blur.reach(self.size) for blur in blurs), default=0)

    @property
    def interpolation(self) -> str:
        """Interpolation of the crop."""
        return next((one.interpolation for one in self.operations if isinstance(one, Crop)), "bilinear")

    @property
    def before_crop(self) -> bool:
        """Whether contrast is relative to the mean of the whole image."""
        return any(getattr(operation, "before_crop", False) for operation in self.operations)

    def __call__(self, images: tf.Tensor, sizes: tf.Tensor, seed: Sequence[int] = (0, 0)) -> tf.Tensor:
        """Draws parameters from `seed` and applies the view; a deterministic view needs no seed."""
        images, sizes = tf.convert_to_tensor(images), tf.convert_to_tensor(sizes)
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
        linear, largest = self.compose(sizes, draws, images.shape[-1]), images.shape[1:3]
        for operation in self.operations:
            largest = operation.largest(*largest)
        resampled = resample(images, linear.box, self.size, linear.sigma, largest, self.reach, self.interpolation)
        return self.finish(*resampled, images, sizes, linear, draws)

    def compose(self, sizes: tf.Tensor, draws: Sequence[Draws], channels: int) -> Linear:
        """Composes the parameters of all operations that are linear in the pixels, for images of `sizes` (n, 2)."""
        sigma, unchanged = None, identity(tf.shape(sizes)[0], channels)
        colour, first, turn = unchanged, None, None
        for operation, drawn in zip(self.operations, draws, strict=True):
            sigma = operation.soften(sigma, drawn)
            if _turns(operation):
                first, turn, colour = operation.split(colour, drawn)
            else:
                colour = operation.mix(colour, drawn)
        return Linear(self.place(sizes, draws), sigma, None if colour is unchanged else colour, first, turn)

    def where(self, sizes: tf.Tensor, draws: Sequence[Draws]) -> tf.Tensor:
        """Boxes (n, 5): top, left, height and width in units of the longer side, and 1 for mirrored images."""
        return relative(self.place(sizes, draws), sizes)

    def look(self, examples: tf.Tensor, engine: str = "auto", xla: bool = True) -> Callable:
        """The function of `Drawn.look`, by the engine that suits the images."""
        chosen = chosen_engine(engine, self.size, examples.shape[-1], examples.dtype)
        return _opencv_looker(self, xla) if chosen == "opencv" else looker(self, xla)

    def finish(
        self,
        pixels: tf.Tensor,
        mean: tf.Tensor,
        images: tf.Tensor,
        sizes: tf.Tensor,
        linear: Linear,
        draws: Sequence[Draws],
    ) -> tf.Tensor:
        """Applies the colours and the nonlinear operations to what `resample` returned; arguments as of `apply`."""
        scale = unit(images.dtype)
        mean = _mean_of(images, sizes) if self.before_crop else mean
        if linear.turn is not None:
            whole = _turned(tf.cast(images, tf.float32), mean, linear, scale) if self.before_crop else None
            pixels, scale = _turned(pixels, mean, linear, scale), 1.0
            mean = tf.reduce_mean(pixels, axis=(1, 2)) if whole is None else _mean_of(whole, sizes)
        if linear.colour is not None:
            pixels = recolour(pixels, mean, linear.colour)
        pixels = tf.clip_by_value(pixels / scale, 0.0, 1.0)
        for operation, drawn in zip(self.operations, draws, strict=True):
            pixels = operation.finish(pixels, drawn)
        return pixels


@functools.lru_cache(64)
def _opencv_looker(view: View, xla: bool) -> Callable:
    """Returns `looker` with the resampling by OpenCV, between two functions that are compiled."""

    @tf.function(jit_compile=xla, autograph=False)
    def before(sizes: tf.Tensor, rows: tf.Tensor, draws: Sequence[Draws], channels: int) -> Linear:
        return view.compose(sizes, of_rows(draws, rows), channels)

    @tf.function(jit_compile=xla, autograph=False)
    def after(resampled: tuple, images: tf.Tensor, sizes: tf.Tensor, rows: tf.Tensor, linear: Linear, draws) -> tuple:
        made = view.finish(*resampled, images, sizes, linear, of_rows(draws, rows))
        return made, relative(linear.box, sizes)

    def look(images: tf.Tensor, sizes: tf.Tensor, rows: tf.Tensor, draws: Sequence[Draws]) -> tuple:
        linear = before(sizes, rows, draws, images.shape[-1])
        resampled = opencv.resample(images, linear.box, view.size, linear.sigma, view.reach, view.interpolation)
        return after(resampled, images, sizes, rows, linear, draws)

    return look


def _turns(operation: Operation) -> bool:
    return getattr(operation, "turns", False)


def _turned(pixels: tf.Tensor, mean: tf.Tensor, linear: Linear, scale: float) -> tf.Tensor:
    """Applies the colours before the hue of HSV and this hue; returns pixels in [0, 1]."""
    return turned(tf.clip_by_value(recolour(pixels, mean, linear.first) / scale, 0.0, 1.0), linear.turn)


def _mean_of(images: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """Returns the mean pixel (n, c) of the valid part of each image."""
    down, across = (
        tf.cast(tf.range(side) < tf.cast(sizes[:, axis, None], tf.int32), tf.float32)
        for axis, side in enumerate(images.shape[1:3])
    )
    total = tf.einsum("nhwc,nh,nw->nc", tf.cast(images, tf.float32), down, across)
    return total / tf.cast(tf.reduce_prod(sizes, axis=1), tf.float32)[:, None]


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
