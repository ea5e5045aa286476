"""A view of rows of tables: parameters are drawn first, then the operations change columns one after the other.

Operations take raw columns, numbers and codes of categories, so that a category changes as a whole. The values of other
rows come from a bank of training rows, not from the batch: views do not depend on which rows share a device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from sslzoo.views.drawn import Drawn
from sslzoo.views.operation import Draws, between, check_number, check_range, fold, numbers


class Bank:
    """Training rows that views take values from.

    Args:
        rows: float32 (m, columns), NaN for missing values.
        columns: dict for each column, as of `Dataset.columns`; all are numbers if None.
    """

    def __init__(self, rows: np.ndarray, columns: Sequence[dict] | None = None):
        self.rows = np.asarray(rows, "float32")
        if self.rows.ndim != 2 or not self.rows.size:
            raise ValueError(f"Bank: rows must be (n, columns), each 1 or more, got shape {self.rows.shape}")
        plain = [{"name": f"x{number}", "kind": "number"} for number in range(self.rows.shape[1])]
        self.columns = [*columns] if columns else plain

    @property
    def numeric(self) -> np.ndarray:
        """Which columns are numbers, bool (columns,)."""
        return np.array([column["kind"] == "number" for column in self.columns])

    def marginals(self, places: tf.Tensor) -> tf.Tensor:
        """Of each column the values of the rows at `places` (n, columns)."""
        return tf.transpose(tf.gather(tf.constant(self.rows.T), tf.transpose(places), batch_dims=1))

    def draw(self, seed: tf.Tensor, count: int | tf.Tensor, columns: int) -> tf.Tensor:
        """Uniform places of rows, int32 (count, columns)."""
        places = tf.cast(numbers(seed, count, columns) * float(len(self.rows)), tf.int32)
        return tf.minimum(places, len(self.rows) - 1)


class RowOperation:
    """One step of a view of rows. An operation draws its parameters and overrides `change`."""

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def draw(self, seed: tf.Tensor, count: int | tf.Tensor, bank: Bank) -> Draws:
        """Draws named tensors with one row per row of the table from `seed`; `changed` (count, columns) marks cells."""
        return {}

    def change(self, rows: tf.Tensor, draws: Draws, bank: Bank) -> tf.Tensor:
        """Maps raw rows (n, columns)."""
        return rows

    def strengths(self, draws: Draws) -> dict[str, tf.Tensor]:
        """Returns the quantities of the statistics table: name with unit -> (n,) tensor."""
        if "changed" not in draws:
            return {}
        return {"columns, %": 100 * tf.reduce_mean(tf.cast(draws["changed"], tf.float32), axis=1)}


@dataclass(frozen=True)
class Corrupt(RowOperation):
    """Columns replaced by draws from their marginals: for each the value of a random training row.

    Args:
        share: share of the columns.
        exact: floor(share * columns) of each row, as in SCARF; otherwise each with this probability, as in VIME.
    """

    share: float = 0.6
    exact: bool = True

    def __post_init__(self) -> None:
        check_number("Corrupt", "share", self.share, 0, 1)

    def draw(self, seed, count, bank):
        columns = bank.rows.shape[1]
        noise = numbers(fold(seed, 0), count, columns)
        if self.exact:
            rank = tf.argsort(tf.argsort(noise, axis=1), axis=1)
            changed = rank < int(self.share * columns + 1e-9)
        else:
            changed = noise < self.share
        return dict(changed=changed, places=bank.draw(fold(seed, 1), count, columns))

    def change(self, rows, draws, bank):
        return tf.where(draws["changed"], bank.marginals(draws["places"]), rows)


@dataclass(frozen=True)
class CutMix(RowOperation):
    """Columns replaced by those of one other row, each with a probability (SAINT, arXiv:2106.01342).

    Args:
        share: the probability.
    """

    share: float = 0.1

    def __post_init__(self) -> None:
        check_number("CutMix", "share", self.share, 0, 1)

    def draw(self, seed, count, bank):
        changed = numbers(fold(seed, 0), count, bank.rows.shape[1]) < self.share
        return dict(changed=changed, partner=bank.draw(fold(seed, 1), count, 1)[:, 0])

    def change(self, rows, draws, bank):
        return tf.where(draws["changed"], tf.gather(tf.constant(bank.rows), draws["partner"]), rows)


@dataclass(frozen=True)
class Mixup(RowOperation):
    """A mixture with one other row: of numbers the weighted mean, of categories one of both.

    A category is that of the row with the probability of its share. A value that is missing in either row is that of
    the row.

    Args:
        share: range of the share of the row itself, drawn uniformly; a constant 0.3 in the code of SAINT.
    """

    share: tuple[float, float] = (0.3, 0.3)

    def __post_init__(self) -> None:
        check_range("Mixup", "share", self.share, 0, 1)

    def draw(self, seed, count, bank):
        share = between(numbers(fold(seed, 0), count, 1), *self.share)
        partner = bank.draw(fold(seed, 1), count, 1)[:, 0]
        return dict(share=share, partner=partner, own=numbers(fold(seed, 2), count, bank.rows.shape[1]) < share)

    def change(self, rows, draws, bank):
        other = tf.gather(tf.constant(bank.rows), draws["partner"])
        mean = draws["share"] * rows + (1.0 - draws["share"]) * other
        mixed = tf.where(bank.numeric, mean, tf.where(draws["own"], rows, other))
        both = tf.math.is_finite(rows) & tf.math.is_finite(other)
        return tf.where(both, mixed, rows)

    def strengths(self, draws):
        return {"own share": draws["share"][:, 0]}


@dataclass(frozen=True)
class Missing(RowOperation):
    """Cells that become missing values, each with a probability.

    Args:
        share: the probability.
    """

    share: float = 0.1

    def __post_init__(self) -> None:
        check_number("Missing", "share", self.share, 0, 1)

    def draw(self, seed, count, bank):
        return dict(changed=numbers(seed, count, bank.rows.shape[1]) < self.share)

    def change(self, rows, draws, bank):
        return tf.where(draws["changed"], float("nan"), rows)


@dataclass(frozen=True)
class RowView(Drawn):
    """A chain of operations on rows.

    Args:
        operations: the operations, in any order; without any the view is the row.
        bank: training rows, of the columns of the rows to view.

    Raises:
        ValueError: if the operations are none, or there is no bank.
    """

    kind: ClassVar[str] = "rows"
    operations: Sequence[RowOperation]
    bank: Bank

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        for operation in self.operations:
            if not isinstance(operation, RowOperation):
                raise ValueError(f"RowView: operations must be instances such as Missing(), got {operation!r}")
        if not isinstance(self.bank, Bank):
            raise ValueError(f"RowView: bank must be a Bank of training rows, got {self.bank!r}")

    def __call__(self, rows: tf.Tensor, sizes: tf.Tensor, seed: Sequence[int] = (0, 0)) -> tf.Tensor:
        """Draws parameters from `seed` and applies the view."""
        rows = tf.convert_to_tensor(rows)
        return self.apply(rows, sizes, self.sample(tf.constant(seed, tf.int32), tf.shape(rows)[0]))

    def sample(self, seed: tf.Tensor, count: int | tf.Tensor) -> list[Draws]:
        """Draws the parameters of each operation from `seed` (2,) int32: name -> tensor of `count` rows."""
        return [operation.draw(fold(seed, k), count, self.bank) for k, operation in enumerate(self.operations)]

    def where(self, sizes: tf.Tensor, draws: Sequence[Draws]) -> tf.Tensor:
        """A row is always seen as a whole: float32 (n, 0)."""
        return tf.zeros((tf.shape(sizes)[0], 0))

    def apply(self, rows: tf.Tensor, sizes: tf.Tensor, draws: Sequence[Draws]) -> tf.Tensor:
        """Makes the views.

        Args:
            rows: (n, columns) float, raw columns; NaN is a missing value.
            sizes: (n, 0), not read.
            draws: parameters returned by `sample`, n rows.

        Returns:
            float32 (n, columns), raw columns.

        Raises:
            ValueError: if the rows have another number of columns than the bank.
        """
        rows = tf.cast(rows, tf.float32)
        if rows.shape[-1] != self.bank.rows.shape[1]:
            raise ValueError(f"RowView: the bank has {self.bank.rows.shape[1]} columns, the rows {rows.shape[-1]}")
        for operation, drawn in zip(self.operations, draws, strict=True):
            rows = operation.change(rows, drawn, self.bank)
        return rows
