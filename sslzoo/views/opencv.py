"""Views by OpenCV: crop, flip, resize, blur and colour of one image at a time, in float32, on the host.

The results are those of `resample` and `recolour` within float32 rounding, except that a blur omits taps beyond four
standard deviations. OpenCV releases the interpreter's lock, so that several batches of large views are computed
at the same time.
"""

import functools
import math
import threading
from types import ModuleType

import numpy as np
import tensorflow as tf
from scipy import sparse

from sslzoo.utils import iterators
from sslzoo.views.colour import identity
from sslzoo.views.operation import Linear
from sslzoo.views.resample import KERNELS

SHARP = 0.2  # standard deviation in pixels below which neighbours have a weight of less than 4e-6
TAPS = 4  # reach of the blur in standard deviations; the rest of the Gaussian is 6e-5
MOST_CHANNELS = 4  # of the means and transposes of OpenCV
ALIGNED = 64  # bytes; TensorFlow takes over aligned arrays without a copy
# Side in pixels below which one thread computes at a time, since threads wait for the interpreter's lock between short
# calls: two of them reach 0.6 times the speed of one at 48 px, 0.8 times at 96 px and 1.2 times at 160 px.
ALONE = 128

_turn = threading.Lock()
iterators.stop_at_exit()


@functools.cache
def module() -> ModuleType:
    """Returns the module cv2, which computes each call in the calling thread.

    Raises:
        ImportError: if OpenCV is not installed.
    """
    import cv2

    cv2.setNumThreads(0)
    return cv2


def pixels(
    images: tf.Tensor,
    size: int,
    linear: Linear,
    unit: float = 1.0,
    sizes: tf.Tensor | None = None,
    reach: int | None = None,
    interpolation: str = "bilinear",
) -> tf.Tensor:
    """Crops, mirrors, resizes, blurs and recolours images.

    Args:
        images: (n, height, width, channels), any number type.
        size: side of the views in pixels.
        linear: the boxes, in integer pixels within the images, the blur and the colours.
        unit: value of the images that becomes 1.
        sizes: (n, 2), height and width of the valid part, whose mean the colour map takes; None for that of the box.
        reach: pixels of the blur's kernel to each side; None for size // 20.
        interpolation: "bilinear" or "bicubic".

    Returns:
        float32 (n, size, size, channels), clipped to [0, 1].
    """
    place = tf.cast(tf.stack([tf.cast(column, tf.float32) for column in linear.box], axis=1), tf.int32)
    sigma = tf.zeros_like(linear.box.top) if linear.sigma is None else linear.sigma
    colour = identity(tf.shape(images)[0], images.shape[-1]) if linear.colour is None else linear.colour
    sizes = tf.zeros((tf.shape(images)[0], 2), tf.int32) if sizes is None else tf.cast(sizes, tf.int32)
    columns = [images, place, sigma, sizes, *colour]
    columns += [] if linear.turn is None else [*linear.first, linear.turn]
    reach = size // 20 if reach is None else reach
    compute = functools.partial(_in_turn if size < ALONE else _batch, size, unit, reach, interpolation)
    made = tf.numpy_function(compute, columns, tf.float32, stateful=False)
    return tf.ensure_shape(made, (images.shape[0], size, size, images.shape[-1]))


def _in_turn(*arguments) -> np.ndarray:
    with _turn:
        return _batch(*arguments)


def _batch(
    size: int, unit: float, reach: int, interpolation: str, images, places, sigmas, sizes, pixel, mean, *hue
) -> np.ndarray:
    """Computes the views of a batch from arrays; see `pixels`."""
    views = _empty((len(images), size, size, images.shape[-1]))
    first = Maps(*hue[:2], unit) if hue else None
    last = Maps(pixel, mean, 1.0 if hue else unit)
    for row, (place, sigma) in enumerate(zip(places.tolist(), sigmas.tolist(), strict=True)):
        view = resized(_cut(images[row], *place), size, interpolation)
        height, width = sizes[row]
        whole = images[row, :height, :width] if height else view
        matrix = (first or last).of(row, whole)
        if sigma > SHARP:
            view = blurred(view, sigma, reach)
        if first:
            view = turned(view, matrix, hue[2][row])
            matrix = last.of(row, turned(whole, matrix, hue[2][row]) if height else view)
        np.clip(module().transform(view, matrix, dst=views[row]), 0, 1, out=views[row])
    return views


class Maps:
    """The colour maps of a batch, as matrices of OpenCV.

    Args:
        pixel, mean: (n, c, c), see `Colour`.
        unit: value of the images that becomes 1.
    """

    def __init__(self, pixel: np.ndarray, mean: np.ndarray, unit: float) -> None:
        self._matrices = np.concatenate([pixel / np.float32(unit), np.zeros_like(pixel[..., :1])], axis=2)
        self._mean, self._unit, self._with_mean = mean, unit, mean.any((1, 2)).tolist()

    def of(self, row: int, image: np.ndarray) -> np.ndarray:
        """Returns the matrix (c, c + 1) of a row; `image` is the one whose mean the map takes."""
        if self._with_mean[row]:
            self._matrices[row, :, -1] = self._mean[row] @ _mean(image) / self._unit
        return self._matrices[row]


def turned(image: np.ndarray, matrix: np.ndarray, turn: float) -> np.ndarray:
    """Applies a colour matrix (3, 4) to RGB, clips to [0, 1], and adds to the hue of HSV, in full turns."""
    image = np.clip(module().transform(image.astype(np.float32, copy=False), matrix), 0, 1)
    if turn == 0:
        return image
    hsv = module().cvtColor(image, module().COLOR_RGB2HSV)
    # OpenCV takes a hue of up to two turns, in degrees.
    hsv = module().add(hsv, (360 * (float(turn) % 1), 0, 0, 0), dst=hsv)
    return module().cvtColor(hsv, module().COLOR_HSV2RGB)


def _cut(image: np.ndarray, top: int, left: int, height: int, width: int, mirrored: int) -> np.ndarray:
    box = image[top : top + height, left : left + width].astype(np.float32)
    return module().flip(box, 1).reshape(box.shape) if mirrored else box


def resized(image: np.ndarray, size: int, interpolation: str = "bilinear") -> np.ndarray:
    """Resizes a float32 image (height, width, channels) to (size, size, channels), as `resample` does.

    OpenCV interpolates bilinearly where an axis grows. An axis that shrinks is antialiased by a product with a sparse
    matrix. Bicubic interpolation is two such products, since the cubic of OpenCV is another one, a = -3/4.
    """
    if interpolation == "bicubic":
        across = _transposed(_product(_transposed(image), size, interpolation))
        return _product(across, size, interpolation)
    if image.shape[0] > size:
        image = _product(image, size, interpolation)
    if image.shape[1] > size:
        image = _transposed(_product(_transposed(image), size, interpolation))
    return module().resize(image, (size, size), interpolation=module().INTER_LINEAR).reshape(size, size, -1)


def blurred(image: np.ndarray, sigma: float, most: int) -> np.ndarray:
    """Blurs a view (size, size, channels), float32, reading at most `most` pixels to each side.

    The kernel is renormalized at the borders.
    """
    reach = min(most, math.ceil(TAPS * sigma))
    if not reach:
        return image
    kernel = module().getGaussianKernel(2 * reach + 1, sigma, module().CV_32F)
    image = module().sepFilter2D(image, -1, kernel, kernel, borderType=module().BORDER_CONSTANT).reshape(image.shape)
    # At pixel i < reach the kernel's first reach - i taps are outside of the view.
    inside = 1 / np.cumsum(kernel)[reach:-1]
    lines, across = image.reshape(len(image), -1), np.repeat(inside, image.shape[-1])
    lines[:reach] *= inside[:, None]
    lines[-reach:] *= inside[::-1, None]
    lines[:, : len(across)] *= across
    lines[:, -len(across) :] *= across[::-1]
    return image


def _mean(image: np.ndarray) -> np.ndarray:
    channels = image.shape[-1]
    return np.array(module().mean(image)[:channels]) if channels <= MOST_CHANNELS else image.mean((0, 1))


def _product(image: np.ndarray, size: int, interpolation: str) -> np.ndarray:
    """Resizes the first axis of (length, width, channels)."""
    length, width, channels = image.shape
    return (_weights(length, size, interpolation) @ image.reshape(length, width * channels)).reshape(
        size, width, channels
    )


def _transposed(image: np.ndarray) -> np.ndarray:
    if image.shape[2] > MOST_CHANNELS:
        return np.ascontiguousarray(image.swapaxes(0, 1))
    return module().transpose(image).reshape(image.shape[1], image.shape[0], image.shape[2])


@functools.lru_cache(4096)
def _weights(length: int, size: int, interpolation: str) -> sparse.csr_array:
    """Returns the weights (size, length) of the pixels of an axis; rows sum to one."""
    kernel, scale = KERNELS[interpolation], length / size
    support, centre = max(scale, 1.0), (np.arange(size) + 0.5) * scale - 0.5
    reach = kernel.radius * support
    near = np.floor(centre - reach).astype(int)[:, None] + np.arange(math.ceil(2 * reach) + 2)
    weights = kernel.weight(np.abs(near - centre[:, None]) / support, functools.partial(np.maximum, 0))
    weights *= (near >= 0) & (near < length)
    weights /= weights.sum(1, keepdims=True)
    rows, taps = np.nonzero(weights)
    values = weights[rows, taps].astype(np.float32)
    return sparse.csr_array((values, (rows, near[rows, taps])), shape=(size, length))


def _empty(shape: tuple[int, ...]) -> np.ndarray:
    """Returns a float32 array at an address that TensorFlow takes over."""
    count = 4 * math.prod(shape)
    memory = np.empty(count + ALIGNED, np.uint8)
    start = -memory.ctypes.data % ALIGNED
    return memory[start : start + count].view(np.float32).reshape(shape)
