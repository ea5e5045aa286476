"""Views of rows: each operation against its definition, and contact sheets."""

import numpy as np
import pytest
import tensorflow as tf

from sslzoo.testing.require import difference
from sslzoo.views import RowView, Views, of_rows, rows_presets
from sslzoo.views.rows import Bank, Corrupt, CutMix, Missing, Mixup

RNG = np.random.default_rng(0)
N, M = 400, 7
COLUMNS = [{"name": f"x{n}", "kind": "number"} for n in range(5)]
COLUMNS += [{"name": name, "kind": "category", "categories": ["a", "b", "c"]} for name in "yz"]


def table(rows):
    values = RNG.normal(size=(rows, M)) * 10.0 ** np.arange(M)
    values[:, 5:] = RNG.integers(0, 3, (rows, 2))
    return values.astype("float32")


X, BANK = table(N), Bank(table(50), COLUMNS)
SIZES = np.zeros((N, 0), "int32")
EVERY = [Corrupt(), Corrupt(0.3, exact=False), CutMix(0.3), Mixup(), Missing(0.3)]


def seen(operation, x=X, seed=(0, 1)):
    return RowView([operation], BANK)(x, SIZES[: len(x)], seed).numpy()


@pytest.mark.parametrize("share, columns", [(0.0, 0), (0.6, 4), (0.5, 3), (1.0, 7)])
def test_scarf_replaces_the_same_number_of_columns_in_each_row(share, columns):
    draws = RowView([Corrupt(share)], BANK).sample([0, 1], N)[0]
    assert set(tf.reduce_sum(tf.cast(draws["changed"], tf.int32), axis=1).numpy()) == {columns}
    made = seen(Corrupt(share))
    changed = draws["changed"].numpy() if share == 0 else made != X
    assert changed.sum(1).max() <= columns
    for column in range(M):  # the values are those of the column in the bank
        assert set(made[changed[:, column], column]) <= set(BANK.rows[:, column])


def test_replacements_of_a_row_come_from_different_rows_and_all_rows_of_the_bank():
    made = seen(Corrupt(1.0))
    places = np.array([[np.flatnonzero(BANK.rows[:, c] == made[r, c])[0] for c in range(5)] for r in range(N)])
    assert len(set(places.ravel())) == 50 and np.mean(places[:, 0] == places[:, 1]) < 0.1


def test_cutmix_takes_all_values_from_one_row():
    made = seen(CutMix(0.5))
    for row, before in zip(made, X, strict=True):
        changed = row[:5] != before[:5]
        partners = [set(np.flatnonzero(BANK.rows[:, c] == row[c])) for c in np.flatnonzero(changed)]
        assert not partners or set.intersection(*partners)


def test_mixup_is_the_weighted_mean_of_numbers_and_one_of_both_categories():
    operation = Mixup((0.3, 0.3))
    (draws,) = RowView([operation], BANK).sample([0, 1], N)
    other = BANK.rows[draws["partner"].numpy()]
    made = operation.change(tf.constant(X), draws, BANK).numpy()
    np.testing.assert_allclose(made[:, :5], 0.3 * X[:, :5] + 0.7 * other[:, :5], rtol=1e-4, atol=1e-3)
    assert ((made[:, 5:] == X[:, 5:]) | (made[:, 5:] == other[:, 5:])).all()
    own = draws["own"].numpy()[:, 5:]
    assert abs(own.mean() - 0.3) < 0.06
    np.testing.assert_array_equal(made[:, 5:], np.where(own, X[:, 5:], other[:, 5:]))


def test_mixup_keeps_a_value_whose_partner_is_missing():
    bank = Bank(np.full((3, M), np.nan), COLUMNS)
    np.testing.assert_array_equal(RowView([Mixup()], bank)(X, SIZES, (0, 1)), X)


def test_missing_removes_a_share_of_the_values():
    made = seen(Missing(0.3))
    assert abs(np.isnan(made).mean() - 0.3) < 0.03
    np.testing.assert_array_equal(made[~np.isnan(made)], X[~np.isnan(made)])


@pytest.mark.parametrize("operation", EVERY, ids=lambda one: one.name)
def test_views_depend_on_the_row_and_the_step_alone_with_and_without_xla(operation):
    def batch(rows, step=7):
        columns = dict(rows=X, size=SIZES, row=np.arange(N, dtype="int32"), step=np.full(N, step, "int64"))
        return {name: tf.constant(column[rows]) for name, column in columns.items()}

    views = Views([RowView([operation], BANK)], N, xla=False)
    whole, half = (views(batch(rows))["views"][0].numpy() for rows in (slice(None), slice(N // 2, N)))
    np.testing.assert_array_equal(whole[N // 2 :], half)
    assert not np.array_equal(whole, views(batch(slice(None), 8))["views"][0], equal_nan=True)
    compiled = Views([RowView([operation], BANK)], N)(batch(slice(None)))
    np.testing.assert_allclose(compiled["views"][0], whole, rtol=1e-5, atol=1e-4)
    assert compiled["boxes"][0].shape == (N, 0)


def test_the_same_row_gets_different_views_in_different_places():
    made = seen(Corrupt(0.6), np.repeat(X[:1], 50, axis=0))
    assert len(np.unique(made, axis=0)) == 50


def test_scarf_has_a_clean_and_a_corrupted_view_and_subtab_one_for_each_subset():
    clean, corrupted = rows_presets.scarf(M, BANK)
    assert difference(clean(X, SIZES), X) == 0 and difference(corrupted(X, SIZES, (0, 1)), X) > 0
    first, *noisy = rows_presets.subtab(M, BANK, subsets=3)
    assert not first.operations and len(noisy) == 3


@pytest.mark.parametrize("preset", ["scarf", "simclr", "saint", "vime", "subtab"])
def test_a_preset_refuses_a_bank_of_other_columns(preset):
    for bank in (None, Bank(np.zeros((3, 2)))):
        with pytest.raises(ValueError, match=f"bank must be a Bank of rows of {M} columns"):
            getattr(rows_presets, preset)(M, bank)


def test_a_contact_sheet_is_a_table_of_values(tmp_path):
    batch = dict(rows=tf.constant(X[:8]), size=tf.zeros((8, 0)), row=tf.range(8), step=tf.zeros(8, tf.int64))
    text = of_rows.draw(rows_presets.scarf(M, BANK, missing_share=0.2), batch, tmp_path / "views.png", None)
    assert (tmp_path / "views.png").stat().st_size > 10_000
    assert "corrupt" in text and "missing" in text and "57.14" in text  # 4 of 7 columns
    assert of_rows.draw(lambda batch: {"views": (batch["rows"],)}, batch, tmp_path / "views.png", None) == ""
