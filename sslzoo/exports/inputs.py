"""The input that an encoder accepts: one decision for training, evaluation, embedding, export and scikit-learn."""

import math
from collections.abc import Sequence

import keras
import numpy as np

from sslzoo.catalog.kinds import DEFAULT, KINDS, is_table
from sslzoo.data import Dataset, Splits, from_array
from sslzoo.data.row_sources import table_of
from sslzoo.data.row_types import coded, recoded, some
from sslzoo.data.text_sources import checked
from sslzoo.data.texts import tokenized, with_tokenizer
from sslzoo.layers.columns import Columns, columns_in
from sslzoo.layers.tokenized import Words, words_in
from sslzoo.utils.log import log


def input_shape(encoder: keras.Model, kind: str = DEFAULT) -> tuple[int | None, ...]:
    """Shape of an input of an encoder, of images (height, width, channels); None where any extent will do.

    Raises:
        ValueError: the input of the model is not known or is of another kind.
    """
    shape, axes = getattr(encoder, "input_shape", None), KINDS[kind].axes
    if shape is None:
        raise ValueError(
            f"encoder={encoder.name!r} is a subclassed model, whose input is not known: pass "
            f"keras.Model(inputs, encoder(inputs)) with inputs = keras.Input({KINDS[kind].shape})"
        )
    if not isinstance(shape, tuple) or len(shape) != len(axes) + 1:
        raise ValueError(
            f"encoder={encoder.name!r} takes {shape}: {KINDS[kind].noun} (batch, {', '.join(axes)}) are required"
        )
    return (*shape[1:-1], shape[-1] or 1)  # encoders of audio take log-mels of views, too


def input_extent(
    encoder: keras.Model, image_size: int | None = None, exported: int | None = None, kind: str = DEFAULT
) -> int:
    """The extent at which an encoder sees its inputs: the side of images in pixels, the steps of series.

    Args:
        encoder: a model.
        image_size: the wish of the user.
        exported: extent of the export's inputs, used without a wish.
        kind: of the data.

    Raises:
        ValueError: the encoder takes another size, or any size and none is given.
    """
    fixed, noun, unit = input_shape(encoder, kind)[0], KINDS[kind].noun, KINDS[kind].unit
    side = image_size or exported or fixed
    if not side:
        raise ValueError(f"this encoder takes {noun} of any size: give image_size=...")
    if fixed not in (None, side):
        raise ValueError(f"image_size={side}: this encoder takes {noun} of {fixed} {unit} alone; leave out image_size")
    return side


def exported_extent(facts: dict) -> int | None:
    """The extent of the inputs of an export, from its facts; None for the facts of no export."""
    return facts["encoder"]["input"]["shape"][1] if facts else None


def exported_kind(facts: dict) -> str:
    """The kind of the inputs of an export, from its facts."""
    return facts.get("encoder", {}).get("kind", DEFAULT)


def accepted(data: Dataset, channels: int) -> Dataset:
    """The dataset as an encoder takes it: gray images for an encoder of colour images are repeated to its channels.

    Args:
        data: of any kind.
        channels: those of the encoder.

    Raises:
        ValueError: other channels; the line says what to do.
    """
    found = data.shape[-1]
    if found == channels:
        return data
    if not KINDS[data.kind].repeats:
        axis = KINDS[data.kind].axes[-1]
        raise ValueError(f"the encoder takes {data.noun} of {channels} {axis}, {data.name} has {found}")
    if (found, channels) != (1, 3):
        way = "data=images.mean(-1, keepdims=True) makes gray images" if channels == 1 else "convert the images"
        raise ValueError(f"the encoder takes images of {channels} channels, {data.name} has {found}: {way}")
    note = f"{data.name}: gray images are repeated to the 3 channels of the encoder"
    log.info(note)

    def repeated(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images, sizes = data.examples(index)
        return np.repeat(images, 3, axis=-1), sizes

    return data.with_images(repeated, (*data.shape[:2], 3), notes=(*data.notes, note))


def accepted_by(data: Dataset, encoder: keras.Model) -> Dataset:
    """`accepted` for an encoder; rows get the columns, and texts the tokens, of an encoder that knows its own.

    Raises:
        ValueError: the encoder takes other channels or columns, or another kind of data.
    """
    channels = input_shape(encoder, data.kind)[-1]
    if data.columns and (words := words_in(encoder)):
        return with_tokenizer(data, words.arguments)
    columns = columns_in(encoder) if data.columns else None
    return accepted(data, channels) if columns is None else with_columns(data, columns.columns)


def accepted_splits(splits: Splits, encoder: keras.Model) -> Splits:
    """`accepted_by` of both parts."""
    return Splits(*(part and accepted_by(part, encoder) for part in splits))


def with_columns(data: Dataset, columns: Sequence[dict]) -> Dataset:
    """The rows with the columns and the codes of an encoder, matched by name.

    Raises:
        ValueError: the data has not all of the columns.
    """
    own = tuple({key: column[key] for key in ("name", "kind", "categories") if key in column} for column in columns)
    if own == data.columns:
        return data

    def read(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, sizes = data.examples(index)
        return recoded(rows, data.columns, own), sizes

    read(np.arange(1))  # raises for a missing column
    return data.with_images(read, (len(own),), columns=own, digests=None)


def raw_rows(table, layer: Columns | None) -> np.ndarray:
    """A table as an encoder takes it: float32 (n, columns), numbers and the encoder's codes of categories.

    Args:
        table: DataFrame, dict of columns or structured array, whose columns are matched by name; an array (n, columns)
            in the order of the encoder's columns, of numbers and codes, or of values with texts.
        layer: the encoder's first layer, which knows its columns; None takes any array of numbers.

    Raises:
        ValueError: a column is missing.
    """
    if layer is None:
        return np.asarray(table, "float32")
    columns = layer.columns
    if is_table(table):
        return coded(table_of(table), columns)
    array, names = np.asarray(table), [column["name"] for column in columns]
    numbered = table_of(array)
    if array.shape[1] != len(names):
        if all(name in numbered for name in names):  # of an array in training, columns were left out
            return coded(numbered, columns)
        raise ValueError(f"X has {array.shape[1]} columns, the encoder takes {len(names)}: {some(names)}")
    if array.dtype.kind in "biuf":
        return array.astype("float32")
    return coded(dict(zip(names, numbered.values(), strict=True)), columns)


def raw_texts(texts, layer: Words | None) -> np.ndarray:
    """Texts as an encoder takes them: int32 (n, tokens), from strings by the encoder's tokenizer, or from tokens."""
    array = np.asarray(texts)
    if array.dtype.kind not in "iu":
        if layer is None:
            raise ValueError("this encoder has no tokenizer: give tokens, integers (n, tokens)")
        return tokenized(checked(list(array.ravel())), layer.tokenizer)
    return array.astype("int32")


def values(array, shape: Sequence[int], kind: str) -> np.ndarray:
    """An array as an encoder of another kind than images takes it, float32.

    Args:
        array: (n, *shape), of any extent; without the last axis where it is 1; or one row for each example.
        shape: of an input, such as (steps, channels).
        kind: of the data.

    Raises:
        ValueError: another shape, other channels, or infinite values.
    """
    array, shape = np.asarray(array, np.float32), tuple(shape)
    if array.shape[1:] == (math.prod(shape),):
        array = array.reshape(-1, *shape)
    array = array[..., None] if array.ndim == len(shape) and shape[-1] == 1 else array
    if array.ndim != len(shape) + 1 or array.shape[-1] != shape[-1]:
        noun = KINDS[kind].noun
        raise ValueError(f"X has shape {array.shape}: the encoder takes {noun} {shape}, or rows of {math.prod(shape)}")
    if np.isinf(array).any():
        raise ValueError("X holds infinity: give NaN for a missing value")
    return array


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
