"""The one call: train, export, evaluate and report."""

import contextlib
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from sslzoo.data import describe
from sslzoo.evaluation.index import write_index
from sslzoo.evaluation.judging import TRAINED, UNTRAINED, Subject, baseline
from sslzoo.evaluators.report import markdown, note
from sslzoo.exports.savedmodel import HISTORY, VIEWS, export, lines, refuse_existing, write_card, write_projector
from sslzoo.training import hparams
from sslzoo.training.plan import Plan
from sslzoo.training.runner import Result, train_blocks, train_whole
from sslzoo.training.runs import Run
from sslzoo.training.tracking import MLflow
from sslzoo.utils import provenance, replicas
from sslzoo.utils.files import reason, replacing
from sslzoo.views import inputs

# Run options, not part of the experiment.
PLACES = ("resume", "extend", "change", "overwrite", "preview", "runs", "export_to", "evaluate", "name", "mlflow")
PLACES += ("keep_projector", "checkpoint_steps", "checkpoint_minutes", "keep_checkpoints", "cache", "data_service")


def pretrain(
    method: str = "simclr",
    data: str = "digits",
    encoder: str = "resnet18",
    *,
    epochs: int = 100,
    batch_size: int = 256,
    optimizer: str = "sgd",
    learning_rate: float = 0.12,
    learning_rate_rule: str = "linear",
    weight_decay: float = 5e-4,
    weight_decay_end: float | None = None,
    clip_norm: float | None = None,
    warmup: float = 0.1,
    image_size: int | None = None,
    classes: int | None = None,
    max_images: int | None = None,
    layerwise: bool = False,
    preset: str | None = None,
    augment_on: str = "host",
    strategy: str = "auto",
    micro_batch: int | None = None,
    precision: str = "float32",
    seed: int = 0,
    deterministic: bool = False,
    name: str | None = None,
    runs: str = "runs",
    export_to: str | None = "exported_models",
    keep_projector: bool = False,
    evaluate: bool = True,
    resume: bool = False,
    extend: bool = False,
    change: bool = False,
    checkpoint_steps: int | None = None,
    checkpoint_minutes: float | None = None,
    keep_checkpoints: int = 2,
    cache: str | None = None,
    data_service: str | None = None,
    overwrite: bool = False,
    preview: bool = False,
    mlflow: bool = False,
    **knobs,
) -> Result | None:
    """Trains an encoder on images without labels, exports it and evaluates it.

    Args:
        method: a file of methods/, such as "simclr".
        data: a name ("digits", "fashion_mnist", any TFDS image dataset) or a folder of images; in Python also an array
            (n, height, width, channels), a pair (images, labels), or a Dataset.
        encoder: a function of encoders/, such as "resnet18", or "keras.applications:NAME".
        epochs: passes over the data.
        batch_size: images of a step, over all devices.
        optimizer: "lars", "lamb", "sgd" or the name of any Keras optimizer.
        learning_rate: the peak for a batch of 256; see learning_rate_rule.
        learning_rate_rule: how the batch size scales the learning rate: "linear", "sqrt" or "none".
        weight_decay: of all weights but biases and norms.
        weight_decay_end: where the weight decay goes by a cosine, 0.4 in DINO and MSN; it stays if not given.
        clip_norm: the largest norm that the gradient of a weight may have, over all devices; any if not given.
        warmup: share of the steps in which the learning rate rises; it falls by a cosine after them.
        image_size: side of the square that the encoder sees, in pixels; chosen from the data if not given.
        classes: only the first so many classes of the data.
        max_images: train on at most so many images, drawn with a fixed seed.
        layerwise: train one block of the encoder after the other, each for `epochs`, and judge after each; the encoder
            is a chain of layers such as conv6.
        preset: views as another method makes them, a function of views/presets.py.
        augment_on: "host" makes the views in tf.data, "device" inside the training step; they are the same.
        strategy: "auto" (all GPUs), "one", "mirrored", "multi-worker" (TF_CONFIG names the workers; the first one
            writes to `runs`, which all of them see), or "tpu" (experimental).
        micro_batch: images that pass through the encoder at a time, for batches larger than the memory; the gradient
            stays that of the whole batch.
        precision: "float32", "mixed_float16" or "mixed_bfloat16".
        seed: of weights, data order and views.
        deterministic: equal runs give equal bits on a GPU too, more slowly; on CPUs they do anyway.
        name: of the run and the export; METHOD_DATA if not given.
        runs: folder of the run folders.
        export_to: folder of the exported encoders; "none" exports nothing.
        keep_projector: export what maps features to embeddings too, as projector.keras; `sslzoo evaluate --all` then
            probes its layers.
        evaluate: linear probe, k-NN and clustering at the end if the data has labels, else a report in the run folder.
        resume: go on with the run of that name, on as many devices as there are now.
        extend: go on with the run of that name to a larger number of epochs, over which the learning rate then falls.
        change: with resume, settings may be others than before.
        checkpoint_steps: save after every so many steps, and not only after each epoch.
        checkpoint_minutes: save after every so many minutes, and not only after each epoch.
        keep_checkpoints: the last so many stay.
        cache: folder to keep decoded pixels in, for data that do not fit into memory; later runs find them there.
        data_service: grpc://host:port of `sslzoo serve-data`, which then reads the data and makes the views.
        overwrite: replace the run and the export of that name.
        mlflow: log the run to MLflow too; MLFLOW_TRACKING_URI, or else sqlite:///mlflow.db.
        preview: only draw the contact sheet of the views and count what they do.

    Other keywords are the knobs of the method, the encoder and the preset of views. The settings of the run record all
    of them, defaults too, and under "given" the names of those that were set.

    Raises:
        ValueError: a wrong knob, name or value; the text is one line that says what to do.
    """
    given = dict(locals())
    settings = {k: v for k, v in given.items() if k not in (*PLACES, "knobs")}
    resume = resume or extend
    free = None if change else {"strategy", "epochs"} if extend else {"strategy"}
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    spread = replicas.strategy(strategy)  # which several workers have to make before anything else
    plan = Plan(settings, knobs, cache, data_service)
    plan.name = name or plan.name
    if preview:
        plan.draw_views(Path(runs) / f"{plan.name}-views.png")
        return None
    exported = Path(export_to) / plan.name if export_to else None
    if exported and not resume:
        refuse_existing(exported, overwrite)
    folder = Path(runs) / plan.name
    train_all = train_blocks if layerwise else train_whole
    if not replicas.is_chief(spread):
        return _follow(plan, train_all, folder)
    tracker = MLflow(folder, plan.name, plan.settings, exported) if mlflow else contextlib.nullcontext()
    model = plan.build()
    with Run(folder, plan.settings, resume, overwrite, free) as run, tracker:
        print(f"run folder {run.path}")
        plan.draw_views(run.path / "views.png")
        plan.checkpoints = dict(steps=checkpoint_steps, minutes=checkpoint_minutes, keep=keep_checkpoints)
        hparams.write(run.path / "events", plan.settings)
        replicas.meet(spread)
        with _naming_memory(batch_size):
            result = train_all(plan, model, run.path, [tracker] * mlflow, evaluate and plan.test_set is not None)
        facts = _export(plan, result, exported, overwrite or resume) if exported else None
        if facts and keep_projector:
            _keep_projector(result, exported)
        if facts and result.scores:
            judged_on = note(plan.judged.train.labels, plan.judged.test.labels)
            scores = {"scores": [row.as_dict() for row in result.scores], "judged on": judged_on}
            scores["scores_markdown"] = markdown(result.scores)
            write_card(exported, facts | scores)
        if facts:
            _keep_history(run.path, exported)
            write_index(exported.parent)
        figures = {f"{row.features}/{row.key}": row.mean for row in result.scores}
        hparams.write(run.path / "events", plan.settings, figures, plan.stage_count * epochs * plan.steps)
        if evaluate and plan.train_set.labels is None:
            _report(plan, result)
        if mlflow:
            tracker.log(figures)
    return result


@contextlib.contextmanager
def _naming_memory(batch_size: int) -> Iterator[None]:
    """Turns errors of TensorFlow and Python that memory ran out into a line that says what to do."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        line = f"out of memory with a batch of {batch_size}: try --batch-size {max(2, batch_size // 2)}"
        raise ValueError(f"{line} ({reason(error)[:200]})") from error


def _follow(plan: Plan, train_all: Callable, folder: Path) -> Result:
    """Trains as a worker other than the first, which alone prints, evaluates and writes."""
    with contextlib.redirect_stdout(io.StringIO()):
        model = plan.build()
        plan.checkpoints = dict(writes=False)
        replicas.meet(plan.strategy)
        return train_all(plan, model, folder, [], judge=False)


def _export(plan: Plan, result: Result, path: Path, overwrite: bool) -> dict:
    """Exports the trained encoder; returns the facts of its card."""
    few = next(inputs.images(plan.train_set, plan.size, batch_size=min(8, len(plan.train_set))))
    facts = export(result.encoder, path, few, _facts(plan, result), overwrite)
    facts["untrained"] = baseline.keep(result.untrained, path, plan.start)
    write_card(path, facts)
    result.exported = path
    print(f"exported to {path}; largest difference when loaded again:", lines(facts["loads"]), sep="\n")
    return facts


def _keep_projector(result: Result, path: Path) -> None:
    """Keeps the projector, which methods call projector or head, in the folder of the export."""
    model = result.model
    projector = getattr(model, "projector", None) or getattr(model, "head", None)
    if projector is None:
        print(f"{model.name} has no projector to keep")
    else:
        write_projector(projector, path, model.encoder.output_shape[-1])


def _keep_history(run: Path, exported: Path) -> None:
    """Copies the figures of the epochs and the sheet of the views, which reports show, to the export."""
    for name in (HISTORY, VIEWS):
        if (run / name).is_file():
            with replacing(exported / name) as beside:
                shutil.copyfile(run / name, beside)


def _report(plan: Plan, result: Result) -> None:
    """Writes the report that needs no labels to the run folder."""
    from sslzoo.reports import about  # its import takes seconds

    columns = {TRAINED: [result.encoder], UNTRAINED: [result.untrained]}
    subject = Subject(columns, plan.judged, plan.size, _facts(plan, result))
    try:
        folder = about(subject, plan.name, result.run, source=result.run)
    except ValueError as error:
        print(f"no report: {error}")
    else:
        print(f"report: {folder / 'report.html'}")


def _facts(plan: Plan, result: Result) -> dict:
    """Facts of the training for the card."""
    return {
        "name": plan.name,
        "method": plan.settings["method"],
        "paper": result.model.paper,
        "data": f"{describe(plan.train_set)}; fingerprint {plan.fingerprint}",
        "verdict": result.verdict,
        "seed": plan.settings["seed"],
        "command": provenance.command(),
        "knobs": plan.settings,
        **provenance.facts(),
    }
