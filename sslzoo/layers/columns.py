"""The first layers of encoders of rows: raw columns to numbers, and these to subsets or tokens."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

Schema = dict[str, list[dict]]


@keras.saving.register_keras_serializable("sslzoo")
class Columns(layers.Layer):
    """Raw columns (batch, columns) -> slots (batch, slots): standardized numbers, one-hot categories, missing values.

    Each column has a first slot that is 1 where its value is missing, and 0 elsewhere. A column of numbers has one more
    slot, the value minus the mean, divided by the deviation, and 0 where it is missing. A category has one more slot
    for each of its categories. NaN, and a code that no category has, are missing values.

    Args:
        columns: dict for each column: "name", "kind"; of numbers "mean" and "deviation"; of categories "categories".
    """

    def __init__(self, columns: Sequence[dict], **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.columns = [dict(column) for column in columns]
        self.widths = [2 if column["kind"] == "number" else 1 + len(column["categories"]) for column in self.columns]
        self.built = True

    @property
    def spans(self) -> list[tuple[int, int]]:
        """First slot of each column, and the slot after its last."""
        ends = np.cumsum(self.widths).tolist()
        return list(zip([0, *ends[:-1]], ends, strict=True))

    def call(self, rows):
        rows = ops.cast(rows, "float32")
        count = np.array([len(column.get("categories", ())) for column in self.columns], "float32")
        number = np.array([column["kind"] == "number" for column in self.columns])
        known = ops.isfinite(rows)
        filled = ops.where(known, rows, 0.0)
        known = ops.logical_and(known, ops.logical_or(number, ops.logical_and(filled >= 0, ops.less(filled, count))))
        place = np.repeat(np.arange(len(self.columns)), self.widths)
        slot = np.arange(len(place)) - np.array([first for first, _ in self.spans])[place]
        # A take of all slots, then one formula for each kind of slot.
        value, known = ops.take(filled, place, axis=1), ops.take(known, place, axis=1)
        mean, deviation = (np.array([c.get(name, n) for c in self.columns], "float32")[place] for name, n in _PLAIN)
        wanted = np.where(number[place], 0, slot - 1).astype("float32")
        standardized = ops.divide(ops.subtract(value, mean), deviation)
        held = ops.where(number[place], standardized, ops.cast(ops.equal(value, wanted), "float32"))
        known = ops.cast(known, "float32")
        return ops.cast(ops.where(slot == 0, 1.0 - known, held * known), self.compute_dtype)

    def compute_output_spec(self, rows):
        return keras.KerasTensor((rows.shape[0], sum(self.widths)), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], sum(self.widths))

    def get_config(self):
        own = {"columns": self.columns}
        return {key: value for key, value in super().get_config().items() if key != "autocast"} | own


_PLAIN = (("mean", 0.0), ("deviation", 1.0))


@keras.saving.register_keras_serializable("sslzoo")
class Subsets(layers.Layer):
    """Overlapping subsets of slots (SubTab, arXiv 2110.04361, section 3.1): (batch, slots) -> (batch, subsets, width).

    The slots are divided into parts of equal width, each of which is extended by a share of it: the first to the right,
    the others to the left. Unlike in the authors' code no slot is dropped, and the slots are shuffled once, since
    neighbours in a table are not related as pixels are.

    Args:
        subsets: int, number of subsets.
        overlap: float, 0 or more, share of the width of a part by which it is extended.
    """

    def __init__(self, subsets: int = 4, overlap: float = 0.75, **kwargs):
        super().__init__(**kwargs)
        self.subsets, self.overlap = subsets, overlap
        self.built = True

    def places(self, slots: int) -> np.ndarray:
        """The slots of each subset, (subsets, width)."""
        part = -(-slots // self.subsets)
        width = min(slots, part + round(self.overlap * part))
        ends = [width, *(min((number + 1) * part, slots) for number in range(1, self.subsets))]
        ends = [max(end, width) for end in ends]
        order = np.random.default_rng(0).permutation(slots)
        return np.stack([order[end - width : end] for end in ends])

    def call(self, slots):
        return ops.take(slots, self.places(slots.shape[-1]), axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.places(input_shape[-1]).shape)

    def get_config(self):
        return super().get_config() | {"subsets": self.subsets, "overlap": self.overlap}


@keras.saving.register_keras_serializable("sslzoo")
class ColumnTokens(layers.Layer):
    """A class token and a token for each column (FT-Transformer, arXiv 2106.11959): (batch, slots) -> (batch, n, dim).

    The token of a number x is x times a vector plus a bias, that of a category is an embedding plus a bias; a missing
    value has an embedding of its own.

    Args:
        spans: pairs, of each column its first slot and the slot after its last, as of `Columns`.
        dim: int, width of a token.
    """

    def __init__(self, spans: Sequence[Sequence[int]], dim: int, **kwargs):
        super().__init__(**kwargs)
        self.spans, self.dim = [tuple(span) for span in spans], dim
        start = keras.initializers.RandomUniform(-(dim**-0.5), dim**-0.5)
        # Vectors: weight decay does not apply to them.
        self.kernel = self.add_weight((self.spans[-1][1] * dim,), initializer=start, name="kernel")
        start = keras.initializers.RandomUniform(-(dim**-0.5), dim**-0.5)
        self.bias = self.add_weight(((1 + len(self.spans)) * dim,), initializer=start, name="bias")
        self.built = True

    def call(self, slots):
        kernel = ops.cast(ops.reshape(self.kernel, (-1, self.dim)), slots.dtype)
        bias = ops.cast(ops.reshape(self.bias, (-1, self.dim)), slots.dtype)
        tokens = [ops.matmul(slots[:, first:last], kernel[first:last]) for first, last in self.spans]
        return ops.stack([ops.zeros_like(tokens[0]), *tokens], axis=1) + bias

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 1 + len(self.spans), self.dim)

    def get_config(self):
        return super().get_config() | {"spans": self.spans, "dim": self.dim}


def entrance(input_shape: tuple[int], schema: Schema | None = None):
    """The input of an encoder of rows, and its first layer, called "columns", with its output.

    Args:
        input_shape: (columns,).
        schema: "columns", as of `Columns`; all are numbers of mean 0 and deviation 1 if None.

    Raises:
        ValueError: the shape is not that of a row, or the schema has another number of columns.
    """
    shape = tuple(input_shape) if isinstance(input_shape, tuple | list) else ()
    if len(shape) != 1 or not isinstance(shape[0], int) or shape[0] < 1:
        raise ValueError(f"input_shape must be (columns,), 1 or more, got {input_shape!r}")
    plain = [{"name": f"x{number}", "kind": "number", "mean": 0.0, "deviation": 1.0} for number in range(shape[0])]
    columns = schema["columns"] if schema else plain
    if len(columns) != shape[0]:
        raise ValueError(f"the schema has {len(columns)} columns, input_shape={shape}")
    rows = keras.Input(shape, name="rows")
    layer = Columns(columns, name="columns")
    return rows, layer, layer(rows)


def columns_in(encoder: keras.Model) -> Columns | None:
    """The first layer of an encoder of rows, or None if it has none of this package."""
    return next((layer for layer in encoder.layers if isinstance(layer, Columns)), None)


def columns_of(encoder: keras.Model, method: str) -> Columns:
    """The first layer of an encoder of rows, for a method that needs it.

    Raises:
        ValueError: there is none.
    """
    if (found := columns_in(encoder)) is None:
        raise ValueError(f"{method} needs an encoder of rows such as mlp_rows, {encoder.name} has no layer Columns")
    return found
