"""What `sslzoo runs` does, as functions whose arguments are its options."""

import json as json_format
from pathlib import Path

from sslzoo.catalog.runs import details, listing
from sslzoo.catalog.runs import page as pages
from sslzoo.catalog.runs.listing import select
from sslzoo.catalog.runs.record import Record
from sslzoo.catalog.runs.search import named


def runs(json: bool = False, **filters) -> str:
    """Returns the table of the runs in a folder.

    Args:
        json: print all that is known of the runs as JSON.
        filters: as of `listing.select`.
    """
    return _listed(select(**filters), json, listing.table, filters)


def best(by: str = "knn", json: bool = False, **filters) -> str:
    """Returns the best run of each data set, of losses of each data set and method.

    Args:
        by: figure: a final score, such as knn, linear or accuracy, or a figure of the last epoch, such as online_knn,
            features_found, rank or loss.
        json: print all that is known of the runs as JSON.
        filters: as of `listing.select`.
    """
    found = select(sort="when", **filters)
    if found and json:
        return _as_json(listing.best(found, by)[1])
    return _listed(found, json, lambda records: listing.best(records, by)[0], filters)


def show(run: str, runs: str = "runs", json: bool = False) -> str:
    """Returns what is known of a run.

    Args:
        run: a name in the list, or the path of a run folder.
        runs: folder of the run folders.
        json: print it as JSON.
    """
    record = named(run, runs)
    return _as_json([record], single=True) if json else details.show(record)


def diff(one: str, other: str, runs: str = "runs") -> str:
    """Returns the settings and figures of two runs that differ.

    Args:
        one, other: names in the list, or paths of run folders.
        runs: folder of the run folders.
    """
    return details.differences(named(one, runs), named(other, runs))


def tag(run: str, names: tuple[str, ...], runs: str = "runs", remove: bool = False) -> str:
    """Adds tags to a run, or removes them.

    Args:
        run: a name in the list, or the path of a run folder.
        names: the tags.
        runs: folder of the run folders.
        remove: remove these tags.
    """
    record = named(run, runs)
    return f"{record.name}: {', '.join(details.tag(record, names, remove)) or 'no tags'}"


def page(names: tuple[str, ...] = (), out: str = "runs.html", **filters) -> str:
    """Writes an HTML page with a table of runs and their curves; it needs no network.

    Args:
        names: of the runs; all that the filters leave if there are none.
        out: the file; a page of an earlier call is replaced.
        filters: as of `listing.select`.
    """
    folder = filters.get("runs", "runs")
    found = [named(name, folder) for name in names] if names else select(**filters)
    if not found:
        return nothing(filters)
    return f"wrote {pages.write(found, Path(out), f'{len(found)} runs of {folder}')}"


def nothing(filters: dict) -> str:
    """Returns the line for a folder without runs, or filters that leave none."""
    folder = filters.get("runs", "runs")
    if filters.keys() - {"runs", "sort"}:
        return f"no run in {folder} has all of these properties: `sslzoo runs {folder}` lists all"
    return (
        f"no runs in {folder}: `sslzoo train simclr_digits` trains one in a minute; `sslzoo runs DIR` looks elsewhere"
    )


def _listed(records: list[Record], json: bool, form, filters: dict) -> str:
    if json:
        return _as_json(records)
    return form(records) if records else nothing(filters)


def _as_json(records: list[Record], single: bool = False) -> str:
    found = [record.as_dict() for record in records]
    return json_format.dumps(found[0] if single else found, indent=1)
