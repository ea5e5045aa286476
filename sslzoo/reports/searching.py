"""Pages of an index: the nearest examples of a query, and exact and near-duplicates."""

from pathlib import Path
from typing import Any

import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.evaluation.indexing import open_index
from sslzoo.evaluation.neighbours import Index
from sslzoo.evaluation.queries import features_of
from sslzoo.evaluators import duplicates as pairs_above
from sslzoo.reports import examples, pages
from sslzoo.reports.pages import Page
from sslzoo.reports.study import Picture
from sslzoo.utils.plots import COLOURS

LINES, PAIRS = 20, 24  # queries and pairs in a picture
CLOSE = "Cosine similarity of features less the mean of the index."


@checked()
def search(index: Index | str | Path, query: Any, k: int = 10, out: str | None = None) -> Page:
    """Finds the examples of an index that are nearest to a query.

    Args:
        index: folder of an index, or the index.
        query: a row of the index; the path of an image or another file; a text for an index of texts; in Python also
            examples in memory, as `data` of `pretrain`.
        k: number of neighbours.
        out: folder of the page; by default neighbours/INDEX-search.

    Returns:
        A page, whose `found` is rows and similarities, (queries, k) each.

    Raises:
        ValueError: no index, no such query, or k out of range.
    """
    index = opened(index)
    folder = pages.folder_of(index, "search", out)
    features, own, data = features_of(index, query)
    found = index.search(features, k, own)
    table = [["query", "place", "row", "similarity", "class", "name"]]
    for number, (rows, similarities) in enumerate(zip(*found, strict=True)):
        asked = index.name_of(own[number]) if own is not None else f"{number}"
        for place, (row, similarity) in enumerate(zip(rows, similarities, strict=True), 1):
            table.append([asked, place, row, f"{similarity:.4f}", index.class_of(row), index.name_of(row)])
    verdict = f"{len(features)} {'query' if len(features) == 1 else 'queries'}, {k} neighbours of {len(index)} each"
    return pages.write(
        folder, index, "Nearest examples", CLOSE, table, verdict,
        [("nearest examples", lambda: _nearest(index, found, own, data))], found,
    )  # fmt: skip


def _nearest(index: Index, found: tuple, own: np.ndarray | None, data) -> Picture:
    cells, texts, colours = [], [], []
    columns = 1 + min(found[0].shape[1], 9)
    for number, (rows, similarities) in enumerate(zip(*found, strict=True)):
        if number == LINES:
            break
        rows, similarities = rows[: columns - 1], similarities[: columns - 1]
        first = examples.cells(index, own[number : number + 1])[0] if data is None else examples.cell(data, number)
        name = index.class_of(own[number]) if data is None else ""
        cells += [first, *examples.cells(index, rows)]
        texts += [f"query\n{name}", *(examples.caption(index, *pair) for pair in _numbered(rows, similarities))]
        marks = [COLOURS[0] if index.class_of(row) == name else COLOURS[3] for row in rows]
        colours += ["black", *(marks if name else ["black"] * len(rows))]
    text = "The query at the left, then its neighbours. Blue: the class of the query; orange: another class."
    return Picture("neighbours", "Nearest examples", text, examples.sheet(cells, texts, columns, colours))


@checked()
def duplicates(
    index: Index | str | Path, similarity: float = 0.98, split: str | None = None, out: str | None = None
) -> Page:
    """Finds exact and near-duplicates in an index: all pairs from a similarity on, and their groups.

    Args:
        index: folder of an index, or the index.
        similarity: cosine from which two examples are near-duplicates; `calibrate` finds one for labelled data.
        split: look within this split alone; all examples if None.
        out: folder of the page; by default neighbours/INDEX-duplicates.

    Returns:
        A page, whose `found` has `rows` (pairs, 2) and `scores` (pairs,), the most similar pair first.

    Raises:
        ValueError: no index, no such split, a threshold outside of 0..1, or too many pairs.
    """
    index = opened(index)
    folder = pages.folder_of(index, "duplicates", out)
    rows = index.rows(split)
    found = pairs_above.duplicates(index.unit[rows], similarity)
    found = found._replace(rows=rows[found.rows])
    sets = pairs_above.groups(found.rows, len(index))
    exact = int(np.sum(np.all(index.features[found.rows[:, 0]] == index.features[found.rows[:, 1]], axis=1)))
    splits = index.columns["split"][found.rows]
    across = int(np.sum(splits[:, 0] != splits[:, 1]))
    table = [["group", "examples", "row", "split", "class", "name"]]
    for number, some in enumerate(sets, 1):
        for row in some:
            place = [row, index.columns["split"][row], index.class_of(row), index.name_of(row)]
            table.append([number, len(some), *place])
    verdict = (
        f"{len(found.rows)} pairs of similarity {similarity:g} or more in {len(sets)} groups, {exact} with equal "
        f"features, {across} across splits; {sum(map(len, sets)) - len(sets)} of {len(rows)} examples are copies"
    )
    make = [("pairs", lambda: _pairs(index, found))] if len(found.rows) else []
    text = f"{CLOSE} Groups are sets of examples that pairs connect."
    return pages.write(folder, index, "Duplicates", text, table, verdict, make, found)


def _pairs(index: Index, found) -> Picture:
    """The most similar pairs, and those next to the threshold, by which it can be judged."""
    half = PAIRS // 2
    count = len(found.rows)
    chosen = np.arange(count) if count <= PAIRS else np.r_[np.arange(half), np.arange(count - half, count)]
    cells, texts = [], []
    for pair, score in zip(found.rows[chosen], found.scores[chosen], strict=True):
        cells += [*examples.cells(index, pair), None]  # an empty cell keeps pairs apart
        texts += [*(examples.caption(index, row, f"{score:.4f}") for row in pair), ""]
    text = f"Pairs, side by side: the {half} most similar ones, then the {half} nearest to the threshold."
    return Picture("duplicates", "Pairs", text, examples.sheet(cells, texts, 9))


def opened(index: Index | str | Path) -> Index:
    """The index, opened if it is a folder."""
    return index if isinstance(index, Index) else open_index(index)


def _numbered(rows, similarities):
    return [(row, f"{similarity:.3f}") for row, similarity in zip(rows, similarities, strict=True)]
