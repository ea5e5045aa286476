"""Data for evaluations: read as in the training of an encoder, with labels where they are needed."""

from sslzoo.data import Dataset, Splits, describe, load
from sslzoo.utils.log import log


def announce(dataset: Dataset) -> None:
    """Logs the notes of a dataset and one line that describes it."""
    log.info("\n".join([*dataset.notes, describe(dataset)]))


def read(
    data, facts: dict, unlabelled: bool = False, scan: str | None = None, captions: str | None = None, **reading
) -> Splits:
    """The data, shrunk as in the training of an exported encoder, so that they are recognized and scores agree.

    Args:
        data: as for `pretrain`.
        facts: of the export; {} for none.
        unlabelled: accept data without labels and without a test part.
        scan, captions: as of `data.load`; None for those of the training.
        **reading: `labels`, `splits`, `value_range` and `kind` of `data.load`.
    """
    reading["captions"] = facts.get("knobs", {}).get("captions", "auto") if captions is None else captions
    reading |= dict(max_size=canvas(facts), scan=scanned(facts, scan), sample_rate=sample_rate(facts, data))
    return (load if unlabelled else labelled)(data, **reading)


def canvas(facts: dict) -> int | None:
    """Longest side in pixels to which the training of an export shrunk its images; None if it is not recorded."""
    return facts.get("knobs", {}).get("max_size")


def sample_rate(facts: dict, data) -> int | None:
    """Samples per second to which the training of an export resampled audio; None where the data have been read."""
    return None if isinstance(data, Dataset | Splits) else facts.get("knobs", {}).get("sample_rate")


def scanned(facts: dict, scan: str | None) -> str:
    """How to scan a folder: `scan`, or as the training of an export did if it is None."""
    if scan is not None:
        return scan
    return facts.get("knobs", {}).get("scan", "headers")


def labelled(data, **reading) -> Splits:
    """The data to fit a probe to and to test it on; the arguments are those of `data.load`.

    Raises:
        ValueError: there is no test part, or one of the parts has no labels.
    """
    return require_labels(load(data, **reading))


def require_labels(splits: Splits) -> Splits:
    """Returns the data.

    Raises:
        ValueError: there is no test part, or one of the parts has no labels.
    """
    if splits.test is None or any(part.labels is None for part in splits):
        name, which = splits.train.name, "test part" if splits.test and splits.train.labels is not None else "data"
        raise ValueError(
            f"{name}: the {which} has no labels, which an evaluation needs (for images, one folder for each class); "
            "sslzoo.report(encoder, data) needs none"
        )
    return splits
