"""`pretrain`: train, export, evaluate and report in one call."""

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sslzoo.catalog import options
from sslzoo.data import describe
from sslzoo.evaluation import baseline, judging
from sslzoo.evaluation.index import write_index
from sslzoo.evaluation.judging import TRAINED, Subject
from sslzoo.exports.card import TEXT_WAY, lines, write_card
from sslzoo.exports.contract import HISTORY, RECONSTRUCTION, RETRIEVED, VIEWS
from sslzoo.exports.savedmodel import export, refuse_existing, write_projector
from sslzoo.exports.text import export_text, tower_of
from sslzoo.training import hparams, keeping, starting
from sslzoo.training.experiment import divide
from sslzoo.training.outcome import Outcome, origin_of
from sslzoo.training.plan import Plan
from sslzoo.training.result import Result
from sslzoo.training.runner import judge_all, train_blocks, train_whole
from sslzoo.training.runs import Run
from sslzoo.training.signature import composed
from sslzoo.training.tracking import MLflow
from sslzoo.utils import provenance, replicas
from sslzoo.utils.files import going_on, reason, replacing
from sslzoo.utils.keras_internals import temporary_gradients
from sslzoo.utils.log import log
from sslzoo.views import inputs

POINTS, PIXELS, SPRITE = 500, 10_000_000, 1024  # of TensorBoard's projector: images, their pixels, side of their sheet


@composed
@temporary_gradients()
def pretrain(method: Any = "simclr", data: Any = "digits", encoder: Any = "resnet18", **options) -> Result | None:
    """Trains an encoder on images without labels, exports it and evaluates it.

    Args:
        {fields}

    All other keywords are arguments of the method, the encoder and the preset of views. The settings of the run record
    all values, including defaults; their entry "given" lists the names with other values than the defaults.

    Returns:
        The result: `scores`, `verdict`, `history`, `plot()`, `encoder`, and the folders of the run and the export. None
        with `preview`.

    Raises:
        ValueError: if a name or a value is wrong; the text is one line with advice.
    """
    experiment, run = divide({"method": method, "data": data, "encoder": encoder, **options})
    if experiment.deterministic:
        tf.config.experimental.enable_op_determinism()
    strategy = replicas.strategy(experiment.strategy)  # workers must create it before anything else
    plan = Plan(experiment, run)
    folder = Path(run.runs) / plan.name
    if run.preview:
        plan.draw_views(_sheet(plan))
        return None
    exported = Path(run.export_to) / plan.name if run.export_to else None
    resume = run.resume or run.extend
    if exported:
        refuse_existing(exported, run.overwrite or resume)
    train_all = train_blocks if experiment.layerwise else train_whole
    if not replicas.is_chief(strategy):
        return _follow(plan, train_all, folder)
    tracker = _tracker(plan, folder, exported) if run.mlflow else contextlib.nullcontext()
    model = plan.build()
    called = origin_of(experiment, run, plan.name) | {"epochs": plan.stage_count * plan.experiment.epochs}
    owner = Run(folder, plan.settings, resume, run.overwrite, run.free, {"data": plan.data_before})
    with owner, tracker, Outcome(folder, **called) as outcome:
        log.info(f"run folder {folder}")
        plan.draw_views(folder / "views.png")
        hparams.write(folder / "events", plan.settings)
        replicas.barrier(strategy)
        with _naming_memory(plan.experiment.batch_size):
            result = train_all(plan, model, folder, [tracker] * run.mlflow)
        outcome.note(verdict=result.verdict, **_ancestry(plan))
        with going_on("the training is saved, resume=True exports and evaluates its encoder"):
            figures = _finish(plan, result, exported)
        outcome.note(**_noted(result))
        if run.mlflow:
            tracker.log(figures)
            tracker.tag({"verdict": result.verdict, "commit": provenance.commit()})
    return result


def _finish(plan: Plan, result: Result, exported: Path | None) -> dict[str, float | None]:
    """Exports, evaluates and reports; returns the scores by name."""
    run, events = plan.run, result.run / "events"
    facts = _export(plan, result, exported, run.overwrite or run.resume or run.extend) if exported else {}
    if plan.earlier is not None:
        keeping.judge_earlier(plan, result)
        facts |= {"verdict": result.verdict, "kept": [row.as_dict() for row in result.kept]} if facts else {}
    if plan.judges:
        judge_all(plan, result)
    if plan.probed is not None and run.evaluate:
        keeping.judge_probe(plan, result)
        facts |= {"probe": result.probe} if facts else {}
    if plan.judges or result.scores:
        log.info(result.scores)
        _write_scores(plan, result, facts)
    elif "kept" in facts:
        write_card(result.exported, facts)
    _project(plan, result)
    figures = {f"{row.features}/{row.key}": row.mean for row in result.scores}
    hparams.write(events, plan.settings, figures, plan.stage_count * plan.experiment.epochs * plan.steps)
    if run.evaluate and plan.train_set.labels is None:
        _report(plan, result)
    return figures


def _noted(result: Result) -> dict[str, Any]:
    """Returns the results for result.json; scores of an earlier evaluation are kept if there are no new ones."""
    scores = {"scores": result.scores, "kept": result.kept}
    found = {name: [row.as_dict() for row in rows] for name, rows in scores.items() if rows}
    exported = {"exported": str(result.exported)} if result.exported else {}
    return found | exported | {"verdict": result.verdict}


def _ancestry(plan: Plan) -> dict[str, Any]:
    """Returns the entry "ancestry" of cards and results: the public weights of the start; {} for random weights."""
    return {"ancestry": plan.origin.ancestry} if plan.origin else {}


def _tracker(plan: Plan, folder: Path, exported: Path | None) -> MLflow:
    """The run in MLflow; the run folder checks which settings of a resumed run may differ."""
    data = plan.train_set.name, plan.fingerprint
    return MLflow(folder, plan.name, plan.settings, exported, data, free=None)


def draw_views(method: Any = "simclr", data: Any = "digits", encoder: Any = "resnet18", **options) -> Path:
    """Draws the contact sheet of the views that a training with the same arguments would use; trains nothing.

    Args:
        method, data, encoder: as of `pretrain`.
        options: further arguments of `pretrain`.

    Returns:
        The path of the PNG, `runs`/NAME-views.png.
    """
    experiment, run = divide({"method": method, "data": data, "encoder": encoder, **options, "preview": True})
    plan = Plan(experiment, run)
    plan.draw_views(_sheet(plan))
    return _sheet(plan)


def _sheet(plan: Plan) -> Path:
    return Path(plan.run.runs) / f"{plan.name}-views.png"


@contextlib.contextmanager
def _naming_memory(batch_size: int) -> Iterator[None]:
    """Converts out-of-memory errors of TensorFlow and Python to a ValueError with advice."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        line = f"out of memory with a batch of {batch_size}: try batch_size={max(2, batch_size // 2)}"
        raise ValueError(f"{line} ({reason(error)[:200]})") from error


def _follow(plan: Plan, train_all: Callable, folder: Path) -> Result:
    """Trains as a worker other than worker 0; only worker 0 logs, evaluates and writes."""
    log.setLevel(logging.WARNING)
    model = plan.build()
    replicas.barrier(plan.strategy)
    return train_all(plan, model, folder, [])


def _export(plan: Plan, result: Result, path: Path, overwrite: bool) -> dict:
    """Exports the trained encoder with its card, untrained baseline and history; returns the facts of the card."""
    few = next(inputs.images(plan.train_set, plan.size, batch_size=min(8, len(plan.train_set))))
    facts = export(result.encoder, path, few, _facts(plan, result), overwrite, plan.kind.name)
    result.exported = path
    log.info(f"exported to {path}; largest difference when loaded again:\n{lines(facts['loads'])}")
    if options.needs_captions(plan.method):
        facts["loads"][TEXT_WAY.route] = export_text(tower_of(result.model), path)
    facts["untrained"] = baseline.keep(result.untrained, path, starting.kept(plan))
    if plan.run.keep_projector:
        _keep_projector(result, path)
    write_card(path, facts)
    _keep_history(result.run, path)
    write_index(path.parent)
    return facts


def _write_scores(plan: Plan, result: Result, facts: dict) -> None:
    """Adds the scores to the card and the index of the export, if there is one."""
    if not facts:
        return
    scores = {"scores": [row.as_dict() for row in result.scores], "scores_markdown": result.scores.to_markdown()}
    scores["judged on"] = ". ".join(result.scores.notes)
    write_card(result.exported, facts | scores)
    _keep_history(result.run, result.exported)
    write_index(result.exported.parent)


def _keep_projector(result: Result, path: Path) -> None:
    """Writes the projector, the attribute `projector` or `head` of the method, to the folder of the export."""
    model = result.model
    projector = getattr(model, "projector", None) or getattr(model, "head", None)
    if model.exported() is not model.encoder:  # a target network, with a projector of its own
        target = getattr(model, "target", None) or model.teacher
        projector = next(iter(target.copies[1:]), None)
    if projector is None:
        log.info(f"{model.name} has no projector to keep")
    else:
        write_projector(projector, path, model.encoder.output_shape[-1])


def _keep_history(run: Path, exported: Path) -> None:
    """Copies the figures of the epochs, and pictures of views, reconstructions and retrieval, to the export."""
    for name in (HISTORY, VIEWS, RECONSTRUCTION, RETRIEVED):
        if (run / name).is_file():
            with replacing(exported / name) as temporary:
                shutil.copyfile(run / name, temporary)


def _project(plan: Plan, result: Result) -> None:
    """Writes features of some training images for TensorBoard's projector."""
    from sslzoo.reports import board  # its import takes seconds

    data = plan.train_set.sample(max(1, min(POINTS, PIXELS // int(np.prod(plan.input_shape[:-1])))))
    names = data.class_names or ()
    classes = [] if data.labels is None else [names[n] if 0 <= n < len(names) else str(n) for n in data.labels]
    images = np.concatenate(list(inputs.images(data, plan.size)))
    features = inputs.encode(result.encoder, data, plan.size)
    title = f"{plan.train_set.name} {features.shape[1]} features"
    shown = images if plan.kind.pixels else None
    board.embeddings(result.run / "events", title, features, shown, classes, SPRITE)


def _report(plan: Plan, result: Result) -> None:
    """Writes the report for data without labels to the run folder."""
    from sslzoo.reports import about  # its import takes seconds

    columns = {TRAINED: [result.encoder], judging.before(plan.origin): [result.untrained]}
    subject = Subject(columns, plan.judged, plan.size, _facts(plan, result))
    try:
        folder = about(subject, plan.name, result.run, source=result.run)
    except ValueError as error:
        log.warning(f"no report: {error}")
    else:
        log.info(f"report: {folder / 'report.html'}")


def _facts(plan: Plan, result: Result) -> dict:
    """Returns the facts of the training for the card."""
    model = result.model
    return {
        "name": plan.name,
        "method": plan.method_name,
        "paper": model.paper,
        "data": f"{describe(plan.train_set)}; fingerprint {plan.fingerprint}",
        "exported": "the encoder" if model.exported() is model.encoder else "the target network, the encoder's average",
        "verdict": result.verdict,
        **({"probe": result.probe} if result.probe else {}),
        "seed": plan.experiment.seed,
        "command": provenance.command(),
        "knobs": plan.settings,
        **_ancestry(plan),
        **provenance.facts(),
    }
