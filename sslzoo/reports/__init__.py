"""Reports: all scores of an encoder and its baselines, with pictures, on one page."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import keras
from tqdm import tqdm

from sslzoo.evaluation import judging
from sslzoo.evaluation.judging import TRAINED, Subject, baseline
from sslzoo.exports.savedmodel import read_projector
from sslzoo.reports import depth, geometry, groups, labels, looks, places, robustness
from sslzoo.reports.front import Front, front
from sslzoo.reports.page import as_html
from sslzoo.reports.study import Chapter, Study
from sslzoo.reports.text import as_json, as_markdown
from sslzoo.utils.files import replacing

CHAPTERS = (labels, geometry, depth, places, robustness, groups, looks)
LEAST = 50  # training images


def report(
    encoder: str,
    data: str,
    out: str | None = None,
    image_size: int | None = None,
    classes: int | None = None,
    max_images: int | None = None,
    tensorboard: str | None = None,
    untrained: keras.Model | None = None,
) -> Path:
    """Writes report.html, report.md, report.json and pictures/ about an encoder.

    Args:
        encoder: path of an exported encoder, or a Keras model.
        data: as for `pretrain`. Without labels, or without a test part, the chapters that need them are left out.
        out: folder of the report; reports/NAME if not given.
        image_size: side in pixels; that of the export, or of the encoder's input, if not given.
        classes: keep only the first `classes` classes; as in training if not given and the data are the same.
        max_images: maximum number of training images and of test images, drawn with a fixed seed; as in training if not
            given and the data are the same. Never more than 10 000 training and 5000 test images.
        tensorboard: log directory that gets pictures, scores, histograms of the weights and the embedding projector.
        untrained: the encoder before its training. If not given, that of the export, or three encoders with new
            weights, whose scores are averaged.

    Returns:
        The folder.

    Raises:
        ValueError: too few images, or no exported encoder; one line that says what to do.
    """
    subject = judging.prepare(encoder, data, untrained, image_size, classes, max_images, unlabelled=True)
    if isinstance(encoder, keras.Model):
        return about(subject, encoder.name, out or f"reports/{encoder.name}", tensorboard=tensorboard)
    name, projector = Path(encoder).name, read_projector(encoder)
    return about(subject, name, out or f"reports/{name}", Path(encoder), projector, tensorboard)


def about(
    subject: Subject,
    name: str,
    out: str | Path,
    source: Path | None = None,
    projector: keras.Model | None = None,
    tensorboard: str | None = None,
) -> Path:
    """Writes a report on encoders that are in memory.

    Args:
        subject: encoder, baseline and data.
        name: of the encoder.
        out, tensorboard: as of `report`.
        source: folder that may hold metrics.jsonl and views.png of the training.
        projector: of the trained encoder.

    Returns:
        The folder.

    Raises:
        ValueError: fewer than 50 training images.
    """
    if len(subject.data.train) < LEAST:
        line = f"a report on {len(subject.data.train)} training images is of no use: take {LEAST} or more"
        raise ValueError(line)
    study = Study(subject.columns, subject.data, subject.size)
    study.projectors = projectors(projector, study.encoders)
    began, folder = time.perf_counter(), Path(out)
    chapters = _chapters(study)
    first = front(name, study, subject.facts, source, chapters)
    first.facts["report"] = f"{time.perf_counter() - began:.0f} s"
    _write(folder, first, chapters)
    if tensorboard:
        from sslzoo.reports import board  # its import takes seconds

        board.write(tensorboard, study, chapters)
    return folder


def projectors(projector: keras.Model | None, encoders: Mapping[str, keras.Model]) -> dict[str, keras.Model]:
    """Name of each encoder -> its projector, with new weights for all but "trained"; {} if there is none."""
    if projector is None:
        return {}
    others = [name for name in encoders if name != TRAINED]
    return {TRAINED: projector} | {name: baseline.fresh(projector, seed) for seed, name in enumerate(others)}


def _chapters(study: Study) -> list[Chapter]:
    chosen = [module for module in CHAPTERS if study.labelled or not module.LABELS]
    bar = tqdm(chosen, "report", unit="chapter", leave=False, disable=None)
    made, began = [], time.perf_counter()
    for number, module in enumerate(bar, 1):
        bar.set_postfix_str(module.TITLE)
        made.append(module.chapter(study))
        if not sys.stderr.isatty():
            seconds = time.perf_counter() - began
            tqdm.write(f"report: {module.TITLE}, {number} of {len(chosen)}, {seconds:.0f} s")
    return made


def _write(folder: Path, first: Front, chapters: list[Chapter]) -> None:
    with replacing(folder / "pictures") as beside:
        beside.mkdir()
        for picture in [*first.pictures, *(picture for chapter in chapters for picture in chapter.pictures)]:
            (beside / f"{picture.name}.png").write_bytes(picture.png)
    for file, make in (("report.json", as_json), ("report.md", as_markdown), ("report.html", as_html)):
        with replacing(folder / file) as beside:
            beside.write_text(make(first, chapters), "utf-8", "backslashreplace")
