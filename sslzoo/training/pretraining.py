"""`pretrain`: train, export, evaluate and report in one call."""

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from sslzoo.data import describe
from sslzoo.evaluation import baseline
from sslzoo.evaluation.index import write_index
from sslzoo.evaluation.judging import TRAINED, UNTRAINED, Subject
from sslzoo.exports.savedmodel import HISTORY, VIEWS, export, lines, refuse_existing, write_card, write_projector
from sslzoo.training import hparams
from sslzoo.training.experiment import composed, divide
from sslzoo.training.plan import Plan
from sslzoo.training.result import Result
from sslzoo.training.runner import judge_all, train_blocks, train_whole
from sslzoo.training.runs import Run
from sslzoo.training.tracking import MLflow
from sslzoo.utils import provenance, replicas
from sslzoo.utils.files import reason, replacing
from sslzoo.utils.log import log
from sslzoo.views import inputs


@composed
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
        plan.draw_views(folder.with_name(f"{plan.name}-views.png"))
        return None
    exported = Path(run.export_to) / plan.name if run.export_to else None
    resume = run.resume or run.extend
    if exported and not resume:
        refuse_existing(exported, run.overwrite)
    train_all = train_blocks if experiment.layerwise else train_whole
    if not replicas.is_chief(strategy):
        return _follow(plan, train_all, folder)
    tracker = MLflow(folder, plan.name, plan.settings, exported) if run.mlflow else contextlib.nullcontext()
    model = plan.build()
    with Run(folder, plan.settings, resume, run.overwrite, run.free, {"data": plan.data_before}), tracker:
        log.info(f"run folder {folder}")
        plan.draw_views(folder / "views.png")
        hparams.write(folder / "events", plan.settings)
        replicas.barrier(strategy)
        judge = run.evaluate and plan.test_set is not None
        with _naming_memory(experiment.batch_size):
            result = train_all(plan, model, folder, [tracker] * run.mlflow, judge)
        facts = _export(plan, result, exported, run.overwrite or resume) if exported else {}
        if judge:
            judge_all(plan, result)
            _write_scores(plan, result, facts)
        figures = {f"{row.features}/{row.key}": row.mean for row in result.scores}
        hparams.write(folder / "events", plan.settings, figures, plan.stage_count * experiment.epochs * plan.steps)
        if run.evaluate and plan.train_set.labels is None:
            _report(plan, result)
        if run.mlflow:
            tracker.log(figures)
    return result


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
    return train_all(plan, model, folder, [], judge=False)


def _export(plan: Plan, result: Result, path: Path, overwrite: bool) -> dict:
    """Exports the trained encoder with its card, untrained baseline and history; returns the facts of the card."""
    few = next(inputs.images(plan.train_set, plan.size, batch_size=min(8, len(plan.train_set))))
    facts = export(result.encoder, path, few, _facts(plan, result), overwrite)
    result.exported = path
    log.info(f"exported to {path}; largest difference when loaded again:\n{lines(facts['loads'])}")
    facts["untrained"] = baseline.keep(result.untrained, path, plan.start)
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
    write_index(result.exported.parent)


def _keep_projector(result: Result, path: Path) -> None:
    """Writes the projector, the attribute `projector` or `head` of the method, to the folder of the export."""
    model = result.model
    projector = getattr(model, "projector", None) or getattr(model, "head", None)
    if projector is None:
        log.info(f"{model.name} has no projector to keep")
    else:
        write_projector(projector, path, model.encoder.output_shape[-1])


def _keep_history(run: Path, exported: Path) -> None:
    """Copies the figures of the epochs and the contact sheet of the views to the export, for reports."""
    for name in (HISTORY, VIEWS):
        if (run / name).is_file():
            with replacing(exported / name) as temporary:
                shutil.copyfile(run / name, temporary)


def _report(plan: Plan, result: Result) -> None:
    """Writes the report for data without labels to the run folder."""
    from sslzoo.reports import about  # its import takes seconds

    columns = {TRAINED: [result.encoder], UNTRAINED: [result.untrained]}
    subject = Subject(columns, plan.judged, plan.size, _facts(plan, result))
    try:
        folder = about(subject, plan.name, result.run, source=result.run)
    except ValueError as error:
        log.warning(f"no report: {error}")
    else:
        log.info(f"report: {folder / 'report.html'}")


def _facts(plan: Plan, result: Result) -> dict:
    """Returns the facts of the training for the card."""
    return {
        "name": plan.name,
        "method": plan.method_name,
        "paper": result.model.paper,
        "data": f"{describe(plan.train_set)}; fingerprint {plan.fingerprint}",
        "verdict": result.verdict,
        "seed": plan.experiment.seed,
        "command": provenance.command(),
        "knobs": plan.settings,
        **provenance.facts(),
    }
