"""Resampling by OpenCV: crop, flip, resize and blur of one image at a time, in float32, on the host.

The results are those of `sslzoo.views.resample` within float32 rounding, except that a blur omits taps beyond four
standard deviations. OpenCV releases the interpreter's lock, so that several batches of large views are computed at the
same time. Colours are left to XLA: they need one pass over the batch, without the lock.
"""

import functools
import math
import threading
from types import ModuleType

import numpy as np
import tensorflow as tf
from scipy import sparse

from sslzoo.utils import iterators
from sslzoo.views.operation import Box
from sslzoo.views.resample import KERNELS

SHARP = 0.2  # standard deviation in pixels below which neighbours have a weight of less than 4e-6
TAPS = 4  # reach of the blur in standard deviations; the rest of the Gaussian is 6e-5
MOST_CHANNELS = 4  # of the means and transposes of OpenCV
ALIGNED = 64  # bytes; TensorFlow takes over aligned arrays without a copy
# Side in pixels below which one thread computes at a time: threads that wait for the interpreter's lock between short
# calls are slower together than one of them alone.
ALONE = 112

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


def resample(
    images: tf.Tensor,
    box: Box,
    size: int,
    sigma: tf.Tensor | None = None,
    reach: int | None = None,
    interpolation: str = "bilinear",
) -> tuple[tf.Tensor, tf.Tensor]:
    """Crops, mirrors, resizes and blurs images; arguments and results are those of `sslzoo.views.resample.resample`."""
    place = tf.cast(tf.stack([tf.cast(column, tf.float32) for column in box], axis=1), tf.int32)
    sigma = tf.zeros_like(box.top) if sigma is None else sigma
    reach = size // 20 if reach is None else reach
    compute = functools.partial(_in_turn if size < ALONE else _batch, size, reach, interpolation)
    pixels, mean = tf.numpy_function(compute, [images, place, sigma], [tf.float32, tf.float32], stateful=False)
    count, channels = images.shape[0], images.shape[-1]
    return tf.ensure_shape(pixels, (count, size, size, channels)), tf.ensure_shape(mean, (count, channels))


def _in_turn(*arguments) -> tuple[np.ndarray, np.ndarray]:
    with _turn:
        return _batch(*arguments)


def _batch(size: int, reach: int, interpolation: str, images, places, sigmas) -> tuple[np.ndarray, np.ndarray]:
    """Computes the pixels and means of a batch from arrays; see `resample`."""
    views = _empty((len(images), size, size, images.shape[-1]))
    means = np.empty((len(images), images.shape[-1]), np.float32)
    for row, (place, sigma) in enumerate(zip(places.tolist(), sigmas.tolist(), strict=True)):
        sharp = sigma <= SHARP
        view = resized(_cut(images[row], *place), size, interpolation, out=views[row] if sharp else None)
        means[row] = _mean(view)
        if not sharp:
            blurred(view, sigma, reach, out=views[row])
    return views, means


def _cut(image: np.ndarray, top: int, left: int, height: int, width: int, mirrored: int) -> np.ndarray:
    box = image[top : top + height, left : left + width].astype(np.float32)
    return module().flip(box, 1).reshape(box.shape) if mirrored else box


def resized(image: np.ndarray, size: int, interpolation: str = "bilinear", out: np.ndarray | None = None) -> np.ndarray:
    """Resizes a float32 image (height, width, channels) to (size, size, channels), as `resample` does; into `out`.

    OpenCV interpolates bilinearly where an axis grows. An axis that shrinks is antialiased by a product with a sparse
    matrix. Bicubic interpolation is two such products, since the cubic of OpenCV is another one, a = -3/4.
    """
    bicubic = interpolation == "bicubic"
    if bicubic or image.shape[0] > size:
        image = _product(image, size, interpolation)
    if bicubic or image.shape[1] > size:
        image = _transposed(_product(_transposed(image), size, interpolation))
    linear = module().INTER_LINEAR
    return module().resize(image, (size, size), dst=out, interpolation=linear).reshape(size, size, -1)


def blurred(image: np.ndarray, sigma: float, most: int, out: np.ndarray) -> None:
    """Blurs a view (size, size, channels), float32, into `out`, reading at most `most` pixels to each side.

    The kernel is renormalized at the borders.
    """
    reach = min(most, math.ceil(TAPS * sigma))
    if not reach:
        out[:] = image
        return
    kernel = module().getGaussianKernel(2 * reach + 1, sigma, module().CV_32F)
    module().sepFilter2D(image, -1, kernel, kernel, dst=out, borderType=module().BORDER_CONSTANT)
    # At pixel i < reach the kernel's first reach - i taps are outside of the view.
    inside = 1 / np.cumsum(kernel)[reach:-1]
    lines, across = out.reshape(len(out), -1), np.repeat(inside, out.shape[-1])
    lines[:reach] *= inside[:, None]
    lines[-reach:] *= inside[::-1, None]
    lines[:, : len(across)] *= across
    lines[:, -len(across) :] *= across[::-1]


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
