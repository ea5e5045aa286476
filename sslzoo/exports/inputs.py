"""The input that an encoder accepts: one decision for training, evaluation, embedding, export and scikit-learn."""

import math
from collections.abc import Sequence

import keras
import numpy as np

from sslzoo.data import Dataset, Splits, from_array
from sslzoo.utils.log import log


def image_shape(encoder: keras.Model) -> tuple[int | None, int | None, int]:
    """(height, width, channels) of the images of an encoder; None where any height or width will do.

    Raises:
        ValueError: the input of the model is not known or is no image.
    """
    shape = getattr(encoder, "input_shape", None)
    if shape is None:
        raise ValueError(
            f"encoder={encoder.name!r} is a subclassed model, whose input is not known: pass "
            "keras.Model(inputs, encoder(inputs)) with inputs = keras.Input((height, width, channels))"
        )
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise ValueError(
            f"encoder={encoder.name!r} takes {shape}: images (batch, height, width, channels) are required"
        )
    return shape[1:]


def image_side(encoder: keras.Model, image_size: int | None = None, exported: int | None = None) -> int:
    """The side in pixels at which an encoder sees images.

    Args:
        encoder: a model of images.
        image_size: the wish of the user.
        exported: side of the export's images, used without a wish.

    Raises:
        ValueError: the encoder takes another size, or any size and none is given.
    """
    fixed = image_shape(encoder)[0]
    side = image_size or exported or fixed
    if not side:
        raise ValueError("this encoder takes images of any size: give image_size=...")
    if fixed not in (None, side):
        raise ValueError(f"image_size={side}: this encoder takes images of {fixed} px alone; leave out image_size")
    return side


def accepted(data: Dataset, channels: int) -> Dataset:
    """The dataset as an encoder takes it: gray images for an encoder of colour images are repeated to its channels.

    Args:
        data: images.
        channels: those of the encoder.

    Raises:
        ValueError: other channels; the line says what to do.
    """
    found = data.shape[-1]
    if found == channels:
        return data
    if (found, channels) != (1, 3):
        way = "data=images.mean(-1, keepdims=True) makes gray images" if channels == 1 else "convert the images"
        raise ValueError(f"the encoder takes images of {channels} channels, {data.name} has {found}: {way}")
    note = f"{data.name}: gray images are repeated to the 3 channels of the encoder"
    log.info(note)

    def repeated(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images, sizes = data.images(index)
        return np.repeat(images, 3, axis=-1), sizes

    return data.with_images(repeated, (*data.shape[:2], 3), notes=(*data.notes, note))


def accepted_splits(splits: Splits, encoder: keras.Model) -> Splits:
    """`accepted` of both parts, for an encoder."""
    channels = image_shape(encoder)[-1]
    return Splits(*(part and accepted(part, channels) for part in splits))


def pixels(array, shape: Sequence[int], value_range: tuple[float, float] | None = None) -> np.ndarray:
    """An array as an encoder takes it: float32 images (n, height, width, channels) in [0, 1].

    Args:
        array: images (n, height, width, channels), gray images (n, height, width), or one row for each image; uint8,
            uint16, or float in [0, 1].
        shape: (height, width, channels) of the encoder's images.
        value_range: values of black and white of an array of any numbers; by default those of its type.

    Raises:
        ValueError: another size, other channels, NaN, or floats outside [0, 1] without `value_range`.
    """
    array, (height, width, channels) = np.asarray(array), shape
    for depth in {channels, 1}:
        if array.shape[1:] == (height * width * depth,):
            array = array.reshape(-1, height, width, depth)
    if array.shape[1:3] != (height, width):
        wanted = f"images {tuple(shape)}, or rows of {math.prod(shape)}"
        raise ValueError(f"X has shape {array.shape}: the encoder takes {wanted}; resize the images before")
    if not np.isfinite(array).all():
        raise ValueError("X holds NaN or infinity: replace these pixels or leave out their images")
    data = accepted(from_array(array, name="X", value_range=value_range), channels)
    scale = 1 if data.dtype.kind == "f" else np.iinfo(data.dtype).max
    return data.arrays()[0].astype("float32") / np.float32(scale)
