"""Reports: an encoder judged from every side, as one page, with every number beside its baselines."""

import time
from pathlib import Path

import keras
from tqdm import tqdm

from sslzoo import baseline, evaluation, provenance
from sslzoo.data import describe
from sslzoo.export import read_projector
from sslzoo.files import replacing
from sslzoo.report import depth, geometry, labels, looks, places, robustness
from sslzoo.report.page import as_html
from sslzoo.report.study import TRAINED, UNTRAINED, Chapter, Study
from sslzoo.report.text import as_json, as_markdown

CHAPTERS = (labels, geometry, depth, places, robustness, looks)


def report(
    encoder: str,
    data: str,
    out: str | None = None,
    images: int = 5000,
    image_size: int | None = None,
    tensorboard: str | None = None,
    untrained: keras.Model | None = None,
) -> Path:
    """Writes report.html, report.md, report.json and pictures/ about an encoder.

    Args:
        encoder: path of an exported encoder, or a Keras model.
        data: as for `pretrain`, with labels.
        out: folder of the report; reports/NAME if not given.
        images: training images looked at, at most, and two fifths as many test images.
        image_size: side in pixels; that of the export, or of the encoder's input, if not given.
        tensorboard: log directory that gets pictures, scores, histograms of the weights and the embedding projector.
        untrained: the encoder before its training; its architecture with new weights if not given.

    Returns:
        The folder.

    Raises:
        ValueError: no labels, too few images, or no exported encoder; one line that says what to do.
    """
    if images < 50:
        raise ValueError(f"a report on {images} images says nothing: take 50 or more")
    subject = evaluation.prepare(encoder, data, untrained, image_size)
    encoders = dict(zip((TRAINED, UNTRAINED), (models[0] for models in subject.columns.values()), strict=True))
    name = encoder.name if isinstance(encoder, keras.Model) else Path(encoder).name
    study = Study(encoders, subject.data, subject.size, images, _projectors(encoder))
    began = time.perf_counter()
    chapters = _chapters(study)
    folder = Path(out or f"reports/{name}")
    _write(folder, _facts(name, study, time.perf_counter() - began), chapters)
    if tensorboard:
        from sslzoo.report import board  # its import takes seconds

        board.write(tensorboard, study, chapters)
    return folder


def _projectors(encoder: keras.Model | str | Path) -> dict[str, keras.Model]:
    """That of an exported encoder if it was kept, and the same with new weights."""
    if isinstance(encoder, keras.Model) or not (projector := read_projector(encoder)):
        return {}
    return {TRAINED: projector, UNTRAINED: baseline.fresh(projector)}


def _chapters(study: Study) -> list[Chapter]:
    bar = tqdm(CHAPTERS, "report", unit="chapter", leave=False, disable=None)
    made = []
    for module in bar:
        bar.set_postfix_str(module.__name__.rsplit(".", 1)[1])
        made.append(module.chapter(study))
    return made


def _facts(name: str, study: Study, seconds: float) -> dict[str, str]:
    model = study.encoders["trained"]
    of = [f"{len(part)} of {len(whole)}" for part, whole in zip((study.train, study.test), study.total, strict=True)]
    return {
        "encoder": name,
        "architecture": f"{model.name}, {model.count_params():,} parameters, {model.output_shape[-1]} features",
        "data": describe(study.total.train),
        "images looked at": f"{of[0]} for training probes, {of[1]} for testing them, drawn with a fixed seed; "
        f"at {study.size} px",
        "baselines": "the same architecture with new weights (untrained), and raw pixels at 32 px at most",
        "versions": ", ".join(f"{name} {version}" for name, version in provenance.versions().items()),
        "made in": f"{seconds:.0f} s on {provenance.machine()}",
    }


def _write(folder: Path, facts: dict[str, str], chapters: list[Chapter]) -> None:
    with replacing(folder / "pictures") as beside:
        beside.mkdir()
        for picture in (picture for chapter in chapters for picture in chapter.pictures):
            (beside / f"{picture.name}.png").write_bytes(picture.png)
    for file, make in (("report.json", as_json), ("report.md", as_markdown), ("report.html", as_html)):
        with replacing(folder / file) as beside:
            beside.write_text(make(facts, chapters), "utf-8")
