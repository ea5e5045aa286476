"""A run: trains an encoder as a whole or block by block, and evaluates it if there are labels."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sslzoo.catalog import options
from sslzoo.evaluation import image_text, judging, missions, observations
from sslzoo.evaluation.judging import TRAINED
from sslzoo.evaluation.places import TokenPictures
from sslzoo.evaluators.report import Row
from sslzoo.evaluators.scores import Scores
from sslzoo.exports.contract import RECONSTRUCTION, RETRIEVED
from sslzoo.exports.text import tower_of
from sslzoo.model import SSLModel
from sslzoo.training import layerwise
from sslzoo.training.checkpoints import Checkpoints
from sslzoo.training.loop import EpochLine, train
from sslzoo.training.monitors import Throughput, Watch
from sslzoo.training.plan import Plan
from sslzoo.training.result import Result
from sslzoo.training.tracking import JsonLines, Pictures, TensorBoard
from sslzoo.utils import replicas
from sslzoo.utils.files import replacing
from sslzoo.utils.log import log

PICTURES = 8  # number of images whose reconstruction and tokens are drawn
TOKENS = "tokens.png"


def train_whole(plan: Plan, model: SSLModel, folder: Path, trackers: list) -> Result:
    """Trains all blocks of the encoder together."""
    result = _train(plan, model, folder, trackers)
    return _with_encoders(plan, model, result)


def train_blocks(plan: Plan, model: SSLModel, folder: Path, trackers: list) -> Result:
    """Trains block after block and evaluates after each block.

    The scores are written to stages.json, so that a resumed run does not compute them again.
    """
    kept = folder / "stages.json"
    scores = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    for stage, (block, grown) in enumerate(plan.stages(model)):
        log.info(f"stage {stage + 1}: {block}")
        result = _train(plan, grown, folder, trackers, stage)
        if plan.judges and block not in scores:
            features = layerwise.pooled(plan.calibrated(grown), plan.untrained.output_shape[-1])
            rows = judging.score({f"up to {block}": [features]}, plan.judged, plan.size, raw_pixels=False)
            scores[block] = [row.as_dict() for row in rows]
            with replacing(kept) as temporary:
                temporary.write_text(json.dumps(scores, indent=2) + "\n", "utf-8")
    result.scores = Scores(Row(**row) for rows in scores.values() for row in rows) if plan.judges else Scores()
    return _with_encoders(plan, grown, result)


def _with_encoders(plan: Plan, model: SSLModel, result: Result) -> Result:
    if replicas.is_chief(plan.strategy):
        result.encoder, result.untrained = plan.calibrated(model), plan.calibrated(model, start=True)
    return result


def judge_all(plan: Plan, result: Result) -> None:
    """Adds the scores of the trained encoder, the untrained encoder and raw pixels to the result."""
    columns = {judging.before(plan.origin): [result.untrained]}
    if not plan.experiment.layerwise:
        columns = {TRAINED: [result.encoder]} | columns
    episodes = observations.has_episodes(plan.judged)
    unlabelled = plan.train_set.labels is None and (plan.words or episodes)
    found = Scores() if unlabelled else judging.score(columns, plan.judged, plan.size)
    towers = options.needs_captions(plan.method) and image_text.has_captions(plan.judged)
    judged = [found, _judge_captions(plan, result) if towers else Scores()]
    judged += _judge_episodes(plan, result, columns) if episodes else []
    notes = [note for scores in judged for note in scores.notes]
    result.scores = Scores([*result.scores, *(row for scores in judged for row in scores)], notes)


def _judge_episodes(plan: Plan, result: Result, columns: dict) -> Iterator[Scores]:
    """The scores of frames, and of missions where the method is trained with them; draws values along an episode."""
    yield observations.observation_scores(columns, plan.judged, plan.size)
    observations.draw_values(columns, plan.judged.test, plan.size, result.run / "values.png")
    if result.model.captions and image_text.has_captions(plan.judged):
        yield missions.mission_scores(result.model, result.encoder, result.untrained, plan.judged, plan.size)


def _judge_captions(plan: Plan, result: Result) -> Scores:
    """Returns the scores of retrieval, and draws what some captions retrieve."""
    tower = tower_of(result.model)
    image_text.draw_retrieved(result.encoder, tower, plan.judged.test, plan.size, result.run / RETRIEVED)
    return image_text.image_text_scores(result.encoder, result.untrained, tower, plan.judged, plan.size)


def _train(plan: Plan, model: SSLModel, folder: Path, trackers: list, stage: int = 0) -> Result:
    """Trains in the run folder, from the newest checkpoint if there is one, and logs the verdict."""
    epochs, steps = plan.experiment.epochs, plan.steps
    stages = plan.stage_count
    noun, callbacks = plan.train_set.noun, []
    throughput = Throughput(plan.experiment.batch_size, stages * epochs, steps, noun)
    if chief := replicas.is_chief(plan.strategy):
        recorders = [*trackers, EpochLine(stages * epochs, noun), *_records(folder, stage * epochs * steps)]
        watch = plan.watch(model, recorders if stage == 0 else ())
        callbacks = [throughput, watch, *recorders, *_pictures(plan, model, folder), *plan.run.callbacks]
    train(
        model,
        lambda start, stop, **share: throughput.watch(plan.batches(start, stop, **share)),
        epochs,
        steps,
        Checkpoints(model, folder / "checkpoints" / (f"stage{stage + 1}" if stages > 1 else ""), **plan.checkpoints),
        callbacks,
        epochs_before=stage * epochs,
    )
    if not chief:
        return Result(model, folder, plan)
    verdict = watch.judge()
    log.info(f"verdict: {verdict}")
    _keep_answers(watch, folder)
    return Result(model, folder, plan, verdict=verdict)


def _keep_answers(watch: Watch, folder: Path) -> None:
    """Writes the per-image answers that the verdict compares to answers.npz."""
    start, end = watch.start, watch.end
    answers = {"found_at_start": start.found, "found": end.found}
    answers |= {"features_found_at_start": start.matched, "features_found": end.matched}
    if end.right is not None:
        answers |= {"knn_at_start": start.right, "knn": end.right}
    with replacing(folder / "answers.npz") as temporary, open(temporary, "wb") as file:
        np.savez(file, **answers)


def _pictures(plan: Plan, model: SSLModel, folder: Path) -> list[Pictures]:
    """Returns recorders of what the method reconstructs, and of the tokens of a transformer, where there are some."""
    reconstructs, tokens = type(model).pictures is not SSLModel.pictures, _tokens(model) if plan.kind.pixels else None
    if not reconstructs and tokens is None:
        return []
    batch, events = plan.views_of_few(PICTURES), folder / "events"
    found = {RECONSTRUCTION: lambda: model.pictures(batch)} if reconstructs else {}
    found |= {TOKENS: lambda: tokens(batch["views"][0])} if tokens else {}
    return [Pictures(draw, folder / name, events) for name, draw in found.items()]


def _tokens(model: SSLModel) -> TokenPictures | None:
    try:
        return TokenPictures(model.of_images(model.exported()))
    except ValueError:
        return None


def _records(folder: Path, steps_before: int) -> list:
    """Returns the recorders that write figures to the run folder."""
    sheet = folder / "views.png"
    return [JsonLines(folder / "metrics.jsonl", steps_before), TensorBoard(folder / "events", sheet, steps_before)]
