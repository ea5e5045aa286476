"""Scores: rows of a table as one object, for a terminal, a notebook or further computation."""

import html
import importlib
from collections.abc import Iterable, Sequence

from sslzoo.evaluators.report import Row, cells, markdown, table


class Scores(list[Row]):
    """Scores of one or more sets of features; a list of rows that prints as a table.

    Args:
        rows: one for each score of each set of features.
        notes: lines under the table: number of examples, chance, and what was left out and why.
    """

    def __init__(self, rows: Iterable[Row] = (), notes: Iterable[str] = ()):
        super().__init__(rows)
        self.notes = tuple(notes)

    def __str__(self) -> str:
        return "\n".join([*([table(self)] if self else ["no scores"]), *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *lines = cells(self)
        return html_table(head, lines) + "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)

    def to_markdown(self) -> str:
        """A Markdown table; gains whose interval excludes zero are bold. The notes are not part of it."""
        return markdown(self)

    def to_dict(self) -> dict[str, dict[str, dict]]:
        """Set of features -> key of the score -> title, mean, std and gains; plain values, ready for JSON."""
        found: dict[str, dict[str, dict]] = {}
        for row in self:
            values = row.as_dict()
            column, key, title = (values.pop(name) for name in ("features", "key", "metric"))
            found.setdefault(column, {})[key or title] = {"title": title} | values
        return found

    def to_pandas(self):
        """The rows as a DataFrame: features, key, title, mean, std, percent; gain, low and high for each baseline.

        Raises:
            ImportError: pandas is not installed.
        """
        return pandas().DataFrame([_flat(row) for row in self])


def pandas():
    """The module.

    Raises:
        ImportError: it is not installed; one line with the command that installs it.
    """
    try:
        return importlib.import_module("pandas")
    except ImportError:
        raise ImportError("to_pandas() needs pandas: pip install pandas") from None


def html_table(head: Sequence[str], lines: Iterable[Sequence]) -> str:
    """An HTML table of any cells."""
    rows = [_line("th", head), *(_line("td", line) for line in lines)]
    return f"<table>{''.join(rows)}</table>"


def _line(tag: str, values: Sequence) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(str(value))}</{tag}>' for value in values)}</tr>"


def _flat(row: Row) -> dict:
    values = {"features": row.features, "key": row.key, "title": row.metric}
    values |= {"mean": row.mean, "std": row.std, "percent": row.percent}
    for name, gain in row.gains.items():
        values |= {f"gain over {name}": gain.mean, f"low over {name}": gain.low, f"high over {name}": gain.high}
    return values
