"""Reports: all scores of an encoder and its baselines, with pictures, on one page."""

import dataclasses
import html
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from sslzoo.catalog.checked import checked
from sslzoo.evaluation import judging
from sslzoo.evaluation.judging import TRAINED, Subject, baseline
from sslzoo.exports.savedmodel import read_projector
from sslzoo.reports import depth, folder, geometry, groups, labels, looks, places, robustness
from sslzoo.reports.front import Front, front
from sslzoo.reports.page import as_html
from sslzoo.reports.study import FAULTS, Chapter, Study, left_out
from sslzoo.reports.text import as_json, as_markdown
from sslzoo.utils.bars import bar
from sslzoo.utils.log import log

CHAPTERS = (labels, geometry, depth, places, robustness, groups, looks)
LEAST = 50  # training images


@dataclasses.dataclass(frozen=True, repr=False)
class Report(os.PathLike):
    """A written report; a path to its folder for `open`, `os` and `/`.

    Attributes:
        folder: with report.html, report.md, report.json and pictures/.
        title: name of the encoder.
        verdict: one line, "" if none is known.
        notes: what was left out and why.
    """

    folder: Path
    title: str
    verdict: str = ""
    notes: tuple[str, ...] = ()

    @property
    def html(self) -> Path:
        return self.folder / "report.html"

    def __fspath__(self) -> str:
        return str(self.folder)

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def __str__(self) -> str:
        return "\n".join([f"report on {self.title}: {self.html}", *filter(None, [self.verdict]), *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *lines = (html.escape(line) for line in str(self).split("\n"))
        link = f'<a href="{html.escape(str(self.html))}">{head}</a>'
        return "<br>".join([link, *lines])


@checked()
def report(
    encoder: keras.Model | str | Path,
    data: Any,
    out: str | Path | None = None,
    image_size: int | None = None,
    classes: int | None = None,
    max_images: int | None = None,
    tensorboard: str | None = None,
    untrained: keras.Model | None = None,
    labels: str = "auto",
    splits: str = "auto",
    value_range: str | None = None,
    kind: str | None = None,
    scan: str | None = None,
) -> Report:
    """Writes report.html, report.md, report.json and pictures/ about an encoder.

    What the data do not allow is left out; notes of the report say what and why.

    Args:
        encoder: path of an exported encoder, or a Keras model.
        data: as for `pretrain`. Without labels, or without a test part, the chapters that need them are left out.
        out: folder of the report; by default reports/NAME. Only files of an earlier report are replaced there.
        image_size: side in pixels; by default that of the export, or of the encoder's input.
        classes: keep only the first `classes` classes; by default as in training if the data are the same.
        max_images: maximum number of training images and of test images, drawn with a fixed seed; by default as in
            training if the data are the same. Never more than 10 000 training and 5000 test images.
        tensorboard: log directory that gets pictures, scores, histograms of the weights and the embedding projector.
        untrained: the encoder before its training. By default that of the export, or three encoders with new weights,
            whose scores are averaged.
        labels: "auto", "folders", "none" or a CSV file of rows FILE,CLASS; as for `data.load`.
        splits: "auto", "none" or the folders of each split, "train=a+b,test=c"; as for `data.load`.
        value_range: pixel values of black and white, such as "0,4095"; as for `data.load`.
        kind: kind of the data, "image", "series", "audio", "rows" or "text"; by default that of the encoder.
        scan: "headers" or "full", as for `data.load`; by default as in the training.

    Returns:
        An object that prints where the report is, and is a path to its folder.

    Raises:
        ValueError: too few images, no exported encoder, or a file in `out` that is not of a report; one line that says
            what to do.
    """
    name = encoder.name if isinstance(encoder, keras.Model) else Path(encoder).name
    out = Path(out or f"reports/{name}")
    folder.refuse_foreign(out)
    reading = dict(labels=labels, splits=splits, value_range=value_range, kind=kind, scan=scan)
    subject = judging.prepare(encoder, data, untrained, image_size, classes, max_images, unlabelled=True, **reading)
    if isinstance(encoder, keras.Model):
        return about(subject, name, out, tensorboard=tensorboard)
    return about(subject, name, out, Path(encoder), read_projector(encoder), tensorboard)


def about(
    subject: Subject,
    name: str,
    out: str | Path,
    source: Path | None = None,
    projector: keras.Model | None = None,
    tensorboard: str | None = None,
) -> Report:
    """Writes a report on encoders that are in memory.

    Args:
        subject: encoder, baseline and data.
        name: of the encoder.
        out, tensorboard: as of `report`.
        source: folder that may hold metrics.jsonl and views.png of the training.
        projector: of the trained encoder.

    Raises:
        ValueError: fewer than 50 training images, or a file in `out` that is not of a report.
    """
    if len(subject.data.train) < LEAST:
        count, noun = len(subject.data.train), subject.data.train.noun
        raise ValueError(f"a report on {count} training {noun} is of no use: take {LEAST} or more")
    out = Path(out)
    folder.refuse_foreign(out)
    study = Study(subject.columns, subject.data, subject.size)
    study.projectors = projectors(projector, study.encoders)
    began = time.perf_counter()
    chapters = _chapters(study)
    first = front(name, study, subject.facts, source, chapters)
    first.facts["report"] = f"{time.perf_counter() - began:.0f} s"
    _write(out, first, chapters)
    if tensorboard:
        from sslzoo.reports import board  # its import takes seconds

        board.write(tensorboard, study, chapters)
    return Report(out, name, first.verdict, tuple(dict.fromkeys(note for one in chapters for note in one.notes)))


def projectors(projector: keras.Model | None, encoders: Mapping[str, keras.Model]) -> dict[str, keras.Model]:
    """Name of each encoder -> its projector, with new weights except for "trained"; {} if there is none."""
    if projector is None:
        return {}
    others = [name for name in encoders if name != TRAINED]
    return {TRAINED: projector} | {name: baseline.fresh(projector, seed) for seed, name in enumerate(others)}


def _chapters(study: Study) -> list[Chapter]:
    chosen = [module for module in CHAPTERS if study.labelled or not module.LABELS]
    pictures = [module for module in chosen if getattr(module, "PIXELS", False) and not study.kind.pixels]
    if pictures:
        titles = ", ".join(module.TITLE for module in pictures)
        log.info(f"report: for images only, left out of {study.kind.noun}: {titles}")
    chosen = [module for module in chosen if module not in pictures]
    chapters = bar(chosen, "report", unit="chapter")
    made, began = [], time.perf_counter()
    for number, module in enumerate(chapters, 1):
        chapters.set_postfix_str(module.TITLE)
        made.append(_chapter(module, study))
        if not sys.stderr.isatty():
            seconds = time.perf_counter() - began
            log.info(f"report: {module.TITLE}, {number} of {len(chosen)}, {seconds:.0f} s")
    return made


def _chapter(module, study: Study) -> Chapter:
    try:
        return module.chapter(study)
    except FAULTS as error:
        log.debug("chapter %s", module.TITLE, exc_info=True)
        return Chapter(module.TITLE, "", notes=[left_out("this chapter", error)])


def _write(out: Path, first: Front, chapters: list[Chapter]) -> None:
    pictures = [*first.pictures, *(picture for chapter in chapters for picture in chapter.pictures)]
    pages = {"report.json": as_json, "report.md": as_markdown, "report.html": as_html}
    texts = {name: make(first, chapters) for name, make in pages.items()}
    folder.write(out, {f"{picture.name}.png": picture.png for picture in pictures}, texts)
