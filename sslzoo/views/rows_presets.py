"""Presets of views of rows of tables. Each preset returns a list of `RowView`, one for each view, for `Views`.

Every preset takes `columns`, the number of columns, and `bank`, the training rows that views take values from. Other
knobs are keyword arguments and are checked for their range.
"""

from sslzoo.catalog.checked import checked
from sslzoo.views.rows import Bank, Corrupt, CutMix, Missing, Mixup, RowView


@checked()
def scarf(
    columns: int, bank: Bank | None = None, corrupted_share: float = 0.6, missing_share: float = 0.0
) -> list[RowView]:
    """SCARF (arXiv:2106.15147, algorithm 1): the row, and the row with columns drawn from their marginals.

    Args:
        columns: int, number of columns.
        bank: training rows.
        corrupted_share: float in [0, 1], share of the columns that are replaced, rounded down.
        missing_share: float in [0, 1], probability that a value of the second view becomes missing; not in the paper.
    """
    chain = [Corrupt(corrupted_share)] + [Missing(missing_share)] * (missing_share > 0)
    return [RowView([], _checked(bank, columns)), RowView(chain, bank)]


@checked()
def simclr(columns: int, bank: Bank | None = None, **knobs) -> list[RowView]:
    """The views of SCARF, for methods whose own views are of images.

    Args:
        columns: int, number of columns.
        bank: training rows.
        **knobs: corrupted_share and missing_share.
    """
    return scarf(columns, bank, **knobs)


@checked()
def saint(columns: int, bank: Bank | None = None, cutmix_share: float = 0.1, own_share: float = 0.3) -> list[RowView]:
    """SAINT (arXiv:2106.01342, section 3.2): the row, and the row after CutMix and mixup with other rows.

    The authors mix embeddings of the columns; here the raw columns are mixed, and of categories one of both is taken.

    Args:
        columns: int, number of columns.
        bank: training rows.
        cutmix_share: float in [0, 1], probability that a column is replaced by that of another row.
        own_share: float in [0, 1], share of the row in the mixture: 0.3 in the authors' code.
    """
    return [RowView([], _checked(bank, columns)), RowView([CutMix(cutmix_share), Mixup((own_share, own_share))], bank)]


@checked()
def vime(columns: int, bank: Bank | None = None, swapped_share: float = 0.3) -> list[RowView]:
    """VIME (NeurIPS 2020, section 4.1): the row, and the row with values swapped for those of other rows.

    The authors corrupt all rows once before the training; these views are drawn in each step.

    Args:
        columns: int, number of columns.
        bank: training rows.
        swapped_share: float in [0, 1], probability that a value is swapped.
    """
    return [RowView([], _checked(bank, columns)), RowView([Corrupt(swapped_share, exact=False)], bank)]


@checked()
def subtab(columns: int, bank: Bank | None = None, subsets: int = 4, swapped_share: float = 0.3) -> list[RowView]:
    """SubTab (arXiv:2110.04361, section 3.1): the row, and for each subset a row with swapped values.

    Args:
        columns: int, number of columns.
        bank: training rows.
        subsets: int, number of subsets.
        swapped_share: float in [0, 1], probability that a value is swapped for that of another row.
    """
    noisy = RowView([Corrupt(swapped_share, exact=False)], _checked(bank, columns))
    return [RowView([], bank), *[noisy] * subsets]


def _checked(bank: Bank | None, columns: int) -> Bank:
    if bank is None or bank.rows.shape[1] != columns:
        raise ValueError(f"bank must be a Bank of rows of {columns} columns, got {bank and bank.rows.shape}")
    return bank
