"""Lists of runs: filtered, sorted, as a table, and the best run of each data set."""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from sslzoo.catalog.knobs import nearest
from sslzoo.catalog.runs.record import BROKEN, Record, clean
from sslzoo.catalog.runs.search import find
from sslzoo.utils.text_table import text_table

LOWER = {"loss", "loss_excess", "nt_xent_excess", "contrast_entropy", "alignment", "uniformity", "data_wait"}
LOWER |= {"davies_bouldin", "calibration"}  # figures of which the lower is better
OF_METHOD = {"loss", "loss_excess"}  # figures that runs of one method alone share
SHARES = {"knn", "online_knn", "probe_knn", "probe_linear", "accuracy", "contrast_accuracy", "features_found"}
SORTS: dict[str, Callable[[Record], Any]] = {
    "when": lambda record: -record.began,
    "name": lambda record: record.name,
    "method": lambda record: (record.method, record.name),
    "data": lambda record: (record.data, record.name),
    "state": lambda record: (record.state, record.name),
}
WIDEST = 48  # characters of a verdict in a table


def select(
    runs: str = "runs",
    method: tuple[str, ...] = (),
    data: tuple[str, ...] = (),
    tag: tuple[str, ...] = (),
    state: tuple[str, ...] = (),
    sort: str = "when",
) -> list[Record]:
    """Finds runs.

    Args:
        runs: folder of the run folders; its sub-folders are searched too.
        method: only runs of these methods, patterns such as "moco*".
        data: only runs on these data, patterns of their names.
        tag: only runs with all of these tags.
        state: only runs that are finished, running, interrupted, failed or broken.
        sort: when (newest first), name, method, data, state, or a figure, such as knn, linear, online_knn or loss
            (best first, runs without it last).

    Raises:
        ValueError: no run has such a method, data set, tag, state or figure; the text names the nearest.
    """
    every = found = find(runs)
    for what, wanted, of in (
        ("method", method, lambda record: (record.method,)),
        ("data", data, lambda record: (record.data,)),
        ("tag", tag, lambda record: record.tags),
        ("state", state, lambda record: (record.state,)),
    ):
        known = {value for record in every for value in of(record) if value}
        for one in wanted:
            if known and not any(fnmatchcase(value, one) for value in known):
                raise ValueError(nearest(f"run of {what}", one, known))
        fits = all if what == "tag" else any
        if wanted:
            found = [record for record in found if fits(any(fnmatchcase(v, one) for v in of(record)) for one in wanted)]
    return ordered(found, sort)


def ordered(records: Sequence[Record], sort: str) -> list[Record]:
    """Returns runs in the order of a column or a figure.

    Raises:
        ValueError: there is no such column or figure.
    """
    if sort in SORTS:
        return sorted(records, key=SORTS[sort])
    known = {name for record in records for name in record.figures}
    if records and sort not in known:
        raise ValueError(nearest("column or figure", sort, {*SORTS, *known}))
    sign = 1 if sort in LOWER else -1
    return sorted(records, key=lambda record: sign * record.figures.get(sort, sign * float("inf")))


def table(records: Sequence[Record]) -> str:
    """Returns a line for each run as text."""
    return aligned(*cells(records, headline))


def cells(records: Sequence[Record], verdict: Callable[[Record], str]) -> tuple[list[str], list[list[str]]]:
    """Returns the head of the table of runs and a line for each; columns that all runs leave empty are omitted.

    Args:
        records: the runs.
        verdict: function of a run that returns the text of its verdict.
    """
    columns: dict[str, Callable[[Record], str]] = {
        "run": lambda record: record.name,
        "method": lambda record: record.method,
        "data": lambda record: clean(record.data),
        "when": lambda record: record.when,
        "epochs": lambda record: f"{record.done}/{record.planned or '?'}",
        "state": lambda record: record.state,
        "k-NN % (before, raw)": lambda record: _compared(record, "knn"),
        "linear % (before, raw)": lambda record: _compared(record, "linear"),
        "online k-NN %": lambda record: _course(record, "knn"),
        "probe k-NN %": lambda record: _course(record, "probe_knn"),
        "probe linear %": lambda record: _course(record, "probe_linear"),
        "tags": lambda record: ", ".join(map(clean, record.tags)),
        "verdict": verdict,
    }
    return _filled(list(columns), [[cell(record) for cell in columns.values()] for record in records])


def headline(record: Record) -> str:
    """Returns the first words of the verdict; for a broken run the reason."""
    text = record.verdict if record.state == BROKEN else record.verdict.split(":")[0]
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."


def best(records: Sequence[Record], by: str = "knn") -> tuple[str, list[Record]]:
    """Returns a table with the best run of each data set, of losses of each data set and method, and these runs.

    Args:
        records: the runs.
        by: name of a figure: a final score, such as knn or linear, or a figure of the last epoch, such as online_knn,
            rank or loss.

    Raises:
        ValueError: no run has the figure.
    """
    known = {name for record in records for name in record.figures}
    if by not in known:
        raise ValueError(nearest("figure by", by, known) if known else "no run has figures: evaluate=True records some")
    groups: dict[tuple, list[Record]] = {}
    for record in ordered([record for record in records if by in record.figures], by):
        part = str(record.settings.get("data")), record.method if by in OF_METHOD else ""
        groups.setdefault(part, []).append(record)
    chosen = [some[0] for some in groups.values()]
    lines = [
        [
            clean(record.data),
            record.name,
            record.method,
            _compared(record, by) or shown(by, record.figures[by]),
            f"{len(some)}",
            headline(record),
        ]
        for record, some in zip(chosen, groups.values(), strict=True)
    ]
    compared = any(_compared(record, by) for record in chosen)
    head = f"{by} % (before, raw)" if compared else by
    return aligned(["data", "best run", "method", head, "of runs", "verdict"], lines), chosen


def shown(figure: str, value: Any) -> str:
    """Returns a figure as text: shares in percent, other numbers with four digits."""
    if not isinstance(value, int | float):
        return "-" if value is None else clean(value)
    if figure in SHARES or figure.startswith("linear"):
        return f"{100 * value:.1f} %"
    return f"{value:.4g}"


def aligned(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Returns a plain table; columns without any entry are omitted."""
    head, lines = _filled(head, list(lines))
    return text_table([head, *lines])


def raw(columns: dict[str, float]) -> float | None:
    """Returns the score of the raw inputs, or of the first baseline that needs no encoder."""
    others = [name for name in columns if name not in ("trained", "before") and not name.startswith("untrained")]
    chosen = next((name for name in others if name.startswith("raw")), others[0] if others else None)
    return None if chosen is None else columns[chosen]


def _filled(head: Sequence[str], lines: list[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Head and lines of a table without the columns that have no entry."""
    kept = [place for place in range(len(head)) if any(line[place] for line in lines)]
    return [head[place] for place in kept], [[line[place] for place in kept] for line in lines]


def _compared(record: Record, key: str) -> str:
    """A final score, and in brackets that of the start and of the raw inputs."""
    columns = (record.scores | record.main).get(key)
    if columns is None or not (key in SHARES or key.startswith("linear")):
        return ""
    values = columns["trained"], columns.get("before"), raw(columns)
    own, before, baseline = ("-" if value is None else f"{100 * value:.1f}" for value in values)
    return f"{own} ({before}, {baseline})"


def _course(record: Record, name: str) -> str:
    """A figure before the first step and after the last epoch."""
    values = record.start.get(name), record.last.get(name)
    if values[1] is None:
        return ""
    return " to ".join(f"{100 * value:.1f}" for value in values if value is not None)
